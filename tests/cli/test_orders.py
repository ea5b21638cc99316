"""`orders show` and `orders list`: what the order database holds, for scripts and for eyes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.domain.events import CHAIN_START, next_event
from gateway.domain.order import Notification, Order, Payment, Refund
from gateway.domain.states import NotificationState, OrderState, PaymentState, RefundReason, RefundState
from gateway.settings import Settings
from gateway.store import Tx
from tests.cli.conftest import Jiaofei
from tests.settings.configuration import APP, DIGEST_A, DIGEST_B, VALID, Configuration

AT = datetime(2026, 3, 1, 2, 20, 30, tzinfo=UTC)
SHOWN_AT = "2026-03-01T10:20:30+08:00"
FIRST, SECOND, THIRD = (f"ord_{digit * 32}" for digit in "1ef")
EVIDENCE_ID = f"ntf_{'9' * 32}"
PAYMENT_ID = f"pay_{'5' * 32}"
SEALED = b"sealed-canary"

ORDER = Order(
    id=FIRST,
    app="demo",
    client_order_no="C-1",
    meaning="m",
    state=OrderState.PAID,
    amount_fen=38001,
    description="城乡居民医保",
    region="341000",
    insured_year=2026,
    insurance_kind="resident_medical",
    insured_index="index-canary",
    slot=None,
    subject_sealed=SEALED,
    expires_at=AT,
    created_at=AT,
    updated_at=AT,
    payments=1,
    paid_payment_id=PAYMENT_ID,
    amount_paid_fen=38001,
    amount_refunded_fen=101,
    event_seq=1,
    event_hash=CHAIN_START,
)
PAYMENT = Payment(
    id=PAYMENT_ID,
    order_id=FIRST,
    account="city",
    provider="wechatpay",
    method="jsapi",
    out_trade_no="5" * 32,
    state=PaymentState.PAID,
    amount_fen=38001,
    fields_sealed=SEALED,
    instruction_sealed=SEALED,
    provider_trade_no="4200000000202603010000000001",
    kept=True,
    amount_refunding_fen=0,
    amount_refunded_fen=101,
    evidence_id=EVIDENCE_ID,
    paid_at=AT,
    created_at=AT,
    expires_at=AT,
    updated_at=AT,
)
REFUND = Refund(
    id=f"ref_{'7' * 32}",
    order_id=FIRST,
    payment_id=PAYMENT_ID,
    account="city",
    out_refund_no="7" * 32,
    client_refund_no="R-1",
    state=RefundState.SUCCEEDED,
    reason=RefundReason.ASKED,
    note="",
    amount_fen=101,
    provider_refund_no="50000000002026030100000000001",
    evidence_id=EVIDENCE_ID,
    succeeded_at=AT,
    created_at=AT,
    updated_at=AT,
)
NOTIFICATION = Notification(
    id=EVIDENCE_ID,
    account="city",
    source="callback",
    dedup_key="d-1",
    event="TRANSACTION.SUCCESS",
    state=NotificationState.APPLIED,
    reason="",
    digest="0" * 64,
    headers_sealed=SEALED,
    body_sealed=SEALED,
    payment_id=None,
    received_at=AT,
    updated_at=AT,
)
EVENT = next_event(
    order_id=FIRST,
    after_seq=0,
    after_hash=CHAIN_START,
    kind="order_opened",
    at=AT,
    actor="app:demo",
    detail={"amount_fen": 38001},
)


@pytest.fixture
def path(tmp_path: Path, empty_store_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with two apps, and a database with three orders, two of them under one client number."""
    configuration = Configuration(tmp_path)
    for name, value in configuration.environ.items():
        monkeypatch.setenv(name, value)

    @contextmanager
    def world(_settings: Settings) -> Iterator[SimpleNamespace]:
        yield empty_store_world

    monkeypatch.setattr("gateway.cli.stored_orders.opened_world", world)
    empty_store_world.store.run(_fill)
    other = APP.replace("demo", "other").replace(DIGEST_A, DIGEST_B)
    return configuration.write("gateway.toml", VALID + other)


def _fill(tx: Tx) -> None:
    unpaid = replace(
        ORDER, state=OrderState.OPEN, payments=0, paid_payment_id=None, amount_paid_fen=0, amount_refunded_fen=0
    )
    for row in (
        ORDER,
        replace(unpaid, id=SECOND, client_order_no="C-2", state=OrderState.CLOSED),
        replace(unpaid, id=THIRD, app="other"),
        NOTIFICATION,
        PAYMENT,
        REFUND,
        EVENT,
    ):
        tx.insert(row)


