"""The application: mounting, the payer's pages, the control interface, lost answers over a real connection."""

import json
import threading
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from sandbox.alipay.simulator import AlipaySimulator
from sandbox.app import Sandbox, create_sandbox, post_over_http
from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring
from sandbox.wechatpay.simulator import WechatpaySimulator
from tests.sandbox.merchants import AlipayMerchant, Inbox, WechatpayMerchant, query_of

NUMBER = "FY202600000001"
SCENE = {"payer_client_ip": "203.0.113.9", "h5_info": {"type": "Wap"}}


@pytest.fixture
def app(keyring: Keyring, clock: SandboxClock, inbox: Inbox) -> Flask:
    return create_sandbox(keyring, post=inbox.post, clock=clock)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def merchant(app: Flask, keyring: Keyring, clock: SandboxClock) -> WechatpayMerchant:
    sandbox: Sandbox = app.extensions["sandbox"]
    return WechatpayMerchant(keyring, clock, sandbox.of(WechatpaySimulator), prefix="/wechatpay")


@pytest.fixture
def alipay_merchant(app: Flask, keyring: Keyring, clock: SandboxClock) -> AlipayMerchant:
    sandbox: Sandbox = app.extensions["sandbox"]
    return AlipayMerchant(keyring, clock, sandbox.of(AlipaySimulator), path="/alipay/gateway.do")


def test_wechatpay_request_over_http_is_verified_with_its_prefix(
    client: FlaskClient, merchant: WechatpayMerchant
) -> None:
    """The signed URL is the one on the wire, /wechatpay included and percent-encoding untouched."""
    merchant.create(out_trade_no="FY|2026_01*a")
    path = f"/wechatpay/v3/pay/transactions/out-trade-no/FY%7C2026_01*a?mchid={merchant.keys.identity.mchid}"

    answer = client.get(path, headers=merchant.headers("GET", path, b""))

    assert answer.status_code == 200
    assert json.loads(answer.data)["trade_state"] == "NOTPAY"
    merchant.check(dict(answer.headers), answer.data)


def test_wechatpay_request_signed_without_the_prefix_is_refused(
    client: FlaskClient, merchant: WechatpayMerchant
) -> None:
    """SIGN_ERROR, as for any other path than the one sent."""
    answer = client.get("/wechatpay/v3/certificates", headers=merchant.headers("GET", "/v3/certificates", b""))

    assert answer.status_code == 401


def test_wechatpay_order_is_posted_byte_for_byte(client: FlaskClient, merchant: WechatpayMerchant) -> None:
    """Signature over the raw body; close answers an empty 204."""
    path = "/wechatpay/v3/pay/transactions/native"
    content = {name: value for name, value in merchant.order().items() if name != "payer"}
    body = json.dumps(content).encode()
    close = f"/wechatpay/v3/pay/transactions/out-trade-no/{NUMBER}/close"
    close_body = json.dumps({"mchid": merchant.keys.identity.mchid}).encode()

    created = client.post(path, data=body, headers=merchant.headers("POST", path, body))
    closed = client.post(close, data=close_body, headers=merchant.headers("POST", close, close_body))

    assert created.status_code == 200
    assert (closed.status_code, closed.data) == (204, b"")
    merchant.check(dict(closed.headers), b"")


@pytest.mark.parametrize("kind", ["jsapi", "app", "native", "h5"])
def test_payer_pays_on_the_wechatpay_page(client: FlaskClient, merchant: WechatpayMerchant, kind: str) -> None:
    """The page shows amount and description; the button pays; the index no longer offers to."""
    content = merchant.order() | ({"scene_info": SCENE} if kind == "h5" else {})
    if kind != "jsapi":
        del content["payer"]
    answer = json.loads(merchant.call("POST", f"/v3/pay/transactions/{kind}", content).body)
    ((name, value),) = answer.items()
    address = (
        value.removeprefix("http://127.0.0.1:8400") if kind == "h5" else f"/wechatpay/pay?{urlencode({name: value})}"
    )

    shown = client.get(address).text
    done = client.post(address, data={"choice": "pay"}).text

    assert "380.01" in shown
    assert "2026年度城乡居民医保缴费" in shown
    assert "支付成功" in done
    assert merchant.simulator.orders()[0]["state"] == "SUCCESS"
    assert "去支付" not in client.get("/").text


