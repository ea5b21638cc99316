"""The worker: claims due tasks and does them, each until evidence or a person ends it."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.domain.faults import frames_of
from gateway.domain.order import Payment, Task, TaskKind, TaskState
from gateway.domain.provider import ProviderError
from gateway.domain.schedule import (
    CLOSE_PAUSES,
    QUERY_PAUSES,
    REFUND_QUERY_PAUSES,
    RETRY_PAUSES,
    WAIT_PAUSES,
    pause,
)
from gateway.domain.states import RefundState, payment_is_open
from gateway.services.alarms import tell_alarms
from gateway.services.ask_provider import ask_payment, shut_payment
from gateway.services.biller_matching import match_file
from gateway.services.close_order import close_expired
from gateway.services.deliver_webhook import deliver_webhooks
from gateway.services.deps import Deps
from gateway.services.lanes import Lanes
from gateway.services.refund_payment import follow_refund, submit_refund
from gateway.services.tasks import SubjectMissing
from gateway.store import StoreContended, StoreUnavailable
from gateway.store.families.webhooks import purge_tries

ACTOR: Final = "worker"
RUN_MAX: Final = timedelta(seconds=80)
"""A task runs no longer than this, unless an account's own time-outs allow more: four webhooks of 20 s in a row."""

_LANE_WAIT: Final = timedelta(seconds=40)
"""So long a claimed task may wait for a thread before it is left to whoever claims it next."""

LEASE: Final = RUN_MAX + _LANE_WAIT

_CALLS_OF_A_TASK: Final = 4
_CONNECTS_OF_A_CALL: Final = 3
THREADS: Final = 16
SPREAD: Final = 0.1
_ACCOUNTS_AT_ONCE: Final = 4
"""So many accounts may keep all their threads waiting before one that answers has to wait, too."""

_IDLE_SECONDS: Final = 0.25
_TIDY_PAUSE: Final = timedelta(minutes=10)
_KEYS_KEPT: Final = timedelta(days=30)
_TRIES_KEPT: Final = timedelta(days=180)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How one kind of task is done, and the pauses between tries when there was no answer."""

    act: Callable[[Deps, Task], timedelta | None]
    pauses: tuple[int, ...]


def _query(deps: Deps, task: Task) -> timedelta | None:
    payment = deps.store.read().payment(task.subject_id)
    if payment is None:
        raise SubjectMissing(task.subject_id)
    if not payment_is_open(payment.state):
        return None
    if deps.clock.now() >= payment.expires_at:  # its order may live on for months, and it must not
        payment = shut_payment(deps, payment, actor=ACTOR).payment
    else:
        payment = ask_payment(deps, payment, actor=ACTOR)
    return pause(_query_pauses(deps, payment), task.tries + 1) if payment_is_open(payment.state) else None


def _query_pauses(deps: Deps, payment: Payment) -> tuple[int, ...]:
    """The timetable of the payment's method; of one that is offered no more, the usual one."""
    method = deps.providers[payment.account].methods.get(payment.method)
    return method.query_pauses if method else QUERY_PAUSES


def _close(deps: Deps, task: Task) -> timedelta | None:
    payment = deps.store.read().payment(task.subject_id)
    if payment is None:
        raise SubjectMissing(task.subject_id)
    if not payment_is_open(payment.state):
        return None
    shut = shut_payment(deps, payment, actor=ACTOR)
    pauses = WAIT_PAUSES if shut.time_decides else CLOSE_PAUSES
    return pause(pauses, task.tries) if payment_is_open(shut.payment.state) else None


def _close_order(deps: Deps, task: Task) -> timedelta | None:
    close_expired(deps, task.subject_id, actor=ACTOR)
    return None


def _refund(deps: Deps, task: Task) -> timedelta | None:
    submit_refund(deps, task.subject_id, until=task.due_at, actor=ACTOR)
    refund = deps.store.read().refund(task.subject_id)
    # An answer that told nothing of the refund, or was quarantined, is no end: the same number is submitted again.
    return pause(RETRY_PAUSES, task.tries) if refund and refund.state is RefundState.REQUESTED else None


def _query_refund(deps: Deps, task: Task) -> timedelta | None:
    return follow_refund(deps, task.subject_id, tries=task.tries + 1, until=task.due_at, actor=ACTOR)


def _webhook(deps: Deps, task: Task) -> timedelta | None:
    return deliver_webhooks(deps, task.subject_id)


def _match_file(deps: Deps, task: Task) -> timedelta | None:
    match_file(deps, task.subject_id)
    return None


