"""Money is integer fen. This module reads and writes the yuan texts that providers use; it never touches a float."""

import re
from typing import Final

AMOUNT_FEN_MAX: Final = 10_000_000_000
"""100 million yuan: Alipay's limit of total_amount, the largest of any provider here."""

_YUAN: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?")


def fen_from_yuan(text: str) -> int:
    """
    Read a provider's yuan text as fen, without floats: "380.5" is 38050.

    Raises:
        ValueError: Sign, exponent, blank, full-width digit, a third decimal, or more than 12 whole digits.
    """
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError(f"not an amount in yuan: {text[:24]!r}")
    whole, cents = match.groups(default="")
    return int(whole) * 100 + int(cents.ljust(2, "0"))


def signed_fen_from_yuan(text: str) -> int:
    """
    Read a statement's signed yuan text: "-1.20" is -120. Statements show refunds and fees below zero.

    Raises:
        ValueError: As `fen_from_yuan`.
    """
    return -fen_from_yuan(text[1:]) if text.startswith("-") else fen_from_yuan(text)


def yuan_from_fen(amount_fen: int) -> str:
    """Write fen as yuan with two decimals: 38001 is "380.01"."""
    if amount_fen < 0:
        raise ValueError("an amount is not negative")
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"
