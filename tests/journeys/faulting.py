"""Which single faults there are at which operation of which provider, as test parameters."""

from dataclasses import dataclass
from typing import Any, Final

from sandbox.faults import AFTER_COMMIT, BEFORE_COMMIT, ON_DELIVERY, ON_SCHEDULING, Fault

METHOD: Final = {"wechatpay": "native", "alipay": "qr"}
"""The method by which a provider's faults are tried: one whose `create` is a call, for both."""

_ALIPAY_ONLY: Final = frozenset({Fault.GBK_BODY})
_WECHATPAY_ONLY: Final = frozenset({Fault.CALLBACK_WRONG_SERIAL})
LASTINGS: Final[dict[str, dict[str, Any]]] = {
    "once": {"times": 1},
    "four_times": {"times": 4},
    "half_an_hour": {"for_seconds": 1800},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    One fault, switched on at one operation of one provider.

    Attributes:
        lasting: How long, as the fault board takes it.
        loss: How a lost answer looks to the caller.
    """

    provider: str
    operation: str
    fault: Fault
    lasting: str = "once"
    loss: str = "timed_out"

    def __str__(self) -> str:
        shown = (self.provider, self.operation, self.fault.value, self.lasting)
        return "-".join(shown if self.loss == "timed_out" else (*shown, self.loss))

    @property
    def rule(self) -> dict[str, Any]:
        """The rule for the fault board."""
        return {"provider": self.provider, "operation": self.operation, **LASTINGS[self.lasting]}


def _fits(fault: Fault, provider: str) -> bool:
    return not (provider == "wechatpay" and fault in _ALIPAY_ONLY) and not (
        provider == "alipay" and fault in _WECHATPAY_ONLY
    )


def request_cases(operation: str, *, lastings: tuple[str, ...] = ("once", "half_an_hour")) -> list[Case]:
    """Every fault that a request can meet, at one operation of both providers."""
    cases = [
        Case(provider=provider, operation=operation, fault=fault, lasting=lasting)
        for provider in METHOD
        for fault in sorted(BEFORE_COMMIT | AFTER_COMMIT)
        for lasting in lastings
        if _fits(fault, provider)
    ]
    resets = [
        Case(provider=provider, operation=operation, fault=fault, loss="reset")
        for provider in METHOD
        for fault in (Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT)
    ]
    return cases + resets


def callback_cases(operation: str, *, lastings: tuple[str, ...] = tuple(LASTINGS)) -> list[Case]:
    """Every fault that a callback can suffer, at both providers."""
    return [
        Case(provider=provider, operation=operation, fault=fault, lasting=lasting)
        for provider in METHOD
        for fault in sorted(ON_SCHEDULING | ON_DELIVERY)
        for lasting in lastings
        if _fits(fault, provider)
    ]