def test_payer_returns_to_redirect_url_after_h5(client: FlaskClient, merchant: WechatpayMerchant) -> None:
    """http and https only."""
    content = merchant.order() | {"scene_info": SCENE}
    del content["payer"]
    link = json.loads(merchant.call("POST", "/v3/pay/transactions/h5", content).body)["h5_url"]
    path = link.removeprefix("http://127.0.0.1:8400")

    bad = client.post(f"{path}&redirect_url=javascript:alert(1)", data={"choice": "cancel"})
    good = client.post(f"{path}&redirect_url=https%3A%2F%2Fpay.example.cn%2Fdone", data={"choice": "pay"})

    assert (bad.status_code, bad.headers.get("Location")) == (200, None)
    assert (good.status_code, good.headers["Location"]) == (303, "https://pay.example.cn/done")


def test_payer_cancels_and_pays_later(client: FlaskClient, merchant: WechatpayMerchant) -> None:
    """Cancelling changes nothing."""
    prepay_id = json.loads(merchant.create().body)["prepay_id"]
    address = f"/wechatpay/pay?prepay_id={prepay_id}"

    cancelled = client.post(address, data={"choice": "cancel"}).text
    state = merchant.simulator.orders()[0]["state"]
    client.post(address, data={"choice": "pay"})

    assert "已取消付款" in cancelled
    assert state == "NOTPAY"
    assert merchant.simulator.orders()[0]["state"] == "SUCCESS"


def test_second_press_of_the_pay_button_is_refused(client: FlaskClient, merchant: WechatpayMerchant) -> None:
    """409 and a Chinese sentence; one payment in the books."""
    prepay_id = json.loads(merchant.create().body)["prepay_id"]
    address = f"/wechatpay/pay?prepay_id={prepay_id}"
    client.post(address, data={"choice": "pay"})

    second = client.post(address, data={"choice": "pay"})

    assert second.status_code == 409
    assert "请勿重复付款" in second.text
    assert len(merchant.simulator.books()["payments"]) == 1


def test_unknown_payment_link_is_refused(client: FlaskClient) -> None:
    """For both providers."""
    answers = [client.get("/wechatpay/pay?prepay_id=x"), client.get("/alipay/cashier?visit=x")]

    assert [answer.status_code for answer in answers] == [409, 409]


def test_payer_pays_on_the_alipay_page_and_returns(client: FlaskClient, alipay_merchant: AlipayMerchant) -> None:
    """gateway.do sends the browser to the cashier; the button sends it back with signed parameters."""
    arrived = alipay_merchant.page()
    address = arrived.headers["Location"].removeprefix("http://127.0.0.1:8400")

    shown = client.get(address).text
    back = client.post(address, data={"choice": "pay"})

    assert "380.01" in shown
    assert back.status_code == 303
    assert back.headers["Location"].startswith("https://pay.example.cn/back?")
    alipay_merchant.check_notice(query_of(back.headers["Location"]))


def test_alipay_gateway_over_http_answers_and_redirects(client: FlaskClient, alipay_merchant: AlipayMerchant) -> None:
    """A browser's GET, a browser's form POST of an order string, and a server call."""
    urls = {"return_url": "https://pay.example.cn/back"}
    page = alipay_merchant.order(product_code="FAST_INSTANT_TRADE_PAY")
    string = alipay_merchant.order("FY2", product_code="QUICK_MSECURITY_PAY")
    fields = alipay_merchant.fields("alipay.trade.query", {"out_trade_no": "FY2"})

    got = client.get("/alipay/gateway.do", query_string=alipay_merchant.fields("alipay.trade.page.pay", page, **urls))
    posted = client.post("/alipay/gateway.do", data=alipay_merchant.fields("alipay.trade.app.pay", string))
    answer = client.post(
        f"/alipay/gateway.do?{urlencode({name: fields[name] for name in fields if name != 'biz_content'})}",
        data={"biz_content": fields["biz_content"]},
    )

    assert (got.status_code, posted.status_code) == (302, 302)
    assert answer.json is None
    assert json.loads(answer.data)["alipay_trade_query_response"]["trade_status"] == "WAIT_BUYER_PAY"


def test_pages_escape_what_the_merchant_wrote(client: FlaskClient, merchant: WechatpayMerchant) -> None:
    """A description is text, never markup."""
    evil = "<script>alert(1)</script>"
    prepay_id = json.loads(merchant.create(description=evil).body)["prepay_id"]

    texts = [client.get(address).text for address in ("/", f"/wechatpay/pay?prepay_id={prepay_id}")]

    assert all(evil not in text and evil in unescape(text) for text in texts)


