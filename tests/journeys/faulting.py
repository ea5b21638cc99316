"""Which single faults there are at which operation of which provider, as test parameters."""

from dataclasses import dataclass
from typing import Any, Final

from sandbox.faults import AFTER_COMMIT, BEFORE_COMMIT, ON_DELIVERY, ON_SCHEDULING, Fault

METHOD: Final = {
    "wechatpay": "native",
    "alipay": "qr",
    "unionpay": "qr",
    "bank_ccb": "qr",
    "bank_abchina": "h5",
    "bank_icbc": "showpay",
}
"""The method by which a provider's faults are tried: one whose `create` is a call, where it has any."""

CALLING: Final = tuple(provider for provider in METHOD if provider != "bank_icbc")
"""Providers that are called when a payment starts; to ICBC the payer's browser brings the order."""

PAGE_METHOD: Final = {"alipay": "wap", "unionpay": "wap", "bank_ccb": "h5", "bank_icbc": "showpay"}
"""The method by which the payer's browser brings the order."""

CHANGING_KEYS: Final = ("wechatpay", "alipay", "unionpay")
"""Providers whose new key we learn without a new configuration."""

REFUSING_REFUNDS: Final = ("wechatpay", "alipay", "unionpay")
"""Providers that refuse a refund for good by a code that their documents call final."""

CLOSING: Final = ("wechatpay", "alipay")
"""Providers that can close an order; at the others it ends by its time alone."""

TELLING_REFUNDS: Final = ("wechatpay", "alipay", "unionpay")
"""Providers that tell of refunds by callback; of the others' refunds one learns by asking alone."""

STATING: Final = ("wechatpay", "alipay", "unionpay", "bank_abchina")
"""Providers whose statement can be fetched."""

_HAVING: Final = {
    Fault.GBK_BODY: frozenset({"alipay", "unionpay", "bank_ccb"}),
    Fault.CALLBACK_WRONG_SERIAL: frozenset({"wechatpay"}),
    Fault.CALLBACK_WRONG_OWNER: frozenset({"unionpay"}),
}
"""Faults that not every provider has."""

_CALLED: Final = {
    "create": frozenset(CALLING),
    "close": frozenset(CLOSING),
    "refund_callback": frozenset(TELLING_REFUNDS),
    "bill": frozenset(STATING),
    "bill_file": frozenset(CLOSING),
    "page": frozenset(PAGE_METHOD),
}
"""Operations that not every provider has."""

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
    return provider in _HAVING.get(fault, METHOD)


def request_cases(*operations: str, lastings: tuple[str, ...] = ("once", "half_an_hour")) -> list[Case]:
    """Every fault that a request can meet, at these operations of every provider that has them."""
    calls = [
        (provider, operation)
        for operation in operations
        for provider in METHOD
        if provider in _CALLED.get(operation, METHOD)
    ]
    cases = [
        Case(provider=provider, operation=operation, fault=fault, lasting=lasting)
        for provider, operation in calls
        for fault in sorted(BEFORE_COMMIT | AFTER_COMMIT)
        for lasting in lastings
        if _fits(fault, provider)
    ]
    resets = [
        Case(provider=provider, operation=operation, fault=fault, loss="reset")
        for provider, operation in calls
        for fault in (Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT)
    ]
    return cases + resets


def callback_cases(operation: str, *, lastings: tuple[str, ...] = tuple(LASTINGS)) -> list[Case]:
    """Every fault that a callback can suffer, at every provider."""
    return [
        Case(provider=provider, operation=operation, fault=fault, lasting=lasting)
        for provider in METHOD
        if provider in _CALLED.get(operation, METHOD)
        for fault in sorted(ON_SCHEDULING | ON_DELIVERY | {Fault.CALLBACK_WRONG_OWNER})
        for lasting in lastings
        if _fits(fault, provider)
    ]
