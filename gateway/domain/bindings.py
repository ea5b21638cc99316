"""
The binding desk (共济绑定) of a shared account: who may pay for whom, and what the account holds.

Nothing here moves money, and nothing of it is kept in our database: the platform alone knows who is bound.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from gateway.domain.order import Person


class BindingState(StrEnum):
    """Whether a binding lets its account pay: `active` alone does. A word we do not know is `unknown`."""

    NONE = "none"
    ACTIVE = "active"
    IN_REVIEW = "in_review"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class AccountState(StrEnum):
    """What the platform says of the personal account itself."""

    NORMAL = "normal"
    FROZEN = "frozen"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class ProofKind(StrEnum):
    """A document that shows the relation."""

    MARRIAGE_CERTIFICATE = "marriage_certificate"
    HOUSEHOLD_REGISTER = "household_register"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """
    What the platform says of one binding.

    Attributes:
        bind_id: Its number at the platform; "" if unsaid.
        relation: spouse | parent | child, or the region's own word; "" if unsaid or not one of the configured.
        member_id_masked: As the platform masked it; only in a list.
    """

    state: BindingState
    bind_id: str = field(default="", repr=False)
    relation: str = ""
    effective_on: date | None = None
    member_id_masked: str = field(default="", repr=False)
    member_name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """
    A document of the relation; the file itself never passes through the gateway.

    Attributes:
        file_no: The file's number where it was uploaded.
        sm3_hex: Its digest.
    """

    kind: ProofKind
    file_no: str
    sm3_hex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRequest:
    """
    A binding to be made. The same `req_sn` on every try.

    Attributes:
        owner: The account holder (授权人).
        member: The insured person (使用人).
        relation: spouse | parent | child, or the region's own word.
        notice_agreed: The account holder ticked 《职工医保门诊共济家庭账户绑定告知书》 and agreed.
    """

    owner: Person
    member: Person
    relation: str
    phone: str = field(repr=False)
    notice_agreed: bool
    proofs: tuple[Proof, ...]
    req_sn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbinding:
    """A binding to be removed. The same `req_sn` on every try; paid payments and their refunds are not touched."""

    owner: Person
    bind_id: str = field(repr=False)
    req_sn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the account held at a moment: advice for a page, which never decides a charge, and is never stored."""

    balance_fen: int = field(repr=False)
    state: AccountState
    as_of: datetime | None


@runtime_checkable
class BindingDesk(Protocol):
    """
    The desk of one account. A provider whose payments need a binding offers these beside `Provider`.

    They raise ProviderUnavailable, NoVerdict, RequestRefused or AccountMisconfigured, and nothing else.
    """

    def check_binding(self, owner: Person, member: Person, region: str) -> Binding:
        """Ask whether this account may pay for this person."""
        ...

    def list_bindings(self, owner: Person) -> tuple[Binding, ...]:
        """Everybody whom this account may pay for, or has asked to."""
        ...

    def add_binding(self, request: BindingRequest) -> Binding:
        """Bind, or ask for it. After NoVerdict the same request may be sent again."""
        ...

    def remove_binding(self, request: Unbinding) -> Binding:
        """Unbind (解绑). After NoVerdict the same request may be sent again."""
        ...

    def read_balance(self, owner: Person, region: str) -> Balance:
        """What the account holds."""
        ...
