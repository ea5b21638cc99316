"""
Has things done again for an operator, by the very code that did them the first time.

A stored message and a payment's query are run here and now. A refund, a webhook, a task are made due now, and a worker
does them. A rehearsal tells exactly the changes that the run behind it makes; a second run changes nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

from gateway.domain.order import TaskKind, TaskState
from gateway.domain.provider import ProviderError, RawCallback
from gateway.domain.refusal import Refusal
from gateway.domain.replay import Change, Replay, ReplayItem, ReplayKind
from gateway.domain.report import Source
from gateway.domain.states import NotificationState, PaymentState, RefundState, payment_is_open
from gateway.domain.webhook import MessageState
from gateway.services.accept_callback import accept_callback
from gateway.services.ask_provider import ask_payment
from gateway.services.deps import Deps
from gateway.services.record_report import MESSAGE_PURPOSE
from gateway.services.reissue_refund import reissue_refund
from gateway.services.tasks import due_task
from gateway.services.webhook_desk import messages_of_order, resend
from gateway.store import ObservedStore, Tx
from gateway.store.families import replays

ITEMS_MAX: Final = 10_000
REASON_PURPOSE: Final = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """
    Things in this state since an instant, oldest first, at most `limit`.

    Attributes:
        account: Of this merchant account alone, webhooks of this app; empty is any.
    """

    state: str
    since: datetime
    account: str = ""
    limit: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """
    What an operator wants done again: these ids, or what the filter finds.

    Attributes:
        who, why: For the record.
    """

    kind: ReplayKind
    ids: tuple[str, ...]
    chosen: Filter | None
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one thing, or, in a rehearsal, would."""

    subject_id: str
    outcome: str
    detail: str
    changes: tuple[Change, ...]


FILTER_STATES: Final[Mapping[ReplayKind, frozenset[str]]] = {
    ReplayKind.NOTIFICATION: frozenset({"orphan", "quarantined", "malformed"}),
    ReplayKind.QUERY: frozenset(state.value for state in PaymentState if payment_is_open(state)),
    ReplayKind.REFUND: frozenset({RefundState.ABNORMAL.value, RefundState.FAILED.value}),
    ReplayKind.WEBHOOK: frozenset({MessageState.DEAD.value}),
    ReplayKind.TASK: frozenset({TaskState.DEAD.value, TaskState.DUE.value}),
}
"""What may be filtered by."""


def select_subjects(deps: Deps, request: ReplayRequest) -> tuple[str, ...]:
    """
    The ids of a request.

    Raises:
        Refusal: invalid_request, when neither or both are given, or the filter's state is none of the kind's.
    """
    if bool(request.ids) == (request.chosen is not None):
        raise Refusal("invalid_request", "give ids or a filter, one of the two")
    if request.chosen is None:
        return request.ids[:ITEMS_MAX]
    if request.chosen.state not in FILTER_STATES[request.kind]:
        raise Refusal("invalid_request", f"no filter of {request.kind.value} has the state {request.chosen.state}")
    limit = min(request.chosen.limit, ITEMS_MAX)
    found = replays.chosen(
        deps.store.read(),
        request.kind.value,
        state=request.chosen.state,
        account=request.chosen.account,
        since=request.chosen.since,
        limit=limit,
    )
    return tuple(found)


def rehearse(deps: Deps, request: ReplayRequest) -> Iterator[ItemResult]:
    """What the run would change, thing by thing; nothing is written, and of providers only queries are asked."""
    for subject_id in select_subjects(deps, request):
        yield _one(deps, request, subject_id, rehearsed=True)


def run_replay(deps: Deps, request: ReplayRequest) -> tuple[Replay, Iterator[ItemResult]]:
    """Put the replay on record and do it, thing by thing, as the results are taken."""
    subjects = select_subjects(deps, request)
    record = Replay(
        id=f"rep_{deps.ids.new()}",
        kind=request.kind,
        who=request.who,
        reason_sealed=deps.vault.seal(request.why.encode(), REASON_PURPOSE),
        selection=_selection(request),
        created_at=deps.clock.now(),
    )
    deps.store.run(lambda tx: tx.insert(record))
    return record, _run(deps, request, record, subjects)


def find_replay(deps: Deps, replay_id: str, *, limit: int) -> tuple[Replay, list[ReplayItem]]:
    """
    A replay on record with its first items.

    Raises:
        Refusal: not_found.
    """
    tx = deps.store.read()
    record = replays.replay(tx, replay_id)
    if record is None:
        raise Refusal("not_found", "there is no such replay")
    return record, replays.items_of(tx, record.id, after=0, limit=limit)


def _selection(request: ReplayRequest) -> str:
    chosen = asdict(request.chosen) | {"since": request.chosen.since.isoformat()} if request.chosen else None
    return json.dumps({"ids": list(request.ids), "filter": chosen}, sort_keys=True)


