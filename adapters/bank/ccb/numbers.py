"""Our numbers as the bank can hold them: an order's is read back without memory, a refund's is compared with."""

import hashlib
import re
from typing import Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BITS: Final = 128

ORDER_ID_CHARACTERS: Final = 25
"""The fewest digits of base 36 that hold every number of 128 bits; the bank allows 30. Source: sheet section 2.2."""

REFUND_CODE_CHARACTERS: Final = 15
"""All that REFUND_CODE can hold, as two public clients document the field (varChar(15)); not in the sheet."""

_ORDER_ID: Final = re.compile(rf"[0-9A-Z]{{{ORDER_ID_CHARACTERS}}}")
_OUT_TRADE_NO: Final = re.compile(r"[0-9a-f]{32}")


def order_id_of(out_trade_no: str) -> str:
    """
    The bank's ORDERID of a payment: our 32 hex digits in base 36, capitals, always 25 characters.

    Raises:
        ValueError: Not 32 lower-case hex digits.
    """
    if _OUT_TRADE_NO.fullmatch(out_trade_no) is None:
        raise ValueError("out_trade_no")
    return _base36(int(out_trade_no, 16), ORDER_ID_CHARACTERS)


def out_trade_no_of(order_id: str) -> str:
    """The payment's number in an ORDERID of ours; any other ORDERID stays as it is, and no payment of ours has it."""
    if _ORDER_ID.fullmatch(order_id) is None or (number := int(order_id, 36)) >> _BITS:
        return order_id
    return f"{number:032x}"


def refund_code_of(out_refund_no: str) -> str:
    """
    The REFUND_CODE of a refund: 15 digits of base 36 from the SHA-256 of our number.

    128 bits do not fit into 15 characters; it is never read back, only compared with.
    """
    digest = hashlib.sha256(out_refund_no.encode()).digest()
    return _base36(int.from_bytes(digest) % len(_DIGITS) ** REFUND_CODE_CHARACTERS, REFUND_CODE_CHARACTERS)


def _base36(number: int, characters: int) -> str:
    text = ""
    for _ in range(characters):
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text
