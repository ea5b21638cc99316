"""Idempotency keys (幂等键): how a key is read and what makes two requests equal."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

KEY_CHARACTERS_MAX: Final = 255

_BARE: Final = re.compile(r"[\x21-\x7e]{1,255}")
_QUOTED: Final = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,510})"')


def read_key(header: str) -> str:
    r"""
    The key in an Idempotency-Key header: a structured-field string ("…", with \" and \\ escaped) or the bare text.

    Both forms of one key are the same key.
    Source: draft-ietf-httpapi-idempotency-key-header; RFC 8941 section 3.3.3.

    Raises:
        ValueError: Empty, longer than 255 characters, or not visible ASCII.
    """
    text = header.strip(" \t")
    quoted = _QUOTED.fullmatch(text)
    key = re.sub(r"\\(.)", r"\1", quoted.group(1)) if quoted else text
    if text.startswith('"') and quoted is None:
        raise ValueError("not a well-formed quoted key")
    if _BARE.fullmatch(key) is None:
        raise ValueError("a key is 1 to 255 visible ASCII characters")
    return key


def fingerprint(method: str, route: str, content: Mapping[str, Any]) -> str:
    """SHA-256, hex, over method, route and the semantic fields, whatever their order and spelling on the wire."""
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{method}\n{route}\n{canonical}".encode()).hexdigest()
