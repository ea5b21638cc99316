"""UnionPay orders: admission, the three ways to pay, the query, the payer."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509

from sandbox.clock import SandboxClock
from sandbox.faults import FaultBoard
from sandbox.wire import PayRefused
from tests.sandbox.test_unionpay_vectors import CASES
from tests.sandbox.unionpay_merchant import NUMBER, UnionpayMerchant, moment

SHAPES = {case["name"]: set(case["parsed_fields"]) for case in CASES["responses"]}


@pytest.mark.parametrize(("kind", "member"), [("app", "tn"), ("qr", "qrCode")])
def test_order_is_accepted_and_not_paid(unionpay: UnionpayMerchant, kind: str, member: str) -> None:
    """00 with tn or qrCode; a query finds nothing until the payer has paid."""
    answer = unionpay.ask(kind)

    assert answer["respMsg"] == "成功[0000000]"
    assert set(answer) - {member} == SHAPES["app_order_tn"] - {"tn"}
    assert answer[member]
    assert unionpay.ask("query")["respCode"] == "34"
    assert unionpay.simulator.books() == {"payments": [], "refunds": []}


def test_front_order_sends_the_browser_to_the_cashier(unionpay: UnionpayMerchant) -> None:
    """302; the cashier shows what the merchant said of the goods."""
    answer = unionpay.call("front")
    visit = answer.headers["Location"].rpartition("=")[2]

    assert (answer.status, answer.body) == (302, b"")
    assert unionpay.simulator.cashier(visit)["subject"] == "2026年度城乡居民医保缴费"
    assert unionpay.simulator.cashier(visit)["amount_fen"] == 38001


def test_query_of_an_order_not_paid_has_the_vectors_fields(unionpay: UnionpayMerchant) -> None:
    """34, with the request's own fields."""
    assert set(unionpay.ask("query")) == SHAPES["query_not_found_34"]


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "GBK"])
def test_query_of_a_paid_order_has_the_vectors_fields(unionpay: UnionpayMerchant, encoding: str) -> None:
    """origRespCode is the verdict; the encoding is echoed as it was written."""
    unionpay.encoding = encoding
    query_id = unionpay.paid()
    answer = unionpay.ask("query")

    assert set(answer) == SHAPES["query_paid"]
    assert (answer["respCode"], answer["origRespCode"], answer["encoding"]) == ("00", "00", encoding)
    assert (answer["queryId"], answer["txnAmt"], answer["currencyCode"]) == (query_id, "38001", "156")
    assert (answer["settleDate"], answer["traceTime"]) == ("0301", "0301102030")
    assert (len(query_id), query_id[14:20]) == (21, answer["traceNo"])
    assert (answer["txnType"], answer["txnSubType"]) == ("01", "07")


def test_query_needs_the_orders_own_time(unionpay: UnionpayMerchant, clock: SandboxClock) -> None:
    """orderId and txnTime together are the identity; the old time is welcome in a query, also a day later."""
    unionpay.paid()
    written = moment(clock.now())
    clock.advance(86_400)

    assert unionpay.ask("query")["respCode"] == "34"
    assert unionpay.ask("query", txnTime=written)["origRespCode"] == "00"


@pytest.mark.parametrize("kind", ["app", "qr"])
def test_order_repeated_is_a_duplicate(unionpay: UnionpayMerchant, kind: str) -> None:
    """12, paid or not; one order in the book."""
    unionpay.order(kind)
    unpaid = unionpay.ask(kind)["respCode"]
    unionpay.simulator.pay(NUMBER)

    assert [unpaid, unionpay.ask(kind)["respCode"]] == ["12", "12"]
    assert len(unionpay.simulator.orders()) == 1


def test_front_order_repeated_is_refused_on_a_page(unionpay: UnionpayMerchant) -> None:
    """The browser sees a page; nothing is signed."""
    unionpay.order("front")
    answer = unionpay.call("front")

    assert (answer.status, "signature" in answer.body.decode()) == (200, False)
    assert "重复交易" in answer.body.decode()


