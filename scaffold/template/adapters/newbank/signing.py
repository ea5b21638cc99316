"""What is signed, over raw bytes, and how the bank's own signature is checked. Refuses stale messages."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from adapters.kit.sign import sign_sha256, verify_sha256
from adapters.newbank.config import Config
from gateway.domain.provider import CallbackRefused

WINDOW_SECONDS: Final = 300
"""Fact to replace: how far a message's time may lie from ours (source: section on signatures, replay protection)."""

TIMESTAMP: Final = "bank-timestamp"
NONCE: Final = "bank-nonce"
KEY_ID: Final = "bank-key-id"
SIGNATURE: Final = "bank-signature"
"""Fact to replace: the names of the signature's headers or fields (source: section on signatures)."""

_SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    TIMESTAMP: re.compile(r"[0-9]{10}"),
    NONCE: re.compile(r"[0-9A-Za-z]{16,64}"),
    KEY_ID: re.compile(r"[0-9A-Za-z_-]{1,64}"),
    SIGNATURE: re.compile(r"[0-9A-Za-z+/=]{1,1024}"),
}


def request_text(path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """
    The bytes that a request signs: method, path with query, time, nonce and raw body, each with a line feed.

    Fact to replace: parts, order, separators, charset (source: section on signatures, requests; vector request).
    """
    return b"".join(f"{part}\n".encode("ascii") for part in ("POST", path, timestamp, nonce)) + body + b"\n"


def message_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """
    The bytes that the bank signs in an answer or a notice: time, nonce and raw body, each with a line feed.

    Fact to replace: parts, order, separators, charset (source: section on signatures, answers; vector message).
    """
    return f"{timestamp}\n{nonce}\n".encode("ascii") + body + b"\n"


def signed_headers(config: Config, path: str, body: bytes, *, now: datetime, nonce: str) -> dict[str, str]:
    """
    The headers that prove a request.

    Args:
        path: Path with query exactly as on the wire.
    """
    timestamp = str(int(now.timestamp()))
    return {
        TIMESTAMP: timestamp,
        NONCE: nonce,
        KEY_ID: config.key_id,
        SIGNATURE: sign_sha256(config.private_key, request_text(path, timestamp, nonce, body)),
    }


def verify(config: Config, headers: Mapping[str, str], body: bytes, *, at: datetime) -> None:
    """
    Prove that an answer or a notice is the bank's own and fresh; nothing of the body is read before.

    Args:
        headers: Names in lower case.
        at: When it arrived.

    Raises:
        CallbackRefused: headers, stale, unknown_key or signature.
    """
    if any(shape.fullmatch(headers.get(name, "")) is None for name, shape in _SHAPES.items()):
        raise CallbackRefused("headers")
    skew_seconds = int(at.timestamp()) - int(headers[TIMESTAMP])
    if abs(skew_seconds) > WINDOW_SECONDS:
        raise CallbackRefused("stale", skew_seconds=skew_seconds)
    key = config.bank_keys.get(headers[KEY_ID])
    if key is None:
        raise CallbackRefused("unknown_key")
    if not verify_sha256(key, message_text(headers[TIMESTAMP], headers[NONCE], body), headers[SIGNATURE]):
        raise CallbackRefused("signature")
