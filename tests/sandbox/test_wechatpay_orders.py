"""WeChat Pay orders: create, query, close, repeat, expire, in both modes."""

import json
from typing import Any

import pytest

from sandbox.clock import SandboxClock
from sandbox.wire import Answer, PayRefused
from tests.sandbox.merchants import WechatpayMerchant
from tests.sandbox.test_vectors import read

SHAPES = read("wire_shapes.json")["wechatpay"]
SCENE = {"payer_client_ip": "203.0.113.9", "h5_info": {"type": "Wap"}}
KINDS = {"jsapi": "prepay_id", "app": "prepay_id", "h5": "h5_url", "native": "code_url"}
TRADE_TYPES = {"jsapi": "JSAPI", "app": "APP", "h5": "MWEB", "native": "NATIVE"}


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["code"]


def body(answer: Answer) -> dict[str, Any]:
    return dict(json.loads(answer.body))


def body_for(merchant: WechatpayMerchant, kind: str, *, partner: bool) -> dict[str, Any]:
    content = merchant.partner_order() if partner else merchant.order()
    if kind != "jsapi":
        del content["payer"]
    return content | ({"scene_info": SCENE} if kind == "h5" else {})


@pytest.mark.parametrize("partner", [False, True], ids=["direct", "partner"])
@pytest.mark.parametrize("kind", KINDS)
def test_order_of_every_kind_is_created_paid_and_queried(
    wechatpay: WechatpayMerchant, kind: str, partner: bool
) -> None:
    """NOTPAY, then SUCCESS, under both numbers."""
    path = f"/v3/pay/{'partner/' if partner else ''}transactions"
    content = body_for(wechatpay, kind, partner=partner)
    created = wechatpay.call("POST", f"{path}/{kind}", content)
    number = content["out_trade_no"]
    ids = wechatpay.keys.identity
    asked = f"sp_mchid={ids.mchid}&sub_mchid={ids.sub_mchids[0]}" if partner else f"mchid={ids.mchid}"
    unpaid = body(wechatpay.call("GET", f"{path}/out-trade-no/{number}?{asked}"))
    wechatpay.simulator.pay(number)
    paid = body(wechatpay.call("GET", f"{path}/out-trade-no/{number}?{asked}"))
    by_id = body(wechatpay.call("GET", f"{path}/id/{paid['transaction_id']}?{asked}"))

    assert [KINDS[kind]] == list(body(created))
    assert unpaid["trade_state"] == "NOTPAY"
    assert "transaction_id" not in unpaid
    assert ("SUCCESS", TRADE_TYPES[kind]) == (paid["trade_state"], paid["trade_type"])
    assert content["amount"]["total"] == paid["amount"]["total"]
    assert by_id == paid


def test_answer_is_signed_and_shaped_like_the_vectors(wechatpay: WechatpayMerchant) -> None:
    """Certificate mode by default."""
    answer = wechatpay.create()

    wechatpay.check(dict(answer.headers), answer.body)
    assert SHAPES["answer_headers"] == sorted(answer.headers)


def test_answer_in_public_key_mode_is_signed_with_the_public_key(wechatpay: WechatpayMerchant) -> None:
    """The answer follows the request's Wechatpay-Serial."""
    key_id = wechatpay.keys.identity.public_key_id

    answer = wechatpay.call("POST", "/v3/pay/transactions/jsapi", wechatpay.order(), serial=key_id)

    wechatpay.check(dict(answer.headers), answer.body, "wechatpay_public_key.pem")
    assert key_id == answer.headers["Wechatpay-Serial"]


def test_order_number_percent_encoded_on_the_wire_is_found(wechatpay: WechatpayMerchant) -> None:
    """The signature is over the encoded form, the order is the decoded one."""
    wechatpay.create(out_trade_no="FY|2026_01*a")

    assert body(wechatpay.query("FY%7C2026_01*a"))["out_trade_no"] == "FY|2026_01*a"


def test_close_answers_signed_204_and_again(wechatpay: WechatpayMerchant) -> None:
    """Re-entrant; the order is CLOSED and cannot be paid."""
    wechatpay.create()

    first, second = wechatpay.close(), wechatpay.close()

    wechatpay.check(dict(first.headers), b"")
    assert [first.status, second.status] == [204, 204]
    assert body(wechatpay.query())["trade_state"] == "CLOSED"
    with pytest.raises(PayRefused):
        wechatpay.simulator.pay("FY202600000001")