_KINDS: Final = {
    TaskKind.QUERY: _Kind(act=_query, pauses=QUERY_PAUSES),
    TaskKind.CLOSE: _Kind(act=_close, pauses=CLOSE_PAUSES),
    TaskKind.CLOSE_ORDER: _Kind(act=_close_order, pauses=RETRY_PAUSES),
    TaskKind.REFUND: _Kind(act=_refund, pauses=RETRY_PAUSES),
    TaskKind.QUERY_REFUND: _Kind(act=_query_refund, pauses=REFUND_QUERY_PAUSES),
    TaskKind.MATCH_FILE: _Kind(act=_match_file, pauses=RETRY_PAUSES),
    TaskKind.WEBHOOK: _Kind(act=_webhook, pauses=RETRY_PAUSES),
}


def run_max(deps: Deps) -> timedelta:
    """How long a task may run: four calls of the account whose time-outs are the longest, each after three connects."""
    slowest = max(
        (_CONNECTS_OF_A_CALL * one.connect_seconds + one.answer_seconds for one in deps.settings.accounts.values()),
        default=0.0,
    )
    return max(RUN_MAX, timedelta(seconds=_CALLS_OF_A_TASK * slowest))


class Worker:
    """
    Does due tasks. Any number of workers may share a database: a claim is a lease, and only its holder settles it.

    A task that fails is looked at again after its kind's next pause, for ever: a payment without a verdict must
    always have a next look. A task whose subject does not exist is dead.
    """

    def __init__(self, deps: Deps, *, threads: int = THREADS, spread: Callable[[], float] = lambda: 0.0) -> None:
        """
        Args:
            spread: Gives 0 to 1, the part of SPREAD by which a pause grows: what failed together is not tried together.
        """
        self._deps = deps
        self._threads = threads
        self._spread = spread
        self._run_max = run_max(deps)
        self._tidy_at: datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; what has begun is finished first."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="worker") as pool:
            lanes = Lanes(threads=self._threads, per_account=max(1, self._threads // _ACCOUNTS_AT_ONCE))
            while not stop.is_set():
                tasks = self._claim(lanes.free(), lanes.busy())
                lanes.take(tasks)
                for task in lanes.ready(self._deps.clock.now(), needs=self._run_max):
                    lanes.began(task, pool.submit(self.do, task))
                if not tasks:
                    stop.wait(_IDLE_SECONDS)

    def run_due(self, *, limit: int = 100) -> int:
        """Do what is due now, in this thread; returns how many tasks were done."""
        tasks = self._claim(limit)
        for task in tasks:
            self.do(task)
        return len(tasks)

    def _claim(self, limit: int, busy: Sequence[str] = ()) -> list[Task]:
        now = self._deps.clock.now()
        try:
            self._tidy(now)
            next_due = self._deps.store.read().next_due()
            if limit < 1 or next_due is None or next_due > now:
                return []
            lease = self._deps.ids.new()
            until = now + self._run_max + _LANE_WAIT
            return self._deps.store.claim_tasks(now=now, lease_until=until, lease=lease, limit=limit, busy=busy)
        except (StoreUnavailable, StoreContended) as exc:
            _log.warning("claim_failed", error=type(exc).__name__)
            return []

    def _tidy(self, now: datetime) -> None:
        """Now and then, forget what has served its time and tell operators what needs them."""
        if self._tidy_at is None or now >= self._tidy_at:
            self._tidy_at = now + _TIDY_PAUSE
            self._deps.store.run(lambda tx: tx.purge(nonces_before=now, keys_before=now - _KEYS_KEPT))
            self._deps.store.run(lambda tx: purge_tries(tx, before=now - _TRIES_KEPT))
            tell_alarms(self._deps)

    def do(self, task: Task) -> None:
        """Do one claimed task and settle it."""
        kind = _KINDS[task.kind]
        state, error = TaskState.DUE, ""
        again: timedelta | None
        try:
            again = kind.act(self._deps, task)
            state = TaskState.DUE if again is not None else TaskState.DONE
        except ProviderError as exc:
            again, error = pause(kind.pauses, task.tries), f"{type(exc).__name__} {exc.code}".strip()
        except SubjectMissing:
            again, state, error = None, TaskState.DEAD, "the subject does not exist"
        except Exception as exc:
            again, error = pause(kind.pauses, task.tries), type(exc).__name__
            _log.error(
                "task_failed", kind=task.kind.value, subject_id=task.subject_id, error=error, frames=frames_of(exc)
            )
        self._settle(task, state, again, error)

    def _settle(self, task: Task, state: TaskState, again: timedelta | None, error: str) -> None:
        due_at = self._deps.clock.now() + (again or timedelta()) * (1 + SPREAD * self._spread())
        try:
            # Of no effect when a report has answered the question meanwhile, or another worker has claimed it.
            self._deps.store.run(lambda tx: tx.settle_task(task, state, due_at=due_at, last_error=error))
        except (StoreUnavailable, StoreContended) as exc:
            _log.warning("settle_failed", error=type(exc).__name__)  # the lease runs out and the task comes again
