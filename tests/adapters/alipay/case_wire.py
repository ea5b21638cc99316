"""Requests and answers of Alipay's case as they stand on the wire, in its own few lines."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from tests.adapters.alipay import peer
from tests.conformance.case import (
    Exchange,
    WireAnswer,
    WireRequest,
)

AUTH_TOKEN: Final = "202603BB0000000000000000000000000000X90"


def encoded(parameters: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


def signed(api: str, content: dict[str, Any], public: dict[str, str]) -> dict[str, str]:
    """Every parameter of a request, in the order in which it is sent."""
    parameters = {
        "app_id": peer.APP_ID,
        "method": api,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": "2026-03-02 11:20:30",
        "version": "1.0",
        "app_auth_token": AUTH_TOKEN,
        "biz_content": peer.compact(content),
        **public,
    }
    text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    return parameters | {"sign": peer.sign(text.encode(), "app")}


def posted(api: str, content: dict[str, Any], **public: str) -> WireRequest:
    sent = signed(api, content, public)
    business = sent.pop("biz_content")
    return WireRequest(
        method="POST",
        url=f"{peer.BASE_URL}?{encoded(sent)}",
        headers={"content-type": "application/x-www-form-urlencoded;charset=utf-8"},
        body=encoded({"biz_content": business}).encode(),
    )


def answering(api: str, members: dict[str, Any]) -> Callable[[datetime], WireAnswer]:
    body = peer.answer_body(api, members)
    headers = {"content-type": "text/html;charset=utf-8", "trace_id": "0ad1348f17723316"}
    return lambda _signed_at: WireAnswer(status=200, headers=headers, body=body)


def exchange(api: str, content: dict[str, Any], members: dict[str, Any], **public: str) -> Exchange:
    return Exchange(request=posted(api, content, **public), answer=answering(api, members))
