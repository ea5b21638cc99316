"""The provider's statement of the day, fetched through the adapter, equals our books line by line."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.domain.clock import CHINA, moment
from gateway.domain.provider import NoVerdict, ProviderUnavailable
from gateway.domain.statement import StatementKind, StatementLineKind, StatementUnreadable
from gateway.store.tables import PAYMENTS, REFUNDS
from tests.journeys.accounts import ACCOUNT, ALIPAY_MODES, BANK_ABCHINA_MODES, UNIONPAY_MODES, WECHATPAY_MODES
from tests.journeys.faulting import METHOD, STATING, Case, request_cases
from tests.journeys.settled import assert_settled, rows
from tests.journeys.world import START, World
from tests.support.databases import Database

_HOUR = 3600
_DAY = 86_400
_TODAY = START.date()
_MODES = [
    (provider, mode)
    for provider, modes in (
        ("wechatpay", WECHATPAY_MODES),
        ("alipay", ALIPAY_MODES),
        ("unionpay", UNIONPAY_MODES),
        ("bank_abchina", BANK_ABCHINA_MODES),
    )
    for mode in modes
]

_UNNAMED = {("bank_abchina", StatementLineKind.REFUND)}
"""Lines that name the payment by our number alone."""

Line = tuple[StatementLineKind, str, str, int]


def _business_day(world: World, provider: str) -> None:
    """Orders paid, refunded in whole and part, paid twice, and never paid; odd amounts."""
    for position, amount_fen in enumerate((1, 38_001, 380_019, 99_999_999)):
        order_id = world.open_order(amount_fen=amount_fen)
        world.pay(world.start(order_id, provider, METHOD[provider]))
        world.advance(70)
        if position % 2:
            world.refund(order_id, amount_fen // 3)
    twice = world.open_order()
    for payment in [world.start(twice, provider, METHOD[provider]) for _ in range(2)]:
        world.pay(payment)
    world.look(world.start(world.open_order(), provider, METHOD[provider]))
    world.advance(_HOUR)


def _ours(database: Database, provider: str) -> list[Line]:
    """What our books say of the account, in the statement's shape."""
    paid = {
        row["id"]: row for row in rows(database, PAYMENTS) if row["provider"] == provider and row["state"] == "paid"
    }
    lines = [(StatementLineKind.PAYMENT, row["out_trade_no"], "", row["amount_fen"]) for row in paid.values()]
    return lines + [
        (StatementLineKind.REFUND, paid[row["payment_id"]]["out_trade_no"], row["out_refund_no"], row["amount_fen"])
        for row in rows(database, REFUNDS)
        if row["payment_id"] in paid and row["state"] == "succeeded"
    ]


def _statement(world: World, provider: str, day: date) -> list[Any]:
    return list(world.gateway.providers[ACCOUNT[provider]].fetch_statement(day, StatementKind.TRADES))


@pytest.mark.parametrize(("provider", "mode"), _MODES, ids=["-".join(mode) for mode in _MODES])
def test_statement_of_a_day_equals_the_books(
    make_world: Callable[..., World], database: Database, provider: str, mode: str
) -> None:
    """Every line is ours and every movement of ours is a line, with number, time and amount to the fen."""
    world = make_world(**{provider: mode})
    _business_day(world, provider)
    world.advance(_DAY)
    assert_settled(world, database)
    lines = _statement(world, provider, _TODAY)

    assert sorted(_ours(database, provider)) == sorted(
        (line.kind, line.out_trade_no, line.out_refund_no, line.amount_fen) for line in lines
    )
    numbers = {row["out_trade_no"]: row for row in rows(database, PAYMENTS)}
    for line in lines:
        known = "" if (provider, line.kind) in _UNNAMED else numbers[line.out_trade_no]["provider_trade_no"]
        assert known == line.provider_trade_no
        if line.kind is StatementLineKind.PAYMENT:
            paid_at = moment(numbers[line.out_trade_no]["paid_at"]).astimezone(CHINA)
            assert line.occurred_at == paid_at.replace(microsecond=0)


@pytest.mark.parametrize("provider", STATING)
def test_statement_that_is_not_ready_is_to_be_asked_for_later(world: World, database: Database, provider: str) -> None:
    """Before nine o'clock of the next day there is none; an empty day has no lines."""
    _business_day(world, provider)
    for hours in (1, 14):
        with pytest.raises(ProviderUnavailable):
            _statement(world, provider, _TODAY)
        world.advance(hours * _HOUR)
    world.advance(10 * _HOUR)
    assert _statement(world, provider, _TODAY) != []
    world.advance(2 * _DAY)
    assert _statement(world, provider, date(2026, 3, 2)) == []


@pytest.mark.parametrize("case", request_cases("bill", "bill_file", lastings=("once",)), ids=str)
def test_statement_is_whole_or_none_when_its_calls_meet_a_fault(world: World, database: Database, case: Case) -> None:
    """Half a file settles nothing: it is refused as a whole, and the next try brings it."""
    _business_day(world, case.provider)
    world.advance(_DAY)
    world.network.loss = case.loss
    world.sandbox.faults.add(case.fault, **case.rule)
    lines = []
    for _ in range(2):
        try:
            lines = _statement(world, case.provider, _TODAY)
            break
        except (NoVerdict, ProviderUnavailable, StatementUnreadable):
            continue

    assert sorted(_ours(database, case.provider)) == sorted(
        (line.kind, line.out_trade_no, line.out_refund_no, line.amount_fen) for line in lines
    )
