"""
The faults a provider can show, switched on by rule: for one order, for the next requests of one operation, or for all.

A rule says what goes wrong; the simulators and the courier ask, at each place where a fault has meaning, whether a rule
matches there. docs/sandbox.md holds the table of effects. A party's kind can name faults and operations of its own.
"""

import itertools
import threading
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sandbox.clock import ADVANCE_SECONDS_MAX, SandboxClock, rfc3339
from sandbox.registry import all_kinds

RULES_MAX: Final = 1_000
NOT_FOUND_SECONDS: Final = 60


class Fault(StrEnum):
    """What can be made to go wrong at more than one party."""

    TIMEOUT_BEFORE_COMMIT = "timeout_before_commit"
    TIMEOUT_AFTER_COMMIT = "timeout_after_commit"
    ERROR_5XX_BEFORE_COMMIT = "error_5xx_before_commit"
    ERROR_5XX_AFTER_COMMIT = "error_5xx_after_commit"
    RATE_LIMITED = "rate_limited"
    HALF_JSON = "half_json"
    HTML_ANSWER = "html_answer"
    GBK_BODY = "gbk_body"
    NOT_FOUND_THEN_PAID = "not_found_then_paid"
    PAY_DURING_CLOSE = "pay_during_close"
    CALLBACK_DUPLICATE = "callback_duplicate"
    CALLBACK_REORDERED = "callback_reordered"
    CALLBACK_DELAYED = "callback_delayed"
    CALLBACK_NEVER = "callback_never"
    CALLBACK_WRONG_SERIAL = "callback_wrong_serial"
    CALLBACK_WRONG_KEY = "callback_wrong_key"
    CALLBACK_BAD_SIGNATURE = "callback_bad_signature"
    CALLBACK_AMOUNT_DIFFERS = "callback_amount_differs"
    CALLBACK_WRONG_OWNER = "callback_wrong_owner"
    SIGNATURE_DER = "signature_der"
    ANSWER_BAD_SIGNATURE = "answer_bad_signature"


AnyFault = StrEnum
"""A `Fault`, or a member of the faults of a party's kind."""

BEFORE_COMMIT: Final = frozenset({Fault.TIMEOUT_BEFORE_COMMIT, Fault.ERROR_5XX_BEFORE_COMMIT, Fault.RATE_LIMITED})
AFTER_COMMIT: Final = frozenset(
    {Fault.TIMEOUT_AFTER_COMMIT, Fault.ERROR_5XX_AFTER_COMMIT, Fault.HALF_JSON, Fault.HTML_ANSWER, Fault.GBK_BODY}
)
ON_SCHEDULING: Final = frozenset(
    {Fault.CALLBACK_NEVER, Fault.CALLBACK_DELAYED, Fault.CALLBACK_DUPLICATE, Fault.CALLBACK_REORDERED}
)
ON_DELIVERY: Final = frozenset(
    {
        Fault.CALLBACK_WRONG_SERIAL,
        Fault.CALLBACK_WRONG_KEY,
        Fault.CALLBACK_BAD_SIGNATURE,
        Fault.CALLBACK_AMOUNT_DIFFERS,
        Fault.GBK_BODY,
    }
)
"""What deliveries have in common; a provider's notices leave out, or add, what only some have."""

REQUEST_OPERATIONS: Final = (
    "create", "query", "close", "cancel", "refund", "refund_query", "bill", "bill_file", "certificates", "page",
)  # fmt: skip
CALLBACK_OPERATIONS: Final = ("payment_callback", "refund_callback", "close_callback", "finished_callback")
OPERATIONS: Final = frozenset({"", *REQUEST_OPERATIONS, *CALLBACK_OPERATIONS})


