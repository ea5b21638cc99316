"""What a query, a close and a cancel make of the answers."""

from datetime import datetime
from typing import Any

import pytest

from adapters.alipay.tables import (
    API_CANCEL,
    API_CLOSE,
    API_QUERY,
)
from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    NoVerdict,
    OperationUnsupported,
)
from gateway.domain.report import (
    ProviderReport,
    RefundReport,
    ReportedRefundState,
    ReportedState,
    Source,
)
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import answer_body, failed, ok, provider, ref, replies, trade

_NOT_EXIST = failed("40004", "ACQ.TRADE_NOT_EXIST")


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