def test_same_number_at_another_time_is_another_order(unionpay: UnionpayMerchant, clock: SandboxClock) -> None:
    """A merchant that makes up a new txnTime can be paid twice: the books show both."""
    first = unionpay.paid()
    clock.advance(1)
    second = unionpay.paid()

    assert first != second
    assert [entry["out_trade_no"] for entry in unionpay.simulator.books()["payments"]] == [NUMBER, NUMBER]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "AAAA"}, "11"),
        ({"signature": "not base64"}, "11"),
        ({"certId": "1"}, "11"),
        ({"certId": ""}, "13"),
        ({"version": "5.0.0"}, "10"),
        ({"signMethod": "11"}, "10"),
        ({"encoding": "latin-1"}, "10"),
        ({"encoding": ""}, "13"),
        ({"merId": "777290058110048"}, "31"),
        ({"txnType": "02"}, "10"),
        ({"bizType": "000301"}, "10"),
        ({"accessType": "1"}, "10"),
        ({"orderId": "FY-2026-0001"}, "10"),
        ({"orderId": "FY20261"}, "10"),
        ({"orderId": "F" * 41}, "10"),
        ({"orderId": ""}, "13"),
        ({"txnAmt": "380.01"}, "10"),
        ({"txnAmt": "0"}, "10"),
        ({"txnAmt": "038001"}, "10"),
        ({"currencyCode": "840"}, "10"),
        ({"channelType": "01"}, "10"),
        ({"backUrl": "/callback"}, "10"),
        ({"backUrl": ""}, "13"),
        ({"txnTime": "20260301092029"}, "10"),
        ({"txnTime": "20260301112031"}, "10"),
        ({"txnTime": "20261301102030"}, "10"),
        ({"payTimeout": "20260301102030"}, "10"),
        ({"reqReserved": "x" * 1025}, "10"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_request_that_breaks_a_rule_is_refused(unionpay: UnionpayMerchant, changes: dict[str, str], code: str) -> None:
    """With a signed answer that says which code, and nothing is kept."""
    answer = unionpay.ask("qr", **changes)

    assert answer["respCode"] == code
    assert unionpay.simulator.orders() == []


def test_request_signed_and_then_altered_is_refused(unionpay: UnionpayMerchant) -> None:
    """11: one fen less than was signed, or a field that was not; a blank field is no field."""
    sound = unionpay.fields("qr")
    altered = sound | {"txnAmt": "38000"}
    added = sound | {"reqReserved": "x"}

    assert [unionpay.read(unionpay.post("qr", fields))["respCode"] for fields in (altered, added)] == ["11", "11"]
    assert unionpay.read(unionpay.post("qr", sound | {"accNo": " "}))["respCode"] == "00"


def test_request_with_a_value_not_trimmed_is_refused(unionpay: UnionpayMerchant) -> None:
    """10, whether it was signed with its space or without."""
    signed_with = unionpay.fields("qr", orderDesc="医保缴费 ")
    signed_without = unionpay.fields("qr", orderDesc="医保缴费") | {"orderDesc": "医保缴费 "}
    answers = [unionpay.read(unionpay.post("qr", fields)) for fields in (signed_with, signed_without)]

    assert [answer["respCode"] for answer in answers] == ["10", "10"]


def test_request_signed_in_gbk_but_sent_as_utf8_is_refused(unionpay: UnionpayMerchant) -> None:
    """The bytes count, and the encoding is one of them."""
    fields = unionpay.fields("qr", encoding="GBK", orderDesc="医保缴费")
    body = urlencode(fields, encoding="utf-8").encode()
    answer = unionpay.simulator.answer("POST", "/gateway/api/backTransReq.do", {}, body)

    assert unionpay.read(answer, "gbk")["respCode"] == "11"
    assert unionpay.simulator.orders() == []


def test_request_with_a_field_twice_is_refused(unionpay: UnionpayMerchant) -> None:
    """10."""
    body = urlencode(unionpay.fields("qr")).encode() + b"&txnAmt=1"

    answer = unionpay.read(unionpay.simulator.answer("POST", "/gateway/api/backTransReq.do", {}, body))

    assert answer["respCode"] == "10"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/gateway/api/queryTrans.do"), ("POST", "/gateway/api/order.do"), ("POST", "/queryTrans.do")],
)
def test_request_to_nowhere_is_404(unionpay: UnionpayMerchant, method: str, path: str) -> None:
    """No signed answer."""
    assert unionpay.simulator.answer(method, path, {}, b"").status == 404


