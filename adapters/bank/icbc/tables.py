"""ICBC's words and what they mean here. A word that we do not know is never paid, failed or final."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.report import ReportedRefundState, ReportedState

ENCRYPT_TYPE: Final = "AES"
"""The word for the only content encryption there is. Source: sheet section 4.1."""

DONE: Final = "0"

NO_SUCH_ORDER: Final = frozenset({"500020"})
"""return_code of a question about what the bank does not know. Source: vector ok-business-error; unverified live."""


class Act(StrEnum):
    """What a return_code other than 0 asks for; `adapters.bank.icbc.client` turns it into an error class."""

    ASK = "ask"  # may have been accepted: query
    FIX = "fix"  # final, and an operator must act


ACT_BY_CODE: Final = MappingProxyType(
    {
        "400011": Act.FIX,  # 参数非法
        "400017": Act.FIX,  # 签名验证失败
    }
)
"""
Codes of the platform itself, which refuses before the bank's systems are asked. Any other: ASK.

A negative code is a system error: the outcome is in doubt. A positive one is a business error, but not always a final
one: a refund under way (00070038) has a positive code, too.
Source: sheet section 4.4; the codes: public integration notes of two clients, unverified live.
"""

PAYMENT_STATE_BY_PAY_STATUS: Final = MappingProxyType(
    {"0": ReportedState.PAID, "1": ReportedState.FAILED, "2": ReportedState.PENDING}
)
"""pay_status of orderqry: 成功, 失败, 未知. Source: three public clients (sheet section 4.3 knows 0 alone)."""

REFUND_STATE_BY_PAY_STATUS: Final = MappingProxyType(
    {"0": ReportedRefundState.SUCCEEDED, "1": ReportedRefundState.FAILED, "2": ReportedRefundState.SUBMITTED}
)
"""pay_status of refundqry: the refund's, not the payment's. Source: three public clients."""


def payment_state_of(pay_status: str, *, over: bool) -> ReportedState:
    """
    A payment's state by the pay_status of a query.

    Args:
        over: Nobody can pay any more. Before that a failed try can be followed by a good one, so that a failure is
            still pending. Source: orderqry's deal_flag 2 is 关单（不支持二次支付）in a public client: without it
            a second try is possible.
    """
    state = PAYMENT_STATE_BY_PAY_STATUS.get(pay_status, ReportedState.UNKNOWN)
    return ReportedState.PENDING if state is ReportedState.FAILED and not over else state


def refund_state_of(pay_status: str) -> ReportedRefundState:
    """A refund's state by the pay_status of a query."""
    return REFUND_STATE_BY_PAY_STATUS.get(pay_status, ReportedRefundState.UNKNOWN)
