"""Builds the fields of requests from the request and the settings alone: equal requests give equal business content."""

import unicodedata
from datetime import date, datetime
from typing import Final

from adapters.unionpay.config import Config
from adapters.unionpay.form import ENCODING
from adapters.unionpay.methods import FRONT_PATH, Product
from adapters.unionpay.signing import VERSION
from gateway.domain.clock import CHINA
from gateway.domain.provider import PaymentRequest, RefundRequest

CURRENCY_CODE: Final = "156"
TXN_PAYMENT: Final = "01"
TXN_REFUND: Final = "04"
TXN_UNDO: Final = "31"

_ORDER_DESC_BYTES_MAX: Final = 32
_COMMODITY_CHARACTERS_MAX: Final = 64
_COMMODITY_WITHOUT_TEXT: Final = "缴费"
_NOT_IN_TEXT: Final = frozenset("&={}[]<>\"'\\")
_NOT_TEXT: Final = frozenset({"Cc", "Cs", "Co", "Cn"})
_BMP_LAST: Final = "\uffff"


def txn_time(moment: datetime) -> str:
    """A `txnTime`: Beijing time, part of an order's identity beside `orderId`. Source: sheet section 4."""
    return moment.astimezone(CHINA).strftime("%Y%m%d%H%M%S")


def pay_deadline(config: Config, request: PaymentRequest) -> datetime:
    """`payTimeout`: the order's own end, but never later than a query can know from `created_at`."""
    return min(request.expires_at, request.created_at + config.pay_time)


def order_fields(config: Config, product: Product, request: PaymentRequest) -> dict[str, str]:
    """
    An order. Source: sheet sections 4 and 5; vectors requests.json, front_consume_…, app_…, qr_….

    orderDesc's limit of 32 bytes and commodityName's of 64 characters are unverified.
    """
    fields = {
        **_common(config, TXN_PAYMENT, product.txn_sub_type, product.biz_type),
        "channelType": product.channel_type,
        "orderId": request.out_trade_no,
        "txnTime": txn_time(request.created_at),
        "txnAmt": str(request.amount_fen),
        "currencyCode": CURRENCY_CODE,
        "backUrl": request.notify_url,
        "payTimeout": txn_time(pay_deadline(config, request)),
        "reqReserved": request.out_trade_no,
    }
    if product.handle == "qrCode":
        return {**fields, "termId": config.term_id}
    text = clean_text(request.description)
    fields["orderDesc"] = _cut_bytes(text, _ORDER_DESC_BYTES_MAX)
    if product.path == FRONT_PATH:
        commodity = text[:_COMMODITY_CHARACTERS_MAX].strip() or _COMMODITY_WITHOUT_TEXT
        fields["riskRateInfo"] = f"{{commodityName={commodity}}}"
        fields["frontUrl"] = request.fields.get("return_url") or config.front_url
        fields |= _card_fields(config, request)
    return fields


def query_fields(config: Config, product: Product, number: str, created_at: datetime) -> dict[str, str]:
    """A question about a payment or a refund. Source: sheet section 5; vector requests.json, query_single."""
    return {
        **_common(config, "00", "00", product.biz_type),
        "orderId": number,
        "txnTime": txn_time(created_at),
    }


def back_fields(
    config: Config, product: Product, refund: RefundRequest, txn_type: str, query_id: str
) -> dict[str, str]:
    """
    A refund (退货) or an undo (消费撤销) under its own number.

    `reqReserved` carries the payment's number: a notify names the payment by UnionPay's number alone.
    Source: sheet section 5; vector requests.json, refund_partial.
    """
    return {
        **_common(config, txn_type, "00", product.biz_type),
        "channelType": product.channel_type,
        "orderId": refund.out_refund_no,
        "txnTime": txn_time(refund.requested_at),
        "txnAmt": str(refund.amount_fen),
        "origQryId": query_id,
        "backUrl": refund.notify_url,
        "reqReserved": refund.out_trade_no,
    }


def file_fields(config: Config, day: date, now: datetime) -> dict[str, str]:
    """A settlement file of a clearing day. Source: sheet section 5; vector requests.json, file_download."""
    return {
        **_common(config, "76", "01", "000000"),
        "txnTime": txn_time(now),
        "settleDate": day.strftime("%m%d"),
        "fileType": "00",
    }


def clean_text(text: str) -> str:
    """Text without control characters, four-byte characters and the signs that the wire's own forms use."""
    kept = (
        " " if sign in _NOT_IN_TEXT or unicodedata.category(sign) in _NOT_TEXT else sign
        for sign in text
        if sign <= _BMP_LAST
    )
    return " ".join("".join(kept).split())


def _common(config: Config, txn_type: str, txn_sub_type: str, biz_type: str) -> dict[str, str]:
    return {
        "version": VERSION,
        "encoding": ENCODING,
        "merId": config.mer_id,
        **config.party,
        "txnType": txn_type,
        "txnSubType": txn_sub_type,
        "bizType": biz_type,
    }


def _card_fields(config: Config, request: PaymentRequest) -> dict[str, str]:
    """Source: sheet sections 4 (`reserved`) and 9."""
    number = request.fields.get("acc_no")
    if not number or config.sealer is None:
        return {}
    return {
        "accNo": config.sealer.seal(number),
        "encryptCertId": config.sealer.cert_id,
        "reserved": "{cardNumberLock=1}",
    }


def _cut_bytes(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode(errors="ignore").strip()