def test_bill_payment_path_is_the_same_product(unionpay: UnionpayMerchant) -> None:
    """/jiaofei/api/ for /gateway/api/."""
    body = urlencode(unionpay.fields("app")).encode()

    assert unionpay.read(unionpay.simulator.answer("POST", "/jiaofei/api/appTransReq.do", {}, body))["respCode"] == "00"


def test_order_cannot_be_paid_past_its_time_limit(unionpay: UnionpayMerchant, clock: SandboxClock) -> None:
    """To the second; and a query still says 34."""
    written = unionpay.order(payTimeout=unionpay.in_minutes(15))
    clock.advance(15 * 60 - 1)
    in_time = unionpay.simulator.orders()[0]["state"]
    clock.advance(1)

    with pytest.raises(PayRefused):
        unionpay.simulator.pay(NUMBER)
    assert (in_time, unionpay.simulator.orders()[0]["state"]) == ("34", "EXPIRED")
    assert unionpay.ask("query", txnTime=written)["respCode"] == "34"


def test_order_is_paid_once(unionpay: UnionpayMerchant) -> None:
    """A second payment is refused, an unknown order too, and turning away changes nothing."""
    unionpay.order()
    cancelled = unionpay.simulator.cancel(NUMBER)["state"]
    unionpay.simulator.pay(NUMBER)

    for number in (NUMBER, "FY202600000009"):
        with pytest.raises(PayRefused):
            unionpay.simulator.pay(number)
    assert cancelled == "34"
    assert [entry["amount_fen"] for entry in unionpay.simulator.books()["payments"]] == [38001]


def test_tn_opens_the_cashier(unionpay: UnionpayMerchant) -> None:
    """As the app's control would."""
    tn = unionpay.ask("app")["tn"]

    assert len(tn) == 21
    assert unionpay.simulator.cashier(tn)["out_trade_no"] == NUMBER
    with pytest.raises(PayRefused):
        unionpay.simulator.cashier("0" * 21)


def test_reserved_text_comes_back_raw(unionpay: UnionpayMerchant) -> None:
    """A `&` in braces stands in the body as it is: whoever splits there loses the rest."""
    unionpay.paid(reqReserved="{batch=2026&area=阜阳}")
    body = unionpay.call("query").body.decode()

    assert "&reqReserved={batch=2026&area=阜阳}&respCode=00&" in body


def test_sandbox_that_is_full_is_busy(unionpay: UnionpayMerchant) -> None:
    """06, and the sixth order is not kept."""
    codes = [unionpay.ask("qr", orderId=f"FY20260000000{number}")["respCode"] for number in range(6)]

    assert codes == ["00"] * 5 + ["06"]


def test_encryption_certificate_is_handed_out(unionpay: UnionpayMerchant) -> None:
    """txnType 95."""
    answer = unionpay.ask("keys")
    handed = x509.load_pem_x509_certificate(answer["encryptPubKeyCert"].encode())

    assert handed == unionpay.keys.encryption_certificate
    assert answer["certType"] == "01"


def test_rotated_certificate_signs_under_the_same_chain(unionpay: UnionpayMerchant) -> None:
    """Another serial, and it still verifies."""
    before = unionpay.ask("qr")["signPubKeyCert"]
    serial = unionpay.simulator.rotate_certificate()
    after = unionpay.ask("query")["signPubKeyCert"]

    assert before != after
    assert str(x509.load_pem_x509_certificate(after.encode()).serial_number) == serial


KINDS: dict[str, tuple[str, Any]] = {
    "timeout_before_commit": ("nothing", False),
    "timeout_after_commit": ("nothing", True),
    "error_5xx_before_commit": ("500", False),
    "error_5xx_after_commit": ("500", True),
    "rate_limited": ("06", False),
    "half_json": ("torn", True),
    "html_answer": ("html", True),
}


