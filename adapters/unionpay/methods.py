"""The methods to pay with UnionPay, and what each is on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapters.unionpay.config import RETURN_URL, TEST, Config
from gateway.domain.provider import InstructionKind, Method, MethodField

API: Final = "/gateway/api"
FRONT_PATH: Final = f"{API}/frontTransReq.do"
APP_PATH: Final = f"{API}/appTransReq.do"
BACK_PATH: Final = f"{API}/backTransReq.do"
QUERY_PATH: Final = f"{API}/queryTrans.do"

BIZ_GATEWAY: Final = "000201"
BIZ_QR: Final = "000000"
CHANNEL_PC: Final = "07"
CHANNEL_MOBILE: Final = "08"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """
    One way to pay, as UnionPay sees it.

    Attributes:
        handle: Field of the answer that opens the cashier; "" where the payer's browser posts the order itself.
    """

    path: str
    txn_sub_type: str
    biz_type: str
    channel_type: str
    title: str
    instruction: InstructionKind
    handle: str = ""


PRODUCTS: Final[Mapping[str, Product]] = {
    "wap": Product(
        path=FRONT_PATH,
        txn_sub_type="01",
        biz_type=BIZ_GATEWAY,
        channel_type=CHANNEL_MOBILE,
        title="银联手机网页",
        instruction=InstructionKind.FORM,
    ),
    "pc": Product(
        path=FRONT_PATH,
        txn_sub_type="01",
        biz_type=BIZ_GATEWAY,
        channel_type=CHANNEL_PC,
        title="银联网关",
        instruction=InstructionKind.FORM,
    ),
    "app": Product(
        path=APP_PATH,
        txn_sub_type="01",
        biz_type=BIZ_GATEWAY,
        channel_type=CHANNEL_MOBILE,
        title="云闪付",
        instruction=InstructionKind.SDK_PARAMS,
        handle="tn",
    ),
    "qr": Product(
        path=BACK_PATH,
        txn_sub_type="07",
        biz_type=BIZ_QR,
        channel_type=CHANNEL_MOBILE,
        title="银联二维码",
        instruction=InstructionKind.QR_TEXT,
        handle="qrCode",
    ),
}
"""Source: sheet section 5."""

_QUERY_PAUSES: Final = (300, 300, 1200, 1800, 3600)
"""To look after 5, 10, 30, 60 and 120 minutes. Source: sheet section 7, the text of UnionPay's SDK."""

_MODE_PRODUCTION, _MODE_TEST = "00", "01"


def offered_methods(config: Config) -> dict[str, Method]:
    """The account's methods: QR needs a terminal number, card numbers need the encryption certificate."""
    return {
        name: Method(
            name=name,
            title=product.title,
            instruction=product.instruction,
            fields=_fields(config, product),
            query_pauses=_QUERY_PAUSES,
        )
        for name, product in PRODUCTS.items()
        if name != "qr" or config.term_id
    }


def handle_payload(config: Config, product: Product, handle: str) -> dict[str, str]:
    """
    What the front end is given for an order that UnionPay has taken.

    A `tn` serves the app control, which wants `mode` as well, and 云闪付's page script, `upsdk.pay({tn})`.
    Source: sheet section 12; the values of `mode` unverified.
    """
    if product.instruction is InstructionKind.QR_TEXT:
        return {"text": handle}
    return {"tn": handle, "mode": _MODE_TEST if config.environment == TEST else _MODE_PRODUCTION}


def _fields(config: Config, product: Product) -> dict[str, MethodField]:
    if product.handle:
        return {}
    fields = {
        "return_url": MethodField(
            required=not config.front_url,
            pattern=RETURN_URL,
            description="Where the browser is posted back to (前台通知); it proves nothing",
        )
    }
    if config.sealer is not None:
        fields["acc_no"] = MethodField(
            required=False,
            pattern=r"[0-9]{12,19}",
            description="The card to pay with; it is filled in and locked on UnionPay's page",
            personal=True,
        )
    return fields
