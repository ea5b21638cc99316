"""
Asks the bank's client program (外联平台, EBS) inside our network, over TCP or HTTP.

Its answers are not signed; the program itself holds the certificate and the line to the bank.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from adapters.bank.ccb.config import Config, TcpAddress
from adapters.bank.ccb.ebs_xml import ENCODING, Element, Malformed, Tree, read, write
from adapters.kit import tcp
from adapters.kit.base import AdapterTools
from gateway.domain.provider import NoVerdict, Operation

_HEADERS: Final = {
    "Content-Type": f"application/x-www-form-urlencoded; charset={ENCODING}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": "Jiaofei",
}
_HTTP_FIELD: Final = "requestXml"
"""As one public client posts to the program; not in the sheet."""

_HTTP_OK: Final = 200
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,20}")
_SN_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    An answer to our question.

    Attributes:
        code: RETURN_CODE.
        body: TX_INFO; without children where the answer has none.
    """

    code: str
    body: Element = field(repr=False)
    content: bytes = field(repr=False)


class Ebs:
    """The exchanges of one counter; safe to use from many threads."""

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools
        self._send: Callable[[bytes], bytes] = (
            self._over_tcp if isinstance(config.ebs_address, TcpAddress) else self._over_http
        )

    def ask(self, tx_code: str, info: Tree, operation: Operation, *, after: Tree | None = None) -> Answer:
        """
        One question and its answer.

        Source: sheet section 2.4; vector ccb_ebs_xml.json. An error answer may lack CUST_ID, TX_CODE and TX_INFO.

        Args:
            after: Elements beside TX_INFO.

        Raises:
            ProviderUnavailable: It never left.
            NoVerdict: No whole answer, or not one to this question.
        """
        number = self._request_sn()
        head = {
            "REQUEST_SN": number,
            "CUST_ID": self._config.merchant_id,
            "USER_ID": self._config.operator,
            "PASSWORD": self._config.password.reveal(),
            "TX_CODE": tx_code,
            "LANGUAGE": "CN",
        }
        content = self._send(write("TX", {**head, "TX_INFO": info, **(after or {})}))
        try:
            return self._read(content, number, tx_code)
        except Malformed as exc:
            raise NoVerdict(f"ccb's answer to {operation} cannot be read: {exc}") from None

    def _read(self, content: bytes, number: str, tx_code: str) -> Answer:
        root = read(content)
        repeated = {"CUST_ID": self._config.merchant_id, "TX_CODE": tx_code}
        wrong = [name for name, value in repeated.items() if root.get(name) not in {"", value}]
        if root.name != "TX" or root.get("REQUEST_SN") != number or wrong:
            raise Malformed("not an answer to this question")
        code = root.get("RETURN_CODE")
        if _CODE.fullmatch(code) is None:
            raise Malformed("RETURN_CODE")
        bodies = root.all("TX_INFO")
        if len(bodies) > 1:
            raise Malformed("TX_INFO")
        return Answer(code=code, body=bodies[0] if bodies else Element(name="TX_INFO"), content=content)

    def _request_sn(self) -> str:
        """16 digits of chance: no two of many millions are equal."""
        drawn = int.from_bytes(hashlib.sha256(self._tools.nonce().encode()).digest())
        least = 10 ** (_SN_DIGITS - 1)
        return str(least + drawn % (9 * least))

    def _over_tcp(self, question: bytes) -> bytes:
        address = self._config.ebs_address
        if not isinstance(address, TcpAddress):
            raise AssertionError("the address is no TCP address")
        return tcp.exchange(address.host, address.port, question, gate=self._tools.transport.gate)

    def _over_http(self, question: bytes) -> bytes:
        http = self._tools.transport.send(
            "POST",
            str(self._config.ebs_address),
            headers=_HEADERS,
            body=urlencode({_HTTP_FIELD: question}).encode("ascii"),
        )
        if http.status != _HTTP_OK:
            raise NoVerdict(f"ccb's client program answered HTTP {http.status}")
        return http.content
