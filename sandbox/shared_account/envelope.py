"""
The envelope SA1: strict JSON, the canonical string, SM4 around the data and SM2 over everything.

Source: sheet shared_account.md sections 1.2 and 3; proved by the vectors.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.shared_account import sm
from sandbox.shared_account.sm import Sm2Pair
from sandbox.wire import Json

VERSION: Final = "2.0.1"
ACCEPTED: Final = "0"
"""The code of an answer that is no refusal."""

RAW: Final = "raw"
DER: Final = "der"
SIGNATURE_FORMS: Final = (RAW, DER)
BODY_BYTES_MAX: Final = 65_536

_ALGORITHMS: Final = {"encType": "SM4", "signType": "SM2"}
_UNSIGNED: Final = frozenset({"signData", "encData", "extra"})
_BLOCKS: Final = re.compile(r"(?:[0-9A-Fa-f]{32})+")
_DEPTH_MAX: Final = 16
_INTEGER_MAX: Final = 2**53 - 1
_BOM: Final = b"\xef\xbb\xbf"


class EnvelopeRefused(Exception):
    """A body that is not the other side's; `reason` is the sheet's word for the step that failed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """
    One direction pair: what we sign with, what the other side is verified with.

    Attributes:
        peer: The other side's public key, 64 bytes.
        user_id: The SM2 user ID of both sides.
        signature_form: raw (r‖s, 64 bytes) or der, of both sides.
    """

    app_id: str
    app_secret: str = field(repr=False)
    own: Sm2Pair = field(repr=False)
    peer: bytes = field(repr=False)
    user_id: bytes = field(repr=False)
    signature_form: str = RAW

    def sealed(self, message: Mapping[str, Any], data: Json | None) -> Json:
        """The members as they go out; `data` is what is signed in the clear and sent encrypted."""
        members = {"appId": self.app_id, "version": VERSION, **_ALGORITHMS, **message}
        signed = members if data is None else members | {"data": data}
        raw = sm.sign(self.own, canonical(signed, self.app_secret), self.user_id)
        signature = sm.der_of(raw) if self.signature_form == DER else raw
        if data is not None:
            plain = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
            members["encData"] = sm.sm4_encrypt(self._key, plain).hex().upper()
        return members | {"signData": base64.b64encode(signature).decode("ascii")}

    def opened(self, body: bytes) -> Json:
        """
        Read and verify; the answer holds `data` in the clear, except where a refused answer has none.

        The timestamp is the caller's to judge.

        Raises:
            EnvelopeRefused: With the first reason in the sheet's reading order.
        """
        message = strict_object(body)
        if message.get("appId") != self.app_id:
            raise EnvelopeRefused("app")
        if any(message.get(name) != value for name, value in _ALGORITHMS.items()) or message.get("version") != VERSION:
            raise EnvelopeRefused("algorithm")
        if "data" in message:
            raise EnvelopeRefused("format")
        if "encData" in message or message.get("code", ACCEPTED) == ACCEPTED:
            message["data"] = self._decrypted(message.pop("encData", None))
        signature = self._signature(message.pop("signData", None))
        if not sm.genuine(self.peer, canonical(message, self.app_secret), signature, self.user_id):
            raise EnvelopeRefused("signature")
        return message

    def _decrypted(self, encrypted: object) -> Json:
        if not isinstance(encrypted, str) or _BLOCKS.fullmatch(encrypted) is None:
            raise EnvelopeRefused("format")
        try:
            return strict_object(sm.sm4_decrypt(self._key, bytes.fromhex(encrypted)))
        except (ValueError, EnvelopeRefused) as exc:
            raise EnvelopeRefused("decrypt_or_signature") from exc

    def _signature(self, text: object) -> bytes:
        """Always raw r‖s; empty when it is not what the form asks for."""
        if not isinstance(text, str):
            return b""
        try:
            signature = base64.b64decode(text, validate=True)
            return sm.raw_from_der(signature) if self.signature_form == DER else signature
        except (ValueError, binascii.Error):
            return b""

    @property
    def _key(self) -> bytes:
        return sm.derive_key(self.app_id, self.app_secret)


def canonical(message: Mapping[str, Any], app_secret: str) -> bytes:
    """
    The text that is signed: `name=value` sorted by name, joined by `&`, then the secret.

    Source: sheet section 1.2, `vector`.
    """
    kept = ((name, _plain(value)) for name, value in sorted(message.items()) if name not in _UNSIGNED)
    parts = [f"{name}={_text(value)}" for name, value in kept if not _empty(value)]
    return "&".join([*parts, f"key={app_secret}"]).encode("utf-8")


def strict_object(body: bytes) -> Json:
    """
    Read a JSON object; refused are BOM, name given twice, fraction, NaN, big integer, deep nest, lone surrogate.

    Raises:
        EnvelopeRefused: format.
    """
    if not 1 <= len(body) <= BODY_BYTES_MAX or body.startswith(_BOM):
        raise EnvelopeRefused("format")
    try:
        content = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_once_each,
            parse_float=_no_number,
            parse_constant=_no_number,
            parse_int=_small_integer,
        )
        json.dumps(content, ensure_ascii=False).encode("utf-8")  # a lone surrogate has no UTF-8
    except (ValueError, RecursionError) as exc:
        raise EnvelopeRefused("format") from exc
    if not isinstance(content, dict) or max(_depths(content, 1)) > _DEPTH_MAX:
        raise EnvelopeRefused("format")
    return content


def _plain(value: Any) -> Any:
    """Every scalar a text, names sorted, nothing empty inside."""
    if isinstance(value, dict):
        inside = ((name, _plain(member)) for name, member in sorted(value.items()))
        return {name: member for name, member in inside if not _empty(member)}
    if isinstance(value, list):
        return [member for member in map(_plain, value) if not _empty(member)]
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _once_each(pairs: list[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def _no_number(text: str) -> None:
    raise ValueError(f"not allowed: {text[:24]}")


def _small_integer(text: str) -> int:
    number = int(text)
    if abs(number) > _INTEGER_MAX:
        raise ValueError("integer too large")
    return number


def _depths(value: Any, depth: int) -> Iterator[int]:
    yield depth
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        if isinstance(member, dict | list):
            yield from _depths(member, depth + 1)
