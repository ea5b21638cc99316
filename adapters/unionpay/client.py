"""Signs, sends and verifies one exchange with UnionPay. Refuses every answer that is not proven."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.kit.base import AdapterTools
from adapters.kit.http import ANSWER_BYTES_MAX, HttpAnswer
from adapters.unionpay.config import Config
from adapters.unionpay.form import ENCODING, Malformed, Message, form_body, read_answer
from adapters.unionpay.signing import NotAuthentic
from adapters.unionpay.tables import Act
from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    Operation,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)

_HEADERS: Final = {
    "Content-Type": f"application/x-www-form-urlencoded; charset={ENCODING}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": "Jiaofei",
}
_HTTP_OK: Final = 200
_CODE: Final = re.compile(r"[0-9A-Z]{2}")
_LONG_CODE: Final = re.compile(r"\[([0-9A-Za-z]{1,16})\]\s*\Z")
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
        code: `respCode`: of the call, not of the payment that a query asks about.
        long_code: The longer code at the end of `respMsg`, which UnionPay's support asks for.
    """

    code: str
    long_code: str
    fields: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    def refusal(self, acts: Mapping[str, Act], operation: Operation) -> ProviderError:
        """The error that this answer's code asks for. Texts of the provider stay out of it."""
        act = acts.get(self.code, Act.ASK)
        message = f"unionpay answered {operation}: {self.code} {self.long_code}".rstrip()
        return _ERROR_BY_ACT[act](message, code=self.code)

    def unreadable(self, where: object, operation: Operation) -> NoVerdict:
        """The error for a proven answer that is not one to our question."""
        return NoVerdict(f"unionpay's answer to {operation} cannot be read: {where}", code=self.code)


class Client:
    """The exchanges of one account; safe to use from many threads."""

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools

    def exchange(
        self,
        url: str,
        fields: Mapping[str, str],
        operation: Operation,
        *,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Answer:
        """
        One signed request and its proven answer.

        Raises:
            ProviderUnavailable: It never left.
            NoVerdict: No whole answer, or one that is not proven to be UnionPay's.
        """
        http = self._tools.transport.send(
            "POST",
            url,
            headers=_HEADERS,
            body=form_body(self._config.proof.sign(fields)),
            answer_bytes_max=answer_bytes_max,
        )
        message = self._proven(http, operation)
        code = message.fields.get("respCode", "")
        if _CODE.fullmatch(code) is None:
            raise NoVerdict(f"unionpay's answer to {operation} has no respCode")
        long_code = _LONG_CODE.search(message.fields.get("respMsg", ""))
        return Answer(
            code=code, long_code=long_code[1] if long_code else "", fields=message.fields, content=http.content
        )

    def _proven(self, http: HttpAnswer, operation: Operation) -> Message:
        if http.status != _HTTP_OK:
            raise NoVerdict(f"unionpay answered {operation}: HTTP {http.status}")
        try:
            message = read_answer(http.content)
        except Malformed as exc:
            raise NoVerdict(f"unionpay's answer to {operation} cannot be read: {exc}") from None
        try:
            self._config.proof.verify(message, self._tools.clock.now())
        except NotAuthentic as exc:
            said = message.fields.get("respCode", "")
            hint = f" (it says {said})" if _CODE.fullmatch(said) else ""
            raise NoVerdict(f"unionpay's answer to {operation} is not proven: {exc.reason}{hint}") from None
        return message
