"""Calls that we make: the cashier's form, what is encrypted, and when an answer is believed to be final."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    OperationUnsupported,
    PaymentAnswer,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.statement import StatementKind
from tests.adapters.bank_icbc import peer
from tests.adapters.bank_icbc.case import QUERY, SHOWPAY
from tests.conformance.case import FixedClock, WireAnswer
from tests.conformance.network import connection_refused, playing


def created(**changes: Any) -> PaymentAnswer:
    return peer.provider().create(peer.payment(**changes))


def content_of(answer: PaymentAnswer) -> dict[str, str]:
    content: dict[str, str] = json.loads(answer.instruction.payload["fields"]["biz_content"])
    return content


# --- the cashier ------------------------------------------------------------------------------------------------------


def test_cashier_form_carries_the_common_parameters_in_its_address() -> None:
    """Encoded there once; the form has nothing but the content."""
    payload = created().instruction.payload
    url = urlsplit(payload["url"])
    params = dict(parse_qsl(url.query, strict_parsing=True))

    assert SHOWPAY == url.path
    assert ["biz_content"] == list(payload["fields"])
    assert peer.request_params(SHOWPAY, content_of(created())) == {**params, **payload["fields"]}


def test_path_of_the_base_url_is_signed_as_well() -> None:
    """What is signed is the path of the URL that is called."""
    payload = peer.provider(base_url=f"{peer.BASE_URL}/proxy/").create(peer.payment()).instruction.payload
    url = urlsplit(payload["url"])

    assert f"/proxy{SHOWPAY}" == url.path
    params = peer.request_params(f"/proxy{SHOWPAY}", content_of(created()))
    assert params["sign"] == dict(parse_qsl(url.query))["sign"]


def test_cashier_form_is_sealed_before_it_is_signed() -> None:
    """encrypt_type stands in the address, the ciphertext in the form."""
    answer = peer.provider(**peer.encrypting()).create(peer.payment())
    payload = answer.instruction.payload
    params = {**dict(parse_qsl(urlsplit(payload["url"]).query)), **payload["fields"]}
    sign = params.pop("sign")

    assert "AES" == params["encrypt_type"]
    assert content_of(created()) == json.loads(peer.unsealed(params["biz_content"]))
    assert sign == peer.signature(peer.string_of(SHOWPAY, params), peer.APP, digest="sha256")


@pytest.mark.parametrize(
    ("lasts", "minutes", "seconds"),
    [
        (timedelta(hours=2), 30, 1800),
        (timedelta(minutes=10), 30, 600),
        (timedelta(seconds=99, microseconds=999_999), 30, 99),
        (timedelta(seconds=5), 30, 61),
        (timedelta(days=30), 1440, 86400),
    ],
)
def test_cashier_ends_with_the_payment_or_pay_minutes(lasts: timedelta, minutes: int, seconds: int) -> None:
    """In seconds from its opening, never below what the bank takes."""
    request = peer.payment(expires_at=peer.CREATED_AT + lasts)
    answer = peer.provider(pay_minutes=minutes).create(request)

    assert str(seconds) == content_of(answer)["expireTime"]
    assert peer.CREATED_AT + timedelta(seconds=seconds) == answer.instruction.expires_at


def test_cashier_content_leaves_out_what_is_not_given() -> None:
    """An empty member is no member."""
    answer = peer.provider(shop_appid=None).create(peer.payment(fields={}))

    assert not {"openId", "return_url", "shop_appid", "saledepname"} & set(content_of(answer))


def test_description_is_cut_and_never_empty() -> None:
    """128 characters of body, 32 of subject; a text of nothing gets a word."""
    long, empty = content_of(created(description="医" * 200)), content_of(created(description="\x00😀<>"))

    assert (128, 32) == (len(long["body"]), len(long["subject"]))
    assert ("缴费", "缴费") == (empty["body"], empty["subject"])


def test_notify_url_with_a_path_of_its_own_needs_the_setting() -> None:
    """The bank signs that path; nothing could be proven by the assumed one, so that no payment begins."""
    behind_a_prefix = peer.payment(notify_url="https://pay.example.cn/jf/callbacks/bank_icbc/main")
    with pytest.raises(AccountMisconfigured, match="notify_sign_path"):
        peer.provider().create(behind_a_prefix)

    for path in ("/jf/callbacks/bank_icbc/main", "/notifyUrlServlet"):
        peer.provider(notify_sign_path=path).create(behind_a_prefix)


def test_open_id_is_taken_only_with_the_shops_app() -> None:
    """It means nothing without it; and it is personal."""
    fields = peer.provider().methods["showpay"].fields

    assert fields["open_id"].personal
    assert "open_id" not in peer.provider(shop_appid=None).methods["showpay"].fields


@pytest.mark.parametrize("amount_fen", [0, -1, 10_000_000_001])
def test_amount_outside_the_limits_is_refused_unsigned(amount_fen: int) -> None:
    """Nothing is sent."""
    with pytest.raises(RequestRefused):
        created(amount_fen=amount_fen)


def test_what_icbc_does_not_offer_here_is_unsupported() -> None:
    """No close, no statement, no other method."""
    with pytest.raises(OperationUnsupported):
        peer.provider().close(peer.ref())
    with pytest.raises(OperationUnsupported):
        peer.provider().fetch_statement(peer.NOW.date(), StatementKind.TRADES)
    with pytest.raises(OperationUnsupported):
        created(method="native")
    assert {} == peer.provider().key_expiries()


# --- queries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "state"),
    [(timedelta(), ReportedState.PENDING), (timedelta(microseconds=1), ReportedState.FAILED)],
    ids=["still-payable", "over"],
)
def test_failure_is_final_only_when_nobody_can_pay(late: timedelta, state: ReportedState) -> None:
    """The form may be posted at the end of its life, and the cashier then lives as long again."""
    with playing(peer.answer(peer.found(pay_status="1"))):
        report = peer.provider(FixedClock(peer.OVER + late)).query(peer.ref()).report

    assert state is report.state


@pytest.mark.parametrize("word", ["2", "7", ""])
def test_other_word_than_failed_is_never_final(word: str) -> None:
    """However late it is said."""
    with playing(peer.answer(peer.found(pay_status=word))):
        report = peer.provider(FixedClock(peer.OVER + timedelta(days=9))).query(peer.ref()).report

    assert report.state is (ReportedState.PENDING if word == "2" else ReportedState.UNKNOWN)


@pytest.mark.parametrize(
    "changes",
    [
        {"out_trade_no": None},
        {"total_amt": None},
        {"total_amt": "380.01"},
        {"return_code": None},
        {"return_code": "zero"},
        {"order_id": "<script>"},
    ],
    ids=str,
)
def test_proven_answer_with_a_doubtful_member_is_no_verdict(changes: dict[str, Any]) -> None:
    """Signed is not enough."""
    with playing(peer.answer(peer.found(**changes))), pytest.raises(NoVerdict):
        peer.provider().query(peer.ref())


def test_answer_of_another_merchant_is_a_contradiction() -> None:
    """The core quarantines it."""
    with playing(peer.answer(peer.found(mer_id="020001020002"))):
        assert ("mer_id",) == peer.provider().query(peer.ref()).report.contradictions


@pytest.mark.parametrize("previous", [True, False], ids=["previous-key", "app-key"])
def test_answer_is_believed_by_each_configured_key_alone(*, previous: bool) -> None:
    """Both keys of a change; never our own."""
    reply = peer.answer(peer.found(), peer.BANK_PREVIOUS if previous else peer.APP)
    with playing(reply):
        if previous:
            assert peer.provider().query(peer.ref()).report.state is ReportedState.PAID
            return
        with pytest.raises(NoVerdict, match="not proven"):
            peer.provider().query(peer.ref())


@pytest.mark.parametrize("status", [301, 403, 500, 502])
def test_other_http_is_no_verdict_even_when_signed(status: int) -> None:
    """A proxy may have kept an old answer."""
    good = peer.answer(peer.found())
    with playing(WireAnswer(status=status, headers=good.headers, body=good.body)), pytest.raises(NoVerdict):
        peer.provider().query(peer.ref())


def test_refused_connection_is_unavailable() -> None:
    """Nothing was sent."""
    with playing(connection_refused()), pytest.raises(ProviderUnavailable):
        peer.provider().query(peer.ref())


def test_sealed_question_and_answer_are_read() -> None:
    """The answer's quotes are part of what was signed."""
    reply = peer.answer(peer.found())
    sealed = WireAnswer(
        status=200, headers=reply.headers, body=peer.answer_body(f'"{peer.sealed(peer.compact(peer.found()))}"')
    )
    with playing(sealed) as network:
        report = peer.provider(**peer.encrypting()).query(peer.ref()).report
    sent = dict(parse_qsl(network.sent[0].body.decode(), strict_parsing=True))

    assert report.state is ReportedState.PAID
    assert "AES" == sent["encrypt_type"]
    assert peer.NUMBER == json.loads(peer.unsealed(sent["biz_content"]))["out_trade_no"]
    assert network.sent[0].url == f"{peer.BASE_URL}{QUERY}"


