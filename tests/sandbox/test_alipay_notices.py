"""Alipay notifies, refunds and bills."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from sandbox.clock import SandboxClock
from sandbox.faults import FaultBoard
from tests.sandbox.merchants import NOTIFY_URL, AlipayMerchant, Inbox
from tests.sandbox.test_vectors import read

SHAPES = read("wire_shapes.json")["alipay"]
NUMBER = "FY20260301000001"
GAPS = [240, 600, 600, 3600, 7200, 21600, 54000]


def refund(merchant: AlipayMerchant, number: str, yuan: str, **more: Any) -> dict[str, Any]:
    biz = {"out_trade_no": NUMBER, "refund_amount": yuan, "out_request_no": number} | more
    return merchant.node("alipay.trade.refund", biz)


def names(fields: dict[str, str]) -> list[str]:
    return sorted(set(fields) - {"sign", "sign_type"})


@pytest.mark.parametrize("cert_mode", [False, True], ids=["key mode", "certificate mode"])
def test_payment_notify_verifies_and_has_the_vectors_fields(
    alipay: AlipayMerchant, clock: SandboxClock, inbox: Inbox, cert_mode: bool
) -> None:
    """With body and passback_params, the latter possibly empty."""
    alipay.cert_mode = cert_mode
    alipay.paid(body="参保人&缴费人", passback_params="")
    clock.advance()
    url, headers, body = inbox.received[0]
    fields = alipay.notice(body)

    assert url == NOTIFY_URL
    assert headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert names(fields) == SHAPES["payment"]
    assert (fields["trade_status"], fields["total_amount"]) == ("TRADE_SUCCESS", "380.01")
    assert json.loads(fields["fund_bill_list"]) == [{"amount": "380.01", "fundChannel": "ALIPAYACCOUNT"}]


def test_notify_is_sent_again_by_the_exact_schedule(alipay: AlipayMerchant, clock: SandboxClock, inbox: Inbox) -> None:
    """8 deliveries in about 25 hours: same notify_id, then no more."""
    inbox.default = (200, b"SUCCESS")
    alipay.paid()
    clock.advance(10 * 86_400)
    gaps = [(later - earlier).total_seconds() for earlier, later in zip(inbox.times, inbox.times[1:], strict=False)]

    assert gaps == GAPS
    assert len({alipay.notice(body)["notify_id"] for _, _, body in inbox.received}) == 1


@pytest.mark.parametrize(
    ("answer", "deliveries"),
    [
        ((200, b"success"), 1),
        ((200, b"success\n"), 2),
        ((200, b"SUCCESS"), 2),
        ((200, b'"success"'), 2),
        ((204, b"success"), 2),
        ((500, b"success"), 2),
        (ConnectionError(), 2),
    ],
    ids=["exact", "newline", "upper case", "quoted", "204", "500", "refused"],
)
def test_only_exactly_success_stops_the_retries(
    alipay: AlipayMerchant,
    clock: SandboxClock,
    inbox: Inbox,
    answer: tuple[int, bytes] | OSError,
    deliveries: int,
) -> None:
    """One delivery, or one more after four minutes."""
    inbox.answers = [answer]
    alipay.paid()
    clock.advance(3600)

    assert len(inbox.received) == deliveries


def test_refund_notices_follow_the_vectors(alipay: AlipayMerchant, clock: SandboxClock, inbox: Inbox) -> None:
    """Partial: TRADE_SUCCESS with refund_fee; the last part: TRADE_CLOSED; refund_fee is cumulative."""
    alipay.paid()
    clock.advance()
    partial = refund(alipay, "R1", "100.01")
    clock.advance(3600)
    full = refund(alipay, "R2", "280.00")
    clock.advance()
    first, last = (alipay.notice(body) for _, _, body in inbox.received[1:])

    assert names(first) == SHAPES["partial_refund"]
    assert names(last) == SHAPES["full_refund"]
    assert (first["trade_status"], first["refund_fee"], first["out_biz_no"]) == ("TRADE_SUCCESS", "100.01", "R1")
    assert (last["trade_status"], last["refund_fee"], last["out_biz_no"]) == ("TRADE_CLOSED", "380.01", "R2")
    assert first["notify_id"] != last["notify_id"]
    assert set(SHAPES["refund_answer"]) <= set(partial)
    assert [partial["fund_change"], full["refund_fee"], full["send_back_fee"]] == ["Y", "380.01", "280.00"]


def test_closed_unpaid_trade_is_notified(alipay: AlipayMerchant, clock: SandboxClock, inbox: Inbox) -> None:
    """TRADE_CLOSED without refund fields, by close and by expiry."""
    alipay.page(timeout_express="5m")
    alipay.page(out_trade_no="FY2")
    alipay.node("alipay.trade.close", {"out_trade_no": "FY2"})
    clock.advance(300)
    notices = [alipay.notice(body) for _, _, body in inbox.received]

    assert [(notice["out_trade_no"], notice["trade_status"]) for notice in notices] == [
        ("FY2", "TRADE_CLOSED"),
        (NUMBER, "TRADE_CLOSED"),
    ]
    assert names(notices[0]) == SHAPES["closed"]


def test_trade_is_finished_after_a_year_and_not_refundable(
    alipay: AlipayMerchant, clock: SandboxClock, inbox: Inbox
) -> None:
    """TRADE_FINISHED is notified, and is no new payment."""
    alipay.paid()
    clock.advance(timedelta(days=365).total_seconds())
    notice = alipay.notice(inbox.received[-1][2])

    assert notice["trade_status"] == "TRADE_FINISHED"
    assert refund(alipay, "R1", "1.00")["sub_code"] == "ACQ.TRADE_HAS_FINISHED"
    assert len(alipay.simulator.books()["payments"]) == 1


@pytest.mark.parametrize("fault", ["callback_wrong_key", "callback_bad_signature"])
def test_notify_with_a_wrong_signature_does_not_verify(
    alipay: AlipayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox, fault: str
) -> None:
    """Spoilt once; the retry is sound."""
    faults.add(fault, times=1)
    inbox.answers = [(200, b"failure")]
    alipay.paid()
    clock.advance(240)

    with pytest.raises(InvalidSignature):
        alipay.notice(inbox.received[0][2])
    assert alipay.notice(inbox.received[1][2])["trade_status"] == "TRADE_SUCCESS"


def test_notify_amount_differs_is_validly_signed(
    alipay: AlipayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """One fen more than was paid."""
    faults.add("callback_amount_differs")
    alipay.paid()
    clock.advance()

    assert alipay.notice(inbox.received[0][2])["total_amount"] == "380.02"
    assert alipay.simulator.books()["payments"][0]["amount_fen"] == 38001


def test_notify_in_gbk_verifies_in_gbk(
    alipay: AlipayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """charset says GBK though utf-8 was asked for."""
    faults.add("gbk_body", operation="payment_callback")
    alipay.paid()
    clock.advance()
    fields = alipay.notice(inbox.received[0][2], "gbk")

    assert (fields["charset"], fields["subject"]) == ("GBK", "2026年度城乡居民医保缴费")


def test_notify_reordered_brings_the_refund_first(
    alipay: AlipayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """The payment notice comes after the refund notice."""
    faults.add("callback_reordered", operation="payment_callback")
    alipay.paid()
    refund(alipay, "R1", "1.00")
    clock.advance(3600)
    notices = [alipay.notice(body) for _, _, body in inbox.received]

    assert ["gmt_refund" in notice for notice in notices] == [True, False]


def test_refund_rules(alipay: AlipayMerchant) -> None:
    """Sum limit, one number one refund, number required for a part."""
    alipay.page(out_trade_no="FY2")
    alipay.paid()
    partial = refund(alipay, "R1", "380.00")
    answers = {
        "too much": refund(alipay, "R2", "0.02"),
        "other amount": refund(alipay, "R1", "0.01"),
        "no number": refund(alipay, "", "0.01"),
        "unpaid": refund(alipay, "R3", "0.01", out_trade_no="FY2"),
        "unknown": refund(alipay, "R3", "0.01", out_trade_no="FY3"),
    }
    last = refund(alipay, "R4", "0.01")
    after = refund(alipay, "R5", "0.01")

    assert (partial["code"], last["code"]) == ("10000", "10000")
    assert {name: answer["sub_code"] for name, answer in answers.items()} == {
        "too much": "ACQ.REASON_TRADE_REFUND_FEE_ERR",
        "other amount": "ACQ.DISCORDANT_REPEAT_REQUEST",
        "no number": "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
        "unpaid": "ACQ.TRADE_STATUS_ERROR",
        "unknown": "ACQ.TRADE_NOT_EXIST",
    }
    assert after["sub_code"] == "ACQ.TRADE_HAS_CLOSE"
    assert sum(entry["amount_fen"] for entry in alipay.simulator.books()["refunds"]) == 38001


def test_refund_query_shows_the_refund_after_ten_seconds(alipay: AlipayMerchant, clock: SandboxClock) -> None:
    """Absent at first though the money moved; amounts are of this request."""
    alipay.paid()
    refund(alipay, "R1", "100.01")
    refund(alipay, "R2", "0.02")
    biz = {"out_trade_no": NUMBER, "out_request_no": "R1"}
    clock.advance(9)
    early = alipay.node("alipay.trade.fastpay.refund.query", biz)
    clock.advance(1)
    shown = alipay.node("alipay.trade.fastpay.refund.query", biz)

    assert early == {"code": "10000", "msg": "Success"}
    assert (shown["refund_status"], shown["refund_amount"]) == ("REFUND_SUCCESS", "100.01")


@pytest.fixture
def billed(alipay: AlipayMerchant, clock: SandboxClock) -> dict[str, bytes]:
    """The next day's ZIP: members by their true names."""
    alipay.paid()
    refund(alipay, "R1", "100.01")
    clock.advance(86_400)
    biz = {"bill_type": "trade", "bill_date": "2026-03-01"}
    link = alipay.node("alipay.data.dataservice.bill.downloadurl.query", biz)["bill_download_url"]
    answer = alipay.simulator.answer("GET", link.removeprefix("https://openapi.alipay.com"), {}, b"")
    archive = zipfile.ZipFile(io.BytesIO(answer.body))
    assert all(not item.flag_bits & 0x800 for item in archive.infolist())
    return {item.filename.encode("cp437").decode("gbk"): archive.read(item) for item in archive.infolist()}


