"""Operators: people, or their scripts, who look after the gateway, and what each role may do."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """
    VIEWER: looks.
    OPERATOR: has things done again that move no new money.
    APPROVER: agrees to what moves money, when another operator has asked for it.
    ADMIN: all of it, and the operators themselves.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


_RANK: Final = {role: rank for rank, role in enumerate(Role)}


def may_act_as(role: Role, wanted: Role) -> bool:
    """True when a role includes what another one may do."""
    return _RANK[role] >= _RANK[wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """
    One operator account.

    Attributes:
        name: Stands in histories as operator:<name>.
        api_key_digests: SHA-256, hex; two may be live for rotation.
    """

    name: str
    role: Role
    api_key_digests: tuple[str, ...] = field(repr=False)
