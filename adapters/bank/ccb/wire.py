"""Builds orders from the request and the settings alone: equal requests give equal business content."""

import string
import unicodedata
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from adapters.bank.ccb.config import Config
from adapters.bank.ccb.methods import Product
from adapters.bank.ccb.numbers import order_id_of
from adapters.bank.ccb.signing import mac, mac_text
from gateway.domain.clock import CHINA
from gateway.domain.money import yuan_from_fen
from gateway.domain.provider import InstructionKind, PaymentRequest

CURRENCY_CODE: Final = "01"

_VERSION: Final = {"CCB_IBSVersion": "V6"}
_ANTI_PHISHING: Final = "1"
_RETURNS_JSON: Final = "3"

_GOODS_CHARACTERS_MAX: Final = 240
_KEPT_BY_ESCAPE: Final = frozenset(string.ascii_letters + string.digits + "@*_+-./")
_LATIN_LAST: Final = "\xff"
_BMP_LAST: Final = "\uffff"
_NOT_TEXT: Final = frozenset({"Cc", "Cs", "Co", "Cn"})


def pay_deadline(config: Config, request: PaymentRequest) -> datetime:
    """TIMEOUT: the order's own end, but never later than a query can know from `created_at`."""
    return min(request.expires_at, request.created_at + config.pay_time)


def has_timeout(config: Config, product: Product) -> bool:
    """An order for the cashier carries TIMEOUT only where the branch has confirmed its place: it is unverified."""
    return product.instruction is InstructionKind.QR_TEXT or config.h5_timeout


def order_fields(config: Config, product: Product, request: PaymentRequest) -> dict[str, str]:
    """
    An order in the order that is sent, MAC included; PUB is never among it.

    Source: sheet section 2.2; vector ccb_order_mac.json.

    Raises:
        ValueError: The payment's number is not 32 hex digits.
    """
    timeout = pay_deadline(config, request).astimezone(CHINA).strftime("%Y%m%d%H%M%S")
    fields = {
        "MERCHANTID": config.merchant_id,
        "POSID": config.pos_id,
        "BRANCHID": config.branch_id,
        "ORDERID": order_id_of(request.out_trade_no),
        "PAYMENT": yuan_from_fen(request.amount_fen),
        "CURCODE": CURRENCY_CODE,
        "TXCODE": product.tx_code,
        "REMARK1": "",
        "REMARK2": "",
    }
    if product.instruction is InstructionKind.QR_TEXT:
        fields |= {"RETURNTYPE": _RETURNS_JSON, "TIMEOUT": timeout}
    else:
        fields |= _cashier_fields(config, product, request)
        fields |= {"TIMEOUT": timeout} if has_timeout(config, product) else {}
    return {**fields, "MAC": mac(mac_text(fields, config.key.pub, product.pub_after))}


def _cashier_fields(config: Config, product: Product, request: PaymentRequest) -> dict[str, str]:
    """The parameter string is handed on as it is, so that only the web page, which decodes once, is told the goods."""
    in_app = product.instruction is InstructionKind.SDK_STRING
    return {
        "TYPE": _ANTI_PHISHING,
        "GATEWAY": config.gateway,
        "CLIENTIP": request.fields.get("client_ip", ""),
        "REGINFO": "",
        "PROINFO": goods_text(request.description) if config.shows_goods and not in_app else "",
        "REFERER": config.referer,
        **({"THIRDAPPINFO": config.third_app_info} if in_app else {}),
    }


def order_url(config: Config, fields: dict[str, str]) -> str:
    """The address that opens the cashier, or that answers with a QR code's. Source: sheet section 2.2."""
    return f"{config.base_url}?{urlencode({**_VERSION, **fields})}"


def order_text(fields: dict[str, str]) -> str:
    """The parameter string for the bank's app control. Source: sheet section 2.2; vector h5-520100-thirdappinfo."""
    return "&".join(f"{name}={value}" for name, value in fields.items())


def goods_text(text: str) -> str:
    """What the payer reads, as `escape()` writes it, cut between two characters; the limit is unverified."""
    kept = "".join(" " if unicodedata.category(sign) in _NOT_TEXT else sign for sign in text if sign <= _BMP_LAST)
    escaped = ""
    for sign in " ".join(kept.split()):
        piece = js_escape(sign)
        if len(escaped) + len(piece) > _GOODS_CHARACTERS_MAX:
            break
        escaped += piece
    return escaped


def js_escape(text: str) -> str:
    """JavaScript's `escape()` for the basic plane. Source: sheet section 2.2; vector h5-520100-chinese-escaped."""
    return "".join(
        sign if sign in _KEPT_BY_ESCAPE else f"%{ord(sign):02X}" if sign <= _LATIN_LAST else f"%u{ord(sign):04X}"
        for sign in text
    )
