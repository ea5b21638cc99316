"""
What the insurance side knows of people: names by identity number, personal accounts, and bindings between the two.

Source: sheet shared_account.md sections 4.1 and 4.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

NONE: Final = "0"
ACTIVE: Final = "1"
WAITING: Final = "2"
REVIEW_REFUSED: Final = "3"

ACCOUNT_NORMAL: Final = "1"
ACCOUNT_STATES: Final = ("1", "2", "3")
BALANCE_FEN: Final = 1_000_000
"""What every account holds until /control/account says otherwise."""


@dataclass(slots=True, kw_only=True)
class Account:
    """An employee's personal account; state 1 normal, 2 frozen, 3 closed."""

    balance_fen: int = BALANCE_FEN
    state: str = ACCOUNT_NORMAL


@dataclass(slots=True, kw_only=True)
class Binding:
    """An owner lets a relative use the account."""

    bind_id: str
    owner_id_no: str = field(repr=False)
    member_id_no: str = field(repr=False)
    member_name: str = field(repr=False)
    rel_code: str
    state: str
    effective_at: datetime

    @property
    def member_masked(self) -> str:
        """First 6 and last 2 characters."""
        return self.member_id_no[:6] + "*" * max(0, len(self.member_id_no) - 8) + self.member_id_no[-2:]


class Registry:
    """Guarded by the simulator's lock."""

    def __init__(self) -> None:
        self.bindings: dict[str, Binding] = {}
        self.answered: dict[str, tuple[dict[str, Any], str]] = {}
        self._current: dict[tuple[str, str], Binding] = {}
        self._names: dict[str, str] = {}
        self._accounts: dict[str, Account] = {}

    def account(self, owner_id_no: str) -> Account:
        """The owner's account; everybody has one here."""
        return self._accounts.setdefault(owner_id_no, Account())

    def known_as(self, id_no: str, name: str) -> bool:
        """False when the number was bound under another name before."""
        return self._names.get(id_no, name) == name

    def learn(self, id_no: str, name: str) -> None:
        """From now on the number goes with this name."""
        self._names[id_no] = name

    def current(self, owner_id_no: str, member_id_no: str) -> Binding | None:
        """The binding of the two that was not removed, whatever its review says."""
        binding = self._current.get((owner_id_no, member_id_no))
        return None if binding is None or binding.state == NONE else binding

    def add(self, binding: Binding) -> None:
        """Keep a new binding in the place of an earlier one of the two."""
        self.bindings[binding.bind_id] = binding
        self._current[binding.owner_id_no, binding.member_id_no] = binding

    def of_owner(self, owner_id_no: str) -> Iterator[Binding]:
        """The owner's bindings that were not removed."""
        return (b for b in self.bindings.values() if b.owner_id_no == owner_id_no and b.state != NONE)
