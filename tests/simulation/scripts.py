"""One script for each intention of a payer."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.wire import PayRefused
from tests.journeys.world import FIELDS
from tests.simulation.installation import AGENT
from tests.simulation.people import Front, id_number_of, premium_of
from tests.simulation.plan import Intention
from tests.simulation.rig import Script

_ORDER_LIFE: Final = 1800
_BILL_LIFE: Final = 3 * 3600
_REVERSED: Final = "REVERSED"
_SETTLED: Final = frozenset({_REVERSED, "RETURNED", "STUCK"})
_CASH_FEN: Final = 38001

Json = dict[str, Any]


def script_of(front: Front) -> Script:
    """Everything this payer does."""
    yield from _SCRIPTS[front.payer.intention](front)


def _pay(front: Front) -> Script:
    order = yield from front.open_order()
    payment = yield from front.start(order, front.payer.channels[0])
    yield front.payer.pause
    front.pay(payment)
    yield from front.afterwards(order)


def _abandon(front: Front) -> Script:
    order = yield from front.open_order()
    payment = yield from front.start(order, front.payer.channels[0])
    yield front.payer.pause
    if front.chance.random() < 0.5:
        front.look(payment)


def _change_channel(front: Front) -> Script:
    order = yield from front.open_order()
    first = yield from front.start(order, front.payer.channels[0])
    yield front.payer.pause
    front.look(first)
    second = yield from front.start(order, front.payer.channels[1])
    yield front.payer.pause
    front.pay(second)
    yield from front.afterwards(order)


def _pay_both(front: Front) -> Script:
    order = yield from front.open_order()
    first = yield from front.start(order, front.payer.channels[0])
    second = yield from front.start(order, front.payer.channels[1])
    yield front.payer.pause
    payments = [first, second]
    front.chance.shuffle(payments)
    front.pay(payments[0])
    yield front.chance.choice((0.0, 0.4, 3.0))
    front.pay(payments[1])
    yield from front.afterwards(order)


def _two_apps(front: Front) -> Script:
    here = yield from front.open_order("web")
    there = yield from front.open_order("counter", "-B")
    first = (yield from front.start(here, front.payer.channels[0])) if here else {}
    second = (yield from front.start(there, front.payer.channels[1], "counter")) if there else {}
    yield front.payer.pause
    front.pay(second)
    yield front.chance.choice((0.0, 0.4, 20.0))
    front.pay(first)
    yield from front.afterwards(here)


def _pay_late(front: Front) -> Script:
    order = yield from front.open_order()
    payment = yield from front.start(order, front.payer.channels[0])
    yield max(0.0, _ORDER_LIFE + front.chance.choice((-40.0, -8.0, -1.0, 0.0, 1.0, 9.0)) - front.chance.random())
    front.pay(payment)


def _pay_while_closing(front: Front) -> Script:
    order = yield from front.open_order()
    payment = yield from front.start(order, front.payer.channels[0])
    yield front.payer.pause
    if front.chance.random() < 0.5:
        front.pay(payment)
    if order:
        yield from front.insist(f"/v1/orders/{order}/close")
    yield front.chance.choice((0.0, 0.3, 2.5))
    front.pay(payment)


def _press_twice(front: Front) -> Script:
    order = yield from front.open_order()
    if not order:
        return
    provider, method = front.payer.channels[0]
    body = {"provider": provider, "method": method, "fields": FIELDS.get(front.payer.channels[0], {})}
    key = f"twice-{front.payer.number}"
    answers = []
    for _ in range(6):
        answers.append(front.rig.ask("POST", f"/v1/orders/{order}/payments", body, key=key))
        yield front.chance.choice((0.0, 1.0, 4.0))
    given = {answer.body["payment_id"] for answer in answers if "payment_id" in answer.body}
    if len(given) > 1:
        front.rig.oddities.append(f"one key started {len(given)} payments of {order}")
    good = [answer.body for answer in answers if answer.status == 201]
    front.pay(good[0] if good else {})


def _give_up_on_us(front: Front) -> Script:
    order = yield from front.open_order()
    if not order:
        return
    provider, method = front.payer.channels[0]
    body = {"provider": provider, "method": method, "fields": FIELDS.get(front.payer.channels[0], {})}
    yield from front.insist(f"/v1/orders/{order}/payments", body, tries=1)


# --- where the money does not come through a payment that we started --------------------------------------------------


def _pay_in_the_banks_app(front: Front) -> Script:
    """The bank finds the bill; some pay by the front end as well, some payments the bank takes back."""
    order = yield from front.open_order(premium=True, life_seconds=_BILL_LIFE)
    yield front.payer.pause
    try:
        bills = front.rig.bank.find_bills(id_number_of(front.payer.number), year="2026")
    except PayRefused:
        return
    if front.chance.random() < 0.3:
        front.pay((yield from front.start(order, front.payer.channels[0])))
    yield front.chance.choice((0.0, 0.5, 30.0))
    try:
        paid = front.rig.bank.pay_bill(bills[0]["bill_no"])
    except PayRefused:
        return
    if front.chance.random() < 0.3:
        yield front.chance.choice((0.0, 4.0, 90.0))
        yield from _take_back(front, paid["out_trade_no"])


def _take_back(front: Front, serial: str) -> Script:
    """The bank asks for a reversal until it has an answer."""
    while front.rig.bank.reverse(serial)["state"] not in _SETTLED:
        yield front.chance.uniform(5.0, 120.0)


def _pay_the_agent(front: Front) -> Script:
    """Cash, on a list that is sent in once or twice; some have an order open, or pay it, all the same."""
    order = payment = None
    if front.chance.random() < 0.35:
        order = yield from front.open_order(premium=True)
        payment = yield from front.start(order, front.payer.channels[0])
        yield front.payer.pause
        if front.chance.random() < 0.5:
            front.pay(payment)
            yield front.chance.choice((0.0, 20.0))
    record = premium_of(front.payer.number) | {
        "agent_code": AGENT.code,
        "proof_no": f"PROOF-{front.payer.number}",
        "collected_on": front.rig.clock.now().date().isoformat(),
        "method": "cash",
        "amount_fen": front.chance.choice((_CASH_FEN, front.payer.amount_fen)),
    }
    for _ in range(front.chance.choice((1, 1, 2))):
        yield from front.insist("/v1/collections", {"preview": False, "records": [record]})
        yield front.chance.choice((0.0, 2.0, 600.0))
    if front.chance.random() < 0.1:  # another content under the same proof
        yield from front.insist("/v1/collections", {"preview": False, "records": [record | {"method": "transfer"}]})
    if payment and front.chance.random() < 0.3:
        front.pay(payment)


_SCRIPTS: Final[Mapping[Intention, Callable[[Front], Script]]] = {
    Intention.PAY: _pay,
    Intention.ABANDON: _abandon,
    Intention.CHANGE_CHANNEL: _change_channel,
    Intention.PAY_BOTH: _pay_both,
    Intention.TWO_APPS: _two_apps,
    Intention.PAY_LATE: _pay_late,
    Intention.PAY_WHILE_CLOSING: _pay_while_closing,
    Intention.PRESS_TWICE: _press_twice,
    Intention.GIVE_UP_ON_US: _give_up_on_us,
    Intention.PAY_IN_THE_BANKS_APP: _pay_in_the_banks_app,
    Intention.PAY_THE_AGENT: _pay_the_agent,
}
