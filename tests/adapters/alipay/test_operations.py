"""What the adapter asks of Alipay, and what it makes of the answers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
import responses

from adapters.alipay.aes import decrypt_content, encrypt_content, load_content_key
from adapters.alipay.tables import (
    API_CANCEL,
    API_CLOSE,
    API_CREATE,
    API_PRECREATE,
    API_QUERY,
    API_REFUND,
    API_REFUND_QUERY,
)
from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    InstructionKind,
    NoVerdict,
    OperationUnsupported,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.report import (
    ProviderReport,
    RefundReport,
    ReportedRefundState,
    ReportedState,
    Source,
)
from gateway.domain.secret import Secret
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import answer_body, failed, ok, payment, provider, ref, refund, replies, trade

_NOT_EXIST = failed("40004", "ACQ.TRADE_NOT_EXIST")


# --- create -----------------------------------------------------------------------------------------------------------


def test_qr_payment_is_registered_with_the_business_content_in_the_body() -> None:
    """Public parameters, charset included, stand in the URL; biz_content alone in the body."""
    reply = answer_body(API_PRECREATE, ok(out_trade_no=peer.NUMBER, qr_code="https://qr.alipay.com/bax1"))
    with replies(reply) as wire:
        answer = provider().create(payment("qr"))

    request = wire.sent[0]
    url = peer.query_of(str(request.url))
    assert (url["method"], url["charset"], url["timestamp"]) == (API_PRECREATE, "utf-8", "2026-03-01 10:20:30")
    assert url["notify_url"] == peer.NOTIFY
    assert "biz_content" not in url
    assert list(dict(parse_qsl((request.body or b"").decode()))) == ["biz_content"]  # type: ignore[union-attr]
    assert request.headers["content-type"] == "application/x-www-form-urlencoded;charset=utf-8"
    assert wire.content() == {
        "out_trade_no": peer.NUMBER,
        "total_amount": "380.01",
        "subject": "2026年度城乡居民医保缴费",
        "product_code": "FACE_TO_FACE_PAYMENT",
        "time_expire": "2026-03-01 12:20:30",
    }
    assert answer.instruction.kind is InstructionKind.QR_TEXT
    assert answer.instruction.payload == {"text": "https://qr.alipay.com/bax1"}
    assert (answer.report.state, answer.report.source) == (ReportedState.PENDING, Source.ANSWER)
    assert answer.raw == reply


def test_request_signature_is_over_what_is_sent() -> None:
    """The gateway can rebuild the text from the decoded parameters, and the app key signed it."""
    reply = answer_body(API_PRECREATE, ok(out_trade_no=peer.NUMBER, qr_code="https://qr.alipay.com/bax1"))
    with replies(reply) as wire:
        provider().create(payment("qr"))

    sent = wire.parameters()
    text = "&".join(f"{name}={sent[name]}" for name in sorted(sent) if name != "sign")
    assert sent["sign"] == peer.sign(text.encode(), "app")
    assert "" not in sent.values()


def test_mini_program_payment_gives_the_trade_number_as_trade_no_in_capitals() -> None:
    """my.tradePay wants tradeNO."""
    reply = answer_body(API_CREATE, ok(out_trade_no=peer.NUMBER, trade_no=peer.TRADE_NUMBER))
    with replies(reply) as wire:
        answer = provider().create(payment("jsapi"))

    assert answer.instruction.kind is InstructionKind.SDK_PARAMS
    assert answer.instruction.payload == {"tradeNO": peer.TRADE_NUMBER}
    assert answer.report.provider_trade_no == peer.TRADE_NUMBER
    assert wire.content()["buyer_open_id"] == peer.OPEN_ID
    assert wire.content()["product_code"] == "JSAPI_PAY"


def test_mini_program_payment_without_a_payer_is_refused_unsent() -> None:
    """Without open_id or user id there is nobody to pay."""
    with replies() as wire, pytest.raises(RequestRefused):
        provider().create(payment("jsapi", fields={}))

    assert wire.sent == []


@pytest.mark.parametrize("amount_fen", [0, -1, 10_000_000_001], ids=str)
def test_amount_outside_the_limits_is_refused_unsent(amount_fen: int) -> None:
    """0.01 to 100,000,000 yuan."""
    with replies() as wire, pytest.raises(RequestRefused):
        provider().create(payment("qr", amount_fen=amount_fen))

    assert wire.sent == []


@pytest.mark.parametrize(("amount_fen", "text"), [(1, "0.01"), (10_000_000_000, "100000000.00"), (38010, "380.10")])
def test_amount_is_yuan_with_two_decimals(amount_fen: int, text: str) -> None:
    """Never a float."""
    url = provider().create(payment("page", amount_fen=amount_fen)).instruction.payload["url"]

    assert json.loads(peer.query_of(url)["biz_content"])["total_amount"] == text


@pytest.mark.parametrize(
    ("method", "api", "product_code"),
    [("page", "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"), ("wap", "alipay.trade.wap.pay", "QUICK_WAP_WAY")],
)
def test_browser_payment_is_a_signed_address(method: str, api: str, product_code: str) -> None:
    """No call is made; the address carries everything, signed by the app key."""
    fields = {"return_url": "https://pay.example.cn/back?o=1&t=a+b%20c"}
    with replies() as wire:
        answer = provider().create(payment(method, fields=fields))

    assert wire.sent == []
    assert answer.instruction.kind is InstructionKind.REDIRECT
    sent = peer.query_of(answer.instruction.payload["url"])
    assert (sent["method"], sent["return_url"]) == (api, fields["return_url"])
    assert json.loads(sent["biz_content"])["product_code"] == product_code
    text = "&".join(f"{name}={sent[name]}" for name in sorted(sent) if name != "sign")
    assert sent["sign"] == peer.sign(text.encode(), "app")
    assert answer.report == ProviderReport(
        source=Source.ANSWER, out_trade_no=peer.NUMBER, state=ReportedState.PENDING, provider_status=""
    )
    assert answer.raw == b""


def test_wap_payment_may_name_where_giving_up_leads() -> None:
    """quit_url is business content."""
    url = provider().create(payment("wap", fields={"quit_url": "https://m.example.cn/?a=1&b=2"}))

    content = json.loads(peer.query_of(url.instruction.payload["url"])["biz_content"])
    assert content["quit_url"] == "https://m.example.cn/?a=1&b=2"


def test_too_long_address_becomes_a_form_with_the_same_parameters() -> None:
    """Beyond 2,000 characters the content is posted; the public parameters stay in the address."""
    answer = provider().create(payment("page", description="很长的标题" * 60))

    form = answer.instruction
    assert form.kind is InstructionKind.FORM
    sent = peer.query_of(form.payload["url"]) | form.payload["fields"]
    assert list(form.payload["fields"]) == ["biz_content"]
    text = "&".join(f"{name}={sent[name]}" for name in sorted(sent) if name != "sign")
    assert sent["sign"] == peer.sign(text.encode(), "app")
    assert len(json.loads(sent["biz_content"])["subject"]) == 256


def test_app_payment_is_one_string_without_an_address() -> None:
    """The Alipay app SDK takes the whole signed query string."""
    with replies() as wire:
        answer = provider().create(payment("app"))

    text = answer.instruction.payload["text"]
    sent = dict(parse_qsl(text))
    assert wire.sent == []
    assert answer.instruction.kind is InstructionKind.SDK_STRING
    assert json.loads(sent["biz_content"])["product_code"] == "QUICK_MSECURITY_PAY"
    assert "://openapi" not in text
    assert "+" not in text


@pytest.mark.parametrize("method", ["qr", "wap", "page", "app", "jsapi"])
def test_equal_requests_give_equal_content_at_any_time(method: str) -> None:
    """A resume hours later is the same request in Alipay's eyes; only timestamp and sign differ."""
    contents = []
    for moment in (peer.NOW, peer.NOW + timedelta(hours=1)):
        built = provider(peer.FixedClock(moment))
        with replies(requests.ReadTimeout()) as wire:
            try:
                payload = built.create(payment(method)).instruction.payload
                sent = dict(parse_qsl(payload["text"])) if "text" in payload else peer.query_of(payload["url"])
            except NoVerdict:
                sent = wire.parameters()
        contents.append(sent["biz_content"])

    assert contents[0] == contents[1]


