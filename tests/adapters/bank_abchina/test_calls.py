"""What the bank is sent, and what is made of its answers, beside what the conformance suite asks of every adapter."""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    OperationUnsupported,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.statement import StatementKind
from tests.adapters.bank_abchina import peer
from tests.adapters.bank_abchina.case_calls import REFUND
from tests.conformance.case import FixedClock, WireAnswer
from tests.conformance.network import playing

OVER = peer.CREATED_AT + timedelta(minutes=40)
"""30 minutes to pay, and 10 until "unpaid" is believed."""


def sent_by_create(request: Any, **settings: Any) -> bytes:
    with playing(peer.answer(peer.placed())) as network:
        peer.provider(**settings).create(request)
    return network.sent[0].body


def order_sent(request: Any, **settings: Any) -> dict[str, Any]:
    order: dict[str, Any] = json.loads(sent_by_create(request, **settings))["Message"]["TrxRequest"]["Order"]
    return order


def refused_create(answered: WireAnswer, error: type[Exception]) -> Exception:
    with playing(answered), pytest.raises(error) as raised:
        peer.provider().create(peer.payment())
    return raised.value


# --- create -----------------------------------------------------------------------------------------------------------


def test_create_wrapped_puts_the_envelope_into_msg() -> None:
    """The newer cashier's form; the signed text inside is the same."""
    bare = sent_by_create(peer.payment())

    assert b'{"MSG":' + bare + b"}" == sent_by_create(peer.payment(), wrapped_requests=True)


def test_create_cleans_what_their_json_cannot_hold() -> None:
    """Nothing is escaped there, so that a quote would end the value."""
    order = order_sent(peer.payment(description='医保"},"OrderAmount":"0.01\\ {x}\n<b>😀缴费'))

    assert order["OrderDesc"] == "医保 , OrderAmount : 0.01 x b 缴费"
    assert order["OrderAmount"] == "380.01"


def test_create_cuts_the_text_between_two_characters() -> None:
    """100 bytes of UTF-8 are 33 characters of three bytes."""
    order = order_sent(peer.payment(description="医" * 80))

    assert "医" * 33 == order["OrderDesc"] == order["OrderItems"][0]["ProductName"]


def test_create_without_any_text_names_the_thing() -> None:
    """A product must have a name."""
    assert order_sent(peer.payment(description=' "\\" '))["OrderDesc"] == "缴费"


@pytest.mark.parametrize(
    ("expires_at", "timeout"),
    [
        pytest.param(peer.CREATED_AT + timedelta(minutes=7), "20260301102729", id="order-ends-first"),
        pytest.param(peer.CREATED_AT + timedelta(days=2), "20260301105029", id="pay-minutes-end-first"),
    ],
)
def test_create_tells_the_bank_when_the_order_ends(expires_at: datetime, timeout: str) -> None:
    """The bank must refuse money that we would send back, and no order outlives what a query can know of it."""
    assert order_sent(peer.payment(expires_at=expires_at))["orderTimeoutDate"] == timeout


@pytest.mark.parametrize(("method", "expected"), [("h5", "0"), ("pc", None)])
def test_create_with_unionpay_cards_names_the_link_in_a_phone(method: str, expected: str | None) -> None:
    """UnionPayLinkType belongs to PaymentType 6 on link 2 alone."""
    request = json.loads(sent_by_create(peer.payment(method), payment_type="6"))["Message"]["TrxRequest"]

    assert expected == request.get("UnionPayLinkType")


@pytest.mark.parametrize(
    "notify_url", ["https://pay.example.cn/" + "x" * 178, 'https://pay.example.cn/"x"'], ids=["201-bytes", "a-quote"]
)
def test_create_that_has_no_form_is_never_sent(notify_url: str) -> None:
    """It would be refused, or read as something else: an operator must act."""
    with playing() as network, pytest.raises(AccountMisconfigured):
        peer.provider().create(peer.payment(notify_url=notify_url))

    assert network.sent == []