def test_close_of_an_unknown_number_is_204(wechatpay: WechatpayMerchant) -> None:
    """204 is no proof that the order exists."""
    assert wechatpay.close("FY209900000009").status == 204


def test_close_of_a_paid_order_is_refused(wechatpay: WechatpayMerchant) -> None:
    """ORDERPAID; the order stays paid."""
    wechatpay.paid()

    assert code(wechatpay.close()) == (400, "ORDERPAID")
    assert body(wechatpay.query())["trade_state"] == "SUCCESS"


def test_same_order_again_gives_a_fresh_prepay(wechatpay: WechatpayMerchant) -> None:
    """Same parameters, other prepay; one order."""
    first, second = body(wechatpay.create()), body(wechatpay.create())

    assert first != second
    assert len(wechatpay.simulator.orders()) == 1


@pytest.mark.parametrize(
    "change",
    [{"amount": {"total": 38002, "currency": "CNY"}}, {"description": "别的"}, {"attach": "x"}, {"goods_tag": "y"}],
    ids=["amount", "description", "attach", "added key"],
)
def test_same_number_with_other_parameters_is_refused(wechatpay: WechatpayMerchant, change: dict[str, Any]) -> None:
    """INVALID_REQUEST, re-entry number at the end of Request-ID."""
    wechatpay.create()

    answer = wechatpay.create(**change)

    assert code(answer) == (400, "INVALID_REQUEST")
    assert answer.headers["Request-ID"].endswith("-268498688")


def test_same_number_of_a_paid_order_is_refused(wechatpay: WechatpayMerchant) -> None:
    """ORDERPAID."""
    wechatpay.paid()

    assert code(wechatpay.create()) == (400, "ORDERPAID")


def test_same_number_of_a_closed_order_is_refused(wechatpay: WechatpayMerchant) -> None:
    """ORDER_CLOSED: the number is burnt."""
    wechatpay.create()
    wechatpay.close()

    assert code(wechatpay.create()) == (400, "ORDER_CLOSED")


def test_order_past_its_time_is_closed_and_unpayable(wechatpay: WechatpayMerchant, clock: SandboxClock) -> None:
    """The last second, and the one after."""
    wechatpay.create(time_expire="2026-03-01T10:30:30+08:00")

    clock.advance(599)
    before = body(wechatpay.query())["trade_state"]
    clock.advance(1)
    after = body(wechatpay.query())["trade_state"]

    assert [before, after] == ["NOTPAY", "CLOSED"]
    assert code(wechatpay.create(time_expire="2026-03-01T10:30:30+08:00")) == (400, "ORDER_CLOSED")


def test_h5_link_lives_five_minutes(wechatpay: WechatpayMerchant, clock: SandboxClock) -> None:
    """The order stays payable; the link does not."""
    content = body_for(wechatpay, "h5", partner=False)
    link = body(wechatpay.call("POST", "/v3/pay/transactions/h5", content))["h5_url"]
    prepay_id = link.split("prepay_id=")[1]

    clock.advance(299)
    shown = wechatpay.simulator.cashier(prepay_id)
    clock.advance(1)

    assert shown["amount_fen"] == 38001
    with pytest.raises(PayRefused):
        wechatpay.simulator.cashier(prepay_id)


def test_order_is_paid_once(wechatpay: WechatpayMerchant) -> None:
    """A second payer is turned away."""
    wechatpay.paid()

    with pytest.raises(PayRefused):
        wechatpay.simulator.pay("FY202600000001")
    assert len(wechatpay.simulator.books()["payments"]) == 1


def test_query_of_an_unknown_order_is_not_found(wechatpay: WechatpayMerchant) -> None:
    """404 ORDER_NOT_EXIST, unsigned."""
    answer = wechatpay.query("FY209900000009")

    assert code(answer) == (404, "ORDER_NOT_EXIST")
    assert "Wechatpay-Signature" not in answer.headers


def test_query_for_another_sub_merchant_is_not_allowed(wechatpay: WechatpayMerchant) -> None:
    """An order belongs to the sub merchant it was made for."""
    ids = wechatpay.keys.identity
    wechatpay.call("POST", "/v3/pay/partner/transactions/jsapi", wechatpay.partner_order())
    path = "/v3/pay/partner/transactions/out-trade-no/FY202600000002"

    answer = wechatpay.call("GET", f"{path}?sp_mchid={ids.mchid}&sub_mchid={ids.sub_mchids[1]}")

    assert code(answer) == (403, "NO_AUTH")


