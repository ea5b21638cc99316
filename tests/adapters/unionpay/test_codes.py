"""Every row of the response-code tables, by what an operation does with it."""

from typing import Final

import pytest

from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    Operation,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.statement import StatementKind
from tests.adapters.unionpay import peer
from tests.conformance.case import FixedClock
from tests.conformance.network import playing

CARDHOLDER: Final = (
    *("60", "61", "62", "63", "64", "65", "66", "67", "68", "69", "71", "72", "73", "76", "77", "78", "79"),
    *("80", "81", "82", "84", "90", "91", "92", "93", "94", "95", "96"),
)
FAIL, FIX, RETRY, ASK = RequestRefused, AccountMisconfigured, ProviderUnavailable, NoVerdict
OURS: Final = ("10", "11", "13", "14", "31", "32", "33")
REFUSED: Final = ("01", "30", "38", "40", "41", "43", "44", *CARDHOLDER)
UNDOCUMENTED: Final = ("07", "15", "34", "42", "70", "74", "75", "85", "98", "A1", "ZZ")

BY_OPERATION: Final[dict[Operation, dict[str, type[ProviderError]]]] = {
    Operation.CREATE: {
        **dict.fromkeys(REFUSED, FAIL),
        **dict.fromkeys(OURS, FIX),
        **dict.fromkeys(("02", "06", "37", "39"), RETRY),
        **dict.fromkeys(("03", "04", "05", "12", "83", "99"), ASK),
        **dict.fromkeys((*UNDOCUMENTED, "35", "36", "45"), ASK),
    },
    Operation.REFUND: {
        **dict.fromkeys((*REFUSED, "35", "36"), FAIL),
        **dict.fromkeys(OURS, FIX),
        **dict.fromkeys(("37", "39"), RETRY),
        **dict.fromkeys(("02", "03", "04", "05", "06", "12", "45", "83", "99"), ASK),
        **dict.fromkeys(UNDOCUMENTED, ASK),
    },
    Operation.QUERY: {
        **dict.fromkeys((*REFUSED, "02", "03", "04", "05", "06", "10", "12", "31", "35", "99", "98", "ZZ"), ASK),
        "11": FIX,
        "37": RETRY,
    },
    Operation.FETCH_STATEMENT: {
        **dict.fromkeys(OURS, FIX),
        **dict.fromkeys(("02", "06", "37", "39", "98"), RETRY),
        **dict.fromkeys(("03", "04", "05", "34", "99", "ZZ"), ASK),
    },
}
ROWS: Final = [(operation, code, error) for operation, rows in BY_OPERATION.items() for code, error in rows.items()]


def perform(operation: Operation, code: str) -> None:
    provider = peer.provider()
    if operation is Operation.CREATE:
        with playing(peer.answer(peer.taken(respCode=code))):
            provider.create(peer.payment("app"))
    elif operation is Operation.REFUND:
        with playing(peer.answer(peer.refund_taken(respCode=code))):
            provider.refund(peer.refund())
    elif operation is Operation.QUERY:
        with playing(peer.answer(peer.absent(respCode=code))):
            provider.query(peer.ref())
    else:
        with playing(peer.answer(peer.file_answer("", fileContent=None, respCode=code))):
            provider.fetch_statement(peer.DAY, StatementKind.TRADES)


@pytest.mark.parametrize(("operation", "code", "error"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_answer_with_code_raises_its_decision(operation: Operation, code: str, error: type[ProviderError]) -> None:
    """Retry, ask, fail or mend: exactly as the table says, and to ask is the default."""
    with pytest.raises(ProviderError) as raised:
        perform(operation, code)

    assert error is raised.type
    assert code == raised.value.code


@pytest.mark.parametrize("operation", [Operation.QUERY, Operation.QUERY_REFUND])
@pytest.mark.parametrize("code", ["01", "12", "35", "66", "99"])
def test_query_that_failed_says_nothing_of_what_it_asked_about(operation: Operation, code: str) -> None:
    """A failed question is no failed payment, even beside an origRespCode."""
    provider = peer.provider()
    fields = peer.paid() if operation is Operation.QUERY else peer.refunded()
    with playing(peer.answer(peer.found(fields, "00", respCode=code))), pytest.raises(NoVerdict):
        provider.query(peer.ref()) if operation is Operation.QUERY else provider.query_refund(peer.refund())


FAILED: Final = (*REFUSED, "02", "10", "31", "32", "33", "35", "36", "39")
WAITING: Final = ("03", "04", "05", "06", "37", "70", "74", "75", "83", "99")
UNKNOWN: Final = ("07", "11", "12", "13", "14", "34", "42", "45", "98", "A1", "ZZ")
MEANINGS: Final = [
    *[(code, ReportedState.PAID, ReportedState.PAID, ReportedRefundState.SUCCEEDED) for code in ("00", "A6")],
    *[(code, ReportedState.PENDING, ReportedState.FAILED, ReportedRefundState.FAILED) for code in FAILED],
    *[(code, ReportedState.PENDING, ReportedState.PENDING, ReportedRefundState.SUBMITTED) for code in WAITING],
    *[(code, ReportedState.UNKNOWN, ReportedState.UNKNOWN, ReportedRefundState.UNKNOWN) for code in UNKNOWN],
]


@pytest.mark.parametrize(("code", "early", "late", "refund"), MEANINGS, ids=[row[0] for row in MEANINGS])
def test_original_code_means_what_the_table_says(
    code: str, early: ReportedState, late: ReportedState, refund: ReportedRefundState
) -> None:
    """A payment's failure is final only when its time is over, a refund's at once; what is not known is unknown."""
    clock = FixedClock(peer.NOW)
    provider = peer.provider(clock)
    answer, refund_answer = peer.answer(peer.found(peer.paid(), code)), peer.answer(peer.found(peer.refunded(), code))
    with playing(answer, refund_answer, answer):
        first = provider.query(peer.ref()).report
        about_refund = provider.query_refund(peer.refund()).report.refund
        clock.instant = peer.NOW + peer.PAY_MARGIN
        last = provider.query(peer.ref()).report

    assert about_refund is not None
    assert (early, late, refund) == (first.state, last.state, about_refund.state)


@pytest.mark.parametrize(("seconds", "wanted"), [(0, ReportedState.PENDING), (1, ReportedState.FAILED)])
def test_failure_becomes_final_one_second_after_its_margin(seconds: int, wanted: ReportedState) -> None:
    """The edge: payTimeout and ten minutes, counted from the whole second of txnTime."""
    at = peer.CREATED_AT.replace(microsecond=0) + peer.PAY_MARGIN
    clock = FixedClock(at.replace(second=at.second + seconds))
    with playing(peer.answer(peer.found(peer.paid(), "66"))):
        assert wanted is peer.provider(clock).query(peer.ref()).report.state