def test_create_at_the_longest_notify_address_is_sent() -> None:
    """200 bytes."""
    assert sent_by_create(peer.payment(notify_url="https://pay.example.cn/" + "x" * 177))


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(peer.answer(peer.placed(OrderNo="0" * 32)), id="another-order"),
        pytest.param(peer.answer(peer.placed(TrxType="Query")), id="another-kind"),
        pytest.param(peer.answer(peer.placed(PaymentURL=None)), id="no-address"),
        pytest.param(peer.answer(peer.placed(PaymentURL="javascript:alert(1)")), id="no-web-address"),
        pytest.param(peer.answer(peer.placed(PaymentURL="http://pay.abchina.example/")), id="not-tls"),
        pytest.param(peer.answer(peer.placed(ReturnCode=None)), id="no-code"),
        pytest.param(peer.answer(peer.placed(ReturnCode=0)), id="code-no-text"),
        pytest.param(peer.answer(peer.placed(), merchant="103880000000002"), id="another-merchant"),
        pytest.param(peer.answer(peer.placed(), signer="stranger"), id="another-key"),
        pytest.param(peer.answer(peer.placed(), signer="abc_merchant"), id="our-own-key"),
    ],
)
def test_create_with_an_answer_that_is_not_one_gives_no_verdict(answered: WireAnswer) -> None:
    """The order may stand: ask."""
    assert type(refused_create(answered, NoVerdict)) is NoVerdict


def test_create_with_an_unsigned_error_says_what_it_claims_and_believes_nothing() -> None:
    """EUNKWN comes without a signature; a log should tell it from a proxy's page."""
    said = peer.message({"ReturnCode": "EUNKWN", "ErrorMessage": "交易结果未知"})
    body = f'{{"MSG":{{"Message":{said}}}}}'
    error = refused_create(WireAnswer(status=200, headers={}, body=body.encode("gbk")), NoVerdict)

    assert "EUNKWN" in str(error)
    assert "未知" not in str(error)


def test_create_of_nothing_is_refused_before_it_is_sent() -> None:
    """An order of no money is a caller's mistake."""
    with playing() as network, pytest.raises(RequestRefused):
        peer.provider().create(peer.payment(amount_fen=0))

    assert network.sent == []


# --- query ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "before", "after"),
    [
        ("01", ReportedState.PENDING, ReportedState.CLOSED),
        ("02", ReportedState.UNKNOWN, ReportedState.UNKNOWN),
        ("03", ReportedState.PAID, ReportedState.PAID),
        ("04", ReportedState.PAID, ReportedState.PAID),
        ("05", ReportedState.UNKNOWN, ReportedState.UNKNOWN),
        ("99", ReportedState.PENDING, ReportedState.FAILED),
        ("00", ReportedState.UNKNOWN, ReportedState.UNKNOWN),
        ("07", ReportedState.UNKNOWN, ReportedState.UNKNOWN),
        ("4", ReportedState.UNKNOWN, ReportedState.UNKNOWN),
    ],
)
def test_query_reads_the_orders_status_by_the_order_s_end(
    status: str, before: ReportedState, after: ReportedState
) -> None:
    """Unpaid and failed are final only when nobody can pay any more."""
    states = []
    for now in (OVER, OVER + timedelta(seconds=1)):
        with playing(peer.answer(peer.found(status))):
            states.append(peer.provider(FixedClock(now)).query(peer.ref()).report.state)

    assert [before, after] == states


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(peer.found(OrderNo="0" * 32), id="another-order"),
        pytest.param(peer.found(PayTypeID="Refund"), id="another-kind-of-order"),
        pytest.param(peer.found(Status=None), id="no-status"),
        pytest.param(peer.found(OrderAmount=None), id="no-amount"),
        pytest.param(peer.found(OrderAmount="380.010"), id="three-decimals"),
        pytest.param(peer.found(OrderAmount=380.01), id="a-number"),
        pytest.param({"TrxType": "Query", "Order": "!"}, id="not-base64"),
        pytest.param({"TrxType": "Query", "Order": "bnVsbA=="}, id="null"),
        pytest.param({"TrxType": "Query"}, id="no-order-at-all"),
        pytest.param({"TrxType": "Query", "Order": 7}, id="order-no-text"),
    ],
)
def test_query_with_an_order_that_cannot_be_read_gives_no_verdict(answered: dict[str, Any]) -> None:
    """Neither paid nor absent."""
    with playing(peer.answer(answered)), pytest.raises(NoVerdict):
        peer.provider().query(peer.ref())


