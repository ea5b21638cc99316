"""Premiums that were collected outside the gateway: by agents (代办, schools) and by the tax side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from gateway.domain.order import PremiumSubject

AGENT_AMOUNT_FEN_MAX: Final = 1_000_000
"""10,000 yuan: far above any personal premium of a year, so that a typing mistake is found."""

AGENT_DAYS_LATE_MAX: Final = 31
"""Agents' records are half a month late as a rule; twice that is worth a question."""

AGENT_KINDS: Final[Mapping[str, str]] = {
    "village": "村（居）委会代办点",
    "street": "街道、乡镇经办窗口",
    "school": "学校代收",
    "veterans": "退役军人事务部门",
    "door_to_door": "上门代办员",
    "tax": "税务侧缴费",
}

_PROVIDER_BY_KIND: Final = {"tax": "tax"}
_AGENT: Final = "agent"
COLLECTOR_PROVIDERS: Final = frozenset({_AGENT, *_PROVIDER_BY_KIND.values()})
"""What stands as provider in payments that no provider of ours has moved, and none can send back."""


class CollectionMethod(StrEnum):
    """How the money was taken; `unstated` where the record does not say."""

    CASH = "cash"
    SCAN = "scan"
    TRANSFER = "transfer"
    UNSTATED = "unstated"


class CollectionState(StrEnum):
    """`accepted` pays an order; `review` waits for an operator; `rejected` was decided not to count."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """
    Who collects outside the gateway.

    Attributes:
        name: Name of the account in payments and ledger.
        code: What records call the agent.
        kind: One of AGENT_KINDS.
        regions: Divisions it collects for; None: all.
        apps: The apps that may submit its records.
        days_late_max: How old a record may be before a person looks at it.
    """

    name: str
    code: str
    title: str
    kind: str
    regions: frozenset[str] | None
    apps: frozenset[str]
    amount_fen_max: int = AGENT_AMOUNT_FEN_MAX
    days_late_max: int = AGENT_DAYS_LATE_MAX

    @property
    def provider(self) -> str:
        """What stands as provider in its payments: an outside channel's own name, else `agent`."""
        return _PROVIDER_BY_KIND.get(self.kind, _AGENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedRecord:
    """
    One premium that an agent says it has collected.

    Attributes:
        proof_no: Number of the proof that the payer was given; with the agent's code it names the record for ever.
        collected_on: The day in Beijing when the money was taken.
    """

    agent_code: str
    proof_no: str
    collected_on: date
    method: CollectionMethod
    amount_fen: int
    subject: PremiumSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """
    A collected record as it was taken in.

    Attributes:
        app: The app that submitted it.
        agent: The agent's account name.
        version: 1 for the first content under this agent code and proof number, then 2 …
        content: Keyed digest of the whole record: the same content is the same record.
        reason: Why it is in review; "" otherwise.
        collected_on: ISO date.
        slot: As in `Order`.
        batch_id, line_no: Where it first stood.
        evidence_id: The notification that holds the raw record sealed.
        order_id, payment_id: What it paid, once accepted.
    """

    id: str
    app: str
    agent: str
    agent_code: str
    proof_no: str
    version: int
    content: str
    state: CollectionState
    reason: str
    amount_fen: int
    collected_on: str
    method: CollectionMethod
    region: str
    insured_year: int
    insurance_kind: str
    insured_index: str
    slot: str
    batch_id: str
    line_no: int
    evidence_id: str
    order_id: str | None
    payment_id: str | None
    created_at: datetime
    updated_at: datetime


class LineOutcome(StrEnum):
    """What becomes, or would become, of one line of a batch."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REVIEW = "review"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedLine:
    """
    One line of a batch as it was read.

    Attributes:
        record: None when it cannot be one; then `errors` says why, per field.
    """

    line_no: int
    record: CollectedRecord | None
    errors: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """
    What became of one line.

    Attributes:
        state: The collection's state now, for duplicates; None where there is no collection.
        reason: Why it is in review.
        errors: Per field, for invalid lines.
    """

    line_no: int
    outcome: LineOutcome
    reason: str = ""
    state: CollectionState | None = None
    collection_id: str | None = None
    order_id: str | None = None
    payment_id: str | None = None
    review_id: str | None = None
    errors: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpaidOrder:
    """An order that could still be paid for a premium, as far as a collected record of that premium cares."""

    id: str
    app: str
    amount_fen: int
