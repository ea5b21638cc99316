"""What goes over the wire, as values: the answer to a request, and the way a callback is posted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Post = Callable[[str, Mapping[str, str], bytes], tuple[int, bytes]]
"""Post a callback to a URL; returns the receiver's HTTP code and body, raises OSError when there is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What the caller of a simulator gets.

    Attributes:
        lost: The caller must see no answer at all (a time-out or a dropped connection), whatever was committed.
        lost_after_seconds: How long a live server keeps the caller waiting before it drops the connection.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    lost: bool = False
    lost_after_seconds: float = 0


class RequestRefused(Exception):
    """A provider's refusal of a request, which its simulator writes as an answer; each has its own kinds of it."""


class SandboxFull(Exception):
    """The sandbox keeps its orders in memory and holds no more of them: restart it, or raise its limit."""


class PayRefused(Exception):
    """The payer cannot pay (unknown, expired, closed or already paid); the message is shown to the payer."""


def folded(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers under lower-case names: servers and clients change the case."""
    return {name.lower(): value for name, value in headers.items()}