def test_query_shows_nothing_of_the_payers_account() -> None:
    """The detail holds its number; it stays in the sealed evidence."""
    with playing(peer.answer(peer.found(AcctNo="6228480000000000017", iRspRef=peer.REFERENCE))):
        answer = peer.provider().query(peer.ref())

    assert answer.report.provider_trade_no == peer.REFERENCE
    assert "6228480000000000017" not in repr(answer)


# --- refund -----------------------------------------------------------------------------------------------------------


def test_refund_is_well_formed_json_and_the_old_text_on_demand() -> None:
    """The bank's library sends a comma and a brace too many; the signature is over what is sent."""
    bodies = []
    for legacy in (False, True):
        with playing(peer.answer(peer.refund_taken())) as network:
            peer.provider(legacy_refund_text=legacy).refund(peer.refund())
        bodies.append(network.sent[0].body)
    well, old = bodies

    assert json.loads(well)["Message"]["TrxRequest"] == REFUND
    assert b'"MerchantRemarks":"",}}},"Signature-Algorithm"' in old


@pytest.mark.parametrize(
    "changes", [{"NewOrderNo": "0" * 32}, {"NewOrderNo": None}, {"OrderNo": "0" * 32}, {"TrxAmount": "x"}], ids=str
)
def test_refund_with_an_answer_about_another_gives_no_verdict(changes: dict[str, Any]) -> None:
    """The same number is asked about before anything else."""
    with playing(peer.answer(peer.refund_taken(**changes))), pytest.raises(NoVerdict):
        peer.provider().refund(peer.refund())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("01", ReportedRefundState.SUBMITTED),
        ("02", ReportedRefundState.UNKNOWN),
        ("03", ReportedRefundState.SUBMITTED),
        ("04", ReportedRefundState.SUCCEEDED),
        ("05", ReportedRefundState.UNKNOWN),
        ("99", ReportedRefundState.FAILED),
        ("77", ReportedRefundState.UNKNOWN),
    ],
)
def test_refund_query_reads_the_refunds_own_status(status: str, expected: ReportedRefundState) -> None:
    """Done is 04 alone."""
    with playing(peer.answer(peer.refund_found(status))):
        report = peer.provider().query_refund(peer.refund()).report

    assert report.refund is not None
    assert expected is report.refund.state


def test_refund_query_takes_no_amount_that_may_be_the_payments() -> None:
    """OrderAmount in the answer about a refund is not known to be the refund's."""
    with playing(peer.answer(peer.refund_found(RefundAmount=None, OrderAmount="380.01"))):
        report = peer.provider().query_refund(peer.refund()).report

    assert report.refund is not None
    assert report.refund.amount_fen is None


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_close_is_unsupported() -> None:
    """The protocol has no message for it."""
    with pytest.raises(OperationUnsupported):
        peer.provider().close(peer.ref())


def test_acknowledgement_names_the_next_address_as_it_stands() -> None:
    """The bank takes it from between the tags; nothing in it was escaped."""
    page = peer.provider()._acknowledgements
    url = next(iter(page.values())).body.decode().partition("<URL>")[2].partition("</URL>")[0]

    assert url == peer.RESULT_URL
    assert parse_qsl(urlsplit(url).query) == [("from", "abc")]


def test_statement_of_funds_is_unsupported() -> None:
    """The bank has one kind."""
    with pytest.raises(OperationUnsupported):
        peer.provider().fetch_statement(peer.DAY, StatementKind.FUNDS)


def test_statement_without_records_is_empty_only_when_none_can_come() -> None:
    """The day after, it may not be made yet."""
    nothing = peer.answer({"TrxType": "Settle", "ZIPDetailRecords": "", "DetailRecords": ""})
    the_day_after_next = datetime(2026, 3, 2, 0, 0, tzinfo=CHINA)
    with playing(nothing), pytest.raises(ProviderUnavailable):
        peer.provider(FixedClock(the_day_after_next - timedelta(seconds=1))).fetch_statement(
            peer.DAY, StatementKind.TRADES
        )
    with playing(nothing):
        late = peer.provider(FixedClock(the_day_after_next)).fetch_statement(peer.DAY, StatementKind.TRADES)

    assert list(late) == []
