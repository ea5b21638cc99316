"""Biller mode, the one door: from what a bank asks to what it is told, whatever its protocol."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Final

from gateway.domain.biller import (
    BillerAsk,
    BillerOutcome,
    BillerReason,
    BillerRefused,
    BillQuestion,
    DayFile,
    PaymentNotice,
    PaymentQuestion,
    ResultQuestion,
)
from gateway.domain.biller_front import Admitted
from gateway.domain.report import Source
from gateway.domain.states import NotificationState
from gateway.services.biller_account import Evidence
from gateway.services.biller_bills import find_bills
from gateway.services.biller_files import day_result, keep_file
from gateway.services.biller_payments import answer_payment, find_payment
from gateway.services.biller_reversals import take_back
from gateway.services.deps import Deps
from gateway.services.record_report import Recorded, keep_message
from gateway.store import StoreContended, StoreUnavailable, Tx

NONCE_LIFE: Final = timedelta(seconds=601)
"""A nonce is not used twice in ten minutes: as long as any time stamp that is accepted with it, on either side."""

_KEPT_HEADERS_MAX: Final = 64


def serve_biller(deps: Deps, account: str, admitted: Admitted, ask: BillerAsk) -> BillerOutcome:
    """
    Do what a proven call asks. A refusal is an outcome; so is a database that fails: `busy` when certainly nothing was
    written, `undecided` when something may have been.
    """
    if isinstance(ask, BillQuestion | PaymentQuestion | ResultQuestion):
        return _answered(deps, account, ask)
    evidence = Evidence(
        source=Source.CALLBACK,
        received_at=admitted.request.received_at,
        body=admitted.request.body,
        headers=dict(list(admitted.request.headers.items())[:_KEPT_HEADERS_MAX]),
    )
    if isinstance(ask, DayFile):
        return _decided(deps, partial(keep_file, deps=deps, account=account, day_file=ask))
    if isinstance(ask, PaymentNotice):
        return _decided(deps, partial(answer_payment, deps=deps, account=account, notice=ask, evidence=evidence))
    return _decided(deps, partial(take_back, deps=deps, account=account, notice=ask, evidence=evidence))


def keep_unreadable(deps: Deps, account: str, admitted: Admitted, reason: BillerReason) -> BillerReason:
    """Keep a proven message about money that cannot be read, once, for a person; says what the bank is told."""
    request = admitted.request
    key = f"malformed:{sha256(request.body).hexdigest()}"
    evidence = Evidence(source=Source.CALLBACK, received_at=request.received_at, body=request.body)

    def job(tx: Tx) -> BillerOutcome:
        if tx.notification_by_key(account, key) is None:
            message = evidence.message(deps, account, dedup_key=key, event="")
            recorded = Recorded(state=NotificationState.MALFORMED, reason=reason.value)
            keep_message(tx, deps, message, None, recorded, now=deps.clock.now())
        return reason

    outcome = _decided(deps, job)
    return outcome if isinstance(outcome, BillerReason) else reason


def use_nonce(deps: Deps, account: str, nonce: str) -> BillerReason | None:
    """
    Take a nonce for good; why it cannot be taken, None if it was. The number of a payment is not bound to it: a bank
    sends the same payment again under a new nonce.
    """
    scope = f"account:{account}"  # no app can have such a name

    def job(tx: Tx) -> bool:
        if tx.nonce_is_used(scope, nonce):
            return False
        tx.use_nonce(scope, nonce, deps.clock.now() + NONCE_LIFE)
        return True

    try:
        return None if deps.store.run(job) else BillerReason.NONCE
    except (StoreUnavailable, StoreContended):
        return BillerReason.BUSY  # whatever became of the nonce, nothing was done under it


def _answered(deps: Deps, account: str, ask: BillQuestion | PaymentQuestion | ResultQuestion) -> BillerOutcome:
    try:
        if isinstance(ask, BillQuestion):
            return find_bills(deps, account, ask)
        if isinstance(ask, PaymentQuestion):
            return find_payment(deps, account, ask)
        return day_result(deps, account, ask)
    except BillerRefused as refused:
        return refused.reason
    except StoreUnavailable:
        return BillerReason.BUSY


def _decided(deps: Deps, act: Callable[[Tx], BillerOutcome]) -> BillerOutcome:
    """Only a database that failed while it was given the writes leaves it open whether they are in."""
    is_writing = False

    def job(tx: Tx) -> BillerOutcome:
        nonlocal is_writing
        is_writing = False
        outcome = act(tx)
        is_writing = bool(tx.writes)
        return outcome

    try:
        return deps.store.run(job)
    except BillerRefused as refused:
        return refused.reason
    except StoreContended:
        return BillerReason.BUSY
    except StoreUnavailable:
        return BillerReason.UNDECIDED if is_writing else BillerReason.BUSY
