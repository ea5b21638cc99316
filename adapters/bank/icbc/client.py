"""Signs, sends and verifies one exchange with the platform. Refuses every answer that is not proven."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from adapters.bank.icbc.config import Config
from adapters.bank.icbc.messages import Malformed, code_of, read_content, split_answer
from adapters.bank.icbc.signing import is_from_bank
from adapters.bank.icbc.tables import ACT_BY_CODE, Act
from adapters.bank.icbc.wire import signed_params
from adapters.kit.base import AdapterTools
from adapters.kit.http import HttpAnswer
from gateway.domain.provider import AccountMisconfigured, NoVerdict, Operation, ProviderError

_HEADERS: Final = {
    "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "Jiaofei",
}
_HTTP_OK: Final = 200
_ERROR_BY_ACT: Final[Mapping[Act, type[ProviderError]]] = {Act.ASK: NoVerdict, Act.FIX: AccountMisconfigured}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    A proven answer.

    Attributes:
        code: return_code of the call, not of the payment that a query asks about; "0" is done.
    """

    code: str
    members: Mapping[str, Any] = field(repr=False)
    content: bytes = field(repr=False)

    def refusal(self, operation: Operation) -> ProviderError:
        """The error that this answer's code asks for. Texts of the bank stay out of it."""
        act = ACT_BY_CODE.get(self.code, Act.ASK)
        return _ERROR_BY_ACT[act](f"icbc answered {operation}: {self.code}", code=self.code)

    def unreadable(self, where: object, operation: Operation) -> NoVerdict:
        """The error for a proven answer that is not one to our question."""
        return NoVerdict(f"icbc's answer to {operation} cannot be read: {where}", code=self.code)


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
            NoVerdict: No whole answer, or one that is not proven or not readable.
        """
        params = self.sign(path, content)
        http = self._tools.transport.send(
            "POST", self._config.base_url + path, headers=_HEADERS, body=urlencode(params).encode("ascii")
        )
        proven = self._proven(http, operation)
        try:
            members = read_content(proven, self._config.content_key)
            code = code_of(members)
        except ValueError as exc:
            raise NoVerdict(f"icbc's answer to {operation} cannot be read: {_harmless(exc)}") from None
        return Answer(code=str(code), members=members, content=http.content)

    def sign(self, path: str, content: Mapping[str, str]) -> dict[str, str]:
        """All parameters of a call of this moment."""
        return signed_params(
            self._config,
            urlsplit(self._config.base_url + path).path,
            content,
            now=self._tools.clock.now(),
            msg_id=self._tools.nonce(),
        )

    def _proven(self, http: HttpAnswer, operation: Operation) -> bytes:
        if http.status != _HTTP_OK:
            raise NoVerdict(f"icbc answered {operation}: HTTP {http.status}")
        try:
            answer = split_answer(http.content)
        except Malformed as exc:
            raise NoVerdict(f"icbc's answer to {operation} cannot be read: {exc}") from None
        if not is_from_bank(self._config.bank_keys, answer.content, answer.signature):
            raise NoVerdict(f"icbc's answer to {operation} is not proven")
        return answer.content


def _harmless(exc: ValueError) -> str:
    """A decoding error's own text would show what it could not decode."""
    return type(exc).__name__ if isinstance(exc, UnicodeError) else str(exc)[:80]
