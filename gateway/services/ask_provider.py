"""Asks the provider about a payment, or closes it there, and records the answer."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.order import Payment
from gateway.domain.provider import OperationUnsupported, PaymentRef, ProviderAnswer, ProviderError
from gateway.domain.refusal import Refusal
from gateway.domain.report import ReportedState
from gateway.domain.states import payment_is_open
from gateway.services.deps import Deps
from gateway.services.record_report import Message, Recorded, record_report
from gateway.services.views import PaymentView, find_payment, payment_view
from gateway.store import Tx

REFRESH_PAUSE: Final = timedelta(seconds=3)
_REFRESHED_MAX: Final = 10_000


def payment_ref(payment: Payment) -> PaymentRef:
    """The payment as the adapter names it to the provider."""
    return PaymentRef(
        out_trade_no=payment.out_trade_no,
        amount_fen=payment.amount_fen,
        method=payment.method,
        created_at=payment.created_at,
        provider_trade_no=payment.provider_trade_no,
    )


def record_answer(deps: Deps, account: str, event: str, answer: ProviderAnswer, *, actor: str) -> Recorded:
    """Record a provider's answer to a question of ours; its bytes become evidence if they change something."""
    now = deps.clock.now()
    notification_id = f"ntf_{deps.ids.new()}"
    message = Message(
        id=notification_id,
        account=account,
        source=answer.report.source,
        dedup_key=f"{event}:{notification_id}",
        event=event,
        received_at=now,
        body=answer.raw,
    )

    def job(tx: Tx) -> Recorded:
        view = tx.report_view(account=account, out_trade_no=answer.report.out_trade_no, dedup_key=message.dedup_key)
        return record_report(tx, deps, view, answer.report, message, actor=actor)

    return deps.store.run(job)


def ask_payment(deps: Deps, payment: Payment, *, actor: str) -> Payment:
    """
    Query a payment and record what the provider says.

    Raises:
        ProviderError: There was no answer; nothing is changed.
    """
    return _ask(deps, payment, actor=actor)[0]


def _ask(deps: Deps, payment: Payment, *, actor: str) -> tuple[Payment, ReportedState]:
    answer = deps.providers[payment.account].query(payment_ref(payment))
    recorded = record_answer(deps, payment.account, "query", answer, actor=actor)
    return recorded.payment or payment, answer.report.state


@dataclass(frozen=True, slots=True)
class Shut:
    """
    What trying to shut a payment came to.

    Attributes:
        time_decides: True when no call can make it unpayable: the provider cannot close, or does not know it (yet).
    """

    payment: Payment
    time_decides: bool


def shut_payment(deps: Deps, payment: Payment, *, actor: str) -> Shut:
    """
    Ask, close, ask again: only the second answer can prove that no money will come. A payer at the password page may
    have paid while the provider said "closed", so that word of the close itself is not even recorded. Of a payment that
    the provider does not know there is nothing to close: it may still come to know it, and time alone proves it dead.

    Raises:
        ProviderError: A call brought no answer; what was learnt before it is recorded.
    """
    payment, said = _ask(deps, payment, actor=actor)
    if said is ReportedState.NOT_FOUND or not payment_is_open(payment.state):
        return Shut(payment, time_decides=True)
    try:
        answer = deps.providers[payment.account].close(payment_ref(payment))
    except OperationUnsupported:
        return Shut(payment, time_decides=True)
    if answer.report.state is not ReportedState.CLOSED:
        payment = record_answer(deps, payment.account, "close", answer, actor=actor).payment or payment
    if payment_is_open(payment.state):
        payment = ask_payment(deps, payment, actor=actor)
    return Shut(payment, time_decides=False)


class RefreshGate:
    """Lets one question per payment through in three seconds, so that impatient pages don't become provider load."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._mutex = threading.Lock()
        self._asked: OrderedDict[str, datetime] = OrderedDict()

    def passes(self, payment_id: str) -> bool:
        """True, and counted, when the last question is long enough ago."""
        now = self._now()
        with self._mutex:
            last = self._asked.get(payment_id)
            if last is not None and now - last < REFRESH_PAUSE:
                return False
            self._asked[payment_id] = now
            self._asked.move_to_end(payment_id)
            if len(self._asked) > _REFRESHED_MAX:
                self._asked.popitem(last=False)
            return True


def read_payment(deps: Deps, gate: RefreshGate, app: str, payment_id: str, *, refresh: bool) -> PaymentView:
    """
    Read one payment; with `refresh` the provider is asked first while the payment is open.

    A provider that does not answer leaves the payment as it was: reading never fails for that.

    Raises:
        Refusal: not_found; refresh_too_soon.
    """
    _, payment = find_payment(deps.store.read(), app, payment_id)
    if refresh and payment_is_open(payment.state):
        if not gate.passes(payment_id):
            raise Refusal(
                "refresh_too_soon",
                "the provider was asked a moment ago",
                retry_after_seconds=int(REFRESH_PAUSE.total_seconds()),
            )
        try:
            payment = ask_payment(deps, payment, actor=f"app:{app}")
        except ProviderError:
            return payment_view(deps, payment)
    return payment_view(deps, payment)
