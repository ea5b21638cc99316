"""UnionPay in the application: its paths, the payer's page with the front return, control, and older keyrings."""

from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from flask import Flask
from flask.testing import FlaskClient

from sandbox.app import Sandbox, create_sandbox
from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring
from sandbox.unionpay.keys import UnionpayKeys
from sandbox.unionpay.simulator import UnionpaySimulator
from tests.sandbox.merchants import Inbox
from tests.sandbox.unionpay_merchant import FRONT_URL, NUMBER, UnionpayMerchant

CONTENT_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"


@pytest.fixture
def app(keyring: Keyring, clock: SandboxClock, inbox: Inbox) -> Flask:
    return create_sandbox(keyring, post=inbox.post, clock=clock)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def merchant(app: Flask, keyring: Keyring, clock: SandboxClock) -> UnionpayMerchant:
    sandbox: Sandbox = app.extensions["sandbox"]
    return UnionpayMerchant(keyring, clock, sandbox.of(UnionpaySimulator), prefix="/unionpay")


class Form(HTMLParser):
    """The first form of a page: where it goes and its hidden fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: dict[str, str] = {}
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.attributes = named
        if tag == "input" and named["type"] == "hidden":
            self.fields[named["name"]] = named["value"]


def test_payer_pays_a_front_order_and_goes_back(client: FlaskClient, merchant: UnionpayMerchant) -> None:
    """Form, redirect, cashier, 支付, and a button that posts the signed fields to frontUrl."""
    arrived = client.post("/unionpay/gateway/api/frontTransReq.do", data=merchant.fields("front"))
    address = arrived.headers["Location"].removeprefix("http://127.0.0.1:8400")
    shown = client.get(address).text
    form = Form(client.post(address, data={"choice": "pay"}).text)
    merchant.check(form.fields)

    assert arrived.status_code == 302
    assert "380.01" in shown
    assert "2026年度城乡居民医保缴费" in shown
    assert (form.attributes["action"], form.attributes["method"]) == (FRONT_URL, "post")
    assert form.fields["respCode"] == "00"
    assert "去支付" not in client.get("/").text


def test_payer_cancels_a_front_order_and_goes_back_without_a_result(
    client: FlaskClient, merchant: UnionpayMerchant
) -> None:
    """A bare redirect; the order can still be paid."""
    merchant.order("front")
    address = "/unionpay/cashier?visit=" + merchant.simulator.orders()[0]["prepay"]
    back = client.post(address, data={"choice": "cancel"})

    assert (back.status_code, back.headers["Location"]) == (303, FRONT_URL)
    assert merchant.simulator.orders()[0]["state"] == "34"
    assert "去支付" in client.get("/").text


@pytest.mark.parametrize(("kind", "member"), [("app", "tn"), ("qr", "qrCode")])
def test_payer_pays_by_tn_or_code(client: FlaskClient, merchant: UnionpayMerchant, kind: str, member: str) -> None:
    """The page of a tn, the page behind a code; both end with 支付成功."""
    value = merchant.ask(kind)[member]
    address = f"/unionpay/cashier?tn={value}" if kind == "app" else value.removeprefix("http://127.0.0.1:8400")
    done = client.post(address, data={"choice": "pay"})
    again = client.post(address, data={"choice": "pay"})

    assert "支付成功" in done.text
    assert (again.status_code, "请勿重复付款" in again.text) == (409, True)
    assert client.get("/unionpay/cashier?visit=x").status_code == 409


def test_requests_and_files_are_reached_over_http(client: FlaskClient, merchant: UnionpayMerchant) -> None:
    """Both API roots and the file host's stand-in."""
    order = urlencode(merchant.fields("qr"))
    query = urlencode(merchant.fields("query"))
    file = merchant.fields("query", txnType="76", txnSubType="01", bizType="000000", orderId="", signature="")
    bodies = [
        client.post(path, data=body, content_type=CONTENT_TYPE).data.decode()
        for path, body in (
            ("/unionpay/gateway/api/backTransReq.do", order),
            ("/unionpay/jiaofei/api/queryTrans.do", query),
            ("/unionpay/filedownload/", urlencode(file)),
        )
    ]

    assert [body.split("respCode=")[1][:2] for body in bodies] == ["00", "34", "13"]


def test_control_drives_unionpay(client: FlaskClient, merchant: UnionpayMerchant, inbox: Inbox) -> None:
    """Pay, deliver, books, callbacks, faults and rotation, unchanged."""
    merchant.order()
    named = {"provider": "unionpay", "out_trade_no": NUMBER}

    paid = client.post("/control/pay", json=named)
    again = client.post("/control/pay", json=named)
    advanced = client.post("/control/clock/advance", json={"seconds": 0})
    books = client.get("/control/books?provider=unionpay").json
    deliveries = client.get("/control/callbacks").json["deliveries"]
    fault = client.post("/control/faults", json={"fault": "callback_wrong_owner", "provider": "unionpay"})
    rotated = client.post("/control/rotate", json={"provider": "unionpay"}).json["certificate"]

    assert (paid.status_code, again.status_code, fault.status_code) == (200, 409, 200)
    assert advanced.json["jobs_run"] == 1
    assert [(entry["out_trade_no"], entry["amount_fen"]) for entry in books["payments"]] == [(NUMBER, 38001)]
    assert [(entry["provider"], entry["accepted"]) for entry in deliveries] == [("unionpay", True)]
    assert rotated.isdecimal()
    assert merchant.notice(inbox.received[0][2])["orderId"] == NUMBER


def test_keyring_holds_the_merchants_pfx(keyring: Keyring) -> None:
    """Password 000000, the key and certificate of the PEM files."""
    content = keyring.path("unionpay_merchant_sign.pfx").read_bytes()
    key, certificate, _ = pkcs12.load_key_and_certificates(content, b"000000")

    assert certificate == keyring.of(UnionpayKeys).merchant_certificate
    assert key is not None
    assert key.public_key() == keyring.of(UnionpayKeys).merchant_private_key.public_key()
