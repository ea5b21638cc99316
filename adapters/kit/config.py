"""Reads one account's settings and gathers every fault before complaining."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from gateway.domain.secret import Secret

T = TypeVar("T")
_NOTHING: Final = object()


class SettingsInvalid(Exception):
    """Settings cannot be used. `faults` has one line per fault, each beginning with the key's path."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class AccountSettings:
    """
    One `[accounts.<name>]` table. References (`file:`, `env:`) were resolved before: such values are Secrets.

    Every reader method notes a fault instead of raising and returns a harmless value, so that `finish` can raise with
    all faults at once; keys that nobody read are faults, too.
    """

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self.faults: list[str] = []
        self._values = values
        self._read: set[str] = {"provider", "regions"}

    def path(self, key: str) -> str:
        return f"accounts.{self.name}.{key}"

    def fault(self, key: str, text: str) -> None:
        """Note a fault of one key; never put the value itself into the text."""
        self.faults.append(f"{self.path(key)}: {text}")

    def has(self, key: str) -> bool:
        return key in self._values

    def _take(self, key: str, default: Any) -> Any:
        self._read.add(key)
        value = self._values.get(key, default)
        if value is _NOTHING:
            self.fault(key, "is missing")
        return value

    def text(self, key: str, *, pattern: str = r"(?s).+", default: Any = _NOTHING) -> str:
        """A text that matches the pattern as a whole."""
        value = self._take(key, default)
        if value is _NOTHING:
            return ""
        plain = value.reveal().strip() if isinstance(value, Secret) else value
        if value is not default and (not isinstance(plain, str) or re.fullmatch(pattern, plain) is None):
            self.fault(key, f"does not match {pattern}")
            return ""
        return str(plain)

    def choice(self, key: str, choices: tuple[str, ...], *, default: Any = _NOTHING) -> str:
        """One of the given words."""
        value = self._take(key, default)
        if value is _NOTHING:
            return choices[0]
        value = value.reveal().strip() if isinstance(value, Secret) else value
        if value not in choices:
            self.fault(key, f"must be one of {', '.join(choices)}")
            return choices[0]
        return str(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            self.fault(key, "must be true or false")
            return default
        return value

    def number(self, key: str, *, least: int, most: int, default: int) -> int:
        """A whole number within the limits, both included."""
        value = self._take(key, default)
        if type(value) is not int or not least <= value <= most:
            self.fault(key, f"must be a whole number from {least} to {most}")
            return default
        return value

    def texts(self, key: str, *, pattern: str = r"(?s).+", default: Any = _NOTHING) -> tuple[str, ...]:
        """A list of texts, each matching the pattern."""
        value = self._take(key, default)
        if value is _NOTHING:
            return ()
        plain = (
            [v.reveal() if isinstance(v, Secret) else v for v in value] if isinstance(value, (list, tuple)) else None
        )
        if plain is None or not all(isinstance(v, str) and re.fullmatch(pattern, v) for v in plain):
            self.fault(key, f"must be a list of texts that match {pattern}")
            return ()
        return tuple(plain)

    def secret(self, key: str, *, default: Any = _NOTHING) -> Secret | None:
        """A secret; given in clear it is a fault, so that no key stands in the file."""
        value = self._take(key, default)
        if value is _NOTHING or value is None:
            return None
        if not isinstance(value, Secret):
            self.fault(key, 'must be a reference, "file:…" or "env:…"')
            return None
        return value

    def loaded(self, key: str, load: Callable[[str], T], *, default: Any = _NOTHING) -> T | None:
        """A key or certificate: the referenced text, read by `load`, which raises ValueError with a harmless text."""
        secret = self.secret(key, default=default)
        if secret is None:
            return None
        try:
            return load(secret.reveal())
        except ValueError as exc:
            self.fault(key, str(exc))
            return None

    def table(self, key: str, *, default: Any = _NOTHING) -> Mapping[str, Any]:
        """A sub-table, whose values the adapter checks itself."""
        value = self._take(key, default)
        if value is _NOTHING or value is None:
            return {}
        if not isinstance(value, Mapping):
            self.fault(key, "must be a table")
            return {}
        return value

    def finish(self) -> None:
        """
        Say whether the settings can be used.

        Raises:
            SettingsInvalid: With every fault noted so far, unknown keys included.
        """
        for key in self._values:
            if key not in self._read:
                self.fault(key, "is not a setting of this provider")
        if self.faults:
            raise SettingsInvalid(self.faults)
