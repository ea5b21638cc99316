"""A request that the gateway understands and turns down."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """
    Raised by services when a rule says no. The edge turns it into a problem document.

    Attributes:
        code: Stable snake_case code; the edge's table gives its HTTP answer.
        detail: A sentence for the developer who calls.
        errors: Faults per field, for validation.
        extra: Further members of the problem document, e.g. the order's state or what would be allowed.
        retry_after_seconds: When trying again makes sense.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.extra = extra or {}
        self.retry_after_seconds = retry_after_seconds