def test_timestamp_is_beijing_time_whatever_the_clock_s_zone() -> None:
    """A container in UTC is not eight hours off."""
    clock = peer.FixedClock(datetime(2025, 12, 31, 16, 0, 0, tzinfo=UTC))

    url = provider(clock).create(payment("page")).instruction.payload["url"]

    assert peer.query_of(url)["timestamp"] == "2026-01-01 00:00:00"


@pytest.mark.parametrize(
    ("description", "subject"),
    [
        pytest.param("医保/缴费=a&b", "医保 缴费 a b", id="forbidden"),
        pytest.param('a,b"c\\d<e>', "a b c d e", id="ours"),
        pytest.param(" 两\n\t\x00\x7f 行 ", "两 行", id="control"),
        pytest.param("\ud800医保", "医保", id="lone-surrogate"),
        pytest.param("😀𠮷", "😀𠮷", id="four-bytes"),
        pytest.param("///", "缴费", id="nothing-left"),
        pytest.param("", "缴费", id="empty"),
        pytest.param("长" * 256, "长" * 256, id="edge"),
        pytest.param("长" * 257, "长" * 256, id="beyond"),
    ],
)
def test_subject_is_cleaned_and_cut(description: str, subject: str) -> None:
    """What the model forbids, or what would split a bill's cell, is taken out; 256 characters stay."""
    payload = provider().create(payment("app", description=description)).instruction.payload

    assert json.loads(dict(parse_qsl(payload["text"]))["biz_content"])["subject"] == subject


