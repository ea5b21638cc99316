"""Seals, sends and opens one exchange with the platform. Refuses every answer that is not proven."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.kit.base import AdapterTools
from adapters.shared_account.config import Config
from adapters.shared_account.envelope import BODY_BYTES_MAX, CODE_OK, EnvelopeRefused, when_accepted
from adapters.shared_account.tables import Act, TransType, act_of
from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)

_CODE: Final = re.compile(r"[0-9A-Za-z_]{1,32}")
_SUCCESS_BY_WORD: Final = {True: True, False: False, "true": True, "false": False}
_ERROR_BY_ACT: Final[Mapping[Act, type[ProviderError]]] = {
    Act.RETRY: ProviderUnavailable,
    Act.QUERY: NoVerdict,
    Act.FAIL: RequestRefused,
    Act.FIX: AccountMisconfigured,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One proven answer, accepted or refused: both are signed."""

    trans_type: TransType
    code: str
    data: Mapping[str, Any] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def is_good(self) -> bool:
        return self.code == CODE_OK

    def refusal(self) -> ProviderError:
        """The error that this code asks for. The platform's message stays out of it: it may name a person."""
        error = _ERROR_BY_ACT[act_of(self.trans_type, self.code)]
        return error(f"shared_account answered {self.trans_type}: {self.code}", code=self.code)

    def unreadable(self, where: object) -> NoVerdict:
        return NoVerdict(f"shared_account's answer to {self.trans_type} cannot be read: {where}")


class Client:
    """The exchanges of one channel."""

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools

    def exchange(
        self, trans_type: TransType, data: Mapping[str, Any], *, answer_bytes_max: int = BODY_BYTES_MAX
    ) -> Answer:
        """
        One sealed request and its proven answer.

        Source: sheet sections 3 and 5, transport events.

        Raises:
            ProviderUnavailable: It never left.
            NoVerdict: No whole answer, or one that is not proven to be the platform's and about this operation.
        """
        body = self._config.envelope.seal(trans_type, data, self._tools.clock.now())
        answer = self._tools.transport.send(
            "POST",
            self._config.base_url + self._config.paths[trans_type],
            headers={
                "Accept": "application/json",
                # What arrives is then byte for byte what was signed.
                "Accept-Encoding": "identity",
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Jiaofei",
            },
            body=body,
            answer_bytes_max=answer_bytes_max,
        )
        if not _may_speak(answer.status):
            raise NoVerdict(f"shared_account answered {trans_type} with HTTP {answer.status}")
        return self._opened(trans_type, answer.content, answer_bytes_max)

    def _opened(self, trans_type: TransType, content: bytes, bytes_max: int) -> Answer:
        try:
            opened = self._config.envelope.open(
                content, now=self._tools.clock.now(), needs_data=when_accepted, bytes_max=bytes_max
            )
        except EnvelopeRefused as exc:
            skew = "" if exc.skew_seconds is None else f", {exc.skew_seconds} s from our clock"
            raise NoVerdict(f"shared_account's answer to {trans_type} is not proven: {exc.reason}{skew}") from None
        answer = Answer(trans_type=trans_type, code=opened.code, data=opened.data, content=content)
        if not opened.speaks_of(trans_type):
            raise answer.unreadable("transType or version")
        success = opened.members.get("success", answer.is_good)
        if _CODE.fullmatch(answer.code) is None or _is_success(success) is not answer.is_good:
            raise answer.unreadable("code or success")
        return answer


def _is_success(word: object) -> bool | None:
    return _SUCCESS_BY_WORD.get(word) if isinstance(word, (bool, str)) else None


def _may_speak(status: int) -> bool:
    """A broken server (5xx) or a signpost (3xx) proves nothing, whatever its body. Source: sheet section 5."""
    return 200 <= status < 300 or 400 <= status < 500  # noqa: PLR2004  the classes' own names
