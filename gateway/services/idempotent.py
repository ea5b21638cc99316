"""Runs a request once per idempotency key: stored answers are given again byte for byte, a crash is resumed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeVar

from gateway.domain.order import IdempotencyKey, KeyState
from gateway.domain.refusal import Refusal
from gateway.services.deps import Deps
from gateway.store import Tx

T = TypeVar("T")

LEASE: Final = timedelta(seconds=60)
_RETRY_AFTER_SECONDS: Final = 2
_PURPOSE: Final = "idempotency"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedRequest:
    """
    A mutating request of an app.

    Attributes:
        meaning: Fingerprint of route and semantic content.
        refuse: Renders a Refusal as the answer that will be stored.
    """

    app: str
    key: str
    meaning: str
    refuse: Callable[[Refusal], "Reply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer to an app, as bytes, because it is stored and repeated byte for byte."""

    status: int
    body: bytes
    replayed: bool = False


def known_key(tx: Tx, deps: Deps, request: KeyedRequest) -> IdempotencyKey | None:
    """
    The stored key of this request, running with a lease that has run out, or None when it is new.

    Raises:
        Replayed: It is finished: the stored answer is to be given.
        Refusal: Another request has used the key (idempotency_key_reused), or it is being worked on
            (idempotency_in_flight).
    """
    held = tx.idempotency_key(request.app, request.key)
    if held is None:
        return None
    if held.meaning != request.meaning:
        raise Refusal("idempotency_key_reused", "this Idempotency-Key was used for another request")
    _raise_if_finished(deps, held)
    if held.lease_until > deps.clock.now():
        raise _in_flight()
    return held


def _raise_if_finished(deps: Deps, held: IdempotencyKey) -> None:
    if held.state is KeyState.FINISHED and held.response_sealed is not None:
        body = deps.vault.unseal(held.response_sealed, _PURPOSE)
        raise Replayed(Reply(status=held.response_status or 200, body=body, replayed=True))


def _in_flight() -> Refusal:
    return Refusal(
        "idempotency_in_flight",
        "the first request with this Idempotency-Key is still being worked on",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )


class Replayed(Exception):
    """The key's request is finished; `reply` is its stored answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("replayed")
        self.reply = reply


def new_key(deps: Deps, request: KeyedRequest, *, subject_id: str | None) -> IdempotencyKey:
    """A running key of fence 1, to be inserted together with what it guards."""
    now = deps.clock.now()
    return IdempotencyKey(
        app=request.app,
        key=request.key,
        meaning=request.meaning,
        state=KeyState.RUNNING,
        fence=1,
        lease_until=now + LEASE,
        subject_id=subject_id,
        response_status=None,
        response_sealed=None,
        created_at=now,
    )


def take_over(tx: Tx, deps: Deps, held: IdempotencyKey) -> IdempotencyKey:
    """The same key under a new lease and fence: its owner before is known to be gone, or late."""
    lease_until = deps.clock.now() + LEASE
    tx.own_key(held, lease_until=lease_until)
    return replace(held, fence=held.fence + 1, lease_until=lease_until)


def stay_in_charge(tx: Tx, deps: Deps, held: IdempotencyKey) -> None:
    """
    Pass only while the key is ours. Whoever stood still until another request took the key over tells the app what that
    one has told it: one key has one answer.

    Raises:
        Replayed: The other request has finished.
        Refusal: It is still at work (idempotency_in_flight).
    """
    current = tx.idempotency_key(held.app, held.key)
    if current is not None and not _is_ours(current, held):
        _raise_if_finished(deps, current)
        raise _in_flight()


def store_answer(tx: Tx, deps: Deps, held: IdempotencyKey, reply: Reply) -> None:
    """Store the answer of a request that is still in charge."""
    sealed = deps.vault.seal(reply.body, _PURPOSE)
    tx.finish_key(held, subject_id=held.subject_id, status=reply.status, sealed=sealed)


def finish(deps: Deps, held: IdempotencyKey, reply: Reply) -> Reply:
    """
    Store the answer, and return the one that stands.

    Raises:
        Refusal: idempotency_in_flight, when another request has taken the key over and is still at work.
    """

    def job(tx: Tx) -> Reply:
        stay_in_charge(tx, deps, held)
        store_answer(tx, deps, held, reply)
        return reply

    try:
        return deps.store.run(job)
    except Replayed as replayed:
        return replayed.reply


def release(tx: Tx, deps: Deps, held: IdempotencyKey) -> None:
    """Let the next equal request resume at once, unless one has taken the key over already."""
    current = tx.idempotency_key(held.app, held.key)
    if current is not None and _is_ours(current, held):
        tx.release_key(held, now=deps.clock.now())


def _is_ours(current: IdempotencyKey, held: IdempotencyKey) -> bool:
    return current.fence == held.fence and current.state is KeyState.RUNNING


def _finished_at_once(deps: Deps, request: KeyedRequest, reply: Reply) -> IdempotencyKey:
    return replace(
        new_key(deps, request, subject_id=None),
        state=KeyState.FINISHED,
        response_status=reply.status,
        response_sealed=deps.vault.seal(reply.body, _PURPOSE),
    )


def once(deps: Deps, request: KeyedRequest, act: Callable[[Tx], T], render: Callable[[T], Reply]) -> Reply:
    """
    Do something that needs the database alone: its effect and its stored answer are one unit of work.

    A Refusal raised by `act` is a business rejection: nothing of it is written but the stored answer.
    """

    def job(tx: Tx) -> Reply:
        known_key(tx, deps, request)
        try:
            reply = render(act(tx))
        except Refusal as refusal:
            tx.writes.clear()
            reply = request.refuse(refusal)
        tx.insert(_finished_at_once(deps, request, reply))
        return reply

    try:
        return deps.store.run(job)
    except Replayed as replayed:
        return replayed.reply


def store_refusal(deps: Deps, request: KeyedRequest, refusal: Refusal) -> Reply:
    """Store a business rejection that was found before anything was claimed."""

    def act(_: Tx) -> Reply:
        raise refusal

    return once(deps, request, act, lambda reply: reply)
