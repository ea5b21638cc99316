"""What one seed plans: who comes when, with which intention, and what goes wrong on the way."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from sandbox.faults import Fault

T = TypeVar("T")

SECONDS_BETWEEN: Final = 1.5
"""Mean pause between two payers; 5,000 payers come in about two hours."""

_CHANNELS: Final[tuple[tuple[str, str], ...]] = (
    ("wechatpay", "native"),
    ("wechatpay", "jsapi"),
    ("wechatpay", "h5"),
    ("alipay", "qr"),
    ("alipay", "wap"),
    ("unionpay", "qr"),
    ("unionpay", "app"),
    ("unionpay", "wap"),
    ("bank_icbc", "showpay"),
    ("bank_abchina", "h5"),
    ("bank_ccb", "qr"),
    ("bank_ccb", "h5"),
)
PROVIDERS: Final = tuple(dict.fromkeys(provider for provider, _ in _CHANNELS))


class Intention(StrEnum):
    """What a payer and the app behind do."""

    PAY = "pay"
    ABANDON = "abandon"
    CHANGE_CHANNEL = "change_channel"
    PAY_BOTH = "pay_both"
    TWO_APPS = "two_apps"
    PAY_LATE = "pay_late"
    PAY_WHILE_CLOSING = "pay_while_closing"
    PRESS_TWICE = "press_twice"
    GIVE_UP_ON_US = "give_up_on_us"
    PAY_IN_THE_BANKS_APP = "pay_in_the_banks_app"
    PAY_THE_AGENT = "pay_the_agent"


_WEIGHTS: Final[Mapping[Intention, int]] = {
    Intention.PAY: 34,
    Intention.ABANDON: 5,
    Intention.CHANGE_CHANNEL: 10,
    Intention.PAY_BOTH: 7,
    Intention.TWO_APPS: 7,
    Intention.PAY_LATE: 5,
    Intention.PAY_WHILE_CLOSING: 5,
    Intention.PRESS_TWICE: 4,
    Intention.GIVE_UP_ON_US: 3,
    Intention.PAY_IN_THE_BANKS_APP: 8,
    Intention.PAY_THE_AGENT: 12,
}


class Wish(StrEnum):
    """What is asked once the order is paid."""

    NOTHING = "nothing"
    WHOLE_REFUND = "whole_refund"
    PART_REFUNDS = "part_refunds"
    TOO_MUCH_BACK = "too_much_back"


_WISHES: Final[Mapping[Wish, int]] = {
    Wish.NOTHING: 85,
    Wish.WHOLE_REFUND: 6,
    Wish.PART_REFUNDS: 6,
    Wish.TOO_MUCH_BACK: 3,
}

_CALL_FAULTS: Final = (
    Fault.TIMEOUT_BEFORE_COMMIT,
    Fault.TIMEOUT_AFTER_COMMIT,
    Fault.ERROR_5XX_BEFORE_COMMIT,
    Fault.ERROR_5XX_AFTER_COMMIT,
    Fault.RATE_LIMITED,
    Fault.HALF_JSON,
    Fault.HTML_ANSWER,
)
_NOTICE_FAULTS: Final = (
    Fault.CALLBACK_NEVER,
    Fault.CALLBACK_DELAYED,
    Fault.CALLBACK_DUPLICATE,
    Fault.CALLBACK_REORDERED,
    Fault.CALLBACK_BAD_SIGNATURE,
    Fault.CALLBACK_WRONG_KEY,
    Fault.CALLBACK_AMOUNT_DIFFERS,
)
_FAULTS: Final[Mapping[str, Sequence[Fault]]] = {
    "create": _CALL_FAULTS,
    "query": (*_CALL_FAULTS, Fault.NOT_FOUND_THEN_PAID),
    "close": (*_CALL_FAULTS, Fault.PAY_DURING_CLOSE),
    "refund": _CALL_FAULTS,
    "refund_query": _CALL_FAULTS,
    "payment_callback": _NOTICE_FAULTS,
    "refund_callback": _NOTICE_FAULTS,
}
_NO_CLOSE: Final = frozenset(PROVIDERS) - {"wechatpay", "alipay"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """One fault rule, to be switched on when the payment it concerns has its number."""

    operation: str
    fault: Fault
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """
    One payer's whole plan.

    Attributes:
        comes_at: Seconds after the start.
        channels: Provider and method, in the order in which they are tried.
        pause: Seconds between seeing the cashier and paying.
        subject: True for a premium order, which has a slot.
        chance: Seed of the small decisions on the way.
    """

    number: int
    comes_at: float
    intention: Intention
    wish: Wish
    channels: tuple[tuple[str, str], ...]
    amount_fen: int
    pause: float
    subject: bool
    mishaps: tuple[Mishap, ...]
    chance: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Something that concerns everybody for a while; `provider` is empty when it is our own side."""

    at: float
    seconds: float
    kind: str
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one seed plans, for a number of payers."""

    seed: int
    payers: tuple[Payer, ...]
    weather: tuple[Weather, ...]

    @property
    def seconds(self) -> float:
        """When the last payer comes."""
        return self.payers[-1].comes_at if self.payers else 0.0


def make_plan(seed: int, payers: int) -> Plan:
    """The plan of a seed; a longer plan begins with the payers of a shorter one."""
    chance = random.Random(f"payers/{seed}")
    planned: list[Payer] = []
    at = 0.0
    for number in range(payers):
        at += chance.expovariate(1 / SECONDS_BETWEEN)
        planned.append(_payer(chance, number, at))
    return Plan(seed=seed, payers=tuple(planned), weather=_weather(seed, at))


def _payer(chance: random.Random, number: int, at: float) -> Payer:
    channels = tuple(chance.sample(_CHANNELS, 2))
    wanted = 0 if chance.random() < 0.55 else chance.choice((1, 1, 2, 3))
    return Payer(
        number=number,
        comes_at=at,
        intention=_one_of(chance, _WEIGHTS),
        wish=_one_of(chance, _WISHES),
        channels=channels,
        amount_fen=chance.choice((38001, 40003, 41507, 1, 99_999_999)),
        pause=chance.choice((3.0, 11.5, 40.0, 95.0)),
        subject=chance.random() < 0.7,
        mishaps=tuple(_mishap(chance, channels) for _ in range(wanted)),
        chance=f"{number}/{chance.random()}",
    )


def _one_of(chance: random.Random, weights: Mapping[T, int]) -> T:
    return chance.choices(tuple(weights), tuple(weights.values()))[0]


def _mishap(chance: random.Random, channels: tuple[tuple[str, str], ...]) -> Mishap:
    providers = {provider for provider, _ in channels}
    operations = [name for name in _FAULTS if name != "close" or not providers & _NO_CLOSE]
    operation = chance.choice(operations)
    return Mishap(operation=operation, fault=chance.choice(_FAULTS[operation]), times=chance.choice((1, 1, 2, 5)))


_KINDS: Final = ("provider_down", "provider_slow_commit", "gateway_down", "workers_down", "clock_jump", "power_cut")


def _weather(seed: int, seconds: float) -> tuple[Weather, ...]:
    """About one event in ten minutes, each over in a quarter of an hour."""
    chance = random.Random(f"weather/{seed}")
    found: list[Weather] = []
    at = chance.uniform(30, 400)
    while at < seconds:
        kind = chance.choice(_KINDS)
        provider = chance.choice(PROVIDERS) if kind.startswith("provider") else ""
        found.append(Weather(at=at, seconds=chance.choice((20.0, 90.0, 400.0, 900.0)), kind=kind, provider=provider))
        at += chance.expovariate(1 / 600)
    return tuple(found)
