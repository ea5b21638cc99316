"""
The courier of callbacks: posts a notice, reads the acknowledgement, and tries again by the provider's own schedule.

What a notice contains and how it is signed is the simulator's affair; which delivery goes wrong is the fault board's.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sandbox.clock import SandboxClock, rfc3339
from sandbox.faults import ON_SCHEDULING, AnyFault, Fault, FaultBoard
from sandbox.wire import Post

DELIVERIES_KEPT: Final = 10_000
DELAYED_SECONDS: Final = 600
HELD_SECONDS_MAX: Final = 3_600
DUPLICATE_AFTER_SECONDS: Final = 1
_ANSWER_BYTES_KEPT: Final = 200

Compose = Callable[[AnyFault | None], tuple[Mapping[str, str], bytes]]
"""Make one delivery's headers and body, freshly signed, spoilt as the fault says."""


@dataclass(slots=True, kw_only=True)
class Notice:
    """
    One event the provider tells the merchant, over all its deliveries.

    Attributes:
        kind: The callback operation: payment_callback, refund_callback, close_callback or finished_callback.
        held: Kept back until a later notice of the same order has been delivered (a reordered callback).
    """

    notice_id: str
    kind: str
    out_trade_no: str
    url: str
    compose: Compose
    accepted: bool = False
    held: bool = False
    again_after_newer: bool = False


class Courier:
    """Delivers one provider's notices; everything waits on the clock, nothing blocks the simulator."""

    def __init__(
        self,
        *,
        provider: str,
        clock: SandboxClock,
        faults: FaultBoard,
        post: Post,
        retry_seconds: Sequence[int],
        accepts: Callable[[int, bytes], bool],
        spoils: AbstractSet[AnyFault],
    ) -> None:
        """`spoils` are the faults that a delivery of this provider can suffer."""
        self._provider = provider
        self._clock = clock
        self._faults = faults
        self._post = post
        self._retry_seconds = retry_seconds
        self._accepts = accepts
        self._spoils = spoils
        self._lock = threading.Lock()
        self._deliveries: deque[dict[str, Any]] = deque(maxlen=DELIVERIES_KEPT)
        self._latest: dict[str, Notice] = {}
        self._held: dict[str, list[Notice]] = {}

    def send(self, notice: Notice) -> None:
        """Put a notice on its way: the first delivery is due now, and runs at the next tick or advance."""
        rule = self._faults.take(
            ON_SCHEDULING, provider=self._provider, operation=notice.kind, out_trade_no=notice.out_trade_no
        )
        fault = rule.fault if rule else None
        deliver = partial(self._deliver, notice, 0)
        if fault is Fault.CALLBACK_NEVER:
            self._record(notice, tries=0, fault=fault, answered=None)
            return
        if fault is Fault.CALLBACK_REORDERED:
            self._reorder(notice, deliver, rule.seconds if rule else None)
        elif fault is Fault.CALLBACK_DELAYED:
            self._clock.call_later(_given(rule.seconds if rule else None, DELAYED_SECONDS), deliver)
        else:
            self._clock.call_later(0, deliver)
        if fault is Fault.CALLBACK_DUPLICATE:
            self._clock.call_later(DUPLICATE_AFTER_SECONDS, partial(self._attempt, notice, 0))
        with self._lock:
            self._latest[notice.out_trade_no] = notice

    def deliveries(self) -> list[dict[str, Any]]:
        """What was posted and what was answered, oldest first; the latest ten thousand are kept."""
        with self._lock:
            return list(self._deliveries)

    def _reorder(self, notice: Notice, deliver: Callable[[], None], seconds: float | None) -> None:
        """The first notice of an order waits for the next one; a later notice has the one before it sent again."""
        with self._lock:
            earlier = self._latest.get(notice.out_trade_no)
        if earlier is None:
            notice.held = True
            with self._lock:
                self._held.setdefault(notice.out_trade_no, []).append(notice)
            self._clock.call_later(_given(seconds, HELD_SECONDS_MAX), partial(self._release, notice))
            return
        if not earlier.held:
            with self._lock:
                self._held.setdefault(notice.out_trade_no, []).append(earlier)
            earlier.again_after_newer = True
        self._clock.call_later(0, deliver)

    def _deliver(self, notice: Notice, tries: int) -> None:
        """One delivery of the schedule; the next is put on the agenda unless this one is acknowledged."""
        if notice.held or (notice.accepted and tries > 0):
            return
        accepted = self._attempt(notice, tries)
        if not accepted and tries < len(self._retry_seconds):
            self._clock.call_later(self._retry_seconds[tries], partial(self._deliver, notice, tries + 1))
        with self._lock:
            waiting = [held for held in self._held.get(notice.out_trade_no, []) if held is not notice]
        for held in waiting:
            self._release(held)

    def _release(self, notice: Notice) -> None:
        with self._lock:
            waiting = self._held.get(notice.out_trade_no, [])
            if notice not in waiting:
                return
            waiting.remove(notice)
        if notice.again_after_newer:
            self._clock.call_later(0, partial(self._attempt, notice, 0))
            return
        notice.held = False
        self._clock.call_later(0, partial(self._deliver, notice, 0))

    def _attempt(self, notice: Notice, tries: int) -> bool:
        rule = self._faults.take(
            self._spoils, provider=self._provider, operation=notice.kind, out_trade_no=notice.out_trade_no
        )
        fault = rule.fault if rule else None
        headers, body = notice.compose(fault)
        try:
            answered = self._post(notice.url, headers, body)
        except OSError:  # refused, reset, timed out: the receiver said nothing
            answered = (0, b"")
        notice.accepted = self._accepts(*answered) or notice.accepted
        self._record(notice, tries=tries, fault=fault, answered=answered)
        return notice.accepted

    def _record(
        self, notice: Notice, *, tries: int, fault: AnyFault | None, answered: tuple[int, bytes] | None
    ) -> None:
        code, answer = answered if answered is not None else (None, b"")
        entry = {
            "provider": self._provider,
            "notice_id": notice.notice_id,
            "kind": notice.kind,
            "out_trade_no": notice.out_trade_no,
            "url": notice.url,
            "attempt": tries + 1,
            "at": rfc3339(self._clock.now()),
            "fault": fault.value if fault else None,
            "answered": code,
            "answer": answer[:_ANSWER_BYTES_KEPT].decode("utf-8", "replace"),
            "accepted": answered is not None and self._accepts(*answered),
        }
        with self._lock:
            self._deliveries.append(entry)


def _given(seconds: float | None, default: float) -> float:
    return default if seconds is None else seconds
