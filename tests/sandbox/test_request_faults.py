"""What each fault does to a request: what the caller sees, and what was committed behind it."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.clock import SandboxClock
from sandbox.faults import Fault, FaultBoard
from sandbox.registry import all_kinds
from sandbox.wire import Answer
from tests.sandbox.merchants import AlipayMerchant, Inbox, WechatpayMerchant
from tests.sandbox.test_wechatpay_orders import body, code

WECHATPAY_NUMBER = "FY202600000001"
ALIPAY_NUMBER = "FY20260301000001"
COMMITTED = {
    "timeout_before_commit": False,
    "timeout_after_commit": True,
    "error_5xx_before_commit": False,
    "error_5xx_after_commit": True,
    "rate_limited": False,
    "half_json": True,
    "html_answer": True,
}


def seen(answer: Answer) -> str:
    """The kind of answer a caller gets."""
    if answer.lost:
        return "nothing"
    if answer.headers["Content-Type"].startswith("text/html; charset=utf-8"):
        return "html"
    try:
        json.loads(answer.body)
    except ValueError:
        return "not json"
    return str(answer.status)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("timeout_before_commit", "nothing"),
        ("timeout_after_commit", "nothing"),
        ("error_5xx_before_commit", "500"),
        ("error_5xx_after_commit", "500"),
        ("rate_limited", "429"),
        ("half_json", "not json"),
        ("html_answer", "html"),
    ],
)
def test_wechatpay_request_fault(wechatpay: WechatpayMerchant, faults: FaultBoard, fault: str, kind: str) -> None:
    """Once; the repeat of the same order then goes through."""
    faults.add(fault, operation="create", times=1)

    struck = wechatpay.create()
    kept = len(wechatpay.simulator.orders())

    assert seen(struck) == kind
    assert (kept == 1) == COMMITTED[fault]
    assert wechatpay.create().status == 200
    assert len(wechatpay.simulator.orders()) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("timeout_before_commit", "nothing"),
        ("timeout_after_commit", "nothing"),
        ("error_5xx_before_commit", "500"),
        ("error_5xx_after_commit", "500"),
        ("rate_limited", "200"),
        ("half_json", "not json"),
        ("html_answer", "html"),
    ],
)
def test_alipay_request_fault(alipay: AlipayMerchant, faults: FaultBoard, fault: str, kind: str) -> None:
    """Once; the repeat of the same order then goes through."""
    faults.add(fault, provider="alipay", operation="create", times=1)

    struck = alipay.call("alipay.trade.precreate", alipay.order())
    kept = len(alipay.simulator.orders())

    assert seen(struck) == kind
    assert (kept == 1) == COMMITTED[fault]
    assert alipay.node("alipay.trade.precreate", alipay.order())["code"] == "10000"


def test_alipay_rate_limit_is_call_limited(alipay: AlipayMerchant, faults: FaultBoard) -> None:
    """40005 under HTTP 200."""
    faults.add("rate_limited")

    assert alipay.query()["code"] == "40005"


def test_alipay_busy_answer_is_unsigned(alipay: AlipayMerchant, faults: FaultBoard) -> None:
    """20000 without sign, as seen live."""
    faults.add("error_5xx_before_commit")

    envelope = json.loads(alipay.call("alipay.trade.query", {"out_trade_no": ALIPAY_NUMBER}).body)

    assert envelope["alipay_trade_query_response"]["code"] == "20000"
    assert "sign" not in envelope


def test_alipay_gbk_answer_verifies_in_gbk_only(alipay: AlipayMerchant, faults: FaultBoard) -> None:
    """Signed over GBK bytes, and said so in Content-Type."""
    alipay.paid()
    faults.add("gbk_body", operation="query")

    answer = alipay.call("alipay.trade.query", {"out_trade_no": ALIPAY_NUMBER})

    assert answer.headers["Content-Type"] == "text/html;charset=GBK"
    assert alipay.read("alipay.trade.query", answer, "gbk")["subject"] == "2026年度城乡居民医保缴费"
    with pytest.raises(UnicodeDecodeError):
        answer.body.decode("utf-8")


def test_refund_lost_after_commit_happens_once_on_retry(
    wechatpay: WechatpayMerchant, alipay: AlipayMerchant, faults: FaultBoard
) -> None:
    """The same number again shows the one refund that was accepted."""
    wechatpay.paid()
    alipay.paid()
    faults.add("timeout_after_commit", operation="refund", times=2)
    content = wechatpay.refund(WECHATPAY_NUMBER, "RF1", 101, 38001)
    biz = {"out_trade_no": ALIPAY_NUMBER, "refund_amount": "1.01", "out_request_no": "RF1"}

    lost = [
        wechatpay.call("POST", "/v3/refund/domestic/refunds", content),
        alipay.call("alipay.trade.refund", biz),
    ]
    again = wechatpay.call("POST", "/v3/refund/domestic/refunds", content)
    repeated = alipay.node("alipay.trade.refund", biz)

    assert all(answer.lost for answer in lost)
    assert again.status == 200
    assert (repeated["fund_change"], repeated["refund_fee"], repeated["send_back_fee"]) == ("N", "1.01", "0.00")
    assert [
        len(wechatpay.simulator.books()["refunds"]),
        len(alipay.simulator.books()["refunds"]),
    ] == [1, 1]


def test_not_found_then_paid_hides_a_paid_order_for_a_minute(
    wechatpay: WechatpayMerchant, alipay: AlipayMerchant, faults: FaultBoard, clock: SandboxClock
) -> None:
    """Sixty seconds unless the rule says otherwise; unpaid orders are shown."""
    faults.add("not_found_then_paid")
    wechatpay.create()
    unpaid = body(wechatpay.query())["trade_state"]
    wechatpay.simulator.pay(WECHATPAY_NUMBER)
    alipay.paid()
    hidden = (code(wechatpay.query()), alipay.query()["sub_code"])
    clock.advance(60)

    assert unpaid == "NOTPAY"
    assert hidden == ((404, "ORDER_NOT_EXIST"), "ACQ.TRADE_NOT_EXIST")
    assert body(wechatpay.query())["trade_state"] == "SUCCESS"
    assert alipay.query()["trade_status"] == "TRADE_SUCCESS"


def test_pay_during_close_leaves_a_paid_order(
    wechatpay: WechatpayMerchant, alipay: AlipayMerchant, faults: FaultBoard, clock: SandboxClock, inbox: Inbox
) -> None:
    """The close is answered as done, the money is there, and the callback comes."""
    faults.add("pay_during_close")
    wechatpay.create()
    alipay.page()
    closed = (wechatpay.close().status, alipay.node("alipay.trade.close", {"out_trade_no": ALIPAY_NUMBER})["code"])
    clock.advance()

    assert closed == (204, "10000")
    assert body(wechatpay.query())["trade_state"] == "SUCCESS"
    assert alipay.query()["trade_status"] == "TRADE_SUCCESS"
    assert len(inbox.received) == 2


def test_fault_for_one_order_spares_the_others(wechatpay: WechatpayMerchant, faults: FaultBoard) -> None:
    """Also when the request names the order by the provider's number."""
    wechatpay.paid()
    wechatpay.paid("FY202600000002")
    mchid = wechatpay.keys.identity.mchid
    transaction_id = body(wechatpay.query())["transaction_id"]
    faults.add("timeout_before_commit", out_trade_no=WECHATPAY_NUMBER)

    assert wechatpay.query().lost
    assert wechatpay.call("GET", f"/v3/pay/transactions/id/{transaction_id}?mchid={mchid}").lost
    assert not wechatpay.query("FY202600000002").lost