def test_isv_call_carries_token_and_provider_id() -> None:
    """app_auth_token is a signed public parameter; the ISV's id is business content."""
    isv = {
        "app_auth_token": Secret("202603BB00X90-invented"),
        "auth_app_id": "2021000000000007",
        "sys_service_provider_id": "2088511833207846",
    }
    url = provider(**isv).create(payment("page")).instruction.payload["url"]

    sent = peer.query_of(url)
    assert sent["app_auth_token"] == "202603BB00X90-invented"
    content = json.loads(sent["biz_content"])
    assert content["extend_params"] == {"sys_service_provider_id": "2088511833207846"}


def test_unknown_method_is_the_caller_s_mistake() -> None:
    """OperationUnsupported, unsent."""
    with pytest.raises(OperationUnsupported):
        provider().create(payment("barcode"))


@pytest.mark.parametrize(
    "members",
    [
        pytest.param(ok(out_trade_no=peer.NUMBER), id="no-code"),
        pytest.param(ok(out_trade_no=peer.NUMBER, qr_code=["x"]), id="no-text"),
        pytest.param(ok(out_trade_no="another", qr_code="https://qr.alipay.com/x"), id="another-payment"),
        pytest.param(ok(qr_code="https://qr.alipay.com/x"), id="no-number"),
        pytest.param({"msg": "Success", "out_trade_no": peer.NUMBER}, id="no-top-code"),
    ],
)
def test_registering_answer_that_does_not_fit_is_no_verdict(members: dict[str, Any]) -> None:
    """The order may stand at Alipay; its state is unknown."""
    with replies(answer_body(API_PRECREATE, members)), pytest.raises(NoVerdict) as raised:
        provider().create(payment("qr"))

    assert raised.value.trace_id == "0ad1348f17723316"