def test_sealed_answer_without_our_key_is_no_verdict() -> None:
    """It cannot be read, and says so."""
    sealed = peer.answer_body(f'"{peer.sealed(peer.compact(peer.found()))}"')
    with playing(WireAnswer(status=200, headers={}, body=sealed)), pytest.raises(NoVerdict, match="encrypt_key"):
        peer.provider().query(peer.ref())


# --- refunds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"outtrx_serial_no": peer.NUMBER}, {"out_trade_no": peer.REFUND_NUMBER}], ids=["refund", "payment"]
)
def test_answer_about_another_refund_is_no_verdict(changes: dict[str, str]) -> None:
    """A signature does not name the question."""
    with playing(peer.answer(peer.taken(**changes))), pytest.raises(NoVerdict):
        peer.provider().refund(peer.refund_request())


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"pay_status": None}, ReportedRefundState.UNKNOWN),
        ({"pay_status": "5"}, ReportedRefundState.UNKNOWN),
        ({"pay_status": "2", "reject_amt": None}, ReportedRefundState.SUBMITTED),
    ],
    ids=["no-word", "unknown-word", "under-way"],
)
def test_refund_without_a_known_word_is_not_done(members: dict[str, Any], state: ReportedRefundState) -> None:
    """Silence is not success."""
    with playing(peer.answer(peer.taken(**members))):
        report = peer.provider().query_refund(peer.refund_request()).report

    assert report.refund is not None
    assert (state, ReportedState.UNKNOWN) == (report.refund.state, report.state)


def test_refund_done_without_an_amount_is_no_verdict() -> None:
    """How much went back must be said."""
    with playing(peer.answer(peer.taken(pay_status="0", reject_amt=None))), pytest.raises(NoVerdict):
        peer.provider().query_refund(peer.refund_request())
