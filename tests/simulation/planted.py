"""Defects, planted one at a time, that a simulation must find: what it does not find, it does not prove."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from gateway.domain.states import PAYMENT_ARROWS, PaymentState
from gateway.services import close_order, idempotent, refund_payment
from gateway.services.record_report import _Judge
from gateway.services.views import find_order
from gateway.store import tx as store_tx
from gateway.store.tx import Tx

Plant = Callable[[pytest.MonkeyPatch], None]


def _no_dedupe(patch: pytest.MonkeyPatch) -> None:
    """A payment that is paid is paid once more by every further message."""
    patch.setitem(PAYMENT_ARROWS, PaymentState.PAID, frozenset({PaymentState.PAID}))


def _surplus_kept(patch: pytest.MonkeyPatch) -> None:
    """A payment too many is kept and nothing goes back."""
    patch.setattr(_Judge, "_send_back", lambda judge: judge._tell("payment_surplus"))


def _no_refund_limit(patch: pytest.MonkeyPatch) -> None:
    """More goes back than came: neither what is under way nor what is done counts."""
    real = refund_payment._write_refund

    def request(tx: Tx, deps: Any, draft: Any) -> Any:
        order = find_order(tx, draft.app, draft.order_id)
        payment = tx.payment(order.paid_payment_id or "")
        if payment is None or tx.refund_by_client_no(order.id, draft.client_refund_no):
            return honest(tx, deps, draft)
        wanted = draft.amount_fen or payment.amount_fen
        return real(tx, deps, order=order, payment=payment, draft=draft, amount_fen=wanted)

    honest = refund_payment._request
    patch.setattr(refund_payment, "_request", request)


def _closed_before_proof(patch: pytest.MonkeyPatch) -> None:
    """An order is closed by our clock alone, while the payer can still pay."""
    patch.setattr(close_order, "payment_is_open", lambda _state: False)


def _unfenced(patch: pytest.MonkeyPatch) -> None:
    """A request whose lease ran out stores its answer over that of the request which took its key over."""
    for name, fence in (("FINISH_KEY", "AND fence = ? AND state = 'running'"), ("OWN_KEY", "AND fence = ?")):
        write = getattr(store_tx, name)
        assert fence in write.sql
        patch.setattr(store_tx, name, replace(write, sql=write.sql.replace(fence, "AND ? IS NOT NULL")))
    patch.setattr(idempotent, "_is_ours", lambda *_: True)


PLANTED: Final[Mapping[str, Plant]] = {
    "no_dedupe": _no_dedupe,
    "surplus_kept": _surplus_kept,
    "no_refund_limit": _no_refund_limit,
    "closed_before_proof": _closed_before_proof,
    "unfenced": _unfenced,
}