# --- query ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "state", "amount_fen", "refunded_fen"),
    [
        pytest.param({}, ReportedState.PAID, 38001, None, id="paid"),
        pytest.param({"trade_status": "TRADE_FINISHED"}, ReportedState.PAID, 38001, None, id="finished"),
        pytest.param(
            {"trade_status": "WAIT_BUYER_PAY", "send_pay_date": None}, ReportedState.PENDING, 38001, None, id="waiting"
        ),
        pytest.param(
            {"trade_status": "WAIT_BUYER_PAY", "send_pay_date": None, "total_amount": None},
            ReportedState.PENDING,
            None,
            None,
            id="waiting-without-amount",
        ),
        pytest.param(
            {"trade_status": "TRADE_CLOSED", "send_pay_date": None}, ReportedState.CLOSED, 38001, None, id="closed"
        ),
        pytest.param({"trade_status": "TRADE_CLOSED"}, ReportedState.PAID, 38001, 38001, id="closed-after-refund"),
        pytest.param({"trade_status": "TRADE_FLOATING"}, ReportedState.UNKNOWN, 38001, None, id="never-seen"),
    ],
)
def test_query_tells_the_trade(
    changes: dict[str, Any], state: ReportedState, amount_fen: int | None, refunded_fen: int | None
) -> None:
    """Each trade_status has its one meaning; a closed trade that was paid was refunded whole."""
    reply = answer_body(API_QUERY, trade(**changes))
    with replies(reply) as wire:
        answer = provider().query(ref())

    report = answer.report
    assert (state, amount_fen, refunded_fen) == (report.state, report.amount_fen, report.refunded_total_fen)
    assert report.source is Source.QUERY
    assert answer.raw == reply
    assert wire.content() == {"out_trade_no": peer.NUMBER}


def test_query_of_a_paid_trade_tells_beijing_time() -> None:
    """send_pay_date has no zone on the wire."""
    with replies(answer_body(API_QUERY, trade())):
        report = provider().query(ref()).report

    assert report.occurred_at == datetime(2026, 3, 1, 10, 20, 41, tzinfo=CHINA)


def test_query_of_a_bare_number_amount_is_exact() -> None:
    """total_amount may be a bare JSON number, which never becomes a float."""
    members = '"code":"10000","trade_status":"TRADE_SUCCESS", "total_amount": 1234567.89'
    text = f'{{ {members} ,"out_trade_no":"{peer.NUMBER}"}}'
    with replies(answer_body(API_QUERY, text)):
        report = provider().query(ref()).report

    assert report.amount_fen == 123456789


def test_query_before_the_payer_came_is_not_found() -> None:
    """ACQ.TRADE_NOT_EXIST is no verdict on the payment: the cashier can still be reached."""
    with replies(answer_body(API_QUERY, _NOT_EXIST)):
        report = provider().query(ref()).report

    assert report == ProviderReport(
        source=Source.QUERY,
        out_trade_no=peer.NUMBER,
        state=ReportedState.NOT_FOUND,
        provider_status="ACQ.TRADE_NOT_EXIST",
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"out_trade_no": "another"}, id="another-payment"),
        pytest.param({"out_trade_no": None}, id="no-number"),
        pytest.param({"total_amount": None}, id="paid-without-amount"),
        pytest.param({"total_amount": "3e2"}, id="malformed-amount"),
        pytest.param({"total_amount": True}, id="amount-true"),
        pytest.param({"total_amount": ["380.01"]}, id="amount-list"),
        pytest.param({"trade_status": None}, id="no-status"),
        pytest.param({"trade_status": 7}, id="status-number"),
        pytest.param({"trade_status": {}}, id="status-object"),
    ],
)
def test_query_answer_that_makes_no_sense_is_no_verdict(changes: dict[str, Any]) -> None:
    """Authentic, but nothing can be concluded from it."""
    members = trade(**changes)
    if changes.get("trade_status") == 7:
        with replies(answer_body(API_QUERY, members)):
            assert provider().query(ref()).report.state is ReportedState.UNKNOWN
        return
    with replies(answer_body(API_QUERY, members)), pytest.raises(NoVerdict):
        provider().query(ref())


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_query_answer_in_either_charset_is_read(charset: str) -> None:
    """GBK comes without having been asked for; its second bytes can be braces."""
    with replies(answer_body(API_QUERY, trade(subject="乗亄{医保}"), charset=charset)):
        assert provider().query(ref()).report.state is ReportedState.PAID


# --- close and cancel -------------------------------------------------------------------------------------------------


