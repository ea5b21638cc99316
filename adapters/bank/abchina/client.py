"""Signs, sends and verifies one exchange with the bank. Refuses every answer that is not proven."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.bank.abchina.config import Config
from adapters.bank.abchina.tables import SUCCEEDED, Act
from adapters.bank.abchina.wire import Unsendable, signed_envelope
from adapters.bank.trustpay import Malformed, NotAuthentic, open_answer
from adapters.kit.base import AdapterTools
from adapters.kit.http import ANSWER_BYTES_MAX, HttpAnswer
from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    Operation,
    ProviderError,
    RequestRefused,
)

_HEADERS: Final = {
    "Content-Type": "text/xml; charset=UTF-8",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": "Jiaofei",
}
"""Source: sheet section 3.2: JSON in a body that calls itself XML."""

_HTTP_OK: Final = 200
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,16}")
_ERROR_BY_ACT: Final[Mapping[Act, type[ProviderError]]] = {
    Act.ASK: NoVerdict,
    Act.FAIL: RequestRefused,
    Act.FIX: AccountMisconfigured,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    A proven answer of our merchant account.

    Attributes:
        code: `ReturnCode`: of the message, not of the payment that a query asks about.
        fields: `TrxResponse`.
    """

    code: str
    fields: Mapping[str, Any] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def is_good(self) -> bool:
        return self.code == SUCCEEDED

    def refusal(self, acts: Mapping[str, Act], default: Act, operation: Operation) -> ProviderError:
        """The error that this answer's code asks for. Texts of the bank stay out of it."""
        error = _ERROR_BY_ACT[acts.get(self.code, default)]
        return error(f"bank_abchina answered {operation}: {self.code}", code=self.code)

    def unreadable(self, where: object, operation: Operation) -> NoVerdict:
        """The error for a proven answer that is not one to our question."""
        return NoVerdict(f"bank_abchina's answer to {operation} cannot be read: {where}", code=self.code)

    def text(self, name: str) -> str:
        """A field of the answer; "" where it is missing or no text."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""


class Client:
    """The exchanges of one account; safe to use from many threads."""

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools

    def exchange(
        self, fields: Mapping[str, Any], operation: Operation, *, answer_bytes_max: int = ANSWER_BYTES_MAX
    ) -> Answer:
        """
        One signed request and its proven answer, of this account and of this kind of request.

        Raises:
            ProviderUnavailable: It never left.
            NoVerdict: No whole answer, or one that is not proven to be the bank's to us.
            AccountMisconfigured: It has no form that the bank takes; nothing was sent.
        """
        try:
            body = signed_envelope(self._config, fields)
        except Unsendable as exc:
            raise AccountMisconfigured(f"bank_abchina cannot be asked to {operation}: {exc}") from None
        http = self._tools.transport.send(
            "POST", self._config.request_url, headers=_HEADERS, body=body, answer_bytes_max=answer_bytes_max
        )
        message = self._proven(http, operation)
        merchant, response = message.get("Merchant"), message.get("TrxResponse")
        code = response.get("ReturnCode") if isinstance(response, dict) else None
        if not isinstance(response, dict) or not isinstance(code, str) or _CODE.fullmatch(code) is None:
            raise NoVerdict(f"bank_abchina's answer to {operation} has no ReturnCode")
        answer = Answer(code=code, fields=response, content=http.content)
        if not isinstance(merchant, dict) or merchant.get("MerchantID") != self._config.merchant_id:
            raise answer.unreadable("MerchantID", operation)
        if answer.fields.get("TrxType", fields["TrxType"]) != fields["TrxType"]:
            raise answer.unreadable("TrxType", operation)
        return answer

    def _proven(self, http: HttpAnswer, operation: Operation) -> Mapping[str, Any]:
        if http.status != _HTTP_OK:
            raise NoVerdict(f"bank_abchina answered {operation}: HTTP {http.status}")
        try:
            return open_answer(http.content, self._config.bank_keys)
        except Malformed as exc:
            raise NoVerdict(f"bank_abchina's answer to {operation} cannot be read: {exc}") from None
        except NotAuthentic as exc:
            hint = f" (it says {exc.said})" if exc.said else ""
            raise NoVerdict(f"bank_abchina's answer to {operation} is not proven{hint}") from None