def test_fault_strikes_only_after_the_signature_was_checked(wechatpay: WechatpayMerchant, faults: FaultBoard) -> None:
    """A wrongly signed request does not use up a rule."""
    faults.add("timeout_before_commit", times=1)

    assert wechatpay.call("GET", "/v3/certificates", mchid="1").status == 401
    assert wechatpay.call("GET", "/v3/certificates").lost


def test_fault_rule_ends_by_count_and_by_time(faults: FaultBoard, clock: SandboxClock) -> None:
    """Two times, or ninety seconds."""
    faults.add("rate_limited", times=2)
    faults.add("html_answer", for_seconds=90)
    where: dict[str, str] = {"provider": "alipay", "operation": "query", "out_trade_no": "X"}
    taken = [faults.take({Fault.RATE_LIMITED}, **where) is not None for _ in range(3)]
    clock.advance(90)

    assert taken == [True, True, False]
    assert faults.in_force() == []


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "surprise"},
        {"fault": "half_json", "operation": "surprise"},
        {"fault": "half_json", "provider": "bank"},
        {"fault": "half_json", "times": -1},
        {"fault": "callback_delayed", "seconds": float("inf")},
    ],
    ids=["fault", "operation", "provider", "negative", "infinite"],
)
def test_fault_rule_that_means_nothing_is_refused(faults: FaultBoard, rule: dict[str, Any]) -> None:
    """ValueError, and nothing is in force."""
    with pytest.raises(ValueError, match=r".+"):
        faults.add(**rule)
    assert faults.in_force() == []


def test_gbk_fault_spares_a_provider_that_writes_no_gbk(wechatpay: WechatpayMerchant, faults: FaultBoard) -> None:
    """The answer is as ever, and the rule is not used up."""
    faults.add("gbk_body", times=1)
    answer = wechatpay.create()
    wechatpay.check(dict(answer.headers), answer.body)

    assert answer.status == 200
    assert len(faults.in_force()) == 1


def test_every_fault_is_documented() -> None:
    """docs/sandbox.md lists each name, a party's own too."""
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
    faults = [*Fault, *(fault for kind in all_kinds().values() for fault in kind.faults or ())]

    assert [fault.value for fault in faults if f"`{fault.value}`" not in text] == []
