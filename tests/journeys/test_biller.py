"""The bank's own app, end to end over HTTP: the simulator's bank, its keys and configuration, the whole gateway."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from werkzeug.test import Client

from gateway.app import build_world, create_app
from gateway.services.audit import audit
from gateway.services.work import Worker
from gateway.settings import load_settings
from gateway.store import Store
from sandbox.app import Sandbox, create_sandbox
from sandbox.bank_biller import BankBillerSimulator
from sandbox.bank_biller.keys import BankBillerKeys
from sandbox.clock import BEIJING, SandboxClock
from sandbox.keyring import Keyring
from sandbox.registry import all_kinds
from tests.support.databases import Database
from tests.support.engines import TouchesOnce
from tests.support.invariants import assert_invariants
from tests.web.front import resident_id

START: Final = datetime(2026, 3, 1, 10, 20, 30, 123456, tzinfo=BEIJING)
API_KEY: Final = "test-api-key-of-the-bureau"
AMOUNT_FEN: Final = 38001
NUMBER: Final = resident_id("34010019900101001")
SUBJECT: Final = {
    "region": "341200",
    "insured_year": 2026,
    "insurance_kind": "resident_medical",
    "insured": {"name": "测试参保人", "id_type": "resident_id", "id_number": NUMBER},
}


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return f'"{value}"'


def _configuration(ring: Keyring, database: Database) -> str:
    key = base64.b64encode(b"k" * 32).decode()
    (ring.folder / "test_sealing_key").write_text(key)
    sections: dict[str, Mapping[str, Any]] = {
        "gateway": {
            "database_url": database.url,
            "public_base_url": "https://pay.example.test",
            "data_keys": ["file:test_sealing_key"],
            "index_key": "file:test_sealing_key",
            "token_key": "file:test_sealing_key",
        },
        "apps.bureau": {
            "entry": "counter",
            "api_keys": [f"sha256:{hashlib.sha256(API_KEY.encode()).hexdigest()}"],
        },
        **all_kinds()["bank_biller"].configuration(ring.of(BankBillerKeys), "unused", lambda file: f"file:{file}"),
    }
    return "\n".join(
        "\n".join([f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())])
        for name, values in sections.items()
    )


class Rig:
    """
    Gateway, worker and bank on one clock.

    Attributes:
        lose: How many of the gateway's next answers get lost on the way, after it has done what was asked.
        down: The gateway cannot be reached at all.
    """

    def __init__(self, ring: Keyring, database: Database, folder: Path) -> None:
        (folder / "gateway.toml").write_text(_configuration(ring, database).replace("file:", f"file:{ring.folder}/"))
        settings = load_settings({"GATEWAY_CONFIG": str(folder / "gateway.toml")})
        self.clock = SandboxClock(frozen_at=START)
        self.world = build_world(settings, clock=self.clock)
        self.store: Store = self.world.store
        self.store._engine = TouchesOnce(self.store._engine)
        self.worker = Worker(self.world.deps)
        self.client: Client = create_app(settings, world=self.world).test_client()
        self.lose, self.down = 0, False
        sandbox: Sandbox = create_sandbox(
            ring,
            post=lambda *_: (200, b""),
            clock=self.clock,
            gateway_url="http://gateway.test",
            options={"bank_biller": {"exchange": self._exchange}},
        ).extensions["sandbox"]
        self.bank = sandbox.of(BankBillerSimulator)
        self._orders = 0

    def _exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        if self.down:
            raise ConnectionRefusedError("down")
        answer = self.client.post(url.removeprefix("http://gateway.test"), data=body, headers=dict(headers))
        if self.lose:
            self.lose -= 1
            raise TimeoutError("the answer got lost")
        return answer.status_code, dict(answer.headers), answer.data

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self._orders += 1
        headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": f"key-{self._orders}"}
        return self.client.open(path, method=method, json=body, headers=headers).get_json()

    def owed(self, client_order_no: str = "C-1", *, year: int = 2026) -> str:
        """An insured person's premium is put on record; returns the order's id."""
        body = {
            "client_order_no": client_order_no,
            "amount_fen": AMOUNT_FEN,
            "description": "城乡居民医保",
            "expires_at": (self.clock.now() + timedelta(days=122)).isoformat(),
            "subject": {**SUBJECT, "insured_year": year},
        }
        opened = self.call("POST", "/v1/orders", body)
        assert "order_id" in opened, opened
        return str(opened["order_id"])

    def order(self, order_id: str) -> Any:
        return self.call("GET", f"/v1/orders/{order_id}")

    def bill(self, *, year: str = "2026", way: str = "bbp") -> Any:
        (found,) = self.bank.find_bills(NUMBER, year=year, way=way)
        return found

    def work(self) -> None:
        while self.worker.run_due():
            pass


@pytest.fixture
def rig(ring: Keyring, database: Database, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(ring, database, tmp_path)
    yield made
    assert_invariants(made.store)
    assert [(each.name, each.offenders) for each in audit(made.store) if each.offenders] == []
    made.world.close()


def _truth(rig: Rig) -> tuple[int, int]:
    """What the bank holds for us by its own books, and what we say it collected."""
    books = rig.bank.books()
    held = sum(p["amount_fen"] for p in books["payments"]) - sum(r["amount_fen"] for r in books["refunds"])
    orders = rig.call("GET", "/v1/orders?limit=100")["orders"]
    return held, sum(o["amount_paid_fen"] - o["amount_refunded_fen"] for o in orders)


@pytest.mark.parametrize("way", ["bbp", "ebpp"])
def test_payer_finds_a_bill_in_the_banks_app_and_pays_it(rig: Rig, way: str) -> None:
    """Found by identity number, paid once, shown as paid to the app that asked for it."""
    order_id = rig.owed()
    shown = rig.bank.pay_bill(rig.bill(way=way)["bill_no"])
    order = rig.order(order_id)

    assert shown["state"] == "PAID"
    assert (order["state"], order["payments"][0]["state"]) == ("paid", "paid")
    assert _truth(rig) == (AMOUNT_FEN, AMOUNT_FEN)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_answer_that_gets_lost_never_costs_or_doubles_a_payment(rig: Rig, lost: int) -> None:
    """The bank asks, then tells the same again under a new nonce: one payment, and the payer keeps it."""
    rig.owed()
    bill = rig.bill()
    rig.lose = lost
    assert rig.bank.pay_bill(bill["bill_no"])["state"] == "UNKNOWN"
    rig.clock.advance(600)

    assert [order["state"] for order in rig.bank.orders()] == ["PAID"]
    assert _truth(rig) == (AMOUNT_FEN, AMOUNT_FEN)


def test_ebpp_notice_that_gets_lost_is_told_again(rig: Rig) -> None:
    rig.owed()
    bill = rig.bill(way="ebpp")
    rig.lose = 2
    rig.bank.pay_bill(bill["bill_no"])
    rig.clock.advance(600)

    assert [(order["state"], order["tries"]) for order in rig.bank.orders()] == [("PAID", 3)]
    assert _truth(rig) == (AMOUNT_FEN, AMOUNT_FEN)


def test_gateway_that_is_down_for_a_day_finds_the_payment_in_the_days_file(rig: Rig) -> None:
    """The bank holds the money and could tell nobody: its file does."""
    order_id = rig.owed()
    bill = rig.bill()
    rig.down = True
    rig.bank.pay_bill(bill["bill_no"])
    rig.clock.advance(3600)
    assert rig.bank.orders()[0]["state"] == "UNKNOWN"
    rig.down = False
    uploaded = rig.bank.upload_day()
    rig.work()

    assert uploaded["body"]["status"] == "PENDING"
    assert rig.bank.day_result()["body"] == {"status": "MATCHED", "matched_count": 1, "diffs": []}
    assert rig.order(order_id)["state"] == "paid"
    assert rig.bank.look(rig.bank.orders()[0]["out_trade_no"])["state"] == "PAID"
    assert _truth(rig) == (AMOUNT_FEN, AMOUNT_FEN)


def test_refused_payment_goes_back_to_the_payer(rig: Rig) -> None:
    """Two banks' customers pay one premium; another amount; the second one's money goes back at once."""
    rig.owed()
    bill = rig.bill()["bill_no"]
    rig.bank.pay_bill(bill)
    second = rig.bank.pay_bill(bill)
    rig.owed("C-2", year=2027)
    third = rig.bank.pay_bill(rig.bill(year="2027")["bill_no"], amount_fen=AMOUNT_FEN - 1)

    assert (second["state"], second["code"]) == ("RETURNED", "P20001")
    assert (third["state"], third["code"]) == ("RETURNED", "P20002")
    assert _truth(rig) == (AMOUNT_FEN, AMOUNT_FEN)


def test_reversed_payment_can_be_paid_again(rig: Rig) -> None:
    """The premium is owed under a new bill; the day nets out."""
    first = rig.owed()
    serial = rig.bank.pay_bill(rig.bill()["bill_no"])["out_trade_no"]
    assert rig.bank.reverse(serial)["state"] == "REVERSED"
    assert rig.bank.reverse(serial)["state"] == "REVERSED"
    again = rig.bill()
    rig.bank.pay_bill(again["bill_no"])
    rig.bank.upload_day()
    rig.work()

    assert again["bill_no"] != first.removeprefix("ord_")
    assert rig.order(f"ord_{again['bill_no']}")["state"] == "paid"
    assert rig.bank.day_result()["body"] == {"status": "MATCHED", "matched_count": 3, "diffs": []}
    assert _truth(rig) == (AMOUNT_FEN, AMOUNT_FEN)


def test_reversal_that_overtakes_its_payment_bars_it(rig: Rig) -> None:
    """The late original is refused, and the bill can still be paid."""
    order_id = rig.owed()
    bill = rig.bill()
    overtaken = rig.bank.reverse_before_paying(bill["bill_no"], bill["amount"])

    assert (overtaken["state"], overtaken["code"]) == ("REVERSED", "P30003")
    assert rig.order(order_id)["state"] == "open"
    assert rig.bank.pay_bill(bill["bill_no"])["state"] == "PAID"


def test_file_shows_what_only_one_side_has(rig: Rig) -> None:
    """Our payment that the bank's file leaves out, and the bank's that we could not take."""
    rig.owed()
    bill = rig.bill()
    serial = rig.bank.pay_bill(bill["bill_no"])["out_trade_no"]
    rig.owed("C-2", year=2027)
    rig.down = True
    unheard = rig.bank.pay_bill(rig_bill_of(rig, "2027", down=True))["out_trade_no"]
    rig.down = False
    for closed in rig.call("GET", "/v1/orders?state=open")["orders"]:
        rig.call("POST", f"/v1/orders/{closed['order_id']}/close")
    del rig.bank._transfers[serial]
    rig.bank.upload_day()
    rig.work()
    result = rig.bank.day_result()["body"]

    assert result["status"] == "DIFF"
    assert {(d["bank_seq"], d["type"]) for d in result["diffs"]} == {(serial, "SHORT"), (unheard, "LONG")}


def rig_bill_of(rig: Rig, year: str, *, down: bool) -> str:
    """A bill's number, found while the gateway could still be reached."""
    rig.down = False
    number = str(rig.bill(year=year)["bill_no"])
    rig.down = down
    return number


