"""What starts a payment: the request, and the instruction that the front end gets."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests

from adapters.alipay.tables import (
    API_CREATE,
    API_PRECREATE,
)
from gateway.domain.provider import (
    InstructionKind,
    NoVerdict,
    OperationUnsupported,
    RequestRefused,
)
from gateway.domain.report import (
    ProviderReport,
    ReportedState,
    Source,
)
from gateway.domain.secret import Secret
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import answer_body, failed, ok, payment, provider, replies

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


def test_expiry_is_beijing_time_whatever_the_request_s_zone() -> None:
    """time_expire comes from expires_at alone."""
    request = payment("page", expires_at=datetime(2025, 12, 31, 16, 30, 0, tzinfo=UTC))

    content = json.loads(peer.query_of(provider().create(request).instruction.payload["url"])["biz_content"])

    assert content["time_expire"] == "2026-01-01 00:30:00"


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
