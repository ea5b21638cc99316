"""Builds request paths and bodies from the request and the settings alone: equal requests give equal bytes."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from adapters.wechatpay.config import CASHIER_SUB, Config
from gateway.domain.clock import rfc3339
from gateway.domain.provider import PaymentRef, PaymentRequest, RefundRequest
from gateway.domain.report import CURRENCY

REFUNDS_PATH: Final = "/v3/refund/domestic/refunds"

_DESCRIPTION_CHARACTERS_MAX: Final = 127
_REASON_CHARACTERS_MAX: Final = 80
_DESCRIPTION_WITHOUT_TEXT: Final = "缴费"
_BMP_LAST: Final = "\uffff"
_NOT_TEXT: Final = frozenset({"Cc", "Cs"})
_URL_SAFE: Final = "-_*@"
_WIRE_METHOD: Final = {"mini_program": "jsapi"}
_WITH_OPENID: Final = frozenset({"jsapi", "mini_program"})


def create_path(config: Config, method: str) -> str:
    """Source: sheet section 4.1; a mini program orders as JSAPI."""
    return f"{_orders_path(config)}/{_WIRE_METHOD.get(method, method)}"


def create_body(config: Config, request: PaymentRequest) -> bytes:
    """The order. Source: sheet section 4.2; vector `authorization.json`, cases jsapi_chinese, partner_jsapi_chinese."""
    identity = {"appid": config.appid, "mchid": config.mchid}
    if config.partner:
        identity = {"sp_appid": config.appid, "sp_mchid": config.mchid}
        identity |= {"sub_appid": config.sub_appid} if config.sub_appid else {}
        identity["sub_mchid"] = config.sub_mchid
    members: dict[str, Any] = {
        **identity,
        "description": clean_text(request.description, _DESCRIPTION_CHARACTERS_MAX) or _DESCRIPTION_WITHOUT_TEXT,
        "out_trade_no": request.out_trade_no,
        "time_expire": rfc3339(request.expires_at),
        "notify_url": request.notify_url,
        "amount": {"total": request.amount_fen, "currency": CURRENCY},
    }
    if request.method in _WITH_OPENID:
        members["payer"] = {_openid_name(config): request.fields["openid"]}
    if request.method == "h5":
        members["scene_info"] = {
            "payer_client_ip": request.fields["client_ip"],
            "h5_info": {"type": request.fields["h5_type"]},
        }
    return to_bytes(members)


def query_path(config: Config, payment: PaymentRef) -> str:
    """Source: sheet section 4.1; vector `authorization.json`, case query_out_trade_no."""
    return f"{_orders_path(config)}/out-trade-no/{_in_path(payment.out_trade_no)}?{_identity_query(config)}"


def query_by_id_path(config: Config, provider_trade_no: str) -> str:
    """Source: sheet section 4.1; vector `authorization.json`, case query_transaction_id_partner."""
    return f"{_orders_path(config)}/id/{_in_path(provider_trade_no)}?{_identity_query(config)}"


def close_path(config: Config, payment: PaymentRef) -> str:
    """Source: sheet section 4.1; vector `authorization.json`, case close."""
    return f"{_orders_path(config)}/out-trade-no/{_in_path(payment.out_trade_no)}/close"


def close_body(config: Config) -> bytes:
    """Source: sheet section 4.1; vector `authorization.json`, case close."""
    return to_bytes(_query_identity(config))


def refund_body(config: Config, refund: RefundRequest) -> bytes:
    """
    The refund, always by our own order number: it is known on the first try, and a retry must repeat every parameter.

    Source: sheet section 4.7; vector `authorization.json`, case refund_chinese.
    """
    reason = clean_text(refund.reason, _REASON_CHARACTERS_MAX)
    members: dict[str, Any] = {
        **({"sub_mchid": config.sub_mchid} if config.partner else {}),
        "out_trade_no": refund.out_trade_no,
        "out_refund_no": refund.out_refund_no,
        **({"reason": reason} if reason else {}),
        "notify_url": refund.notify_url,
        "amount": {"refund": refund.amount_fen, "total": refund.total_fen, "currency": CURRENCY},
    }
    return to_bytes(members)


def refund_query_path(config: Config, refund: RefundRequest) -> str:
    """Source: sheet section 4.1."""
    query = f"?sub_mchid={config.sub_mchid}" if config.partner else ""
    return f"{REFUNDS_PATH}/{_in_path(refund.out_refund_no)}{query}"


def clean_text(text: str, characters_max: int) -> str:
    """
    Text as WeChat takes it: no characters of four UTF-8 bytes, no control characters, cut to a number of characters.

    Source: sheet section 1, row charset.
    """
    kept = (sign for sign in text if sign <= _BMP_LAST and unicodedata.category(sign) not in _NOT_TEXT)
    return "".join(kept)[:characters_max]


def to_bytes(members: Mapping[str, Any]) -> bytes:
    """Serialise once, compact and in raw UTF-8: these bytes are signed and these bytes are sent."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def _orders_path(config: Config) -> str:
    return "/v3/pay/partner/transactions" if config.partner else "/v3/pay/transactions"


def _query_identity(config: Config) -> dict[str, str]:
    if config.partner:
        return {"sp_mchid": config.mchid, "sub_mchid": config.sub_mchid}
    return {"mchid": config.mchid}


def _identity_query(config: Config) -> str:
    return "&".join(f"{name}={value}" for name, value in _query_identity(config).items())


def _openid_name(config: Config) -> str:
    if not config.partner:
        return "openid"
    return "sub_openid" if config.cashier == CASHIER_SUB else "sp_openid"


def _in_path(number: str) -> str:
    return quote(number, safe=_URL_SAFE)
