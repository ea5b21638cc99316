"""The methods to pay with Alipay, and the business content and instruction of each. It makes no call."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.alipay.config import AlipayAccount
from adapters.alipay.tables import API_APP_PAY, API_CREATE, API_PAGE_PAY, API_PRECREATE, API_WAP_PAY
from gateway.domain.clock import CHINA
from gateway.domain.money import yuan_from_fen
from gateway.domain.provider import Instruction, InstructionKind, Method, MethodField, PaymentRequest

URL_CHARACTERS_MAX: Final = 2000
"""The longest URL that every browser takes (Internet Explorer: 2,083); a longer one becomes a form."""

SUBJECT_CHARACTERS_MAX: Final = 256
SUBJECT_WHEN_EMPTY: Final = "缴费"

_NOT_PRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_NOT_IN_SUBJECT: Final = re.compile(r"[/=&,\"\\<>]+")
"""
`/`, `=`, `&` are the vendor's (model comments, java SDK); the rest are ours: a comma would split the bill's cell, and
`&name=` in a value is what makes two readings of a signed text possible.
"""

_URL: Final = r"https?://[!-~]{1,240}"
_RETURN_URL: Final = MethodField(
    required=False, pattern=_URL, description="Where the browser comes back to (同步跳转); it proves nothing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """
    One Alipay product behind a method.

    Attributes:
        content_fields: The method's fields that go into biz_content under their own names.
    """

    api: str
    product_code: str
    method: Method
    content_fields: tuple[str, ...] = ()


def _open_id(description: str) -> MethodField:
    return MethodField(required=False, pattern=r"[0-9A-Za-z_-]{1,128}", description=description, personal=True)


PRODUCTS: Final[Mapping[str, Product]] = {
    "jsapi": Product(
        api=API_CREATE,
        product_code="JSAPI_PAY",
        method=Method(
            name="jsapi",
            title="支付宝小程序",
            instruction=InstructionKind.SDK_PARAMS,
            fields={
                "buyer_open_id": _open_id("The payer's open_id under the app; this or buyer_id is needed"),
                "buyer_id": MethodField(
                    required=False,
                    pattern=r"2088[0-9]{12}",
                    description="The payer's user id (old apps)",
                    personal=True,
                ),
                "op_app_id": MethodField(
                    required=False, pattern=r"[0-9]{16}", description="The mini program, when it is not the calling app"
                ),
                "op_buyer_open_id": _open_id("The payer's open_id under op_app_id"),
            },
        ),
        content_fields=("buyer_open_id", "buyer_id", "op_app_id", "op_buyer_open_id"),
    ),
    "wap": Product(
        api=API_WAP_PAY,
        product_code="QUICK_WAP_WAY",
        method=Method(
            name="wap",
            title="支付宝手机网站",
            instruction=InstructionKind.REDIRECT,
            fields={
                "return_url": _RETURN_URL,
                "quit_url": MethodField(required=False, pattern=_URL, description="Where giving up leads"),
            },
        ),
        content_fields=("quit_url",),
    ),
    "page": Product(
        api=API_PAGE_PAY,
        product_code="FAST_INSTANT_TRADE_PAY",
        method=Method(
            name="page",
            title="支付宝电脑网站",
            instruction=InstructionKind.REDIRECT,
            fields={"return_url": _RETURN_URL},
        ),
    ),
    "app": Product(
        api=API_APP_PAY,
        product_code="QUICK_MSECURITY_PAY",
        method=Method(name="app", title="支付宝 App", instruction=InstructionKind.SDK_STRING),
    ),
    "qr": Product(
        api=API_PRECREATE,
        product_code="FACE_TO_FACE_PAYMENT",
        method=Method(name="qr", title="支付宝扫码", instruction=InstructionKind.QR_TEXT),
    ),
}
"""Product codes: third-party libraries smartwalle/alipay, go-pay, fzlee/alipay; unverified for qr (订单码)."""


def printable(text: str) -> str:
    """The text without control characters and lone surrogates, white space folded."""
    return " ".join(_NOT_PRINTABLE.sub(" ", text).split())


def subject_of(description: str) -> str:
    """The order's title (subject): forbidden characters out, white space folded, at most 256 characters."""
    cleaned = printable(_NOT_IN_SUBJECT.sub(" ", description))
    return cleaned[:SUBJECT_CHARACTERS_MAX].rstrip() or SUBJECT_WHEN_EMPTY


def order_content(product: Product, request: PaymentRequest, account: AlipayAccount) -> dict[str, Any]:
    """The biz_content of an order; made of the request and the settings alone, so equal requests give equal content."""
    content: dict[str, Any] = {
        "out_trade_no": request.out_trade_no,
        "total_amount": yuan_from_fen(request.amount_fen),
        "subject": subject_of(request.description),
        "product_code": product.product_code,
        "time_expire": request.expires_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
    }
    content |= {name: request.fields[name] for name in product.content_fields if request.fields.get(name)}
    if account.sys_service_provider_id:
        content["extend_params"] = {"sys_service_provider_id": account.sys_service_provider_id}
    return content


def browser_instruction(url: str, *, form_url: str, biz_content: str, request: PaymentRequest) -> Instruction:
    """
    Open the cashier by a GET URL, which no HTML escaping can spoil, or by a form when the URL would be too long.

    Args:
        form_url: The same signed parameters without biz_content, which the form then posts.
    """
    if len(url) <= URL_CHARACTERS_MAX:
        return Instruction(kind=InstructionKind.REDIRECT, payload={"url": url}, expires_at=request.expires_at)
    return Instruction(
        kind=InstructionKind.FORM,
        payload={"url": form_url, "fields": {"biz_content": biz_content}},
        expires_at=request.expires_at,
    )
