"""
Fetches the aggregate QR code (聚合扫码): one address asked, a second one told, and there the code's text.

Its answers are not signed. They decide nothing: a code that leads elsewhere is paid elsewhere, and never by us.
"""

import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from adapters.kit.base import AdapterTools
from gateway.domain.provider import NoVerdict, ProviderError, ProviderUnavailable
from gateway.domain.strict_json import parse_strict_json_object

_HEADERS: Final = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "Jiaofei"}
_HTTP_OK: Final = 200
_TRUE: Final = ("true", True)
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,1000}")
_CODE: Final = re.compile(r"[0-9A-Za-z._-]{1,20}")
_BANK_HOST: Final = re.compile(r"([0-9a-z-]+\.)+ccb\.(com|com\.cn)")


def fetch_qr_text(tools: AdapterTools, order_url: str) -> tuple[str, bytes]:
    """
    Place the order and read its QR code: the text to draw, and the answers' bytes.

    Source: sheet section 2.2, RETURNTYPE.

    Raises:
        ProviderUnavailable: The order never left.
        NoVerdict: It may have been placed, but no code came back.
    """
    placed, first = _ask(tools, order_url)
    pay_url = _address(placed, "PAYURL")
    if not _is_banks(pay_url, order_url):
        raise NoVerdict("ccb's PAYURL leads to another host")
    try:
        shown, second = _ask(tools, pay_url)
    except ProviderUnavailable as exc:  # the order itself did arrive
        raise NoVerdict(str(exc)) from None
    return _address({"QRURL": unquote(str(shown.get("QRURL", "")))}, "QRURL"), first + b"\n" + second


def _ask(tools: AdapterTools, url: str) -> tuple[dict[str, Any], bytes]:
    http = tools.transport.send("GET", url, headers=_HEADERS)
    if http.status != _HTTP_OK:
        raise NoVerdict(f"ccb answered create: HTTP {http.status}")
    try:
        members = parse_strict_json_object(_text(http.content))
    except ValueError:
        raise NoVerdict("ccb's answer to create is no JSON object") from None
    if members.get("SUCCESS") not in _TRUE:
        raise _refusal(members)
    return members, http.content


def _refusal(members: dict[str, Any]) -> ProviderError:
    """No document that we know calls one of its codes final, so that none is."""
    code = str(members.get("ERRCODE", ""))
    shown = code if _CODE.fullmatch(code) else ""
    return NoVerdict(f"ccb answered create without success {shown}".rstrip(), code=shown)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("gb18030", "replace")


def _address(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or _ADDRESS.fullmatch(value.strip()) is None:
        raise NoVerdict(f"ccb's answer to create has no {name}")
    return value.strip()


def _is_banks(url: str, order_url: str) -> bool:
    """True on the host that was asked, or on one of the bank's own over TLS."""
    try:
        asked, told = urlsplit(order_url), urlsplit(url)
        same = (told.scheme, told.netloc) == (asked.scheme, asked.netloc)
        return same or (told.scheme == "https" and _BANK_HOST.fullmatch(told.netloc) is not None)
    except ValueError:
        return False