INVALID_ORDERS = {
    "unknown key": {"surprise": 1},
    "null": {"attach": None},
    "amount zero": {"amount": {"total": 0}},
    "amount as text": {"amount": {"total": "1"}},
    "amount as boolean": {"amount": {"total": True}},
    "number too short": {"out_trade_no": "FY123"},
    "number too long": {"out_trade_no": "F" * 33},
    "number with a dot": {"out_trade_no": "FY2026.01"},
    "description too long": {"description": "缴" * 128},
    "outside the plane": {"description": "𠮷"},
    "notify_url with a query": {"notify_url": "https://pay.example.cn/x?a=1"},
    "no openid": {"payer": {}},
    "time without offset": {"time_expire": "2026-03-01T12:00:00"},
    "another merchant": {"mchid": "1999900009"},
}


@pytest.mark.parametrize("change", INVALID_ORDERS.values(), ids=INVALID_ORDERS.keys())
def test_invalid_order_is_refused(wechatpay: WechatpayMerchant, change: dict[str, Any]) -> None:
    """PARAM_ERROR, and nothing is kept."""
    assert code(wechatpay.create(**change)) == (400, "PARAM_ERROR")
    assert wechatpay.simulator.orders() == []


@pytest.mark.parametrize("name", ["description", "notify_url", "amount", "out_trade_no", "payer", "mchid", "appid"])
def test_order_without_a_required_field_is_refused(wechatpay: WechatpayMerchant, name: str) -> None:
    """Every required key in turn."""
    content = wechatpay.order()
    del content[name]

    assert code(wechatpay.call("POST", "/v3/pay/transactions/jsapi", content)) == (400, "PARAM_ERROR")


def test_order_of_another_appid_is_refused(wechatpay: WechatpayMerchant) -> None:
    """APPID_MCHID_NOT_MATCH."""
    assert code(wechatpay.create(appid="wx0000000000000c03")) == (400, "APPID_MCHID_NOT_MATCH")


def test_h5_order_without_scene_is_refused(wechatpay: WechatpayMerchant) -> None:
    """scene_info.h5_info is required for H5."""
    content = wechatpay.order()
    del content["payer"]

    assert code(wechatpay.call("POST", "/v3/pay/transactions/h5", content)) == (400, "PARAM_ERROR")


@pytest.mark.parametrize(
    "spoil",
    [
        {"mchid": "1999900009"},
        {"serial_no": "0" * 40},
        {"timestamp": "1000"},
        {"timestamp": "soon"},
        {"nonce_str": "n" * 33},
        {"nonce_str": ""},
        {"signature": "AAAA"},
        {"signature": "%%%"},
    ],
    ids=["mchid", "serial", "old", "not a number", "long nonce", "no nonce", "wrong signature", "not base64"],
)
def test_wrongly_signed_request_is_sign_error(wechatpay: WechatpayMerchant, spoil: dict[str, str]) -> None:
    """401, and nothing is kept."""
    answer = wechatpay.call("POST", "/v3/pay/transactions/jsapi", wechatpay.order(), **spoil)

    assert code(answer) == (401, "SIGN_ERROR")
    assert wechatpay.simulator.orders() == []


def test_request_with_another_path_than_signed_is_sign_error(wechatpay: WechatpayMerchant) -> None:
    """The query is part of the signed text."""
    path = "/v3/pay/transactions/out-trade-no/FY202600000001"
    headers = wechatpay.headers("GET", path, b"")

    answer = wechatpay.simulator.answer("GET", f"{path}?mchid={wechatpay.keys.identity.mchid}", headers, b"")

    assert code(answer) == (401, "SIGN_ERROR")


@pytest.mark.parametrize("name", ["Accept", "User-Agent"])
def test_request_without_accept_or_user_agent_is_refused(wechatpay: WechatpayMerchant, name: str) -> None:
    """The error says so."""
    path = f"/v3/pay/transactions/out-trade-no/FY202600000001?mchid={wechatpay.keys.identity.mchid}"
    headers = wechatpay.headers("GET", path, b"")
    del headers[name]

    assert code(wechatpay.simulator.answer("GET", path, headers, b"")) == (400, "PARAM_ERROR")


def test_full_sandbox_says_so(wechatpay: WechatpayMerchant) -> None:
    """Five orders fit; the sixth gets a clear error."""
    for number in range(5):
        assert wechatpay.create(out_trade_no=f"FY20260000000{number}").status == 200

    answer = wechatpay.create(out_trade_no="FY202600000006")

    assert code(answer) == (403, "RULE_LIMIT")
    assert "5 orders" in body(answer)["message"]
