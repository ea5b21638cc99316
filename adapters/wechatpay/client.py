"""Signs, sends and verifies one exchange with WeChat. Refuses every 2xx that is not proven, bill files excepted."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509

from adapters.kit.base import AdapterTools
from adapters.kit.http import ANSWER_BYTES_MAX, HttpAnswer, wire_target
from adapters.wechatpay.certificates import CERTIFICATES_TARGET, read_certificates
from adapters.wechatpay.config import Config
from adapters.wechatpay.keys import FindKey, PlatformKeys
from adapters.wechatpay.signing import NotAuthentic, authorization, verify_message
from adapters.wechatpay.tables import Act, act_of, normal_code
from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    Operation,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.strict_json import parse_strict_json_object

USER_AGENT: Final = "Jiaofei"

_CODE: Final = re.compile(r"[0-9A-Za-z_]{1,64}")
_FIELD: Final = re.compile(r"[0-9A-Za-z_/.\[\]-]{1,64}")
_TRACE_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,128}")
_ERROR_BY_ACT: Final[dict[Act, type[ProviderError]]] = {
    Act.RETRY: ProviderUnavailable,
    Act.QUERY: NoVerdict,
    Act.FAIL: RequestRefused,
    Act.FIX: AccountMisconfigured,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    One answer: a proven 2xx, or an error, which is unsigned and therefore a hint only.

    Attributes:
        code: The provider's error code as written; "" for a 2xx or if there is none.
        error_field: The JSON pointer of the request member at fault, if it was named.
    """

    status: int
    content: bytes = field(repr=False)
    trace_id: str
    code: str = ""
    error_field: str = ""

    @property
    def is_good(self) -> bool:
        return _is_2xx(self.status)

    def says(self, codes: Collection[str]) -> bool:
        """True for a 4xx with one of these normalised codes; a broken server (5xx) proves no absence."""
        return 400 <= self.status < 500 and normal_code(self.code) in codes  # noqa: PLR2004  the class's own name

    def refusal(self, operation: Operation) -> ProviderError:
        """The error that this answer's code asks for in this operation. Texts of the provider stay out of it."""
        act = act_of(operation, normal_code(self.code), self.status)
        where = f" at {self.error_field}" if self.error_field else ""
        message = f"wechatpay answered {operation}: {self.status} {self.code or 'without a code'}{where}"
        return _ERROR_BY_ACT[act](message, code=self.code, trace_id=self.trace_id)


class Client:
    """
    The exchanges of one account.

    Attributes:
        keys: The platform keys, which this client also downloads where that is wanted.
    """

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools
        self.keys = PlatformKeys(
            clock=tools.clock, download=self._download_certificates if config.downloads_certificates else None
        )
        if config.public_key is not None:
            self.keys.add_public_key(config.public_key_id, config.public_key)
        self.keys.add_certificates(config.platform_certificates)

    def exchange(self, method: str, path: str, body: bytes = b"") -> Answer:
        """
        One signed request and its answer; `path` begins with /v3/ and has its query.

        Raises:
            ProviderUnavailable: It never left.
            NoVerdict: No whole answer, or a 2xx that is not proven to be WeChat's.
        """
        answer = self._send(method, self._config.base_url + path, body)
        trace_id = _matching(_TRACE_ID, answer.headers.get("request-id"))
        if not _is_2xx(answer.status):
            return _error_answer(answer, trace_id)
        try:
            verify_message(answer.headers, answer.content, now=self._tools.clock.now(), find_key=self.keys.find)
        except NotAuthentic as exc:
            skew = "" if exc.skew_seconds is None else f", {exc.skew_seconds} s from our clock"
            raise NoVerdict(f"wechatpay's answer is not proven: {exc.reason}{skew}", trace_id=trace_id) from None
        return Answer(status=answer.status, content=answer.content, trace_id=trace_id)

    def download(self, url: str, answer_bytes_max: int) -> Answer:
        """
        Fetch a file, whose 2xx is never signed: the caller checks its digest. Source: sheet sections 3 and 7.

        Raises:
            ProviderUnavailable: It never left.
            NoVerdict: No whole answer within the size.
        """
        answer = self._send("GET", url, b"", accept="*/*", answer_bytes_max=answer_bytes_max)
        trace_id = _matching(_TRACE_ID, answer.headers.get("request-id"))
        if not _is_2xx(answer.status):
            return _error_answer(answer, trace_id)
        return Answer(status=answer.status, content=answer.content, trace_id=trace_id)

    def _send(
        self,
        method: str,
        url: str,
        body: bytes,
        *,
        accept: str = "application/json",
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> HttpAnswer:
        config = self._config
        headers = {
            "Accept": accept,
            # What arrives is then byte for byte what was signed or hashed.
            "Accept-Encoding": "identity",
            "User-Agent": USER_AGENT,
            "Authorization": authorization(
                config.merchant_private_key,
                mchid=config.mchid,
                serial_no=config.merchant_serial_no,
                method=method,
                target=wire_target(url),
                timestamp=int(self._tools.clock.now().timestamp()),
                nonce=self._tools.nonce(),
                body=body,
            ),
        }
        if body:
            headers["Content-Type"] = "application/json"
        if config.public_key_id:
            # Without it WeChat signs its answers with a certificate. Source: sheet section 3.1.
            headers["Wechatpay-Serial"] = config.public_key_id
        return self._tools.transport.send(
            method, url, headers=headers, body=body or None, answer_bytes_max=answer_bytes_max
        )

    def _download_certificates(self, find_known: FindKey) -> Sequence[x509.Certificate]:
        """A download that fails brings nothing: the keys held stay, and the message at hand is refused."""
        try:
            answer = self._send("GET", self._config.base_url + CERTIFICATES_TARGET, b"")
            return read_certificates(
                answer,
                apiv3_keys=self._config.apiv3_keys,
                merchant_serial_no=self._config.merchant_serial_no,
                now=self._tools.clock.now(),
                find_known=find_known,
            )
        except (ProviderError, ValueError):
            return ()


def _error_answer(answer: HttpAnswer, trace_id: str) -> Answer:
    try:
        members = parse_strict_json_object(answer.content)
    except ValueError:
        members = {}
    detail = members.get("detail")
    return Answer(
        status=answer.status,
        content=answer.content,
        trace_id=trace_id,
        code=_matching(_CODE, members.get("code")),
        error_field=_matching(_FIELD, detail.get("field")) if isinstance(detail, dict) else "",
    )


def _matching(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""


def _is_2xx(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004  the class's own name
