"""Defects, planted one at a time in the launched processes, that a run must find."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from gateway.domain.provider import Verdict
from gateway.services import idempotent, start_payment
from gateway.services.accept_callback import AcceptedCallback, accept_callback
from gateway.store import tx
from gateway.store.statements import SETTLE_TASK
from gateway.web import callbacks

_LATE_SECONDS: Final = 1.0
_ANY_NUMBER: Final = "CAST(? AS BIGINT) IS NOT NULL"


def _acknowledged_before_commit() -> None:
    """A provider hears that its callback was taken before it is stored; it will not come again."""

    def accept(deps: Any, account: str, raw: Any, **more: Any) -> Any:
        threading.Thread(target=_later, args=(deps, account, raw)).start()
        return _acceptance(deps, account, raw)

    patch.object(callbacks, "accept_callback", accept).start()


def _later(deps: Any, account: str, raw: Any) -> None:
    time.sleep(_LATE_SECONDS)
    accept_callback(deps, account, raw)


def _acceptance(deps: Any, account: str, raw: Any) -> Any:
    """An acceptance out of thin air."""
    acknowledgement = deps.providers[account].acknowledge(Verdict.ACCEPTED, raw)
    return AcceptedCallback(acknowledgement=acknowledgement, outcome="applied", reason="", digest="")


def _resumed_under_a_new_number() -> None:
    """A request that is taken up again goes to the provider under another number than the one on record."""
    real = start_payment._resume

    def resume(tx: Any, deps: Any, held: Any, draft: Any) -> Any:
        claimed = real(tx, deps, held, draft)
        return replace(claimed, payment=replace(claimed.payment, out_trade_no=deps.ids.new()))

    patch.object(start_payment, "_resume", resume).start()


def _unfenced_keys() -> None:
    """Whoever has ever begun a request finishes its key, or lets go of it, however late."""
    patch.object(idempotent, "_is_ours", lambda *_: True).start()
    for name in ("OWN_KEY", "FINISH_KEY"):
        write = getattr(tx, name)
        sql = write.sql.replace("AND fence = ?", f"AND {_ANY_NUMBER}").replace("AND state = 'running'", "")
        patch.object(tx, name, replace(write, sql=sql)).start()


def _unfenced_tasks() -> None:
    """Whoever has ever claimed a task settles it, however late."""
    sql = SETTLE_TASK.sql.replace("AND lease = ?", "AND CAST(? AS TEXT) IS NOT NULL")
    patch.object(tx, "SETTLE_TASK", replace(SETTLE_TASK, sql=sql)).start()


PLANTED: Final[Mapping[str, Callable[[], None]]] = {
    "acknowledged_before_commit": _acknowledged_before_commit,
    "resumed_under_a_new_number": _resumed_under_a_new_number,
    "unfenced_keys": _unfenced_keys,
    "unfenced_tasks": _unfenced_tasks,
}
