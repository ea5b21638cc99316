"""UnionPay's response codes (应答码) and what they mean here. A code we do not know is never paid, failed or final."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.report import ReportedRefundState, ReportedState

ACCEPTED: Final = frozenset({"00", "A6"})
"""As the answer to a call: taken, which is neither paid nor refunded. A6 is "with a defect": reconcile."""

NO_SUCH_PAYMENT: Final = "34"
NO_SUCH_FILE: Final = "98"


class Act(StrEnum):
    """What the code of an answer asks for; `adapters.unionpay.client` turns it into an error class."""

    RETRY = "retry"  # surely not accepted: the same number later
    ASK = "ask"  # may have been accepted: query
    FAIL = "fail"  # final for this number
    FIX = "fix"  # final, and an operator must act


class Meaning(StrEnum):
    """What a code says of the payment or refund itself: origRespCode of a query, respCode of a notify."""

    SUCCEEDED = "succeeded"
    WAITING = "waiting"
    FAILED = "failed"
    UNKNOWN = "unknown"


def _each(codes: str, value: Act) -> dict[str, Act]:
    return dict.fromkeys(codes.split(), value)


_CARDHOLDER: Final = "60 61 62 63 64 65 66 67 68 69 71 72 73 76 77 78 79 80 81 82 84 90 91 92 93 94 95 96"
_REFUSED: Final = f"01 30 38 40 41 43 44 {_CARDHOLDER}"
_OURS: Final = "10 11 13 14 31 32 33"

ACT_BY_ORDER_CODE: Final = MappingProxyType(
    {
        **_each(_REFUSED, Act.FAIL),
        **_each(_OURS, Act.FIX),
        **_each("02 06 37 39", Act.RETRY),
        **_each("03 04 05 12 83 99", Act.ASK),
    }
)
"""respCode of an order. Any other: ASK. Source: sheet section 7, column "front/app order"."""

ACT_BY_BACK_CODE: Final = MappingProxyType(
    {
        **_each(f"{_REFUSED} 35 36", Act.FAIL),
        **_each(_OURS, Act.FIX),
        **_each("37 39", Act.RETRY),
        **_each("02 03 04 05 06 12 45 83 99", Act.ASK),
    }
)
"""respCode of a refund or an undo. Any other: ASK. Source: sheet section 7, column "undo/refund/被扫"."""

ACT_BY_QUERY_CODE: Final = MappingProxyType({"11": Act.FIX, "37": Act.RETRY})
"""respCode of a query that is neither 00 nor 34 says nothing of the payment: ASK again. Source: sheet section 7."""

ACT_BY_FILE_CODE: Final = MappingProxyType({**_each(_OURS, Act.FIX), **_each("02 06 37 39 98", Act.RETRY)})
"""respCode of a file download. Any other: ASK. Source: sheet section 7."""

MEANING_BY_CODE: Final = MappingProxyType(
    {
        **dict.fromkeys(ACCEPTED, Meaning.SUCCEEDED),
        **dict.fromkeys(["03", "04", "05", "06", "37", "70", "74", "75", "83", "99"], Meaning.WAITING),
        **dict.fromkeys(f"01 02 10 30 31 32 33 35 36 38 39 40 41 43 44 {_CARDHOLDER}".split(), Meaning.FAILED),
        # 已扣款但超时: the money moved, and is expected to come back by itself. The statement tells.
        "42": Meaning.UNKNOWN,
    }
)
"""Any other: UNKNOWN. Source: sheet section 7, column "As origRespCode in a query"."""

_PAYMENT_STATE: Final = {
    Meaning.SUCCEEDED: ReportedState.PAID,
    Meaning.WAITING: ReportedState.PENDING,
    Meaning.UNKNOWN: ReportedState.UNKNOWN,
}
_REFUND_STATE: Final = {
    Meaning.SUCCEEDED: ReportedRefundState.SUCCEEDED,
    Meaning.WAITING: ReportedRefundState.SUBMITTED,
    Meaning.FAILED: ReportedRefundState.FAILED,
    Meaning.UNKNOWN: ReportedRefundState.UNKNOWN,
}


def payment_state_of(code: str, *, over: bool) -> ReportedState:
    """
    A payment's state by its code.

    Args:
        over: The last moment to pay has passed. Before it a failed try can be followed by a good one with another
            card, so that a failure is still pending. Source: sheet section 7, FAILED*.
    """
    meaning = MEANING_BY_CODE.get(code, Meaning.UNKNOWN)
    if meaning is Meaning.FAILED:
        return ReportedState.FAILED if over else ReportedState.PENDING
    return _PAYMENT_STATE[meaning]


def refund_state_of(code: str) -> ReportedRefundState:
    """A refund's or undo's state by its code: a failure is final at once. Source: sheet section 7, FAILED*."""
    return _REFUND_STATE[MEANING_BY_CODE.get(code, Meaning.UNKNOWN)]