def test_index_lists_orders_clock_and_faults(client: FlaskClient, merchant: WechatpayMerchant) -> None:
    """What is there, what time it is, what goes wrong."""
    merchant.create()
    client.post("/control/faults", json={"fault": "callback_never", "provider": "wechatpay", "times": 3})

    text = client.get("/").text

    assert NUMBER in text
    assert "2026-03-01 10:20:30" in text
    assert "callback_never" in text
    assert "去支付" in text


def test_control_pays_advances_and_shows_the_books(
    client: FlaskClient, merchant: WechatpayMerchant, inbox: Inbox
) -> None:
    """The journey of a test that drives the sandbox from outside."""
    merchant.create()
    named = {"provider": "wechatpay", "out_trade_no": NUMBER}

    paid = client.post("/control/pay", json=named)
    again = client.post("/control/pay", json=named)
    advanced = client.post("/control/clock/advance", json={"seconds": 0})
    books = client.get("/control/books?provider=wechatpay")
    callbacks = client.get("/control/callbacks")

    assert (paid.status_code, again.status_code) == (200, 409)
    assert advanced.json["jobs_run"] == 1
    assert [entry["amount_fen"] for entry in books.json["payments"]] == [38001]
    assert [entry["accepted"] for entry in callbacks.json["deliveries"]] == [True]
    assert len(inbox.received) == 1


def test_control_sets_lists_and_clears_faults(client: FlaskClient) -> None:
    """201 with the rule; DELETE takes all away."""
    made = client.post("/control/faults", json={"fault": "half_json", "operation": "query", "times": 2})
    listed = client.get("/control/faults").json["faults"]
    cleared = client.delete("/control/faults").json

    assert made.json["fault"] == "half_json"
    assert listed == [made.json]
    assert cleared == {"cleared": 1}
    assert client.get("/control/faults").json["faults"] == []


def test_control_rotates_certificates(client: FlaskClient, merchant: WechatpayMerchant) -> None:
    """Both providers."""
    serial = client.post("/control/rotate", json={"provider": "wechatpay"}).json["certificate"]

    assert merchant.create().headers["Wechatpay-Serial"] == serial
    assert len(client.post("/control/rotate", json={"provider": "alipay"}).json["certificate"]) == 32


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/control/pay", {"provider": "bank", "out_trade_no": "x"}),
        ("/control/pay", {"provider": "wechatpay"}),
        ("/control/pay", ["x"]),
        ("/control/clock/advance", {"seconds": -1}),
        ("/control/clock/advance", {"seconds": True}),
        ("/control/clock/advance", {}),
        ("/control/faults", {}),
        ("/control/faults", {"fault": "surprise"}),
        ("/control/faults", {"fault": "half_json", "times": "2"}),
        ("/control/faults", {"fault": "half_json", "surprise": 1}),
        ("/control/rotate", {}),
    ],
)
def test_control_refuses_junk(client: FlaskClient, path: str, content: Any) -> None:
    """400 with a sentence."""
    answer = client.post(path, json=content)

    assert answer.status_code == 400
    assert answer.json["error"]


def test_body_over_the_limit_is_refused(client: FlaskClient) -> None:
    """413."""
    assert client.post("/alipay/gateway.do", data=b"x" * 1_000_001).status_code == 413


@pytest.fixture
def live(app: Flask) -> Iterator[str]:
    """The application behind a real loopback socket, as `serve` runs it."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_lost_answer_is_a_dropped_connection_over_http(live: str, merchant: WechatpayMerchant) -> None:
    """The caller gets nothing, the order is there."""
    rule = {"fault": "timeout_after_commit", "operation": "create", "seconds": 0}
    requests.post(f"{live}/control/faults", json=rule, timeout=5)
    path = "/wechatpay/v3/pay/transactions/jsapi"
    body = json.dumps(merchant.order()).encode()

    with pytest.raises(requests.ConnectionError):
        requests.post(f"{live}{path}", data=body, headers=merchant.headers("POST", path, body), timeout=5)
    assert merchant.simulator.orders()[0]["out_trade_no"] == NUMBER


def test_callback_is_posted_over_http_without_following_redirects(live: str) -> None:
    """A 4xx of the receiver is an answer; a closed port is an OSError, which the courier reads as no answer."""
    code, _ = post_over_http(f"{live}/control/pay", {"Content-Type": "application/json"}, b"{}")

    assert code == 400
    assert urlsplit(live).hostname == "127.0.0.1"
    with pytest.raises(OSError, match=r".+"):
        post_over_http("http://127.0.0.1:1/", {}, b"")
