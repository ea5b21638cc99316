"""The methods to pay with CCB, and what each is on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapters.bank.ccb.config import Config
from gateway.domain.provider import InstructionKind, Method, MethodField

_CASHIER: Final = "520100"
_AGGREGATE_QR: Final = "530550"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """
    One way to pay, as the bank sees it.

    Attributes:
        pub_after: Name of the field that PUB follows in the MAC's text.
    """

    tx_code: str
    pub_after: str
    title: str
    instruction: InstructionKind


PRODUCTS: Final[Mapping[str, Product]] = {
    "h5": Product(tx_code=_CASHIER, pub_after="TYPE", title="建行手机网页", instruction=InstructionKind.REDIRECT),
    "app": Product(tx_code=_CASHIER, pub_after="TYPE", title="建行手机银行", instruction=InstructionKind.SDK_STRING),
    "qr": Product(
        tx_code=_AGGREGATE_QR, pub_after="TIMEOUT", title="建行聚合扫码", instruction=InstructionKind.QR_TEXT
    ),
}
"""Source: sheet section 2.2."""


def offered_methods(config: Config) -> dict[str, Method]:
    """The counter's methods: the app can come back to ours only by a wake-up scheme (THIRDAPPINFO)."""
    return {
        name: Method(name=name, title=product.title, instruction=product.instruction, fields=_fields(product))
        for name, product in PRODUCTS.items()
        if name != "app" or config.third_app_info
    }


def _fields(product: Product) -> dict[str, MethodField]:
    if product.tx_code != _CASHIER:
        return {}
    return {
        "client_ip": MethodField(
            required=False,
            pattern=r"[0-9]{1,3}(\.[0-9]{1,3}){3}",
            description="The payer's IPv4 address (CLIENTIP), for the bank's protection against phishing",
            personal=True,
        )
    }
