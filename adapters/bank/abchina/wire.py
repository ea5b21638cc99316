"""
Builds requests from the request and the settings alone: equal requests give equal bytes.

The bank's SDK escapes nothing in its JSON and it is not known what the bank makes of an escape, so that a text which
would need one cannot be sent: free text is cleaned before, anything else is refused.
Source: sheet section 3.2; vector abc_request.json.
"""

import json
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from adapters.bank.abchina.config import UNIONPAY_CARDS, Config
from adapters.bank.abchina.methods import BUYER_IP, MOBILE, Product
from adapters.bank.trustpay import ALGORITHM, BANK_CHARSET, sign
from gateway.domain.clock import CHINA
from gateway.domain.money import yuan_from_fen
from gateway.domain.provider import PaymentRequest, RefundRequest

PAYMENT: Final = "ImmediatePay"
REFUND: Final = "Refund"
ENVELOPE_BYTES_MAX: Final = 8000

_CURRENCY: Final = "156"
_NOTIFY_URL_BYTES_MAX: Final = 200
_TEXT_BYTES_MAX: Final = 100
_WITHOUT_TEXT: Final = "缴费"
_NOT_IN_TEXT: Final = frozenset('"\\{}<>&')
_NOT_TEXT: Final = frozenset({"Cc", "Cs", "Co", "Cn"})

Fields = Mapping[str, Any]


class Unsendable(ValueError):
    """What was asked for has no form that the bank takes."""


def pay_deadline(config: Config, request: PaymentRequest) -> datetime:
    """`orderTimeoutDate`: the order's own end, but never later than a query can know from `created_at`."""
    return min(request.expires_at, request.created_at + config.pay_time)


def order_fields(config: Config, product: Product, request: PaymentRequest) -> Fields:
    """
    A PayReq. Keys in the SDK's order; unused ones stay as "".

    `orderTimeoutDate` is YYYYMMDDhhmmss and `ExpiredDate` a number of days, by the form of the bank's demo
    (TrustPayClient-V3.1.4, MerchantPayment.html); the limit of OrderDesc is our own.
    """
    text = clean_text(request.description) or _WITHOUT_TEXT
    unionpay_in_a_phone = config.payment_type == UNIONPAY_CARDS and product.link_type == MOBILE
    return {
        "TrxType": "PayReq",
        "PaymentType": config.payment_type,
        "PaymentLinkType": product.link_type,
        **({"UnionPayLinkType": "0"} if unionpay_in_a_phone else {}),
        "ReceiveAccount": "",
        "ReceiveAccName": "",
        "NotifyType": "1",
        "ResultNotifyURL": request.notify_url,
        "MerchantRemarks": "",
        "IsBreakAccount": "0",
        "SplitAccTemplate": "",
        "Order": {
            "PayTypeID": PAYMENT,
            **_moment("OrderDate", "OrderTime", request.created_at),
            "orderTimeoutDate": f"{pay_deadline(config, request).astimezone(CHINA):%Y%m%d%H%M%S}",
            "OrderNo": request.out_trade_no,
            "CurrencyCode": _CURRENCY,
            "OrderAmount": yuan_from_fen(request.amount_fen),
            "Fee": "",
            "AccountNo": "",
            "OrderDesc": text,
            "OrderURL": "",
            "ReceiverAddress": "",
            "InstallmentMark": "0",
            "CommodityType": config.commodity_type,
            "BuyIP": request.fields.get(BUYER_IP, ""),
            "ExpiredDate": str(config.keep_days),
            "OrderItems": [{"ProductName": text, "Qty": "1", "UnitPrice": yuan_from_fen(request.amount_fen)}],
        },
    }


def query_fields(pay_type_id: str, number: str) -> Fields:
    """A question about a payment or a refund. The bank's own number comes with the detail alone."""
    return {"TrxType": "Query", "PayTypeID": pay_type_id, "OrderNo": number, "QueryDetail": "true"}


def refund_fields(refund: RefundRequest) -> Fields:
    """A refund, whole or in part, under its own number."""
    return {
        "TrxType": "Refund",
        **_moment("OrderDate", "OrderTime", refund.requested_at),
        "MerRefundAccountNo": "",
        "MerRefundAccountName": "",
        "OrderNo": refund.out_trade_no,
        "NewOrderNo": refund.out_refund_no,
        "CurrencyCode": _CURRENCY,
        "TrxAmount": yuan_from_fen(refund.amount_fen),
        "RefundType": "",
        "MerchantRemarks": "",
    }


def settle_fields(day: date, *, zipped: bool) -> Fields:
    """A day's statement."""
    return {"TrxType": "Settle", "SettleDate": f"{day:%Y/%m/%d}", "ZIP": "1" if zipped else "0"}


def message_text(config: Config, fields: Fields) -> str:
    """
    The text that is signed, without blanks.

    Raises:
        Unsendable: A value would need an escape.
    """
    message = {
        "Version": "V3.0.0",
        "Format": "JSON",
        "Merchant": {"ECMerchantType": "EBUS", "MerchantID": config.merchant_id},
        "TrxRequest": fields,
    }
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    if "\\" in text:
        raise Unsendable("a value would need an escape")
    if config.legacy_refund_text and fields["TrxType"] == REFUND:
        return text[:-2] + ",}}}"  # the SDK's own slip, which the bank has lived with
    return text


def signed_envelope(config: Config, fields: Fields) -> bytes:
    """
    The body of a request: the text is built once, signed, and put in as it is.

    Raises:
        Unsendable: As `message_text`, or longer than the bank takes.
    """
    if len(fields.get("ResultNotifyURL", "").encode(errors="replace")) > _NOTIFY_URL_BYTES_MAX:
        raise Unsendable("ResultNotifyURL is too long")
    message = message_text(config, fields)
    try:
        content = message.encode()
    except UnicodeEncodeError:
        raise Unsendable("a value is no text") from None
    signature = sign(config.identity.private_key, content)
    envelope = f'{{"Message":{message},"Signature-Algorithm":"{ALGORITHM}","Signature":"{signature}"}}'
    body = (f'{{"MSG":{envelope}}}' if config.wrapped else envelope).encode()
    if len(body) > ENVELOPE_BYTES_MAX:
        raise Unsendable(f"the request has more than {ENVELOPE_BYTES_MAX} bytes")
    return body


def clean_text(text: str) -> str:
    """Free text as the bank can hold it: of GBK's characters, without signs that JSON or XML would have to escape."""
    kept = (" " if mark in _NOT_IN_TEXT or unicodedata.category(mark) in _NOT_TEXT else mark for mark in text)
    held = "".join(kept).encode(BANK_CHARSET, "ignore").decode(BANK_CHARSET)
    return " ".join(held.split()).encode()[:_TEXT_BYTES_MAX].decode(errors="ignore").strip()


def _moment(date_name: str, time_name: str, moment: datetime) -> dict[str, str]:
    local = moment.astimezone(CHINA)
    return {date_name: f"{local:%Y/%m/%d}", time_name: f"{local:%H:%M:%S}"}
