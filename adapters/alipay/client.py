"""
One call to Alipay's v2 gateway: sign, send, slice, verify, and only then read.

The public parameters travel in the URL, `charset` above all: in the body alone the gateway may read the rest as GBK.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from adapters.alipay.certificates import CertifiedKeys, FixedKeys, PlatformKeys, certificate_sn, root_sn
from adapters.alipay.config import AlipayAccount
from adapters.alipay.envelope import AnswerUnreadable, Envelope, open_envelope, parse_node, parse_text_node, text_of
from adapters.alipay.signing import SIGN_TYPE, sign_request, signed_by_any
from adapters.alipay.tables import API_CERTIFICATE, Action, action_of
from adapters.kit.aes import decrypt_content, encrypt_content
from adapters.kit.base import AdapterTools
from adapters.kit.http import HttpAnswer
from adapters.kit.keys import der_from_pasted
from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)

CHARSET: Final = "utf-8"
_FORM: Final = "application/x-www-form-urlencoded;charset=utf-8"
_HTTP_OK: Final = 200
_CODE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

_ERROR_BY_ACTION: Final[Mapping[Action, type[ProviderError]]] = {
    Action.RETRY: ProviderUnavailable,
    Action.ASK: NoVerdict,
    Action.FAIL: RequestRefused,
    Action.MISCONFIGURED: AccountMisconfigured,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    A verified answer to one call.

    Attributes:
        found: False when Alipay says that it knows nothing of what was asked about.
        fields: The node's members; numbers are text.
        body: The whole body, as evidence.
    """

    found: bool
    code: str
    sub_code: str
    fields: Mapping[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    trace_id: str


def _code_of(fields: Mapping[str, Any], name: str) -> str:
    """A code fit for events and logs; anything that does not look like one is dropped."""
    text = text_of(fields, name)
    return text if _CODE.fullmatch(text) else ""


def content_text(content: Mapping[str, Any]) -> str:
    """biz_content as it is signed and sent; equal contents give equal texts."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def query_text(parameters: Mapping[str, str]) -> str:
    """Percent-encode parameters for a URL, an order string or a form body."""
    return urlencode(parameters, quote_via=quote, safe="")


class Client:
    """Speaks with the gateway on behalf of one account; safe to use from many threads."""

    def __init__(self, account: AlipayAccount, tools: AdapterTools) -> None:
        self._account = account
        self._tools = tools
        self._certificate_parameters: dict[str, str] = {}
        self.keys: PlatformKeys = FixedKeys(keys=account.platform_keys)
        if account.certificates is not None:
            self._certificate_parameters = {
                "app_cert_sn": certificate_sn(account.certificates.app),
                "alipay_root_cert_sn": root_sn(account.certificates.roots),
            }
            self.keys = CertifiedKeys(account.certificates, clock=tools.clock, download=self._download_certificate)

    @property
    def is_encrypted(self) -> bool:
        """True when the gateway is spoken to by TLS: always, but for a simulator on the own machine."""
        return self._account.base_url.startswith("https:")

    def parameters(self, api: str, **public: str) -> dict[str, str]:
        """The public parameters of a call, unsigned. `timestamp` is Beijing time, whatever the machine's zone."""
        account = self._account
        return {
            "app_id": account.app_id,
            "method": api,
            "format": "JSON",
            "charset": CHARSET,
            "sign_type": SIGN_TYPE,
            "timestamp": self._tools.clock.now().astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            "app_auth_token": account.app_auth_token.reveal() if account.app_auth_token else "",
            **self._certificate_parameters,
            **public,
        }

    def signed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """The parameters that are sent, with their `sign`."""
        return sign_request(self._account.private_key, parameters)

    def call(self, api: str, content: Mapping[str, Any], *, about: str, notify_url: str = "") -> Answer:
        """
        Make one call and read its verified answer.

        Args:
            about: Our number, for error texts.

        Raises:
            ProviderUnavailable: Not accepted, for certain.
            NoVerdict: The outcome is unknown, or the answer is not proven to be Alipay's.
            RequestRefused, AccountMisconfigured: Refused by a final code.
        """
        text, encryption = content_text(content), ""
        if self._account.content_key is not None:
            text, encryption = encrypt_content(self._account.content_key, text), "AES"
        http = self._post(api, text, notify_url=notify_url, encrypt_type=encryption)
        trace_id = _code_of(http.headers, "trace_id")
        try:
            envelope = self._opened(api, http)
            signed = self._verified(envelope)
            fields = self._node_fields(envelope, signed=signed)
        except AnswerUnreadable as exc:
            raise NoVerdict(f"{api} for {about}: {exc}", trace_id=trace_id) from None
        code, sub_code = _code_of(fields, "code"), _code_of(fields, "sub_code")
        action = action_of(api, code, sub_code, signed=signed)
        if action in _ERROR_BY_ACTION:
            proof = "" if signed else " (unsigned)"
            raise _ERROR_BY_ACTION[action](
                f"{api} for {about}: {code or 'no code'} {sub_code}{proof}", code=sub_code or code, trace_id=trace_id
            )
        return Answer(
            found=action is Action.READ,
            code=code,
            sub_code=sub_code,
            fields=fields,
            body=http.content,
            trace_id=trace_id,
        )

    def _post(self, api: str, content: str, **public: str) -> HttpAnswer:
        sent = self.signed(self.parameters(api, biz_content=content, **public))
        business = {"biz_content": sent.pop("biz_content")}
        return self._tools.transport.send(
            "POST",
            f"{self._account.base_url}?{query_text(sent)}",
            headers={"content-type": _FORM, "accept": "application/json"},
            body=query_text(business).encode("ascii"),
        )

    def _opened(self, api: str, http: HttpAnswer) -> Envelope:
        if http.status != _HTTP_OK:
            raise AnswerUnreadable(f"HTTP status {http.status}")
        return open_envelope(http.content, method=api, content_type=http.headers.get("content-type", ""))

    def _verified(self, envelope: Envelope) -> bool:
        """True when signed by Alipay, False when not signed at all; a signature that does not hold is no answer."""
        if envelope.signature is None:
            return False
        keys = self.keys.for_answer(envelope.cert_sn)
        if not keys:
            raise AnswerUnreadable("signed with a certificate that is not known here")
        if not signed_by_any(keys, envelope.node, envelope.signature):
            raise AnswerUnreadable("the signature does not hold")
        return True

    def _node_fields(self, envelope: Envelope, *, signed: bool) -> dict[str, Any]:
        if signed and envelope.text.startswith('"'):
            return self._decrypted(envelope)
        return parse_node(envelope.text)

    def _decrypted(self, envelope: Envelope) -> dict[str, Any]:
        if self._account.content_key is None:
            raise AnswerUnreadable("the answer is encrypted, but encrypt_key is not set")
        try:
            return parse_node(
                decrypt_content(self._account.content_key, parse_text_node(envelope.text)).decode("utf-8")
            )
        except ValueError as exc:
            raise AnswerUnreadable("the answer cannot be decrypted") from exc

    def _download_certificate(self, sn: str) -> str:
        """
        What Alipay offers for a certificate's serial. The answer is signed by the very key that is sought, so nothing
        is verified here: `CertifiedKeys` believes the chain alone.
        """
        try:
            http = self._post(API_CERTIFICATE, content_text({"alipay_cert_sn": sn}))
            fields = parse_node(self._opened(API_CERTIFICATE, http).text)
            return der_from_pasted(text_of(fields, "alipay_cert_content")).decode("ascii")
        except (ProviderError, ValueError):
            return ""
