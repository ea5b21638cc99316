"""WeChat's words and what they mean here. A word we do not know is never paid, failed or final."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.provider import Operation
from gateway.domain.report import ReportedRefundState, ReportedState

STATE_BY_TRADE_STATE: Final = MappingProxyType(
    {
        "NOTPAY": ReportedState.PENDING,
        "USERPAYING": ReportedState.PENDING,
        "ACCEPT": ReportedState.PENDING,
        "SUCCESS": ReportedState.PAID,
        "REFUND": ReportedState.PAID,  # some refund was accepted once, even a failed one: the money had come
        "CLOSED": ReportedState.CLOSED,
        "REVOKED": ReportedState.CLOSED,
        "PAYERROR": ReportedState.FAILED,
    }
)
"""Source: sheet section 4.5; the rows USERPAYING, ACCEPT, REVOKED, PAYERROR partly unverified."""

STATE_BY_REFUND_STATUS: Final = MappingProxyType(
    {
        "PROCESSING": ReportedRefundState.SUBMITTED,
        "SUCCESS": ReportedRefundState.SUCCEEDED,
        "CLOSED": ReportedRefundState.FAILED,
        "ABNORMAL": ReportedRefundState.ABNORMAL,
    }
)
"""Source: sheet section 4.7."""


class Act(StrEnum):
    """What an error code asks for; `adapters.wechatpay.client` turns it into an error class."""

    RETRY = "retry"  # surely not accepted: the same number later
    QUERY = "query"  # may have been accepted: ask for the state
    FAIL = "fail"  # final for this number
    FIX = "fix"  # final, and an operator must act


ACT_BY_CODE: Final = MappingProxyType(
    {
        "SYSTEMERROR": Act.QUERY,
        "SERVICEUNAVAILABLE": Act.QUERY,
        "FREQUENCYLIMITED": Act.RETRY,
        "RATELIMITEXCEEDED": Act.RETRY,
        "FREQUENCYLIMITEXCEED": Act.RETRY,
        "USERPAYING": Act.QUERY,
        "SIGNERROR": Act.FIX,
        "PARAMERROR": Act.FIX,
        "INVALIDREQUEST": Act.FAIL,
        "APPIDMCHIDNOTMATCH": Act.FIX,
        "MCHNOTEXISTS": Act.FIX,
        "NOAUTH": Act.FIX,
        "RULELIMIT": Act.FAIL,
        "ORDERPAID": Act.QUERY,
        "OUTTRADENOUSED": Act.QUERY,
        "ALREADYEXISTS": Act.QUERY,
    }
)
"""Codes, normalised, that mean the same in every operation. Source: sheet section 5."""

ACT_BY_OPERATION: Final = MappingProxyType(
    {
        (Operation.CREATE, "BANKERROR"): Act.QUERY,
        (Operation.CREATE, "OPENIDMISMATCH"): Act.FIX,
        (Operation.CREATE, "ORDERCLOSED"): Act.FAIL,
        (Operation.CREATE, "NOTENOUGH"): Act.FAIL,
        (Operation.CREATE, "TRADEERROR"): Act.FAIL,
        (Operation.CREATE, "ACCOUNTERROR"): Act.FAIL,
        (Operation.QUERY, "RULELIMIT"): Act.RETRY,
        (Operation.QUERY, "INVALIDTRANSACTIONID"): Act.FIX,
        (Operation.CLOSE, "RULELIMIT"): Act.RETRY,
        (Operation.REFUND, "NOTENOUGH"): Act.RETRY,  # nothing was booked: the same number after a top-up
        (Operation.REFUND, "RESOURCENOTEXISTS"): Act.FAIL,
        (Operation.REFUND, "USERACCOUNTABNORMAL"): Act.FAIL,
        (Operation.REFUND, "REQUESTBLOCKED"): Act.FIX,
        (Operation.REFUND, "INVALIDTRANSACTIONID"): Act.FIX,
        (Operation.QUERY_REFUND, "RULELIMIT"): Act.RETRY,
        (Operation.QUERY_REFUND, "INVALIDTRANSACTIONID"): Act.FIX,
        (Operation.FETCH_STATEMENT, "STATEMENTCREATING"): Act.RETRY,
        (Operation.FETCH_STATEMENT, "NOSTATEMENTEXIST"): Act.RETRY,  # asked too early to mean an empty day
    }
)
"""What a code means in one operation; it goes before ACT_BY_CODE. Source: sheet section 5."""

NO_SUCH_ORDER: Final = frozenset({"ORDERNOTEXIST", "TRADENOTEXIST"})
NO_SUCH_REFUND: Final = frozenset({"RESOURCENOTEXISTS"})
NO_STATEMENT: Final = frozenset({"NOSTATEMENTEXIST"})

_TOO_MANY_REQUESTS: Final = 429


def normal_code(code: str) -> str:
    """One spelling for a code that occurs with and without underscores. Source: sheet section 5."""
    return code.upper().replace("_", "")


def act_of(operation: Operation, code: str, status: int) -> Act:
    """
    Decide by the normalised code, and only then by the HTTP status: a 429 was surely not accepted.

    An unknown code is QUERY, because only a documented code may end anything.
    """
    act = ACT_BY_OPERATION.get((operation, code)) or ACT_BY_CODE.get(code)
    return act or (Act.RETRY if status == _TOO_MANY_REQUESTS else Act.QUERY)


def payment_state_of(trade_state: str) -> ReportedState:
    """A trade_state we do not know is UNKNOWN."""
    return STATE_BY_TRADE_STATE.get(trade_state, ReportedState.UNKNOWN)


def refund_state_of(status: str) -> ReportedRefundState:
    """A refund status we do not know is UNKNOWN."""
    return STATE_BY_REFUND_STATUS.get(status, ReportedRefundState.UNKNOWN)
