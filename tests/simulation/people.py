"""What a front end, a bank's app and an agent can do; whoever gets no answer asks again with the same words."""

import contextlib
import random
from collections.abc import Callable, Generator, Mapping
from datetime import date, timedelta
from typing import Any, Final

from sandbox.wire import PayRefused
from tests.journeys.payer import open_cashier
from tests.journeys.world import FIELDS, Answer
from tests.simulation.plan import Payer, Wish
from tests.simulation.rig import Rig, Script
from tests.web.front import resident_id

Json = dict[str, Any]
Asking = Generator[float, None, Answer]

_TRIES: Final = 400
_PATIENCE: Final = 7
"""How often a front end asks for an instruction before the payer turns away."""

_AGAIN: Final = frozenset({"provider_unavailable", "idempotency_in_flight", "store_unavailable"})
_PAUSES: Final = (1.0, 3.0, 8.0, 20.0, 60.0, 120.0)
"""Between tries; the last of them is kept."""

_ORDER_LIFE: Final = 1800
_REGION: Final = "341200"
_YEAR: Final = 2026
_BORN: Final = date(1900, 1, 1)
_EXPECTED: Final = frozenset(
    {
        "order_already_paid",
        "order_closed",
        "order_expired",
        "premium_already_paid",
        "refund_exceeds_payment",
        "order_not_paid",
        "too_many_payments",
        "payment_failed",
        "refund_not_possible",
    }
)
"""Business rejections that a plan may bring about."""


class Front:
    """One payer's front end: it knows the interface and nothing else."""

    def __init__(self, rig: Rig, payer: Payer) -> None:
        self.rig = rig
        self.payer = payer
        self.chance = random.Random(payer.chance)
        self._keys = 0

    # --- calls ---

    def insist(self, path: str, body: Any = None, *, app: str = "web", tries: int = _TRIES) -> Asking:
        """The same request under the same key until the outcome is known."""
        self._keys += 1
        key = f"k-{self.payer.number}-{self._keys}"
        answer = Answer(status=0, body={}, headers={})
        for tried in range(tries):
            answer = self.rig.ask("POST", path, body, app=app, key=key)
            unknown = answer.status == 202 and answer.body.get("state") in ("created", "unknown")
            if not (answer.status in (0, 503) or unknown or answer.body.get("code") in _AGAIN):
                self._judge(path, answer)
                return answer
            yield _PAUSES[min(tried, len(_PAUSES) - 1)] * self.chance.uniform(0.5, 1.5)
        if tries == _TRIES:
            self.rig.oddities.append(f"{path}: no outcome after {tries} tries: {answer.status} {answer.body}")
        return answer

    def _judge(self, path: str, answer: Answer) -> None:
        if answer.status >= 400 and answer.body.get("code") not in _EXPECTED:
            self.rig.oddities.append(f"{path}: {answer.status} {answer.body}")

    def open_order(
        self, app: str = "web", suffix: str = "", *, premium: bool | None = None, life_seconds: int = 0
    ) -> Generator[float, None, str]:
        """The order's id, "" when the premium is paid already."""
        content: Json = {
            "client_order_no": f"S-{self.payer.number}{suffix}",
            "amount_fen": self.payer.amount_fen,
            "description": "城乡居民医保缴费（模拟）",
        }
        if self.payer.subject if premium is None else premium:
            content["subject"] = premium_of(self.payer.number)
        if life_seconds:
            content["expires_at"] = (self.rig.clock.now() + timedelta(seconds=life_seconds)).isoformat()
        answer = yield from self.insist("/v1/orders", content, app=app)
        return str(answer.body.get("order_id", ""))

    def start(self, order_id: str, channel: tuple[str, str], app: str = "web") -> Generator[float, None, Json]:
        """The payment with its instruction; {} when it is refused, or does not come in time, or there is no order."""
        if not order_id:
            return {}
        provider, method = channel
        body = {"provider": provider, "method": method, "fields": FIELDS.get(channel, {})}
        for mishap in self.payer.mishaps:
            if mishap.operation == "create":  # it has no number yet: whoever comes next may meet it instead
                self.rig.sandbox.faults.add(
                    mishap.fault, provider=provider, operation="create", times=mishap.times, for_seconds=60
                )
        answer = yield from self.insist(f"/v1/orders/{order_id}/payments", body, app=app, tries=_PATIENCE)
        payment: Json = answer.body if answer.status == 201 else {}
        if payment:
            self._mishaps(payment)
        return payment

    def _mishaps(self, payment: Mapping[str, Any]) -> None:
        for mishap in self.payer.mishaps:
            if mishap.operation != "create":
                self.rig.sandbox.faults.add(
                    mishap.fault,
                    provider=payment["provider"],
                    operation=mishap.operation,
                    out_trade_no=payment["out_trade_no"],
                    times=mishap.times,
                    for_seconds=600,
                )

    def pay(self, payment: Mapping[str, Any]) -> None:
        """Open the cashier and pay; a payer for whom it does not open any more goes home."""
        self._at_the_cashier(payment, "pay")

    def look(self, payment: Mapping[str, Any]) -> None:
        """Open the cashier and turn away."""
        self._at_the_cashier(payment, "cancel")

    def _at_the_cashier(self, payment: Mapping[str, Any], act: str) -> None:
        if payment:
            with contextlib.suppress(PayRefused, KeyError, AssertionError):  # it shows an error page, or nothing
                number = open_cashier(self.rig.sandbox, payment)
                getattr(self.rig.sandbox.simulators[payment["provider"]], act)(number)

    def afterwards(self, order_id: str, app: str = "web") -> Script:
        """Wait until the order is paid, then ask for what the payer wishes."""
        if self.payer.wish is Wish.NOTHING or not order_id:
            return
        for _ in range(12):
            yield 60.0
            answer = self.rig.ask("GET", f"/v1/orders/{order_id}", app=app)
            if answer.body.get("state") == "paid":
                yield from self._refunds(order_id, app)
                return

    def _refunds(self, order_id: str, app: str) -> Script:
        for number, amount in enumerate(_SUMS[self.payer.wish](self.payer.amount_fen), 1):
            body: Json = {"client_refund_no": f"R-{number}", "amount_fen": amount}
            yield from self.insist(f"/v1/orders/{order_id}/refunds", body, app=app)
            yield self.chance.choice((0.0, 65.0, 300.0))


_SUMS: Final[Mapping[Wish, Callable[[int], list[int]]]] = {
    Wish.WHOLE_REFUND: lambda paid: [paid],
    Wish.PART_REFUNDS: lambda paid: [part for part in (paid // 3, paid // 3, paid - 2 * (paid // 3)) if part],
    Wish.TOO_MUCH_BACK: lambda paid: [paid, paid],
}


def premium_of(number: int) -> Json:
    """The premium of an invented person."""
    return {
        "region": _REGION,
        "insured_year": _YEAR,
        "insurance_kind": "resident_medical",
        "insured": {"name": "测试模拟", "id_type": "resident_id", "id_number": id_number_of(number)},
    }


def id_number_of(number: int) -> str:
    """Nobody's: of a day in the nineteenth century, with the check digit that the interface asks for."""
    days, sequence = divmod(number, 900)
    born = _BORN + timedelta(days=days)
    return resident_id(f"340100{born:%Y%m%d}{sequence:03}")