@dataclass(slots=True, kw_only=True)
class FaultRule:
    """
    One fault in force. Empty provider, operation or out_trade_no means any.

    Attributes:
        times: How many more matches it is good for; None is without end.
        until: When it ends by itself; None is never.
        seconds: The fault's own length, where it has one: a delay, or how long a lost answer keeps the caller.
    """

    rule_id: int
    fault: AnyFault
    provider: str
    operation: str
    out_trade_no: str
    times: int | None
    until: datetime | None
    seconds: float | None

    def matches(self, *, provider: str, operation: str, out_trade_no: str) -> bool:
        """True when nothing the rule names differs."""
        asked = ((self.provider, provider), (self.operation, operation), (self.out_trade_no, out_trade_no))
        return all(named in ("", actual) for named, actual in asked)

    def shown(self) -> dict[str, Any]:
        """The rule as the control interface lists it."""
        return {
            "id": self.rule_id,
            "fault": self.fault.value,
            "provider": self.provider,
            "operation": self.operation,
            "out_trade_no": self.out_trade_no,
            "times": self.times,
            "until": rfc3339(self.until) if self.until else None,
            "seconds": self.seconds,
        }


class FaultBoard:
    """The rules in force, in the order they were set; shared by all simulators."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rules: list[FaultRule] = []
        self._ids = itertools.count(1)
        kinds = all_kinds()
        own = (fault for kind in kinds.values() for fault in kind.faults or ())
        self._faults: dict[str, AnyFault] = {fault.value: fault for fault in (*Fault, *own)}
        self._providers = {"", *kinds}
        self._operations = OPERATIONS.union(*(kind.operations for kind in kinds.values()))

    def add(
        self,
        fault: str,
        *,
        provider: str = "",
        operation: str = "",
        out_trade_no: str = "",
        times: int | None = None,
        for_seconds: float | None = None,
        seconds: float | None = None,
    ) -> FaultRule:
        """
        Put a rule in force; `for_seconds` from now it ends by itself (not_found_then_paid: a minute if not told).

        Raises:
            ValueError: Unknown fault, provider or operation, a number below zero, or too many rules.
        """
        if fault not in self._faults:
            raise ValueError(f"unknown fault: {fault[:32]!r}")
        if provider not in self._providers or operation not in self._operations:
            raise ValueError(f"unknown provider or operation: {provider[:32]!r}, {operation[:32]!r}")
        if fault == Fault.NOT_FOUND_THEN_PAID and times is None and for_seconds is None:
            for_seconds = NOT_FOUND_SECONDS
        numbers = [number for number in (times, for_seconds, seconds) if number is not None]
        if not all(0 <= number <= ADVANCE_SECONDS_MAX for number in numbers):
            raise ValueError(f"times, for_seconds and seconds must be between 0 and {ADVANCE_SECONDS_MAX}")
        until = None if for_seconds is None else self._clock.now() + timedelta(seconds=for_seconds)
        with self._lock:
            if len(self._rules) >= RULES_MAX:
                raise ValueError(f"no more than {RULES_MAX} fault rules at once")
            rule = FaultRule(
                rule_id=next(self._ids),
                fault=self._faults[fault],
                provider=provider,
                operation=operation,
                out_trade_no=out_trade_no,
                times=times,
                until=until,
                seconds=seconds,
            )
            self._rules.append(rule)
            return rule

    def clear(self) -> int:
        """Take every rule out of force; returns how many there were."""
        with self._lock:
            count = len(self._rules)
            self._rules.clear()
            return count

    def in_force(self) -> list[FaultRule]:
        """The rules that can still match, oldest first."""
        with self._lock:
            self._drop_spent()
            return list(self._rules)

    def take(
        self, wanted: AbstractSet[AnyFault], *, provider: str, operation: str, out_trade_no: str
    ) -> FaultRule | None:
        """The oldest matching rule among the wanted faults, counted down by one; None when nothing is to go wrong."""
        with self._lock:
            self._drop_spent()
            for rule in self._rules:
                # The number first: a simulation keeps hundreds of rules, each for one payment.
                if rule.out_trade_no not in ("", out_trade_no) or rule.fault not in wanted:
                    continue
                if rule.matches(provider=provider, operation=operation, out_trade_no=out_trade_no):
                    rule.times = None if rule.times is None else rule.times - 1
                    return rule
            return None

    def _drop_spent(self) -> None:
        now = self._clock.now()
        self._rules = [rule for rule in self._rules if rule.times != 0 and (rule.until is None or now < rule.until)]
