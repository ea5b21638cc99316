"""
Compares a bank's day file with our record, line by line. Each line is a unit of work of its own that finds what an
earlier try has done, so that a comparison that was broken off is simply done again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.domain.biller import (
    BillerRefused,
    DayLine,
    DifferenceKind,
    FileState,
    PaymentNotice,
    ReversalNotice,
)
from gateway.domain.biller_front import DayFileRefused
from gateway.domain.biller_rows import BillerDifference, BillerEntry, BillerFile, DifferenceState, EntryKind, EntryState
from gateway.domain.report import Source
from gateway.services.biller_account import Evidence, front_of
from gateway.services.biller_files import finish_file, read_content
from gateway.services.biller_payments import payment_meaning, take_payment
from gateway.services.biller_reversals import take_back
from gateway.services.deps import Deps
from gateway.services.tasks import SubjectMissing
from gateway.store import Tx
from gateway.store.families import biller as rows

_PAGE: Final = 500
_RECORDED: Final = "payment_recorded"
_GONE: Final = "gone_from_newer_file"


def match_file(deps: Deps, file_id: str) -> None:
    """
    Compare a file that is waiting. Memory is bounded by the file, whose size is limited; our side is read in pages.

    Raises:
        SubjectMissing: There is no such file.
    """
    tx = deps.store.read()
    file, content = rows.file(tx, file_id), rows.file_content(tx, file_id)
    if file is None or content is None:
        raise SubjectMissing(file_id)
    if file.state is not FileState.PENDING:
        return
    newest = rows.newest_file(tx, file.account, file.biller_id, file.bank_date)
    if newest is not None and newest.id != file.id:
        finish_file(deps, file, FileState.SUPERSEDED)
        return
    try:
        lines = list(front_of(deps, file.account).day_lines(read_content(deps, content)))
    except DayFileRefused as exc:
        finish_file(deps, file, FileState.REJECTED, reason=str(exc))
        return
    _Comparison(deps=deps, file=file, lines=lines).run()


@dataclass(slots=True, kw_only=True)
class _Comparison:
    """One run over one file."""

    deps: Deps
    file: BillerFile
    lines: list[DayLine]
    matched: int = 0
    open: int = 0
    reversal_of: dict[str, DayLine] = field(default_factory=dict)

    def run(self) -> None:
        for line in self.lines:
            if line.original_seq is not None:
                self.reversal_of.setdefault(line.original_seq, line)
        payments = {line.bank_seq for line in self.lines if line.original_seq is None}
        for line in self.lines:
            if line.original_seq is None:
                self._payment(line)
            elif line.original_seq not in payments or self.reversal_of[line.original_seq] is not line:
                # Taken back on another day than it was made, or once more.
                self._differ(line.bank_seq, DifferenceKind.REVERSAL, bank_fen=line.amount_fen)
        for ours in self._our_payments():
            if ours.bank_seq not in payments:
                self._differ(ours.bank_seq, DifferenceKind.SHORT, ours=ours)
        self._resolve_what_is_gone()
        state = FileState.DIFFERENT if self.open else FileState.MATCHED
        finish_file(self.deps, self.file, state, matched=self.matched)

    def _payment(self, line: DayLine) -> None:
        reversal = self.reversal_of.get(line.bank_seq)
        ours = rows.entry(
            self.deps.store.read(), self.file.account, self.file.bank_date, line.bank_seq, EntryKind.PAYMENT
        )
        if ours is None:
            ours = self._void(line, reversal) if reversal else self._record(line)
        if ours is None:
            self._differ(line.bank_seq, DifferenceKind.LONG, bank_fen=line.amount_fen)
            return
        kind = self._difference(line, reversal, ours)
        if kind is None:
            self.matched += 2 if reversal else 1
        else:
            self._differ(line.bank_seq, kind, bank_fen=line.amount_fen, ours=ours)

    def _difference(self, line: DayLine, reversal: DayLine | None, ours: BillerEntry) -> DifferenceKind | None:
        if (ours.state is EntryState.APPLIED) == (reversal is not None):
            return DifferenceKind.REVERSAL
        if line.amount_fen != ours.amount_fen or (reversal is not None and reversal.amount_fen != line.amount_fen):
            return DifferenceKind.AMOUNT
        said = payment_meaning(self.file.biller_id, line.bill_no, line.amount_fen)
        return DifferenceKind.BILL if ours.meaning not in ("", said) else None

    def _record(self, line: DayLine) -> BillerEntry | None:
        """A payment that we never heard of is taken now, if its bill can still be paid."""
        notice = PaymentNotice(
            biller_id=self.file.biller_id,
            bank_date=line.bank_date,
            bank_seq=line.bank_seq,
            occurred_at=line.occurred_at,
            bill_no=line.bill_no,
            amount_fen=line.amount_fen,
            channel=line.channel,
        )
        account = self.file.account
        try:
            self.deps.store.run(lambda tx: take_payment(tx, self.deps, account, notice, self._evidence(line)))
        except BillerRefused:
            return None
        ours = self._entry(line)
        if ours is not None:
            self._note(line.bank_seq, DifferenceKind.LONG, line.amount_fen, ours, resolution=_RECORDED)
        return ours

    def _void(self, line: DayLine, reversal: DayLine) -> BillerEntry | None:
        """Paid and taken back without our hearing of either: nothing is owed, and neither may come later."""
        notice = ReversalNotice(
            biller_id=self.file.biller_id,
            bank_date=reversal.bank_date,
            bank_seq=reversal.bank_seq,
            original_date=line.bank_date,
            original_seq=line.bank_seq,
            amount_fen=reversal.amount_fen,
        )
        account = self.file.account
        try:
            self.deps.store.run(lambda tx: take_back(tx, self.deps, account, notice, self._evidence(reversal)))
        except BillerRefused:
            return None
        return self._entry(line)

    def _entry(self, line: DayLine) -> BillerEntry | None:
        tx = self.deps.store.read()
        return rows.entry(tx, self.file.account, self.file.bank_date, line.bank_seq, EntryKind.PAYMENT)

    def _evidence(self, line: DayLine) -> Evidence:
        return Evidence(
            source=Source.STATEMENT,
            received_at=self.file.created_at,
            body=line.raw,
            headers={"file": self.file.file_name, "digest": self.file.digest},
        )

    def _our_payments(self) -> Iterator[BillerEntry]:
        after, file = "", self.file
        while True:
            page = rows.days_payments(
                self.deps.store.read(), file.account, file.biller_id, file.bank_date, after=after, limit=_PAGE
            )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].bank_seq

    # --- differences ---

    def _differ(
        self, bank_seq: str, kind: DifferenceKind, *, bank_fen: int | None = None, ours: BillerEntry | None = None
    ) -> None:
        self.open += 1
        self._note(bank_seq, kind, bank_fen, ours, resolution="")

    def _note(
        self, bank_seq: str, kind: DifferenceKind, bank_fen: int | None, ours: BillerEntry | None, *, resolution: str
    ) -> None:
        file = self.file

        def job(tx: Tx) -> None:
            now = self.deps.clock.now()
            known = rows.difference(tx, file.account, file.biller_id, file.bank_date, bank_seq)
            told = BillerDifference(
                account=file.account,
                biller_id=file.biller_id,
                bank_date=file.bank_date,
                bank_seq=bank_seq,
                kind=kind,
                file_id=file.id,
                bank_amount_fen=bank_fen,
                our_amount_fen=ours.amount_fen if ours else None,
                payment_id=ours.payment_id if ours else None,
                state=DifferenceState.RESOLVED if resolution else DifferenceState.OPEN,
                resolution=resolution,
                created_at=known.created_at if known else now,
                updated_at=now,
            )
            if known is None:
                tx.insert(told)
            elif replace(known, updated_at=now) != told:
                tx.update(told)

        self.deps.store.run(job)

    def _resolve_what_is_gone(self) -> None:
        """What an earlier file of the day showed, and this one does not, was mended at the bank."""
        file, after = self.file, ""
        while True:
            page = rows.open_differences(
                self.deps.store.read(), file.account, file.biller_id, file.bank_date, after=after, limit=_PAGE
            )
            for each in page:
                if each.file_id != file.id:
                    self._resolve(each)
            if len(page) < _PAGE:
                return
            after = page[-1].bank_seq

    def _resolve(self, each: BillerDifference) -> None:
        now = self.deps.clock.now()
        gone = replace(each, state=DifferenceState.RESOLVED, resolution=_GONE, file_id=self.file.id, updated_at=now)
        self.deps.store.run(lambda tx: tx.update(gone))
