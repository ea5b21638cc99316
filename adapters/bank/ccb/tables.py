"""CCB's words for payments and refunds, and what they mean here. An unknown word is never paid, failed or final."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from gateway.domain.report import ReportedRefundState, ReportedState

SUCCEEDED: Final = "000000"
"""RETURN_CODE: the question was answered, or the refund taken. Source: sheet section 2.4."""

NO_RECORD: Final = "YDCA02910001"
"""RETURN_CODE 流水记录不存在: nothing of this order in this KIND. Source: public clients; vector query-error-code."""

UNSETTLED: Final = "0"
SETTLED: Final = "1"
"""KIND. An order paid today is invisible with 1. Source: sheet section 2.4."""

STATE_BY_SUCCESS: Final = MappingProxyType(
    {
        "Y": ReportedState.PAID,
        # The payer may try again under the same ORDERID: the try has failed, not the payment.
        "N": ReportedState.PENDING,
    }
)
"""SUCCESS of a callback. Any other: UNKNOWN. Source: sheet section 2.3."""

STATE_BY_ORDER_STATUS: Final = MappingProxyType(
    {
        "0": ReportedState.FAILED,
        "1": ReportedState.PAID,
        "2": ReportedState.PENDING,
        "3": ReportedState.PAID,  # 已部分退款
        "4": ReportedState.PAID,  # 已全额退款
        "5": ReportedState.PENDING,
    }
)
"""ORDER_STATUS of 5W1002. Any other: UNKNOWN. Source: sheet section 2.4; 3 to 5: two public clients."""

STATE_BY_REFUND_STATUS: Final = MappingProxyType(
    {
        "0": ReportedRefundState.FAILED,
        "1": ReportedRefundState.SUCCEEDED,
        "2": ReportedRefundState.SUBMITTED,
        "5": ReportedRefundState.SUBMITTED,
    }
)
"""STATUS of 5W1003. Any other: UNKNOWN. Source: two public clients; not in the sheet."""

_STRONGEST_FIRST: Final = (ReportedState.PAID, ReportedState.UNKNOWN, ReportedState.PENDING, ReportedState.FAILED)
_STRONGEST_REFUND_FIRST: Final = (
    ReportedRefundState.SUCCEEDED,
    ReportedRefundState.UNKNOWN,
    ReportedRefundState.SUBMITTED,
    ReportedRefundState.FAILED,
)


def payment_state_of(words: Iterable[str]) -> ReportedState:
    """What the tries of one order say together: one that was paid outweighs all, one that failed says the least."""
    states = {STATE_BY_ORDER_STATUS.get(word, ReportedState.UNKNOWN) for word in words}
    return next(state for state in _STRONGEST_FIRST if state in states)


def refund_state_of(words: Iterable[str]) -> ReportedRefundState:
    """What the lines of one refund code say together."""
    states = {STATE_BY_REFUND_STATUS.get(word, ReportedRefundState.UNKNOWN) for word in words}
    return next(state for state in _STRONGEST_REFUND_FIRST if state in states)