def _run(deps: Deps, request: ReplayRequest, record: Replay, subjects: Sequence[str]) -> Iterator[ItemResult]:
    for seq, subject_id in enumerate(subjects, start=1):
        result = _one(deps, request, subject_id, rehearsed=False)
        item = ReplayItem(
            replay_id=record.id,
            seq=seq,
            subject_id=subject_id,
            outcome=result.outcome,
            detail=result.detail,
            changes=json.dumps([asdict(change) for change in result.changes], ensure_ascii=False, sort_keys=True),
            done_at=deps.clock.now(),
        )
        deps.store.run(lambda tx, item=item: tx.insert(item))  # type: ignore[misc]
        yield result


def _one(deps: Deps, request: ReplayRequest, subject_id: str, *, rehearsed: bool) -> ItemResult:
    store = ObservedStore(deps.store, rehearse=rehearsed)
    try:
        outcome, detail = _ACTS[request.kind](replace(deps, store=store), subject_id, f"operator:{request.who}")
    except ProviderError as exc:
        outcome, detail = "failed", f"{type(exc).__name__} {exc.code}".strip()
    except (LookupError, Refusal) as exc:
        outcome, detail = "failed", exc.detail if isinstance(exc, Refusal) else "there is no such thing"
    return ItemResult(subject_id=subject_id, outcome=outcome, detail=detail, changes=tuple(store.changes))


# --- the acts ---------------------------------------------------------------------------------------------------------

Act = Callable[[Deps, str, str], tuple[str, str]]
"""From the world, the id and the actor to the outcome and its detail."""


def _notification(deps: Deps, subject_id: str, _actor: str) -> tuple[str, str]:
    """The stored bytes, as fresh as at their receipt; what they prove is the provider's word, so the actor is it."""
    stored = deps.store.read().notification(subject_id)
    if stored is None:
        raise LookupError(subject_id)
    if stored.source != Source.CALLBACK.value:
        raise Refusal("invalid_request", "only callbacks are judged anew; ask the provider for the rest")
    raw = RawCallback(
        headers=deps.vault.unseal_json(stored.headers_sealed, MESSAGE_PURPOSE),
        body=deps.vault.unseal(stored.body_sealed, MESSAGE_PURPOSE),
        received_at=stored.received_at,
    )
    accepted = accept_callback(deps, stored.account, raw, again=True)
    if stored.state is NotificationState.MALFORMED and accepted.outcome not in ("malformed", "refused", "unstored"):
        deps.store.run(lambda tx: _read_at_last(tx, deps, subject_id))
    return accepted.outcome, accepted.reason


def _read_at_last(tx: Tx, deps: Deps, notification_id: str) -> None:
    """A message that could not be read has become one that can, which is stored for itself."""
    stored = tx.notification(notification_id)
    if stored is not None and stored.state is NotificationState.MALFORMED:
        now = deps.clock.now()
        tx.update(replace(stored, state=NotificationState.DUPLICATE, reason="read_later", updated_at=now))


def _query(deps: Deps, subject_id: str, actor: str) -> tuple[str, str]:
    payment = deps.store.read().payment(subject_id)
    if payment is None:
        raise LookupError(subject_id)
    if payment.account not in deps.providers:
        raise Refusal(
            "invalid_request", "no provider knows of this payment: it was collected outside, or is configured no more"
        )
    after = ask_payment(deps, payment, actor=actor)
    return ("unchanged" if after.state is payment.state else "applied"), after.state.value


def _refund(deps: Deps, subject_id: str, actor: str) -> tuple[str, str]:
    return reissue_refund(deps, subject_id, actor=actor)


def _webhook(deps: Deps, subject_id: str, _actor: str) -> tuple[str, str]:
    """The dead messages of one order, in their order."""
    messages = messages_of_order(deps, subject_id)
    if not messages:
        raise LookupError(subject_id)
    sent = resend(deps, [message for message in messages if message.state is MessageState.DEAD])
    return ("due" if sent else "unchanged"), f"{sent} messages"


def _task(deps: Deps, subject_id: str, _actor: str) -> tuple[str, str]:
    name, _, of = subject_id.partition(":")
    kind = next((kind for kind in TaskKind if kind.value == name), None)

    def job(tx: Tx) -> tuple[str, str]:
        task = tx.task(kind, of) if kind else None
        if task is None:
            raise LookupError(subject_id)
        now = deps.clock.now()
        if task.state is TaskState.DONE or (task.state is TaskState.DUE and task.due_at <= now):
            return "unchanged", f"it is {task.state.value}"
        tx.schedule(due_task(task.kind, of, task.account, at=now, now=now, tries=min(task.tries, 1)))
        return "due", task.kind.value

    return deps.store.run(job)


_ACTS: Final[Mapping[ReplayKind, Act]] = {
    ReplayKind.NOTIFICATION: _notification,
    ReplayKind.QUERY: _query,
    ReplayKind.REFUND: _refund,
    ReplayKind.WEBHOOK: _webhook,
    ReplayKind.TASK: _task,
}
