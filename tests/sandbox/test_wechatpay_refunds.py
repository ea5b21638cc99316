"""WeChat Pay refunds."""

import json
from datetime import timedelta
from typing import Any

from sandbox.clock import SandboxClock
from sandbox.wire import Answer
from tests.sandbox.merchants import WechatpayMerchant
from tests.sandbox.test_wechatpay_orders import body, code

PATH = "/v3/refund/domestic/refunds"
NUMBER = "FY202600000001"


def refund(merchant: WechatpayMerchant, out_refund_no: str, refund_fen: int, **more: Any) -> Answer:
    return merchant.call("POST", PATH, merchant.refund(NUMBER, out_refund_no, refund_fen, 38001, **more))


def test_refund_is_processing_then_success(wechatpay: WechatpayMerchant, clock: SandboxClock) -> None:
    """200 means accepted; money is back ten seconds later."""
    wechatpay.paid()
    accepted = body(refund(wechatpay, "RF1", 101))
    clock.advance(9)
    before = body(wechatpay.call("GET", f"{PATH}/RF1"))
    clock.advance(1)
    after = body(wechatpay.call("GET", f"{PATH}/RF1"))

    assert [accepted["status"], before["status"], after["status"]] == ["PROCESSING", "PROCESSING", "SUCCESS"]
    assert "success_time" not in before
    assert after["success_time"] == "2026-03-01T10:20:40+08:00"
    assert body(wechatpay.query())["trade_state"] == "REFUND"


def test_refund_under_the_same_number_happens_once(wechatpay: WechatpayMerchant, clock: SandboxClock) -> None:
    """The same request shows the one refund's present state."""
    wechatpay.paid()
    refund(wechatpay, "RF1", 101)
    clock.advance(10)
    again = body(refund(wechatpay, "RF1", 101))

    assert again["status"] == "SUCCESS"
    assert [entry["amount_fen"] for entry in wechatpay.simulator.books()["refunds"]] == [101]


def test_refund_number_with_another_amount_is_refused(wechatpay: WechatpayMerchant) -> None:
    """One number, one refund."""
    wechatpay.paid()
    refund(wechatpay, "RF1", 101)

    assert code(refund(wechatpay, "RF1", 102)) == (400, "INVALID_REQUEST")


def test_refunds_never_exceed_the_order(wechatpay: WechatpayMerchant, clock: SandboxClock) -> None:
    """The last fen can go back, not one more."""
    wechatpay.paid()
    refund(wechatpay, "RF1", 38000)
    clock.advance(60)
    too_much = refund(wechatpay, "RF2", 2)
    exact = refund(wechatpay, "RF3", 1)

    assert code(too_much) == (400, "INVALID_REQUEST")
    assert exact.status == 200


def test_refunds_of_one_order_within_a_minute_are_rate_limited(
    wechatpay: WechatpayMerchant, clock: SandboxClock
) -> None:
    """Not accepted; the same number works a minute later."""
    wechatpay.paid()
    refund(wechatpay, "RF1", 1)
    clock.advance(59)
    early = refund(wechatpay, "RF2", 1)
    clock.advance(1)

    assert code(early) == (429, "FREQUENCY_LIMITED")
    assert refund(wechatpay, "RF2", 1).status == 200


def test_refund_with_another_total_is_refused(wechatpay: WechatpayMerchant) -> None:
    """amount.total must be the order's."""
    wechatpay.paid()
    content = wechatpay.refund(NUMBER, "RF1", 1, 38002)

    assert code(wechatpay.call("POST", PATH, content)) == (400, "PARAM_ERROR")


def test_refund_of_an_unpaid_order_is_refused(wechatpay: WechatpayMerchant) -> None:
    """RESOURCE_NOT_EXISTS."""
    wechatpay.create()

    assert code(refund(wechatpay, "RF1", 1)) == (404, "RESOURCE_NOT_EXISTS")


def test_refund_query_of_an_unknown_number_is_not_found(wechatpay: WechatpayMerchant) -> None:
    """So the refund call can be repeated under the same number."""
    assert code(wechatpay.call("GET", f"{PATH}/RF9")) == (404, "RESOURCE_NOT_EXISTS")


def test_refund_after_a_year_is_refused(wechatpay: WechatpayMerchant, clock: SandboxClock) -> None:
    """365 days after payment."""
    wechatpay.paid()
    clock.advance(timedelta(days=365).total_seconds() + 1)

    assert code(refund(wechatpay, "RF1", 1)) == (403, "RULE_LIMIT")


def test_refund_by_transaction_id_wins_over_the_merchant_number(wechatpay: WechatpayMerchant) -> None:
    """Both given: transaction_id decides."""
    wechatpay.paid()
    transaction_id = body(wechatpay.query())["transaction_id"]
    content = wechatpay.refund("FY209900000009", "RF1", 1, 38001, transaction_id=transaction_id)

    assert body(wechatpay.call("POST", PATH, content))["out_trade_no"] == NUMBER


def test_partner_refund_needs_its_sub_merchant(wechatpay: WechatpayMerchant) -> None:
    """In the refund and in its query."""
    sub_mchid = wechatpay.keys.identity.sub_mchids[0]
    wechatpay.call("POST", "/v3/pay/partner/transactions/jsapi", wechatpay.partner_order())
    wechatpay.simulator.pay("FY202600000002")
    content = wechatpay.refund("FY202600000002", "RF1", 1, 42001)

    assert code(wechatpay.call("POST", PATH, content)) == (403, "NO_AUTH")
    assert wechatpay.call("POST", PATH, content | {"sub_mchid": sub_mchid}).status == 200
    assert code(wechatpay.call("GET", f"{PATH}/RF1")) == (400, "PARAM_ERROR")
    assert wechatpay.call("GET", f"{PATH}/RF1?sub_mchid={sub_mchid}").status == 200


def test_refund_without_currency_is_refused(wechatpay: WechatpayMerchant) -> None:
    """currency is required in a refund."""
    wechatpay.paid()
    content = wechatpay.refund(NUMBER, "RF1", 1, 38001)
    del content["amount"]["currency"]

    answer = wechatpay.call("POST", PATH, content)

    assert code(answer) == (400, "PARAM_ERROR")
    assert json.loads(answer.body)["detail"]["field"] == "/amount/currency"
