"""newbank's words and their meaning here. A word that we do not know is never paid, failed or final."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.domain.report import ReportedRefundState, ReportedState

DONE: Final = "0000"
NO_SUCH_ORDER: Final = "2001"
NO_SUCH_REFUND: Final = "2002"
"""Fact to replace: the codes of an answered call, and of "we do not know this number" (source: annex of codes)."""


class Act(StrEnum):
    """What the code of an answer asks for; `adapters.newbank.client` turns it into an error class."""

    RETRY = "retry"  # surely not accepted: the same number later
    ASK = "ask"  # may have been accepted: query
    FAIL = "fail"  # final for this number
    FIX = "fix"  # final, and an operator must act


ACT_BY_CODE: Final[Mapping[str, Act]] = {
    "1001": Act.RETRY,  # too many requests
    "1003": Act.FIX,  # the signature is wrong
    "1004": Act.FIX,  # the merchant has no such permission
    "1005": Act.FAIL,  # a field is malformed
    NO_SUCH_ORDER: Act.FAIL,
    "2003": Act.FAIL,  # the number was used with another content
    "2005": Act.FAIL,  # the order is closed, or its time is over
    "2006": Act.FAIL,  # more than what is left to refund
    "2007": Act.FAIL,  # the order is not paid
}
"""
Codes in answer to an order or a refund. Any other, "paid already" (2004) among them: ASK.

Fact to replace: the codes that the document calls final, and only those (source: annex of codes).
"""

ACT_BY_QUESTION_CODE: Final[Mapping[str, Act]] = {"1001": Act.RETRY, "1003": Act.FIX, "1004": Act.FIX}
"""
Codes in answer to a query or a close: a refused question says nothing of the payment. Any other: ASK.

Fact to replace: as above (source: annex of codes).
"""

STATE_BY_TRADE_STATE: Final[Mapping[str, ReportedState]] = {
    "WAIT": ReportedState.PENDING,
    "PAID": ReportedState.PAID,
    "CLOSED": ReportedState.CLOSED,
}
"""
Fact to replace: every status word of a payment (source: section on the order query, table of states). Ask the bank of
each whether it can still turn into "paid": only a word that cannot may be CLOSED or FAILED.
"""

STATE_BY_REFUND_STATE: Final[Mapping[str, ReportedRefundState]] = {
    "DOING": ReportedRefundState.SUBMITTED,
    "DONE": ReportedRefundState.SUCCEEDED,
    "FAILED": ReportedRefundState.FAILED,
}
"""Fact to replace: every status word of a refund (source: section on the refund query, table of states)."""


def state_of(trade_state: str) -> ReportedState:
    """A payment's state; a word that is not in the table is UNKNOWN."""
    return STATE_BY_TRADE_STATE.get(trade_state, ReportedState.UNKNOWN)


def refund_state_of(refund_state: str) -> ReportedRefundState:
    """A refund's state; a word that is not in the table is UNKNOWN."""
    return STATE_BY_REFUND_STATE.get(refund_state, ReportedRefundState.UNKNOWN)
