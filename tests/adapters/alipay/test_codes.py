"""Every row of the code tables, by the decision that the caller sees."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.alipay.adapter import Alipay
from adapters.alipay.tables import (
    API_CANCEL,
    API_CLOSE,
    API_CREATE,
    API_PRECREATE,
    API_QUERY,
    API_REFUND,
    API_REFUND_QUERY,
    Action,
    action_of,
)
from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import answer_body, failed, provider, replies

_CALLS: dict[str, Callable[[Alipay], Any]] = {
    API_CREATE: lambda alipay: alipay.create(peer.payment("jsapi")),
    API_PRECREATE: lambda alipay: alipay.create(peer.payment("qr")),
    API_QUERY: lambda alipay: alipay.query(peer.ref()),
    API_CLOSE: lambda alipay: alipay.close(peer.ref()),
    API_CANCEL: lambda alipay: alipay.cancel(peer.ref()),
    API_REFUND: lambda alipay: alipay.refund(peer.refund()),
    API_REFUND_QUERY: lambda alipay: alipay.query_refund(peer.refund()),
}


def raised_by(api: str, code: str, sub_code: str = "", *, key: str | None = "platform", node: str | None = None) -> Any:
    body = answer_body(api, failed(code, sub_code), key=key, node=node)
    with replies(body), pytest.raises(ProviderError) as raised:
        _CALLS[api](provider())
    return raised.value


_TOP = [
    ("10003", "", NoVerdict),
    ("20000", "isp.unknow-error", NoVerdict),
    ("20000", "aop.unknow-error", NoVerdict),
    ("20001", "aop.invalid-app-auth-token", AccountMisconfigured),
    ("40001", "isv.missing-signature", AccountMisconfigured),
    ("40002", "isv.invalid-signature", AccountMisconfigured),
    ("40002", "isv.app-cert-not-exist", AccountMisconfigured),
    ("40002", "", RequestRefused),
    ("40003", "", RequestRefused),
    ("40005", "", ProviderUnavailable),
    ("40006", "isv.insufficient-isv-permissions", AccountMisconfigured),
    ("49999", "", NoVerdict),
    ("", "", NoVerdict),
]


@pytest.mark.parametrize("api", sorted(_CALLS))
@pytest.mark.parametrize(("code", "sub_code", "error"), _TOP, ids=[f"{code}-{sub}" for code, sub, _ in _TOP])
def test_top_code_decides(api: str, code: str, sub_code: str, error: type[ProviderError]) -> None:
    """A signed top-level code has one meaning for every call."""
    raised = raised_by(api, code, sub_code)

    assert error is type(raised)
    assert raised.code == (sub_code or code)


_MONEY = (API_CREATE, API_PRECREATE, API_REFUND, API_CANCEL)
_ASKING = (API_QUERY, API_CLOSE, API_REFUND_QUERY)
_SUB: list[tuple[str, tuple[str, ...], type[ProviderError]]] = [
    ("ACQ.SYSTEM_ERROR", (*_MONEY, *_ASKING), NoVerdict),
    ("aop.ACQ.SYSTEM_ERROR", (*_MONEY, *_ASKING), NoVerdict),
    ("AQC.SYSTEM_ERROR", (API_CANCEL,), NoVerdict),
    ("ACQ.INVALID_PARAMETER", (*_MONEY, *_ASKING), RequestRefused),
    ("ACQ.ACCESS_FORBIDDEN", (*_MONEY, *_ASKING), AccountMisconfigured),
    ("ACQ.PARTNER_ERROR", (*_MONEY, *_ASKING), AccountMisconfigured),
    ("ACQ.TRADE_NOT_EXIST", (API_REFUND,), RequestRefused),
    ("ACQ.TRADE_NOT_EXIST", (API_CREATE, API_PRECREATE), NoVerdict),
    ("ACQ.TRADE_HAS_SUCCESS", (API_CREATE, API_PRECREATE, API_CLOSE), NoVerdict),
    ("ACQ.TRADE_HAS_CLOSE", (API_CREATE, API_PRECREATE, API_REFUND), RequestRefused),
    ("ACQ.TRADE_HAS_CLOSE", (API_CLOSE,), NoVerdict),
    ("ACQ.CONTEXT_INCONSISTENT", (API_CREATE, API_PRECREATE), RequestRefused),
    ("ACQ.TRADE_BUYER_NOT_MATCH", (API_CREATE, API_PRECREATE), RequestRefused),
    ("ACQ.BUYER_SELLER_EQUAL", (API_CREATE,), RequestRefused),
    ("ACQ.BUYER_ENABLE_STATUS_FORBID", (API_CREATE,), RequestRefused),
    ("ACQ.SELLER_BEEN_BLOCKED", (API_CREATE, API_PRECREATE), AccountMisconfigured),
    ("ACQ.TOTAL_FEE_EXCEED", (API_CREATE, API_PRECREATE), RequestRefused),
    ("ACQ.EXIST_FORBIDDEN_WORD", (API_CREATE, API_PRECREATE), RequestRefused),
    ("ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR", (API_CREATE,), RequestRefused),
    ("ACQ.BEYOND_PAY_RESTRICTION", (API_CREATE,), RequestRefused),
    ("ACQ.TRADE_STATUS_ERROR", (API_CLOSE, API_REFUND), NoVerdict),
    ("ACQ.REASON_TRADE_STATUS_INVALID", (API_CLOSE, API_REFUND), NoVerdict),
    ("ACQ.REASON_ILLEGAL_STATUS", (API_CLOSE, API_REFUND), NoVerdict),
    ("ACQ.SELLER_BALANCE_NOT_ENOUGH", (API_REFUND, API_CANCEL), ProviderUnavailable),
    ("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", (API_REFUND,), RequestRefused),
    ("ACQ.REASON_TRADE_REFUND_FEE_ERR", (API_REFUND,), RequestRefused),
    ("ACQ.REASON_TRADE_REFUND_FEE_ERR", (API_CANCEL,), NoVerdict),
    ("ACQ.DISCORDANT_REPEAT_REQUEST", (API_REFUND,), RequestRefused),
    ("ACQ.TRADE_HAS_FINISHED", (API_REFUND, API_CANCEL), RequestRefused),
    ("ACQ.TRADE_NOT_ALLOW_REFUND", (API_REFUND,), RequestRefused),
    ("ACQ.REASON_TRADE_BEEN_FREEZEN", (API_REFUND, API_CANCEL), RequestRefused),
    ("ACQ.TRADE_CANCEL_TIME_OUT", (API_CANCEL,), RequestRefused),
    ("ACQ.CANCEL_NOT_ALLOWED", (API_CANCEL,), RequestRefused),
    ("isp.anything", (*_MONEY, *_ASKING), NoVerdict),
    ("ACQ.NEVER_SEEN", _MONEY, NoVerdict),
    ("ACQ.NEVER_SEEN", _ASKING, RequestRefused),
    ("", _MONEY, NoVerdict),
    ("", _ASKING, RequestRefused),
]
_ROWS = [(sub_code, api, error) for sub_code, apis, error in _SUB for api in apis]


@pytest.mark.parametrize(("sub_code", "api", "error"), _ROWS, ids=[f"{sub}-{api}" for sub, api, _ in _ROWS])
def test_sub_code_decides(sub_code: str, api: str, error: type[ProviderError]) -> None:
    """A signed 40004 is decided by its sub_code, and by the call it answers."""
    raised = raised_by(api, "40004", sub_code)

    assert error is type(raised)
    assert raised.code == (sub_code or "40004")
    assert raised.trace_id == "0ad1348f17723316"
    assert "秘密的说明文字" not in str(raised)


_UNSIGNED = [
    ("20001", "aop.auth-token-time-out", AccountMisconfigured),
    ("40001", "isv.missing-app-id", AccountMisconfigured),
    ("40002", "isv.invalid-app-id", AccountMisconfigured),
    ("40002", "", RequestRefused),
    ("40006", "", AccountMisconfigured),
    ("20000", "aop.unknow-error", NoVerdict),
    ("40003", "", NoVerdict),
    ("40004", "ACQ.TRADE_NOT_EXIST", NoVerdict),
    ("40004", "ACQ.TRADE_HAS_CLOSE", NoVerdict),
    ("40004", "ACQ.INVALID_PARAMETER", NoVerdict),
    ("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH", NoVerdict),
    ("40005", "", NoVerdict),
    ("49999", "", NoVerdict),
]


@pytest.mark.parametrize("node", [None, "error_response"], ids=["own-node", "error-node"])
@pytest.mark.parametrize("api", sorted(_CALLS))
@pytest.mark.parametrize(("code", "sub_code", "error"), _UNSIGNED, ids=[f"{code}-{sub}" for code, sub, _ in _UNSIGNED])
def test_unsigned_error_never_decides_about_money(
    api: str, code: str, sub_code: str, error: type[ProviderError], node: str | None
) -> None:
    """Without a signature only a refusal before any business is believed."""
    assert error is type(raised_by(api, code, sub_code, key=None, node=node))


@pytest.mark.parametrize("code", ["10000", "10003", "20000", "40004", "40005", "77777", ""])
def test_unsigned_answer_is_never_read(code: str) -> None:
    """Not even the tables let an unsigned answer through."""
    assert action_of(API_QUERY, code, "ACQ.TRADE_NOT_EXIST", signed=False) is Action.ASK


@pytest.mark.parametrize("text", ["x" * 200, "坏", "a b", "\n"], ids=["long", "chinese", "blank", "line-break"])
def test_code_that_looks_like_none_is_not_shown(text: str) -> None:
    """Events and logs get plain codes only."""
    raised = raised_by(API_QUERY, "40004", text)

    assert raised.code == "40004"
    assert text not in str(raised)
