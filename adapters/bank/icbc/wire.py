"""Builds requests from the values and the settings alone: equal requests give equal business content."""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from adapters.bank.icbc.config import Config
from adapters.bank.icbc.signing import sign, sign_string
from adapters.bank.icbc.tables import ENCRYPT_TYPE
from adapters.kit.aes import encrypt_content
from gateway.domain.clock import CHINA
from gateway.domain.provider import PaymentRef, PaymentRequest, RefundRequest

SHOWPAY_PATH: Final = "/ui/cardbusiness/aggregatepay/b2c/online/ui/consumepurchaseshowpay/V1"
QUERY_PATH: Final = "/api/cardbusiness/aggregatepay/b2c/online/orderqry/V1"
REFUND_PATH: Final = "/api/cardbusiness/aggregatepay/b2c/online/merrefund/V1"
REFUND_QUERY_PATH: Final = "/api/cardbusiness/aggregatepay/b2c/online/refundqry/V1"
"""Source: sheet section 4.3."""

URL_NAMES: Final[tuple[str, ...]] = (
    "sign",
    "app_id",
    "sign_type",
    "charset",
    "format",
    "encrypt_type",
    "timestamp",
    "msg_id",
)
"""What a /ui/ call carries in the URL; the browser posts the rest. Source: sheet section 4.2; vector ui-showpay."""

YUAN: Final = "001"

_NOTIFY: Final = "HS"
_PAID_ONLY: Final = "1"
_ASK_ONLY: Final = "0"
_BODY_CHARACTERS_MAX: Final = 128
_SUBJECT_CHARACTERS_MAX: Final = 32
_TEXT_WHEN_EMPTY: Final = "缴费"
_EXPIRE_SECONDS_MIN: Final = 61
_NOT_IN_TEXT: Final = re.compile(r"[\"'<>&\\]")
_NOT_TEXT: Final = frozenset({"Cc", "Cs", "Co", "Cn"})
_BMP_LAST: Final = "\uffff"


def signed_params(
    config: Config, path: str, content: Mapping[str, str], *, now: datetime, msg_id: str
) -> dict[str, str]:
    """
    All parameters of a call, signed; with an encrypt_key the ciphertext is what is signed.

    Source: sheet sections 4.1 and 4.2; vector icbc_request.json.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    params = {
        "app_id": config.app_id,
        "msg_id": msg_id,
        "format": "json",
        "charset": "UTF-8",
        "sign_type": config.sign_type,
        "timestamp": now.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
        "biz_content": text,
    }
    if config.content_key is not None:
        params |= {"encrypt_type": ENCRYPT_TYPE, "biz_content": encrypt_content(config.content_key, text)}
    return {**params, "sign": sign(config.private_key, sign_string(path, params), config.sign_type)}


def cashier_seconds(config: Config, request: PaymentRequest) -> int:
    """How long the bank's cashier takes the payment: to the payment's own end, `pay_minutes` at most."""
    left = min(request.expires_at - request.created_at, config.pay_time)
    return max(_EXPIRE_SECONDS_MIN, left // timedelta(seconds=1))


def showpay_content(config: Config, request: PaymentRequest) -> dict[str, str]:
    """
    An order for the bank's cashier; openId and expireTime are spelt as the bank spells them.

    expireTime is 订单失效时间，单位为秒，建议大于60秒 in public clients; the vectors' point in time is an example.
    Source: sheet section 4.3; limits of the texts and the values of notify_type and result_type: public clients.
    """
    text = clean_text(request.description)
    content = {
        "mer_id": config.mer_id,
        "out_trade_no": request.out_trade_no,
        "mer_prtcl_no": config.mer_prtcl_no,
        "order_amt": str(request.amount_fen),
        "notify_url": request.notify_url,
        "icbc_appid": config.app_id,
        "openId": request.fields.get("open_id", ""),
        "saledepname": config.shop_name,
        "body": text[:_BODY_CHARACTERS_MAX].strip() or _TEXT_WHEN_EMPTY,
        "subject": text[:_SUBJECT_CHARACTERS_MAX].strip() or _TEXT_WHEN_EMPTY,
        "notify_type": _NOTIFY,
        "result_type": _PAID_ONLY,
        "expireTime": str(cashier_seconds(config, request)),
        "return_url": request.fields.get("return_url", ""),
        "shop_appid": config.shop_appid,
    }
    return {name: value for name, value in content.items() if value}


def query_content(config: Config, payment: PaymentRef) -> dict[str, str]:
    """A question about a payment: deal_flag 0 asks and changes nothing. Source: sheet section 4.3."""
    return {
        "mer_id": config.mer_id,
        "out_trade_no": payment.out_trade_no,
        "deal_flag": _ASK_ONLY,
        "icbc_appid": config.app_id,
        "mer_prtcl_no": config.mer_prtcl_no,
    }


def refund_content(config: Config, refund: RefundRequest) -> dict[str, str]:
    """A refund under its own number, which makes it idempotent. Source: sheet section 4.3."""
    return {
        "mer_id": config.mer_id,
        "outtrx_serial_no": refund.out_refund_no,
        "out_trade_no": refund.out_trade_no,
        "ret_total_amt": str(refund.amount_fen),
        "trnsc_ccy": YUAN,
        "icbc_appid": config.app_id,
        "mer_prtcl_no": config.mer_prtcl_no,
    }


def refund_query_content(config: Config, refund: RefundRequest) -> dict[str, str]:
    """A question about a refund. Source: sheet section 4.3."""
    return {
        "mer_id": config.mer_id,
        "out_trade_no": refund.out_trade_no,
        "outtrx_serial_no": refund.out_refund_no,
        "mer_prtcl_no": config.mer_prtcl_no,
    }


def clean_text(text: str) -> str:
    """Text without control characters, four-byte characters and the signs that a form or a URL could trip over."""
    kept = (
        " " if _NOT_IN_TEXT.match(sign) or unicodedata.category(sign) in _NOT_TEXT else sign
        for sign in text
        if sign <= _BMP_LAST
    )
    return " ".join("".join(kept).split())
