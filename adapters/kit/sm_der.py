"""The DER that SM2 keys, signatures and ciphertexts come in: read strictly, in its one shortest form, and written."""

from collections.abc import Iterator
from typing import Final

NUMBER_BYTES: Final = 32
HASH_BYTES: Final = 32

INTEGER: Final = 0x02
BITS: Final = 0x03
OCTETS: Final = 0x04
OBJECT_ID: Final = 0x06
SEQUENCE: Final = 0x30

Element = tuple[int, bytes]
"""Tag and content."""

_LONG_LENGTH: Final = 0x80
_LENGTH_BYTES_MAX: Final = 3
_HEAD_BYTES_MIN: Final = 2
_SIGN_BIT: Final = 0x80


def children(der: bytes, tag: int = SEQUENCE) -> list[Element]:
    """
    What the one element of this tag holds.

    Raises:
        ValueError: Not exactly one such element, or not DER.
    """
    elements = list(_read_all(der))
    if len(elements) != 1 or elements[0][0] != tag:
        raise ValueError("is not the DER that was expected")
    return list(_read_all(elements[0][1]))


def content_of(elements: list[Element], position: int, tag: int) -> bytes:
    """
    The content of the element at this position.

    Raises:
        ValueError: There is none, or it has another tag.
    """
    if position >= len(elements) or elements[position][0] != tag:
        raise ValueError("is not the DER that was expected")
    return elements[position][1]


def to_der(tag: int, content: bytes) -> bytes:
    """One element."""
    if len(content) < _LONG_LENGTH:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, _LONG_LENGTH | len(length)]) + length + content


def signature_to_der(signature: bytes) -> bytes:
    """Raw r‖s as SEQUENCE{INTEGER, INTEGER}."""
    return to_der(SEQUENCE, _number_to_der(signature[:NUMBER_BYTES]) + _number_to_der(signature[NUMBER_BYTES:]))


def signature_from_der(der: bytes) -> bytes:
    """
    SEQUENCE{INTEGER, INTEGER} as raw r‖s, leading zeros kept.

    Raises:
        ValueError: Not exactly that, or longer than it needs to be.
    """
    r, s = _exactly(children(der), 2)
    return _number_from_der(r) + _number_from_der(s)


def ciphertext_to_der(ciphertext: bytes) -> bytes:
    """Raw C1‖C3‖C2 as SEQUENCE{INTEGER x, INTEGER y, OCTET STRING C3, OCTET STRING C2}."""
    x, y, c3, c2 = ciphertext[:32], ciphertext[32:64], ciphertext[64:96], ciphertext[96:]
    return to_der(SEQUENCE, _number_to_der(x) + _number_to_der(y) + to_der(OCTETS, c3) + to_der(OCTETS, c2))


def ciphertext_from_der(der: bytes) -> bytes:
    """
    The DER form as raw C1‖C3‖C2.

    Raises:
        ValueError: Not exactly that.
    """
    x, y, c3, c2 = _exactly(children(der), 4)
    if (c3[0], c2[0], len(c3[1])) != (OCTETS, OCTETS, HASH_BYTES):
        raise ValueError("is not an SM2 ciphertext")
    return _number_from_der(x) + _number_from_der(y) + c3[1] + c2[1]


def ciphertext_from_c1c2c3(ciphertext: bytes) -> bytes:
    """The old order C1‖C2‖C3 as C1‖C3‖C2."""
    return ciphertext[:64] + ciphertext[-HASH_BYTES:] + ciphertext[64:-HASH_BYTES]


def _read_all(raw: bytes) -> Iterator[Element]:
    """The elements side by side, to the last byte; lengths only in their shortest form."""
    while raw:
        start, length = _read_length(raw)
        if len(raw) < start + length:
            raise ValueError("is not DER")
        yield raw[0], raw[start : start + length]
        raw = raw[start + length :]


def _read_length(raw: bytes) -> tuple[int, int]:
    """Where the content of the first element begins, and how long it is."""
    if len(raw) < _HEAD_BYTES_MIN:
        raise ValueError("is not DER")
    if raw[1] < _LONG_LENGTH:
        return _HEAD_BYTES_MIN, raw[1]
    size = raw[1] - _LONG_LENGTH
    length = raw[_HEAD_BYTES_MIN : _HEAD_BYTES_MIN + size]
    number = int.from_bytes(length)
    if not 0 < size <= _LENGTH_BYTES_MAX or len(length) < size or length[0] == 0 or number < _LONG_LENGTH:
        raise ValueError("is not DER")
    return _HEAD_BYTES_MIN + size, number


def _number_to_der(number: bytes) -> bytes:
    stripped = number.lstrip(b"\x00") or b"\x00"
    return to_der(INTEGER, b"\x00" + stripped if stripped[0] & _SIGN_BIT else stripped)


def _number_from_der(element: Element) -> bytes:
    number = element[1].lstrip(b"\x00")
    if len(number) > NUMBER_BYTES or _number_to_der(number) != to_der(*element):
        raise ValueError("is not a positive number of at most 32 bytes")
    return number.rjust(NUMBER_BYTES, b"\x00")


def _exactly(elements: list[Element], count: int) -> list[Element]:
    if len(elements) != count:
        raise ValueError("is not the DER that was expected")
    return elements
