"""What a value of the contract holds when its adapter has said no more."""

from gateway.domain.provider import (
    Instruction,
    InstructionKind,
    Method,
    MethodField,
    PaymentAnswer,
    ProviderAnswer,
)
from gateway.domain.report import ProviderReport, ReportedState, Source
from gateway.domain.schedule import QUERY_PAUSES

REPORT = ProviderReport(source=Source.QUERY, out_trade_no="0" * 32, state=ReportedState.PAID, provider_status="SUCCESS")
NOTHING = Instruction(kind=InstructionKind.NONE, payload={})


def test_field_is_neither_personal_nor_single_use_unless_it_says_so() -> None:
    """What is either, is kept and repeated in another way."""
    field = MethodField(required=True, pattern=".*", description="")

    assert (False, False) == (field.personal, field.single_use)


def test_method_takes_any_order_and_any_part_of_it_back_unless_it_says_so() -> None:
    """It has no fields of its own, and is asked about at the usual times."""
    method = Method(name="native", title="", instruction=InstructionKind.QR_TEXT)

    assert ({}, False, False) == (method.fields, method.needs_subject, method.refunds_whole)
    assert QUERY_PAUSES == method.query_pauses


def test_answer_without_its_bytes_has_none() -> None:
    """Nothing is kept as evidence that nobody sent."""
    assert b"" == ProviderAnswer(report=REPORT).raw == PaymentAnswer(report=REPORT, instruction=NOTHING).raw
    assert NOTHING.expires_at is None
