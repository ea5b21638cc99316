"""What a provider said, and what the values of the contract hold by themselves."""

from dataclasses import FrozenInstanceError
from datetime import datetime

import pytest

from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    CallbackRefused,
    Instruction,
    InstructionKind,
    PaymentAnswer,
    ProviderAnswer,
    RawCallback,
    RequestRefused,
)
from gateway.domain.report import ProviderReport, ReportedRefundState, ReportedState, Source
from gateway.domain.states import PAYMENT_ARROWS, REFUND_ARROWS, PaymentState, RefundState

CANARY = b"canary-body"
REPORT = ProviderReport(source=Source.QUERY, out_trade_no="0" * 32, state=ReportedState.PAID, provider_status="SUCCESS")
INSTRUCTION = Instruction(kind=InstructionKind.NONE, payload={})


def test_report_cannot_be_changed() -> None:
    """What was said was said."""
    with pytest.raises(FrozenInstanceError):
        REPORT.state = ReportedState.FAILED  # type: ignore[misc]


def test_report_says_nothing_that_it_was_not_told() -> None:
    """An unsaid amount is None, not zero."""
    assert REPORT.amount_fen is None
    assert REPORT.refund is None
    assert REPORT.refunded_total_fen is None
    assert REPORT.contradictions == ()


@pytest.mark.parametrize(
    "value",
    [
        RawCallback(headers={}, body=CANARY, received_at=datetime(2026, 3, 1, tzinfo=CHINA)),
        ProviderAnswer(report=REPORT, raw=CANARY),
        PaymentAnswer(instruction=INSTRUCTION, report=REPORT, raw=CANARY),
    ],
    ids=["callback", "answer", "payment-answer"],
)
def test_raw_bytes_are_not_in_a_repr(value: object) -> None:
    """Bodies carry names and openids."""
    assert "canary" not in repr(value)


@pytest.mark.parametrize("state", ReportedState)
def test_reported_payment_state_has_a_place_in_the_order_model(state: ReportedState) -> None:
    """Whatever is reported is either one of our states or "not there"."""
    assert state is ReportedState.NOT_FOUND or PaymentState(state.value) in PAYMENT_ARROWS


@pytest.mark.parametrize("state", ReportedRefundState)
def test_reported_refund_state_has_a_place_in_the_order_model(state: ReportedRefundState) -> None:
    """Whatever is reported is either one of our states or "not there"."""
    assert state is ReportedRefundState.NOT_FOUND or RefundState(state.value) in REFUND_ARROWS


def test_errors_carry_what_events_need_beside_their_text() -> None:
    """Code and trace id are attributes, so that a text need not hold them."""
    error = RequestRefused("refused", code="PARAM_ERROR", trace_id="t-1")
    refused = CallbackRefused("stale", skew_seconds=301)

    assert (str(error), error.code, error.trace_id) == ("refused", "PARAM_ERROR", "t-1")
    assert (str(refused), refused.reason, refused.skew_seconds) == ("stale", "stale", 301)
