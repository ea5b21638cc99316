"""Day files of banks: kept once they hold as a whole, compared by a task, answered from what the comparison left."""

import zlib
from dataclasses import replace
from hashlib import sha256
from typing import Final

from gateway.domain.biller import (
    BillerReason,
    BillerRefused,
    DayFile,
    DayResult,
    FileReceipt,
    FileState,
    ResultQuestion,
    ToldDifference,
)
from gateway.domain.biller_rows import BillerFile, BillerFileContent
from gateway.domain.order import TaskKind
from gateway.services.biller_account import DAY
from gateway.services.deps import Deps
from gateway.services.tasks import due_task
from gateway.store import Tx
from gateway.store.families import biller as rows

_CONTENT_PURPOSE: Final = "biller_file"
_DIFFERENCES_MAX: Final = 1000
"""How many differences one answer tells; more of them are no list but an incident."""


def keep_file(tx: Tx, deps: Deps, account: str, day_file: DayFile) -> FileReceipt:
    """
    Keep a day's file and have it compared, or remember that it was refused as a whole. A refused one may be sent again
    under its name; any other name stands for one content for ever.

    Raises:
        BillerRefused: key_reused: the name was used for another content.
    """
    digest = sha256(day_file.content).hexdigest()
    held = rows.file_by_name(tx, account, day_file.file_name)
    if held is not None and (held.digest == digest or held.state is not FileState.REJECTED):
        if held.digest != digest:
            raise BillerRefused(BillerReason.KEY_REUSED)
        return FileReceipt(file_id=held.id, state=held.state)
    now = deps.clock.now()
    kept = BillerFile(
        id=held.id if held else f"bdf_{deps.ids.new()}",
        account=account,
        biller_id=day_file.biller_id,
        bank_date=day_file.bank_date.strftime(DAY),
        file_name=day_file.file_name,
        digest=digest,
        state=FileState.REJECTED if day_file.fault else FileState.PENDING,
        reason=day_file.fault,
        lines=day_file.lines,
        matched=0,
        created_at=held.created_at if held else now,
        updated_at=now,
    )
    if held:
        tx.update(kept)
    else:
        tx.insert(kept)
    if kept.state is FileState.PENDING:
        sealed = deps.vault.seal(zlib.compress(day_file.content), _CONTENT_PURPOSE)
        content = BillerFileContent(file_id=kept.id, content_sealed=sealed)
        if held and rows.file_content(tx, kept.id) is not None:
            tx.update(content)
        else:
            tx.insert(content)
        tx.schedule(due_task(TaskKind.MATCH_FILE, kept.id, account, at=now, now=now))
    return FileReceipt(file_id=kept.id, state=kept.state)


def read_content(deps: Deps, sealed: BillerFileContent) -> bytes:
    """The file's bytes as they arrived."""
    return zlib.decompress(deps.vault.unseal(sealed.content_sealed, _CONTENT_PURPOSE))


def day_result(deps: Deps, account: str, question: ResultQuestion) -> DayResult:
    """How the day's newest file compared; a day without one is pending."""
    tx = deps.store.read()
    day = question.bank_date.strftime(DAY)
    newest = rows.newest_file(tx, account, question.biller_id, day)
    if newest is None or newest.state in (FileState.PENDING, FileState.REJECTED):
        state = newest.state if newest else FileState.PENDING
        return DayResult(state=state, matched=0, differences=())
    found = rows.open_differences(tx, account, question.biller_id, day, after="", limit=_DIFFERENCES_MAX)
    told = tuple(
        ToldDifference(
            bank_seq=each.bank_seq,
            kind=each.kind,
            bank_amount_fen=each.bank_amount_fen,
            our_amount_fen=each.our_amount_fen,
        )
        for each in found
    )
    state = FileState.DIFFERENT if told else FileState.MATCHED
    return DayResult(state=state, matched=newest.matched, differences=told)


def finish_file(deps: Deps, file: BillerFile, state: FileState, *, matched: int = 0, reason: str = "") -> None:
    """Say what became of a file that was waiting to be compared."""

    def job(tx: Tx) -> None:
        current = rows.file(tx, file.id)
        if current is not None and current.state is FileState.PENDING:
            now = deps.clock.now()
            tx.update(replace(current, state=state, matched=matched, reason=reason, updated_at=now))

    deps.store.run(job)
