"""The payer's hands: opens the cashier with what the front end was given, and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from sandbox.app import Sandbox
from tests.journeys.accounts import SANDBOX_URL
from tests.journeys.network import target_of

Json = dict[str, Any]


def open_cashier(sandbox: Sandbox, payment: Mapping[str, Any]) -> str:
    """
    Open a payment's cashier by its instruction and return the number of the order it shows.

    Raises:
        sandbox.wire.PayRefused: The cashier does not open.
    """
    provider, instruction = payment["provider"], payment["instruction"]
    simulator = sandbox.simulators[provider]
    kind, payload = instruction["kind"], instruction["payload"]
    if provider in _TOKEN_OF:
        return str(simulator.cashier(_TOKEN_OF[provider](sandbox, kind, payload))["out_trade_no"])
    if kind == "sdk_params":
        return next(str(o["out_trade_no"]) for o in simulator.orders() if o["provider_trade_no"] == payload["tradeNO"])
    visit = payload["text"] if kind == "qr_text" else _cashier_of_browser(sandbox, kind, payload)
    return str(simulator.cashier(_parameter(visit, "visit"))["out_trade_no"])


def _prepay_of(payload: Mapping[str, Any]) -> str:
    """A native code's text is its own name; every other handle carries a prepay_id somewhere."""
    if "url" in payload:
        return _parameter(payload["url"], "prepay_id")
    if "text" in payload:
        return str(payload["text"])
    package: str = payload.get("prepayid") or payload.get("prepayId") or payload["package"]
    return package.removeprefix("prepay_id=")


def _unionpay_visit(sandbox: Sandbox, kind: str, payload: Mapping[str, Any]) -> str:
    """The control takes the tn; a code is the cashier's address; a browser posts the form and is sent there."""
    if kind == "sdk_params":
        return str(payload["tn"])
    if kind == "qr_text":
        return _parameter(payload["text"], "visit")
    return _visit_of_form(sandbox, "unionpay", payload)


def _visit_of_form(sandbox: Sandbox, provider: str, payload: Mapping[str, Any]) -> str:
    """A browser posts the form and is sent to the cashier."""
    body = urlencode(payload["fields"]).encode("ascii")
    answer = sandbox.simulators[provider].answer("POST", target_of(payload["url"]), {}, body)
    assert answer.status == 302, answer.body.decode("utf-8", "replace")
    return _parameter(answer.headers["Location"], "visit")


def _bank_ccb_visit(sandbox: Sandbox, kind: str, payload: Mapping[str, Any]) -> str:
    """A code is the cashier's address; the bank's app opens the same page as a browser, by the parameter string."""
    if kind == "qr_text":
        return _parameter(payload["text"], "visit")
    main = f"{SANDBOX_URL}/bank_ccb/CCBIS/ccbMain?CCB_IBSVersion=V6&"
    url = payload["url"] if kind == "redirect" else main + payload["text"]
    answer = sandbox.simulators["bank_ccb"].answer("GET", target_of(url), {}, b"")
    assert answer.status == 302, answer.body.decode("utf-8", "replace")
    return _parameter(answer.headers["Location"], "visit")


def _cashier_of_browser(sandbox: Sandbox, kind: str, payload: Mapping[str, Any]) -> str:
    if kind == "form":
        body = urlencode(payload["fields"]).encode("ascii")
        answer = sandbox.simulators["alipay"].answer("POST", target_of(payload["url"]), {}, body)
    else:
        url = payload["url"] if kind == "redirect" else f"{SANDBOX_URL}/alipay/gateway.do?{payload['text']}"
        answer = sandbox.simulators["alipay"].answer("GET", target_of(url), {}, b"")
    assert answer.status == 302, answer.body.decode("utf-8", "replace")
    return answer.headers["Location"]


def _parameter(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query)[name][0]


_TOKEN_OF: Final[Mapping[str, Callable[[Sandbox, str, Mapping[str, Any]], str]]] = {
    "wechatpay": lambda _sandbox, _kind, payload: _prepay_of(payload),
    "unionpay": _unionpay_visit,
    "bank_ccb": _bank_ccb_visit,
    "bank_abchina": lambda _sandbox, _kind, payload: _parameter(payload["url"], "visit"),
    "bank_icbc": lambda sandbox, _kind, payload: _visit_of_form(sandbox, "bank_icbc", payload),
}
"""What each provider's cashier knows a payment by; Alipay's way depends on the method."""
