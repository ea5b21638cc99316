"""Refunds: what moved, what must be asked."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.alipay.tables import (
    API_REFUND,
    API_REFUND_QUERY,
)
from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    NoVerdict,
)
from gateway.domain.report import (
    RefundReport,
    ReportedRefundState,
    ReportedState,
)
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import answer_body, failed, ok, provider, refund, replies

_NOT_EXIST = failed("40004", "ACQ.TRADE_NOT_EXIST")


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