def test_close_is_reported_closed() -> None:
    """An authentic 10000 for this number says closed; the caller asks again before it believes."""
    with replies(answer_body(API_CLOSE, ok(out_trade_no=peer.NUMBER, trade_no=peer.TRADE_NUMBER))) as wire:
        report = provider().close(ref()).report

    assert (report.state, report.provider_trade_no) == (ReportedState.CLOSED, peer.TRADE_NUMBER)
    assert wire.apis() == [API_CLOSE]
    assert wire.content() == {"out_trade_no": peer.NUMBER}


@pytest.mark.parametrize("method", ["qr", "page", "wap", "app", "jsapi"])
def test_close_of_a_trade_that_was_never_made_is_not_closed(method: str) -> None:
    """NOT_FOUND: the payer can still open the cashier. No method is cancelled instead."""
    with replies(answer_body(API_CLOSE, _NOT_EXIST)) as wire:
        report = provider().close(ref(method=method)).report

    assert report.state is ReportedState.NOT_FOUND
    assert wire.apis() == [API_CLOSE]


def test_close_answer_without_a_number_is_no_verdict() -> None:
    """An answer must name what it answers."""
    with replies(answer_body(API_CLOSE, ok())), pytest.raises(NoVerdict):
        provider().close(ref())


@pytest.mark.parametrize(
    ("members", "state", "refunded"),
    [
        pytest.param({"action": "close"}, ReportedState.CLOSED, False, id="closed"),
        pytest.param({"action": "refund"}, ReportedState.PAID, True, id="refunded"),
        pytest.param({}, ReportedState.NOT_FOUND, False, id="no-trade"),
        pytest.param({"action": "float"}, ReportedState.UNKNOWN, False, id="never-seen"),
    ],
)
def test_cancel_tells_what_it_did(members: dict[str, Any], state: ReportedState, refunded: bool) -> None:
    """An unpaid trade was closed, a paid one refunded."""
    with replies(answer_body(API_CANCEL, ok(out_trade_no=peer.NUMBER, retry_flag="N", **members))) as wire:
        report = provider().cancel(ref()).report

    wanted = RefundReport(out_refund_no=None, state=ReportedRefundState.SUCCEEDED) if refunded else None
    assert (state, wanted) == (report.state, report.refund)
    assert wire.apis() == [API_CANCEL]


def test_cancel_that_alipay_wants_repeated_is_no_verdict() -> None:
    """retry_flag=Y: the same call again."""
    with (
        replies(answer_body(API_CANCEL, ok(out_trade_no=peer.NUMBER, retry_flag="Y", action="close"))),
        pytest.raises(NoVerdict),
    ):
        provider().cancel(ref())


def test_cancel_of_an_unknown_trade_is_not_found() -> None:
    """As with close."""
    with replies(answer_body(API_CANCEL, _NOT_EXIST)):
        assert provider().cancel(ref()).report.state is ReportedState.NOT_FOUND


@pytest.mark.parametrize("method", ["page", "wap", "app", "jsapi"])
def test_cancel_is_for_face_to_face_alone(method: str) -> None:
    """Not offered where Alipay does not promise it."""
    with replies() as wire, pytest.raises(OperationUnsupported):
        provider().cancel(ref(method=method))

    assert wire.sent == []


# --- refunds ----------------------------------------------------------------------------------------------------------


def _refunded(**changes: Any) -> dict[str, Any]:
    members = ok(
        fund_change="Y",
        gmt_refund_pay="2026-03-01 11:00:00",
        out_trade_no=peer.NUMBER,
        refund_fee="240.02",
        trade_no=peer.TRADE_NUMBER,
    )
    return {name: value for name, value in (members | changes).items() if value is not None}


