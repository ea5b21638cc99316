"""JSON from outside: nothing ambiguous gets in, and no input raises anything but ValueError."""

import json
from typing import Any, Final

_DEPTH_MAX: Final = 64
_NUMBER_CHARACTERS_MAX: Final = 40


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a JSON object has two members of one name")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _short_int(digits: str) -> int:
    if len(digits) > _NUMBER_CHARACTERS_MAX:
        raise ValueError("a JSON number is too long")
    return int(digits)


def _short_float(digits: str) -> float:
    if len(digits) > _NUMBER_CHARACTERS_MAX:
        raise ValueError("a JSON number is too long")
    return float(digits)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_int=_short_int, parse_float=_short_float
)


def _check(value: Any) -> None:
    """Level by level: not too many of them, and every text one that UTF-8 can write."""
    level = [value]
    for _ in range(_DEPTH_MAX):
        below: list[Any] = []
        for node in level:
            if isinstance(node, str):
                node.encode("utf-8")  # a lone surrogate, smuggled in by an escape, raises a ValueError here
            elif isinstance(node, dict):
                below += node.keys()
                below += node.values()
            elif isinstance(node, list):
                below += node
        if not below:
            return
        level = below
    raise ValueError("JSON is nested too deeply")


def parse_strict_json(raw: bytes | str) -> Any:
    """
    Parse UTF-8 JSON.

    Raises:
        ValueError: Not UTF-8, not JSON, a BOM, two members of one name, NaN or Infinity, a lone surrogate, a number of
            more than 40 characters, or more than 64 levels.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8")
    try:
        value = _DECODER.decode(text)
    except RecursionError as exc:
        raise ValueError("JSON is nested too deeply") from exc
    if "\\u" in text or isinstance(raw, str) or text.count("{") + text.count("[") > _DEPTH_MAX:
        _check(value)  # decoded bytes without an escape hold no surrogate, and few brackets make no depth
    return value


def parse_strict_json_object(raw: bytes | str) -> dict[str, Any]:
    """
    Parse a JSON object.

    Raises:
        ValueError: As `parse_strict_json`, or another JSON value.
    """
    value = parse_strict_json(raw)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
