"""The Agricultural Bank's own door: the same core behind another protocol."""

from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from gateway.app import World as GatewayWorld
from gateway.app import create_app
from gateway.domain.biller_front import BillerRequest
from gateway.store import Store
from tests.adapters.bank_abchina_ebpp import peer
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, SETTINGS, account
from tests.web.both import BOTH
from tests.web.front import PERSON, SUBJECT, Down, Front, Json


class EbppFront(Front):
    """A gateway with one merchant in the bank's app."""

    def __init__(self, store: Store, database_url: str) -> None:
        accounts = {**SETTINGS.accounts, peer.ACCOUNT: account(peer.ACCOUNT, "bank_abchina_ebpp")}
        super().__init__(store, database_url, accounts=accounts)
        self.deps = replace(self.deps, providers={**self.deps.providers, peer.ACCOUNT: peer.front()})
        self.app = create_app(self.settings, world=GatewayWorld(settings=self.settings, deps=self.deps))
        self.client = self.app.test_client()

    def deliver_bank(self, request: BillerRequest) -> TestResponse:
        form = "application/x-www-form-urlencoded"
        return self.client.post(request.path, data=request.body, headers={"Content-Type": form})

    def asks(self, **changes: str) -> str:
        response = self.deliver_bank(peer.asked(**{"number": PERSON["id_number"], "year": "2026"} | changes))
        assert response.status_code == 200
        return peer.opened(response.data)

    def pays(self, order: Json, **changes: str) -> TestResponse:
        members = {"ProductID": order["order_id"][4:], "HostDate": "2026/03/01"} | changes
        return self.deliver_bank(peer.told(**members))


@pytest.fixture
def front(store: Store, database: Database) -> EbppFront:
    return EbppFront(store, database.url)


def _bill(front: EbppFront) -> Json:
    return front.opened(subject=SUBJECT)


@BOTH
def test_bank_finds_and_pays_a_bill(front: EbppFront) -> None:
    """Asked, shown, paid, shown as paid; a second delivery changes nothing."""
    order = _bill(front)
    assert f"<BillNo>{order['order_id'][4:]}</BillNo>" in front.asks()
    assert "<Amount>380.01</Amount>" in front.asks()
    first, again = front.pays(order), front.pays(order)
    paid = front.get(f"/v1/orders/{order['order_id']}").get_json()

    assert (first.status_code, first.data) == (again.status_code, again.data)
    assert first.data == b"<URL>https://pay.example.cn/done</URL>\n"
    assert (paid["state"], len(paid["payments"]), paid["amount_paid_fen"]) == ("paid", 1, AMOUNT_FEN)
    assert "<Result>false</Result>" in front.asks(status="1")
    assert "<Status>2</Status>" in front.asks(status="2")
    assert_invariants(front.store)


def test_money_that_cannot_be_booked_is_kept_for_a_person(front: EbppFront, database: Database) -> None:
    """Another amount, an unknown bill, a message that cannot be read: acknowledged, kept, told to nobody as paid."""
    order = _bill(front)
    for number, changes in enumerate(({"Amount": "380.00"}, {"ProductID": "f" * 32}, {"HostTime": "noon"})):
        response = front.pays(order, OrderNo=f"E{number}", **changes)
        assert (response.status_code, response.data[:5]) == (200, b"<URL>")

    assert sorted(database.rows("SELECT state, reason FROM notifications")) == [
        ("malformed", "format"),
        ("quarantined", "amount_differs"),
        ("quarantined", "bill_unknown"),
    ]
    assert database.rows("SELECT count(*) FROM biller_differences WHERE state = 'open'") == [(2,)]
    assert front.get(f"/v1/orders/{order['order_id']}").get_json()["state"] == "open"


def test_attempt_that_failed_is_acknowledged_and_forgotten(front: EbppFront, database: Database) -> None:
    """No money has moved."""
    assert front.pays(_bill(front), ReturnCode="2302").status_code == 200
    assert database.rows("SELECT count(*) FROM notifications") == [(0,)]


def test_forgery_gets_401_and_writes_nothing(front: EbppFront, database: Database) -> None:
    order = _bill(front)
    for response in (
        front.deliver_bank(peer.told(signer="abc_merchant_private.pem", ProductID=order["order_id"][4:])),
        front.client.post(peer.PATH, data=b"MSG=junk"),
        front.client.post(peer.PATH),
    ):
        assert (response.status_code, response.data) == (401, b"")

    assert database.rows("SELECT count(*) FROM notifications") == [(0,)]


def test_payment_while_the_database_is_down_is_asked_for_again(front: EbppFront) -> None:
    order, engine = _bill(front), front.store._engine
    front.store._engine = Down(engine)
    assert front.pays(order).status_code == 503
    front.store._engine = engine

    assert front.pays(order).status_code == 200


def test_name_that_does_not_fit_finds_nobody(front: EbppFront) -> None:
    """PayerValue2 is checked when the bank sends it, and repeated as it was asked, never told."""
    _bill(front)

    assert "<Result>false</Result>" in front.asks(name="别人")
    assert PERSON["name"] not in front.asks()
    assert f"<PayerValue2>{PERSON['name']}</PayerValue2>" in front.asks(name=PERSON["name"])


def test_other_address_is_not_found(front: EbppFront) -> None:
    assert front.client.post("/api/v1/bank/ebpp/other", data=b"MSG=x").status_code == 404