def test_refund_that_moved_money_is_this_refund_and_that_sum() -> None:
    """fund_change=Y: our amount succeeded; refund_fee is the sum so far."""
    with replies(answer_body(API_REFUND, _refunded())) as wire:
        report = provider().refund(refund()).report

    assert wire.content() == {
        "out_trade_no": peer.NUMBER,
        "refund_amount": "120.01",
        "out_request_no": peer.REFUND_NUMBER,
        "refund_reason": "重复缴费退款",
    }
    assert report.refund == RefundReport(
        out_refund_no=peer.REFUND_NUMBER,
        state=ReportedRefundState.SUCCEEDED,
        amount_fen=12001,
        occurred_at=datetime(2026, 3, 1, 11, 0, tzinfo=CHINA),
    )
    assert (report.state, report.refunded_total_fen) == (ReportedState.PAID, 24002)
    assert "notify_url" not in wire.parameters()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"fund_change": "N"}, id="nothing-moved-now"),
        pytest.param({"fund_change": None}, id="absent"),
        pytest.param({"fund_change": "y"}, id="another-word"),
        pytest.param({"fund_change": True}, id="no-text"),
        pytest.param({"refund_fee": "120.00"}, id="sum-below-this-refund"),
    ],
)
def test_refund_without_proof_must_be_asked(changes: dict[str, Any]) -> None:
    """10000 alone is not a refund."""
    with replies(answer_body(API_REFUND, _refunded(**changes))):
        report = provider().refund(refund()).report

    assert report.refund is not None
    assert (report.refund.state, report.refund.amount_fen) == (ReportedRefundState.UNKNOWN, None)


def test_refund_of_a_payment_never_refunded_says_nothing_of_the_payment() -> None:
    """fund_change=N with a sum of zero does not even prove that it was paid."""
    with replies(answer_body(API_REFUND, _refunded(fund_change="N", refund_fee="0.00"))):
        assert provider().refund(refund()).report.state is ReportedState.UNKNOWN


@pytest.mark.parametrize("changes", [{"out_trade_no": "another"}, {"refund_fee": "x"}], ids=["another", "malformed"])
def test_refund_answer_that_makes_no_sense_is_no_verdict(changes: dict[str, Any]) -> None:
    """Ask by refund query, under the same number."""
    with replies(answer_body(API_REFUND, _refunded(**changes))), pytest.raises(NoVerdict):
        provider().refund(refund())


def test_refund_reason_is_cleaned_and_cut() -> None:
    """256 characters without control characters; an empty one is left out."""
    with replies(answer_body(API_REFUND, _refunded()), answer_body(API_REFUND, _refunded())) as wire:
        provider().refund(refund(reason="\x00\ud800长" + "长" * 300))
        provider().refund(refund(reason="\x00"))

    assert wire.content(0)["refund_reason"] == "长" * 256
    assert "refund_reason" not in wire.content(1)


def _asked(**changes: Any) -> dict[str, Any]:
    members = ok(
        out_request_no=peer.REFUND_NUMBER,
        out_trade_no=peer.NUMBER,
        refund_amount="120.01",
        refund_status="REFUND_SUCCESS",
        gmt_refund_pay="2026-03-01 11:00:00",
        total_amount="380.01",
        trade_no=peer.TRADE_NUMBER,
    )
    return {name: value for name, value in (members | changes).items() if value is not None}


