"""Loads SM2 keys in every shape that platforms hand out; each once, when settings are read."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapters.kit.keys import der_from_pasted, load_certificate
from adapters.kit.sm_der import BITS, NUMBER_BYTES, OBJECT_ID, OCTETS, SEQUENCE, Element, children, content_of, to_der

# Only what loading and checking a key needs. Source: sheet of the SM libraries, section 5.
_P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A: Final = _P - 3
_B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""How many points the curve has."""

_Point = tuple[int, int]
_G: Final[_Point] = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

_OIDS_OF_A_KEY: Final = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a811ccf5501822d")
"""An elliptic-curve key, on the SM2 curve. Source: section 2."""

_CURVE_FIELD: Final = 0xA0
_UNCOMPRESSED: Final = b"\x04"
_COMPRESSED: Final = (b"\x02", b"\x03")
_POINT_BYTES: Final = 2 * NUMBER_BYTES
_BLANK: Final = re.compile(r"\s+")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{64}|[0-9A-Fa-f]{66}|[0-9A-Fa-f]{128}|[0-9A-Fa-f]{130}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2PublicKey:
    """
    A point of the curve.

    Attributes:
        point: X‖Y, 64 bytes.
        ends_at: When the certificate that it came in ends; None if it came bare.
    """

    point: bytes
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2PrivateKey:
    """A number of 32 bytes, and the public key that belongs to it."""

    number: bytes = field(repr=False)
    public: Sm2PublicKey


def load_sm2_private_key(text: str) -> Sm2PrivateKey:
    """
    Load a private key: 32 or 33 bytes in base64 or hex, or unencrypted PKCS#8 or SEC1, PEM or bare base64.

    Source: sheet of the SM libraries, section 2; sheet of the shared account, section 1.4; vector `keys.json`.

    Raises:
        ValueError: With a text that shows nothing of the key.
    """
    raw = _bytes_of(text)
    if len(raw) == NUMBER_BYTES + 1 and raw[0] == 0:  # the form that Java writes
        raw = raw[1:]
    if len(raw) != NUMBER_BYTES:
        try:
            raw = _number_in(children(raw))
        except ValueError:
            raise ValueError("is not an SM2 private key") from None
    number = int.from_bytes(raw)
    if not 0 < number < ORDER - 1:
        raise ValueError("is not an SM2 private key")
    return Sm2PrivateKey(number=raw, public=Sm2PublicKey(point=_to_bytes(_times(number, _G))))


def load_sm2_public_key(text: str) -> Sm2PublicKey:
    """
    Load a public key: 65, 64 or 33 bytes in base64 or hex, SubjectPublicKeyInfo, or a certificate.

    Source: as `load_sm2_private_key`.

    Raises:
        ValueError: Not a point of the curve, or none of these forms.
    """
    if "BEGIN CERTIFICATE" in text:
        certificate = load_certificate(text.strip())
        parts = children(certificate.tbs_certificate_bytes)
        point = next((point for part in parts if (point := _point_in(part))), b"")
        return Sm2PublicKey(point=_normal_point(point), ends_at=certificate.not_valid_after_utc)
    raw = _bytes_of(text)
    if len(raw) > 1 + _POINT_BYTES:
        raw = _point_in((SEQUENCE, _content(raw)))
    return Sm2PublicKey(point=_normal_point(raw))


def check_point(point: bytes) -> None:
    """
    Refuse coordinates that are not on the curve.

    Raises:
        ValueError: They are not.
    """
    x, y = int.from_bytes(point[:NUMBER_BYTES]), int.from_bytes(point[NUMBER_BYTES:])
    if len(point) != _POINT_BYTES or x >= _P or y >= _P or (y * y - _right_side(x)) % _P:
        raise ValueError("is not a point of the SM2 curve")


def _bytes_of(text: str) -> bytes:
    plain = _BLANK.sub("", text)
    return bytes.fromhex(plain) if _HEX.fullmatch(plain) else der_from_pasted(text)


def _number_in(elements: list[Element]) -> bytes:
    """The number of SEC1 {1, number, [0] curve, …} or PKCS#8 {0, {key, curve}, SEC1}."""
    if len(elements) > 1 and elements[1][0] == SEQUENCE:
        if not _is_of_a_key(elements[1]):
            raise ValueError("is a key of another kind")
        return _number_in(children(content_of(elements, 2, OCTETS)))
    number = content_of(elements, 1, OCTETS)
    curve = [content for tag, content in elements[2:] if tag == _CURVE_FIELD]
    if len(number) != NUMBER_BYTES or (curve and curve != [to_der(OBJECT_ID, _OIDS_OF_A_KEY[1])]):
        raise ValueError("is a key of another kind")
    return number


def _point_in(element: Element) -> bytes:
    """The encoded point of a SubjectPublicKeyInfo {{key, curve}, bits}; empty for any other element."""
    try:
        parts = children(to_der(*element))
        if len(parts) != len(_OIDS_OF_A_KEY) or not _is_of_a_key(parts[0]):
            return b""
        return content_of(parts, 1, BITS)[1:]
    except ValueError:
        return b""


def _is_of_a_key(element: Element) -> bool:
    return element == (SEQUENCE, b"".join(to_der(OBJECT_ID, oid) for oid in _OIDS_OF_A_KEY))


def _content(der: bytes) -> bytes:
    return b"".join(to_der(*child) for child in children(der))


def _normal_point(raw: bytes) -> bytes:
    if len(raw) == 1 + NUMBER_BYTES and raw[:1] in _COMPRESSED:
        x = int.from_bytes(raw[1:])
        root = pow(_right_side(x), (_P + 1) // 4, _P)
        raw = _to_bytes((x, root if root % 2 == raw[0] % 2 else _P - root))
    elif len(raw) == 1 + _POINT_BYTES and raw[:1] == _UNCOMPRESSED:
        raw = raw[1:]
    check_point(raw)
    return raw


def _right_side(x: int) -> int:
    return (x * x * x + _A * x + _B) % _P


def _to_bytes(point: _Point) -> bytes:
    return b"".join(coordinate.to_bytes(NUMBER_BYTES) for coordinate in point)


def _times(number: int, point: _Point) -> _Point:
    """number · point, for 0 < number < ORDER. Only at start-up: it takes longer for some numbers than for others."""
    total: _Point | None = None
    for bit in f"{number:b}":
        total = _plus(total, total) if total else None
        if bit == "1":
            total = _plus(total, point) if total else point
    if total is None:
        raise ValueError("zero has no point")
    return total


def _plus(one: _Point, other: _Point) -> _Point:
    (x1, y1), (x2, y2) = one, other
    if one == other:
        slope = (3 * x1 * x1 + _A) * pow(2 * y1, -1, _P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, _P)
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P