def test_bill_has_the_vectors_layout(alipay: AlipayMerchant, billed: dict[str, bytes]) -> None:
    """Two GBK files; refunds below zero; cells end in a tab where the vector's do."""
    account = f"{alipay.keys.identity.seller_id}0156"
    detail = billed[f"{account}_20260301_业务明细.csv"].decode("gbk").split("\r\n")
    summary = billed[f"{account}_20260301_业务明细(汇总).csv"].decode("gbk").split("\r\n")
    vector_account = "20886412345678900156"
    cells = detail[5].split(",")
    tabs = [cell.endswith("\t") for cell in cells]

    assert [line.replace(account, vector_account) for line in detail[:5]] == SHAPES["bill_detail"]
    assert [line.replace(account, vector_account) for line in summary[:5]] == SHAPES["bill_summary"]
    assert tabs == [cell.endswith("\t") for cell in SHAPES["bill_row"].split(",")]
    assert [cells[11], cells[22]] == ["380.01", "-2.28"]
    assert detail[6].split(",")[11] == "-100.01"
    assert detail[6].split(",")[21] == "R1\t"
    assert detail[8] == "#交易合计：1笔，商家实收共380.01元，商家优惠共0.00元"
    assert summary[5].split(",")[2:6] == ["1", "1", "280.00", "280.00"]