@pytest.mark.parametrize("fault", list(KINDS))
@pytest.mark.parametrize("kind", ["app", "qr"])
def test_request_fault(unionpay: UnionpayMerchant, faults: FaultBoard, fault: str, kind: str) -> None:
    """Once; the repeat is accepted, or a duplicate when the first had got through."""
    faults.add(fault, provider="unionpay", operation="create", times=1)
    struck = unionpay.call(kind)
    seen, committed = KINDS[fault]

    kinds = {
        "nothing": struck.lost,
        "500": struck.status == 500 and b"signature" not in struck.body,
        "06": b"&respCode=06&" in struck.body,
        "torn": struck.status == 200 and b"&signature=" not in struck.body and struck.body.startswith(b"accessType=0&"),
        "html": struck.status == 200 and struck.body.startswith(b"<html>"),
    }
    assert kinds[seen]
    assert len(unionpay.simulator.orders()) == int(committed)
    assert unionpay.ask(kind)["respCode"] == ("12" if committed else "00")


def test_front_fault_is_the_operation_page(unionpay: UnionpayMerchant, faults: FaultBoard) -> None:
    """The payer's browser gets nothing."""
    faults.add("timeout_before_commit", operation="page", times=1)

    assert unionpay.call("front").lost
    assert unionpay.call("front").status == 302


def test_query_rate_limit_is_37(unionpay: UnionpayMerchant, faults: FaultBoard) -> None:
    """Too many queries; signed."""
    faults.add("rate_limited", operation="query")

    assert unionpay.ask("query")["respCode"] == "37"


def test_answer_in_gbk_verifies_in_gbk_only(unionpay: UnionpayMerchant, faults: FaultBoard) -> None:
    """Though UTF-8 was asked for; the field encoding says so."""
    unionpay.paid()
    faults.add("gbk_body", operation="query")
    answer = unionpay.call("query")

    assert unionpay.read(answer, "gbk")["encoding"] == "GBK"
    with pytest.raises(UnicodeDecodeError):
        answer.body.decode("utf-8")


def test_not_found_then_paid_hides_a_paid_order_for_a_minute(
    unionpay: UnionpayMerchant, faults: FaultBoard, clock: SandboxClock
) -> None:
    """34 for sixty seconds, then the truth."""
    faults.add("not_found_then_paid")
    unionpay.paid()
    written = moment(clock.now())
    hidden = unionpay.ask("query")["respCode"]
    clock.advance(60)

    assert (hidden, unionpay.ask("query", txnTime=written)["origRespCode"]) == ("34", "00")


def test_fault_strikes_only_after_the_signature_was_checked(unionpay: UnionpayMerchant, faults: FaultBoard) -> None:
    """A wrongly signed request does not use up a rule."""
    faults.add("timeout_before_commit", times=1)

    assert unionpay.ask("qr", signature="AAAA")["respCode"] == "11"
    assert unionpay.call("qr").lost


def test_fault_for_one_order_finds_its_refund_and_its_query(unionpay: UnionpayMerchant, faults: FaultBoard) -> None:
    """A refund is about its payment, by whichever number it names it; so is the refund's query."""
    first, second = unionpay.paid(), unionpay.paid("FY202600000002")
    unionpay.refund("RF202600000001", first, 1)
    faults.add("timeout_before_commit", provider="unionpay", out_trade_no=NUMBER)

    assert unionpay.call("refund", orderId="RF202600000002", origQryId=first, txnAmt="1").lost
    assert unionpay.call("query", orderId="RF202600000001").lost
    assert not unionpay.call("refund", orderId="RF202600000003", origQryId=second, txnAmt="1").lost
    faults.clear()
    faults.add("rate_limited", operation="refund_query")
    assert unionpay.ask("query", orderId="RF202600000001")["respCode"] == "37"
    assert unionpay.ask("query")["respCode"] == "00"


def test_shown_order_is_json(unionpay: UnionpayMerchant) -> None:
    """What the control interface hands out, the return form of a front order included."""
    unionpay.order("front")

    assert json.loads(json.dumps(unionpay.simulator.pay(NUMBER)))["return_form"]["fields"]["respCode"] == "00"