def test_bank_changes_its_key_without_a_gap(rig: Rig) -> None:
    """Both are in the configuration."""
    rig.owed()
    rig.bill()
    rig.bank.rotate_certificate()

    assert rig.bank.pay_bill(rig.bill()["bill_no"])["state"] == "PAID"


def test_campaign_of_months_keeps_a_bill_payable(rig: Rig) -> None:
    """An order lives for 122 days; a payment that was begun online on its first day does not."""
    rig.owed()
    rig.clock.advance(121 * 86400)

    assert rig.bank.pay_bill(rig.bill()["bill_no"])["state"] == "PAID"


def test_pages_lead_a_payer_from_number_to_receipt(ring: Keyring, rig: Rig) -> None:
    """The simulator's own page, as in a demonstration."""
    rig.owed()
    app = create_sandbox(
        ring,
        clock=rig.clock,
        gateway_url="http://gateway.test",
        options={"bank_biller": {"exchange": rig._exchange}},
    )
    client = app.test_client()
    found = client.post("/bank_biller/app", data={"choice": "find", "id_no": NUMBER, "year": "2026"})
    assert found.status_code == 303
    page = client.get("/bank_biller/app").text
    bill_no = page.partition('name="bill_no" value="')[2][:32]
    client.post("/bank_biller/app", data={"choice": "pay", "bill_no": bill_no})

    assert "立即缴费" in page
    assert "已缴费" in client.get("/bank_biller/app").text
    assert client.post("/bank_biller/app", data={"choice": "find", "id_no": NUMBER, "year": "2020"}).status_code == 409
    assert (
        client.post("/control/biller/bills", json={"id_no": NUMBER, "year": "2026"}).json["bills"][0]["status"]
        == "PAID"
    )
