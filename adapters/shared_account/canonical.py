"""The one text that a message of the 医保 platforms is signed over, and the JSON that may become one."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.domain.strict_json import parse_strict_json_object

ASCII_ORDER: Final = "ascii"
NOCASE_ORDER: Final = "nocase"

_DEPTH_MAX: Final = 16
_INTEGER_MAX: Final = (1 << 53) - 1
_NOT_SIGNED: Final = frozenset({"signData", "encData", "extra"})

_SORT_KEYS: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {ASCII_ORDER: lambda name: name, NOCASE_ORDER: lambda name: (name.lower(), name)}
)
"""How real clients sort names. Source: sheet section 1.2, row "order of names"; `nocase` at every level unverified."""


def read_members(raw: bytes | str) -> dict[str, Any]:
    """
    Parse a JSON object of which every reader makes the same.

    Source: sheet section 3, step 2; vector `canonical.json`, reject_data.

    Raises:
        ValueError: Not such an object; a fraction or exponent; an integer beyond 2^53-1; more than 16 levels.
    """
    members = parse_strict_json_object(raw)
    _check(members, 1)
    return members


def canonical_text(message: Mapping[str, Any], app_secret: str, *, order: str = ASCII_ORDER) -> str:
    """
    Write `name=value` for each signed member, joined by `&`, and the application's secret at the end.

    `data` is the plain object. Texts are not escaped, every scalar inside objects becomes a text, and null, "" and
    empty arrays are left out at every level. Source: sheet section 1.2, core verified by a published sample; vector
    `canonical.json`.
    """
    signed = {name: value for name, value in message.items() if name not in _NOT_SIGNED and not _is_nothing(value)}
    names = sorted(signed, key=_SORT_KEYS[order])
    pairs = [f"{name}={_top_text(signed[name], order)}" for name in names]
    return "&".join([*pairs, f"key={app_secret}"])


def canonical_object(value: Any, *, order: str = ASCII_ORDER) -> str:
    """Compact JSON with sorted names and every scalar as a text."""
    return json.dumps(_normal(value, _SORT_KEYS[order]), ensure_ascii=False, separators=(",", ":"))


def compact(members: Mapping[str, Any]) -> str:
    """Compact JSON as it is, for sending."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def _top_text(value: Any, order: str) -> str:
    return canonical_object(value, order=order) if isinstance(value, (dict, list)) else _scalar_text(value)


def _scalar_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", [])


def _normal(value: Any, sort_key: Callable[[str], Any]) -> Any:
    if isinstance(value, dict):
        kept = {name: _normal(value[name], sort_key) for name in sorted(value, key=sort_key)}
        return {name: child for name, child in kept.items() if not _is_nothing(child)}
    if isinstance(value, list):
        return [child for child in (_normal(item, sort_key) for item in value) if not _is_nothing(child)]
    return value if value is None else _scalar_text(value)


def _check(value: Any, depth: int) -> None:
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _INTEGER_MAX):
        raise ValueError("a JSON number that not every reader reads alike")
    if isinstance(value, (dict, list)):
        if depth > _DEPTH_MAX:
            raise ValueError("JSON is nested too deeply")
        for child in value.values() if isinstance(value, dict) else value:
            _check(child, depth + 1)