def test_refund_query_tells_this_refund() -> None:
    """refund_amount is of this request."""
    with replies(answer_body(API_REFUND_QUERY, _asked())) as wire:
        report = provider().query_refund(refund()).report

    assert wire.content()["out_request_no"] == peer.REFUND_NUMBER
    assert report.refund == RefundReport(
        out_refund_no=peer.REFUND_NUMBER,
        state=ReportedRefundState.SUCCEEDED,
        amount_fen=12001,
        occurred_at=datetime(2026, 3, 1, 11, 0, tzinfo=CHINA),
    )
    assert (report.state, report.amount_fen) == (ReportedState.PAID, 38001)


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(9, ReportedRefundState.UNKNOWN), (10, ReportedRefundState.NOT_FOUND), (3600, ReportedRefundState.NOT_FOUND)],
)
def test_refund_query_without_a_status_is_early_or_not_found(seconds: int, state: ReportedRefundState) -> None:
    """Absent means not received or failed, but within ten seconds it can still come."""
    asked_at = peer.NOW - timedelta(seconds=seconds)
    with replies(answer_body(API_REFUND_QUERY, ok())):
        report = provider().query_refund(refund(requested_at=asked_at)).report

    assert report.refund is not None
    assert state == report.refund.state
    assert report.state is ReportedState.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        pytest.param({"refund_status": "REFUND_FLOATING"}, ReportedRefundState.UNKNOWN, id="never-seen"),
        pytest.param({"refund_channel_status": "SUCCESS"}, ReportedRefundState.SUCCEEDED, id="all-funds"),
        pytest.param({"refund_channel_status": "PART_SUCCESS"}, ReportedRefundState.ABNORMAL, id="part-of-funds"),
        pytest.param({"refund_channel_status": "FAIL"}, ReportedRefundState.ABNORMAL, id="no-fund"),
    ],
)
def test_refund_query_status_means(changes: dict[str, Any], state: ReportedRefundState) -> None:
    """A refund that reached part of the funds only is no success."""
    with replies(answer_body(API_REFUND_QUERY, _asked(**changes))):
        report = provider().query_refund(refund()).report

    assert report.refund is not None
    assert state == report.refund.state


def test_refund_query_of_an_unknown_trade_is_not_found() -> None:
    """Neither the trade nor the refund is known."""
    with replies(answer_body(API_REFUND_QUERY, _NOT_EXIST)):
        report = provider().query_refund(refund(requested_at=peer.NOW)).report

    assert report.refund is not None
    assert report.refund.state is ReportedRefundState.NOT_FOUND
    assert report.provider_status == "ACQ.TRADE_NOT_EXIST"


@pytest.mark.parametrize(
    "changes",
    [{"out_request_no": "another"}, {"out_request_no": None}, {"out_trade_no": "another"}, {"refund_amount": "x"}],
    ids=["another-refund", "no-number", "another-payment", "malformed"],
)
def test_refund_query_answer_that_does_not_fit_is_no_verdict(changes: dict[str, Any]) -> None:
    """An answer about something else proves nothing of this refund."""
    with replies(answer_body(API_REFUND_QUERY, _asked(**changes))), pytest.raises(NoVerdict):
        provider().query_refund(refund())


# --- faults of the way ------------------------------------------------------------------------------------------------

