"""Field kinds of the public interface that refuse what is ambiguous."""

import re
from datetime import datetime
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_RFC3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII)


class Whole(validate.Regexp):
    """
    The whole text matches; shown in the OpenAPI document between ^ and $.

    Those are the ends in JSON Schema, whose ECMA-262 knows no \\Z. In Python $ lets a line break follow, so that one is
    refused by itself.
    """

    def __init__(self, pattern: str) -> None:
        super().__init__(f"^{pattern}$")

    def __call__(self, value: Any) -> Any:
        super().__call__(value)
        if value.endswith("\n"):
            raise ValidationError(self._format_error(value))
        return value


class Text(fields.String):
    """A short text without control characters, lone surrogates or blank ends."""

    def __init__(self, *, max_characters: int, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(1, max_characters), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs)).strip()
        if _CONTROL.search(text) or any("\ud800" <= c <= "\udfff" for c in text):
            raise ValidationError("must not hold control characters")
        return text


class ClientNo(fields.String):
    """A number that the app chose: 1 to 64 of [0-9A-Za-z_-]."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=Whole(r"[0-9A-Za-z_\-]{1,64}"), **kwargs)


class FenAmount(fields.Integer):
    """A positive amount in fen: a JSON integer, not a text, not 1.0."""

    def __init__(self, *, maximum: int, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(1, maximum), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValidationError("must be an integer number of fen")
        return int(super()._deserialize(value, attr, data, **kwargs) or 0)


class Instant(fields.String):
    """An RFC 3339 time with offset; loads as an aware datetime."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        try:
            if _RFC3339.fullmatch(text) is None:
                raise ValueError(text)
            return datetime.fromisoformat(text.upper())
        except (ValueError, OverflowError):
            raise ValidationError("must be an RFC 3339 time with offset") from None
