"""Yuan texts and integer fen, without floats; the sandbox's own code, so that a fault in the gateway's shows here."""

import re
from typing import Final

_YUAN: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?")


def fen_of(text: str) -> int:
    """
    Read a yuan text: "380.5" is 38050.

    Raises:
        ValueError: Sign, exponent, blank, more than two decimals, or more than nine whole digits.
    """
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError(f"not an amount in yuan: {text[:24]!r}")
    yuan, decimals = match.groups(default="")
    return int(yuan) * 100 + int((decimals + "00")[:2])


def yuan_of(amount_fen: int) -> str:
    """Write fen as yuan with two decimals; below zero with a leading minus, as statements show refunds."""
    yuan, decimals = divmod(abs(amount_fen), 100)
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{yuan}.{decimals:02d}"
