"""ReturnCodes and order states (Status), and what they mean here. An unknown state is never paid, failed or final."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.report import ReportedRefundState, ReportedState

SUCCEEDED: Final = "0000"
"""Of the message alone: an order placed, a question answered, a refund accepted; in a notify, the payment made."""


class Act(StrEnum):
    """What the signed code of an answer asks for; `client` turns it into an error class."""

    ASK = "ask"  # may have been accepted: query
    FAIL = "fail"  # final for this number
    FIX = "fix"  # final, and an operator must act


ACT_BY_ORDER_CODE: Final = MappingProxyType(
    {
        "2302": Act.FIX,  # no permission for this message; meaning unverified
        "EUNKWN": Act.ASK,
        # Words of the bank's own client library for lost and unreadable answers. No server is known to send them.
        **dict.fromkeys(("1201", "1202", "1205", "1206", "1301", "1302", "1303", "1999"), Act.ASK),
    }
)
"""
ReturnCode of PayReq and Refund. Any other, signed: FAIL, which the core believes of a refund, and of an order that it
tried before, only after a query that finds nothing. Source: sheet section 3.5.
"""
ACT_BY_QUESTION_CODE: Final = MappingProxyType({"2302": Act.FIX})
"""ReturnCode of Query and Settle. Any other says nothing of what was asked about: ASK again."""

_PAYMENT_STATE: Final = MappingProxyType(
    {
        "01": (ReportedState.PENDING, ReportedState.CLOSED),  # 未支付
        "02": (ReportedState.UNKNOWN, ReportedState.UNKNOWN),  # 无回应
        "03": (ReportedState.PAID, ReportedState.PAID),  # 已请款
        "04": (ReportedState.PAID, ReportedState.PAID),  # 成功
        "05": (ReportedState.UNKNOWN, ReportedState.UNKNOWN),  # 已退款: how much, it does not say
        "99": (ReportedState.PENDING, ReportedState.FAILED),  # 失败
    }
)
"""Before and after the order's last moment. Any other: UNKNOWN. Source: sheet section 3.3; meanings unverified."""

_REFUND_STATE: Final = MappingProxyType(
    {
        "01": ReportedRefundState.SUBMITTED,
        "03": ReportedRefundState.SUBMITTED,
        "04": ReportedRefundState.SUCCEEDED,
        "99": ReportedRefundState.FAILED,
    }
)
"""Of a refund's own order. Any other: UNKNOWN. Source: sheet section 3.3; that refunds use these words, unverified."""


def payment_state_of(status: str, *, over: bool) -> ReportedState:
    """
    A payment's state by its order's Status.

    Args:
        over: The last moment to pay has passed. Before it a failed try may be followed by a good one, and an unpaid
            order can be paid. Source: sheet section 6, no. 7.
    """
    before, after = _PAYMENT_STATE.get(status, (ReportedState.UNKNOWN, ReportedState.UNKNOWN))
    return after if over else before


def refund_state_of(status: str) -> ReportedRefundState:
    """A refund's state by the Status of its own order."""
    return _REFUND_STATE.get(status, ReportedRefundState.UNKNOWN)