@pytest.mark.parametrize(
    ("biz", "sub_code"),
    [
        ({"bill_type": "trade", "bill_date": "2026-03-01"}, "isp.bill_not_exist"),
        ({"bill_type": "trade", "bill_date": "2026-02-28"}, "isp.bill_not_exist"),
        ({"bill_type": "signcustomer", "bill_date": "2026-02-28"}, "isp.bill_not_exist"),
        ({"bill_type": "trade", "bill_date": "1.3.2026"}, "isv.invalid-parameter"),
        ({"bill_type": "surprise", "bill_date": "2026-02-28"}, "isv.invalid-parameter"),
    ],
    ids=["today", "nothing traded", "not simulated", "no date", "no type"],
)
def test_bill_that_cannot_be_had_is_refused(alipay: AlipayMerchant, biz: dict[str, str], sub_code: str) -> None:
    """With the sub_code of the sheet."""
    alipay.paid()

    assert alipay.node("alipay.data.dataservice.bill.downloadurl.query", biz)["sub_code"] == sub_code


def test_bill_link_lives_thirty_seconds(alipay: AlipayMerchant, clock: SandboxClock) -> None:
    """Then there is nothing behind it."""
    alipay.paid()
    clock.advance(86_400)
    biz = {"bill_type": "trade", "bill_date": "2026-03-01"}
    link = alipay.node("alipay.data.dataservice.bill.downloadurl.query", biz)["bill_download_url"]
    path = link.removeprefix("https://openapi.alipay.com")
    clock.advance(29)
    in_time = alipay.simulator.answer("GET", path, {}, b"").status
    clock.advance(1)

    assert (in_time, alipay.simulator.answer("GET", path, {}, b"").status) == (200, 404)