_GOOD = answer_body(API_QUERY, trade())


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(requests.ReadTimeout(), id="time-out"),
        pytest.param(requests.ConnectionError(ConnectionResetError()), id="reset"),
        pytest.param((500, _GOOD), id="good-body-500"),
        pytest.param((302, _GOOD), id="redirect"),
        pytest.param((403, b""), id="forbidden"),
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>502</html>", id="html"),
        pytest.param(_GOOD[: len(_GOOD) // 2], id="half"),
        pytest.param(_GOOD + b"}", id="grown"),
        pytest.param(b"\xef\xbb\xbf" + _GOOD, id="bom"),
        pytest.param(b"\xff\xfe", id="no-charset"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"alipay_trade_query_response":' + b"[" * 100_000, id="deep-node"),
        pytest.param(_GOOD.replace(b'"sign":', b'"sign":"","sign":'), id="sign-twice"),
        pytest.param(b'{"alipay_trade_query_response":{},' + _GOOD[1:], id="node-twice"),
        pytest.param(b'{"alipay_trade_query\\u005fresponse":{},' + _GOOD[1:], id="node-twice-escaped"),
        pytest.param(_GOOD.split(b',"sign"')[0] + b"}", id="unsigned-success"),
        pytest.param(_GOOD.split(b',"sign"')[0] + b',"sign":""}', id="empty-sign"),
        pytest.param(_GOOD.split(b',"sign"')[0] + b',"sign":null}', id="null-sign"),
        pytest.param(_GOOD.replace(b"380.01", b"3.01"), id="tampered"),
        pytest.param(answer_body(API_QUERY, trade(), key="app"), id="own-key"),
        pytest.param(answer_body(API_CLOSE, trade()), id="another-method"),
        pytest.param(answer_body(API_QUERY, trade(), node="sign_response"), id="another-node"),
        pytest.param(answer_body(API_QUERY, '{"code":"10000","code":"40004"}'), id="signed-duplicate"),
        pytest.param(answer_body(API_QUERY, '{"code":NaN}'), id="signed-nan"),
        pytest.param(answer_body(API_QUERY, '"AAAA"'), id="encrypted-unasked"),
        pytest.param(answer_body(API_QUERY, "[]"), id="signed-array"),
        pytest.param(
            '{"alipay_trade_query_response":{"code":"20000","sub_msg":"系统繁忙"}}'.encode("gbk"), id="gbk-error"
        ),
    ],
)
def test_query_without_a_proven_answer_is_no_verdict(reply: peer.Reply) -> None:
    """Whatever came back, it is not Alipay's word."""
    with replies(reply), pytest.raises(NoVerdict):
        provider().query(ref())


def test_answer_with_sign_before_the_node_and_blanks_is_read() -> None:
    """Order and spacing of the members are not promised."""
    node = peer.compact(trade())
    body = f' {{ "sign" : "{peer.sign(node.encode())}" ,\n "alipay_trade_query_response" : {node} }} '.encode()

    with replies(body):
        assert provider().query(ref()).report.state is ReportedState.PAID


def test_unreachable_gateway_is_unavailable() -> None:
    """Nothing left, so nothing was accepted."""
    with responses.RequestsMock() as mock:
        mock.add(responses.POST, peer.BASE_URL, body=requests.ConnectTimeout())
        with pytest.raises(ProviderUnavailable):
            provider().refund(refund())


# --- content encryption -----------------------------------------------------------------------------------------------

_ENCRYPTED = {"encrypt_key": Secret(peer.CONTENT_KEY)}
_KEY = load_content_key(peer.CONTENT_KEY)


def _encrypted_answer(members: dict[str, Any]) -> bytes:
    return answer_body(API_QUERY, f'"{encrypt_content(_KEY, peer.compact(members))}"')


def test_encrypted_call_signs_the_ciphertext_and_reads_the_answer() -> None:
    """biz_content is replaced before signing; the answer's signature covers the quoted ciphertext."""
    with replies(_encrypted_answer(trade())) as wire:
        report = provider(**_ENCRYPTED).query(ref()).report

    sent = wire.parameters()
    assert sent["encrypt_type"] == "AES"
    assert json.loads(decrypt_content(_KEY, sent["biz_content"])) == {"out_trade_no": peer.NUMBER}
    text = "&".join(f"{name}={sent[name]}" for name in sorted(sent) if name != "sign")
    assert sent["sign"] == peer.sign(text.encode(), "app")
    assert report.state is ReportedState.PAID


def test_encrypted_account_reads_a_plain_answer_too() -> None:
    """Errors come in clear."""
    with replies(answer_body(API_QUERY, _NOT_EXIST)):
        assert provider(**_ENCRYPTED).query(ref()).report.state is ReportedState.NOT_FOUND


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer_body(API_QUERY, '"AAAA"'), id="no-block"),
        pytest.param(answer_body(API_QUERY, '"????"'), id="no-base64"),
        pytest.param(answer_body(API_QUERY, '"号"'), id="no-ascii"),
        pytest.param(answer_body(API_QUERY, '"' + "A" * 22 + '=="'), id="broken-padding"),
        pytest.param(_encrypted_answer(trade()).split(b',"sign"')[0] + b"}", id="unsigned"),
    ],
)
def test_ciphertext_that_does_not_open_is_no_verdict(reply: bytes) -> None:
    """A ciphertext is opened after its signature alone, and may still be junk."""
    with replies(reply), pytest.raises(NoVerdict):
        provider(**_ENCRYPTED).query(ref())


def test_browser_payment_is_not_encrypted() -> None:
    """Only calls between servers are: whether the cashier takes ciphertext is not verified."""
    url = provider(**_ENCRYPTED).create(payment("page")).instruction.payload["url"]

    assert "encrypt_type" not in peer.query_of(url)
