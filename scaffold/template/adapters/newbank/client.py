"""Signs, sends and verifies one exchange with the bank. Refuses every answer that is not proven."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.kit.base import AdapterTools
from adapters.kit.http import HttpAnswer, wire_target
from adapters.newbank.config import Config
from adapters.newbank.signing import signed_headers, verify
from adapters.newbank.tables import Act
from adapters.newbank.wire import body_of, text_of
from gateway.domain.provider import (
    AccountMisconfigured,
    CallbackRefused,
    NoVerdict,
    Operation,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.strict_json import parse_strict_json_object

_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
_HTTP_OK: Final = 200
"""Fact to replace: which HTTP codes carry a signed answer (source: section on transport)."""

_ERROR_BY_ACT: Final[Mapping[Act, type[ProviderError]]] = {
    Act.RETRY: ProviderUnavailable,
    Act.ASK: NoVerdict,
    Act.FAIL: RequestRefused,
    Act.FIX: AccountMisconfigured,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    A proven answer.

    Attributes:
        code: Of the call, not of the payment that a query asks about.
    """

    code: str
    members: Mapping[str, Any] = field(repr=False)
    content: bytes = field(repr=False)

    def refusal(self, acts: Mapping[str, Act], operation: Operation) -> ProviderError:
        """The error that this answer's code asks for; the bank's own texts stay out of it."""
        return _ERROR_BY_ACT[acts.get(self.code, Act.ASK)](f"newbank answered {operation}: {self.code}", code=self.code)

    def unreadable(self, where: object, operation: Operation) -> NoVerdict:
        """The error for a proven answer that is not one to our question."""
        return NoVerdict(f"newbank's answer to {operation} cannot be read: {where}", code=self.code)


class Client:
    """The exchanges of one account; safe to use from many threads."""

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools

    def exchange(self, path: str, content: Mapping[str, str], operation: Operation) -> Answer:
        """
        One signed request and its proven answer.

        Raises:
            ProviderUnavailable: It never left.
            NoVerdict: No whole answer, or one that is not proven.
        """
        url, body = self._config.base_url + path, body_of(content)
        proof = signed_headers(
            self._config, wire_target(url), body, now=self._tools.clock.now(), nonce=self._tools.nonce()
        )
        http = self._tools.transport.send("POST", url, headers={**_HEADERS, **proof}, body=body)
        self._must_be_proven(http, operation)
        try:
            members = parse_strict_json_object(http.content)
            code = text_of(members, "code")
        except ValueError:
            raise NoVerdict(f"newbank's answer to {operation} cannot be read") from None
        return Answer(code=code, members=members, content=http.content)

    def _must_be_proven(self, http: HttpAnswer, operation: Operation) -> None:
        if http.status != _HTTP_OK:
            raise NoVerdict(f"newbank answered {operation}: HTTP {http.status}")
        try:
            verify(self._config, http.headers, http.content, at=self._tools.clock.now())
        except CallbackRefused as exc:
            raise NoVerdict(f"newbank's answer to {operation} is not proven: {exc.reason}") from None
