"""The platform's words and what they mean here. A word we do not know is never paid, failed or final."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.bindings import ProofKind
from gateway.domain.report import ReportedRefundState, ReportedState


class TransType(StrEnum):
    """What a message is about; it is signed. Source: sheet section 4; our own profile, no public interface exists."""

    BIND_CHECK = "sa.bind.check"
    BIND_LIST = "sa.bind.list"
    BIND_ADD = "sa.bind.add"
    BIND_REMOVE = "sa.bind.remove"
    BALANCE = "sa.acct.balance"
    CHARGE = "sa.pay.charge"
    QUERY = "sa.pay.query"
    REVOKE = "sa.pay.revoke"
    STATEMENT = "sa.recon.file"


NOTIFY: Final = "sa.pay.notify"
CALL_PAID: Final = "02"
CALL_REVOKED: Final = "03"

READS: Final = frozenset(
    {TransType.BIND_CHECK, TransType.BIND_LIST, TransType.BALANCE, TransType.QUERY, TransType.STATEMENT}
)
"""Operations without a side effect. Source: sheet section 4."""

DEFAULT_PATHS: Final[Mapping[TransType, str]] = MappingProxyType(
    {kind: "/" + kind.value.replace(".", "/") for kind in TransType}
)

STATE_BY_ORD_STAS: Final[Mapping[str, ReportedState]] = MappingProxyType(
    {
        **dict.fromkeys(("0", "1", "2"), ReportedState.PENDING),
        **dict.fromkeys(("3", "4", "5"), ReportedState.PENDING),  # settled candidates: a region may map them to paid
        "6": ReportedState.PAID,
        "7": ReportedState.CLOSED,
        "8": ReportedState.PAID,  # refunded: only paid money goes back
        **dict.fromkeys(("14", "15", "16"), ReportedState.FAILED),
    }
)
"""9 to 13 (cancelled, refunding) are for a person. Source: sheet section 4.4; single meanings unverified."""

ORD_STAS_PAID: Final = "6"
ORD_STAS_REFUNDED: Final = "8"

STATE_BY_REF_STATUS: Final[Mapping[str, ReportedRefundState]] = MappingProxyType(
    {
        "SUCC": ReportedRefundState.SUCCEEDED,
        "FAIL": ReportedRefundState.FAILED,
        "EXP": ReportedRefundState.UNKNOWN,
    }
)
"""Source: sheet section 4.5."""


class Act(StrEnum):
    """What a code asks for; `adapters.shared_account.client` turns it into an error class."""

    RETRY = "retry"  # surely nothing was done: the same identifiers later
    QUERY = "query"  # may have been done: ask for the state
    FAIL = "fail"  # final for this number
    FIX = "fix"  # final, and an operator must act


RELATIONS: Final[Mapping[str, str]] = MappingProxyType({"spouse": "01", "parent": "02", "child": "03"})
"""配偶, 父母, 子女: the three that a city's guide names. Source: sheet section 4.1."""

PROOF_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {ProofKind.MARRIAGE_CERTIFICATE: "01", ProofKind.HOUSEHOLD_REGISTER: "02", ProofKind.OTHER: "99"}
)
"""结婚证, 居民户口簿, other. Source: sheet section 4.1."""

INSUTYPES: Final[Mapping[str, str]] = MappingProxyType({"resident_medical": "390"})
"""险种 of 城乡居民医保, unverified. Source: sheet section 4.3."""

ORDER_NOT_FOUND: Final = "SA3001"
ALREADY_REVOKED: Final = "SA3007"
NOT_BOUND: Final = "SA2004"
RELATION_NOT_ALLOWED: Final = "SA2005"
WAITS_FOR_REVIEW: Final = "SA2013"
NOTICE_OR_PROOF_MISSING: Final = "SA2014"
NOT_THE_FULL_AMOUNT: Final = "SA3006"

ACT_BY_CODE: Final[Mapping[str, Act]] = MappingProxyType(
    {
        "SA1001": Act.FAIL,
        "SA1002": Act.FIX,
        "SA1003": Act.FIX,
        "SA1004": Act.RETRY,  # our clock or theirs: key_expiries and callbacks show the skew
        "SA1005": Act.FIX,
        "SA1006": Act.FIX,
        "SA1007": Act.FAIL,
        "SA1008": Act.RETRY,
        **{f"SA20{number:02d}": Act.FAIL for number in range(1, 16)},
        ORDER_NOT_FOUND: Act.QUERY,  # read before this table wherever it can mean something
        "SA3002": Act.FIX,
        "SA3003": Act.FAIL,
        "SA3004": Act.QUERY,
        "SA3005": Act.FAIL,
        NOT_THE_FULL_AMOUNT: Act.FAIL,
        ALREADY_REVOKED: Act.QUERY,  # read before this table when a refund is submitted
        "SA3008": Act.RETRY,
        "SA5001": Act.RETRY,
        "SA5002": Act.QUERY,
        "SA5003": Act.RETRY,
        "SA5999": Act.QUERY,
    }
)
"""USER and FAIL of the sheet are both final here, CFG and "FAIL, alert" call an operator. Source: sheet section 5."""


def act_of(trans_type: TransType, code: str) -> Act:
    """An unlisted code ends a question, and never anything that may have moved money or a binding."""
    return ACT_BY_CODE.get(code) or (Act.FAIL if trans_type in READS else Act.QUERY)


def refund_state_of(ref_status: str) -> ReportedRefundState:
    """A refStatus we do not know is UNKNOWN."""
    return STATE_BY_REF_STATUS.get(ref_status, ReportedRefundState.UNKNOWN)