def test_orders_list_shows_all_apps_newest_first(path: Path, jiaofei: Jiaofei) -> None:
    """One line for each order."""
    result = jiaofei("orders", "list", configuration=path)

    lines = [line.split() for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert lines[0] == [
        "ORDER_ID",
        "APP",
        "CLIENT_ORDER_NO",
        "STATE",
        "AMOUNT_FEN",
        "AMOUNT_REFUNDED_FEN",
        "CREATED_AT",
    ]
    assert lines[1:] == [
        [THIRD, "other", "C-1", "open", "38001", "0", SHOWN_AT],
        [SECOND, "demo", "C-2", "closed", "38001", "0", SHOWN_AT],
        [FIRST, "demo", "C-1", "paid", "38001", "101", SHOWN_AT],
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param((), [THIRD, SECOND, FIRST], id="all"),
        pytest.param(("--state", "paid"), [FIRST], id="in_a_state"),
        pytest.param(("--state", "closing"), [], id="in_a_state_that_no_order_has"),
        pytest.param(("--limit", "2"), [THIRD, SECOND], id="limited"),
        pytest.param(("--state", "closed", "--limit", "1"), [SECOND], id="limited_in_a_state"),
    ],
)
def test_orders_list_as_json_obeys_its_options(
    path: Path, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], expected: list[str]
) -> None:
    """A page holds one order here, so that every page's end is met."""
    monkeypatch.setattr("gateway.cli.stored_orders._PAGE", 1)

    result = jiaofei("orders", "list", "--json", *options, configuration=path)

    assert expected == [document["order_id"] for document in json.loads(result.stdout)]


def test_orders_list_with_unknown_state_names_the_states(path: Path, jiaofei: Jiaofei) -> None:
    """A typing mistake is not an empty list."""
    result = jiaofei("orders", "list", "--state", "payed", configuration=path)

    assert result.exit_code == 2
    assert "'open', 'closing', 'paid', 'closed'" in result.stderr


def test_orders_show_by_id_tells_the_whole_order(path: Path, jiaofei: Jiaofei) -> None:
    """Payments, refunds and events come with it."""
    result = jiaofei("orders", "show", FIRST, "--json", configuration=path)

    [document] = json.loads(result.stdout)
    assert (document["order_id"], document["amount_fen"], document["state"]) == (FIRST, 38001, "paid")
    assert document["payments"] == [
        {
            "payment_id": PAYMENT_ID,
            "account": "city",
            "method": "wechatpay.jsapi",
            "out_trade_no": "5" * 32,
            "provider_trade_no": "4200000000202603010000000001",
            "state": "paid",
            "kept": True,
            "amount_fen": 38001,
            "amount_refunding_fen": 0,
            "amount_refunded_fen": 101,
            "evidence_id": EVIDENCE_ID,
            "paid_at": SHOWN_AT,
            "updated_at": SHOWN_AT,
        }
    ]
    assert [(row["out_refund_no"], row["state"], row["amount_fen"]) for row in document["refunds"]] == [
        ("7" * 32, "succeeded", 101)
    ]
    assert document["events"] == [
        {
            "seq": 1,
            "at": SHOWN_AT,
            "kind": "order_opened",
            "actor": "app:demo",
            "evidence_id": None,
            "detail": {"amount_fen": 38001},
        }
    ]


@pytest.mark.parametrize("form", [pytest.param((), id="text"), pytest.param(("--json",), id="json")])
def test_orders_show_never_shows_sealed_or_indexed_values(path: Path, jiaofei: Jiaofei, form: tuple[str, ...]) -> None:
    """An index of an identity number is personal, too."""
    result = jiaofei("orders", "show", FIRST, *form, configuration=path)

    assert FIRST in result.stdout
    assert "38001" in result.stdout
    assert "canary" not in result.stdout


def test_orders_show_by_client_number_shows_each_apps_order(path: Path, jiaofei: Jiaofei) -> None:
    """A client's number is unique in its app only."""
    result = jiaofei("orders", "show", "C-1", "--json", configuration=path)

    assert {("demo", FIRST), ("other", THIRD)} == {(d["app"], d["order_id"]) for d in json.loads(result.stdout)}


@pytest.mark.parametrize("number", ["C-3", f"ord_{'0' * 32}"])
def test_orders_show_of_unknown_number_exits_1(path: Path, jiaofei: Jiaofei, number: str) -> None:
    """Scripts can tell."""
    result = jiaofei("orders", "show", number, configuration=path)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: there is no such order\n")
