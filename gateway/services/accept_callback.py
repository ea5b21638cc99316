"""Takes a provider's callback: verify, read, remember and apply in one unit of work, answer in the provider's words."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    RawCallback,
    Verdict,
)
from gateway.domain.report import Source
from gateway.domain.states import NotificationState
from gateway.services.deps import Deps
from gateway.services.record_report import Message, Recorded, keep_message, record_report
from gateway.store import StoreContended, StoreUnavailable, Tx

_KEPT_HEADERS_MAX: Final = 64
_VERDICTS: Final = {
    NotificationState.APPLIED: Verdict.ACCEPTED,
    NotificationState.DUPLICATE: Verdict.ACCEPTED,
    NotificationState.QUARANTINED: Verdict.QUARANTINED,
    NotificationState.ORPHAN: Verdict.ORPHAN,
    NotificationState.MALFORMED: Verdict.REFUSED,
}


_JUDGED: Final = frozenset(NotificationState) - {NotificationState.ORPHAN}


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedCallback:
    """
    What to answer, and what to count and log.

    Attributes:
        outcome: applied | duplicate | quarantined | orphan | malformed | ignored | refused | unstored.
        reason: Why, for all but applied and duplicate.
        digest: SHA-256 (hex) of the body, so that a refused message can be recognised without keeping it.
        skew_seconds: For stale messages, how far their time lies from ours.
    """

    acknowledgement: Acknowledgement
    outcome: str
    reason: str
    digest: str
    skew_seconds: int | None = None


def accept_callback(deps: Deps, account: str, raw: RawCallback, *, again: bool = False) -> AcceptedCallback:
    """
    Verify, remember, apply, acknowledge. A duplicate costs one read and is acknowledged like the first.

    Nothing is acknowledged as accepted before it is durable.

    Args:
        again: An operator has a stored message judged anew: one that was quarantined may no longer contradict.
    """
    provider = deps.providers[account]
    digest = sha256(raw.body).hexdigest()
    try:
        callback = provider.parse_callback(raw)
    except CallbackRefused as refused:
        return AcceptedCallback(
            acknowledgement=provider.acknowledge(Verdict.REFUSED, raw),
            outcome="refused",
            reason=refused.reason,
            digest=digest,
            skew_seconds=refused.skew_seconds,
        )
    except CallbackUnreadable as unreadable:
        return _answer(
            deps, account, digest, Recorded(state=NotificationState.MALFORMED, reason=unreadable.reason), raw
        )
    try:
        recorded = deps.store.run(lambda tx: _apply(tx, deps, account, raw, callback, again=again))
    except (StoreUnavailable, StoreContended) as exc:
        return _unstored(deps, account, digest, exc, raw)
    verdict = Verdict.IGNORED if callback.report is None else _VERDICTS[recorded.state]
    return AcceptedCallback(
        acknowledgement=provider.acknowledge(verdict, raw),
        outcome="ignored" if callback.report is None else recorded.state.value,
        reason=recorded.reason,
        digest=digest,
    )


def _apply(tx: Tx, deps: Deps, account: str, raw: RawCallback, callback: Callback, *, again: bool) -> Recorded:
    report = callback.report
    view = tx.report_view(
        account=account,
        out_trade_no=report.out_trade_no if report else "",
        dedup_key=callback.dedup_key,
    )
    judged = {NotificationState.APPLIED, NotificationState.DUPLICATE} if again else _JUDGED
    if view.known and view.known.state in judged:
        first = view.known.state
        # A first delivery that was quarantined is answered as before; one that was applied makes this a duplicate.
        return Recorded(state=NotificationState.DUPLICATE if first is NotificationState.APPLIED else first)
    message = _message(deps, account, raw, callback.dedup_key, callback.event)
    if report is None:
        recorded = Recorded(state=NotificationState.APPLIED, reason="event_not_used")
        keep_message(tx, deps, message, view, recorded, now=deps.clock.now())
        return recorded
    recorded = record_report(tx, deps, view, report, message, actor=f"provider:{account}")
    if view.known and view.known.state is recorded.state is NotificationState.QUARANTINED:
        tx.writes.clear()  # it contradicts still, which is on record
    return recorded


def _message(deps: Deps, account: str, raw: RawCallback, dedup_key: str, event: str) -> Message:
    return Message(
        id=f"ntf_{deps.ids.new()}",
        account=account,
        source=Source.CALLBACK,
        dedup_key=dedup_key,
        event=event,
        received_at=raw.received_at,
        body=raw.body,
        headers=dict(list(raw.headers.items())[:_KEPT_HEADERS_MAX]),
    )


def _answer(deps: Deps, account: str, digest: str, recorded: Recorded, raw: RawCallback) -> AcceptedCallback:
    """Keep an authentic message that cannot be read, once, and refuse it."""
    dedup_key = f"malformed:{digest}"

    def job(tx: Tx) -> None:
        if tx.notification_by_key(account, dedup_key) is None:
            message = _message(deps, account, raw, dedup_key, "")
            keep_message(tx, deps, message, None, recorded, now=deps.clock.now())

    try:
        deps.store.run(job)
    except (StoreUnavailable, StoreContended) as exc:
        return _unstored(deps, account, digest, exc, raw)
    return AcceptedCallback(
        acknowledgement=deps.providers[account].acknowledge(Verdict.REFUSED, raw),
        outcome=recorded.state.value,
        reason=recorded.reason,
        digest=digest,
    )


def _unstored(deps: Deps, account: str, digest: str, exc: Exception, raw: RawCallback) -> AcceptedCallback:
    return AcceptedCallback(
        acknowledgement=deps.providers[account].acknowledge(Verdict.UNSTORED, raw),
        outcome="unstored",
        reason=type(exc).__name__,
        digest=digest,
    )
