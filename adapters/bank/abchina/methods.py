"""The methods to pay at the bank's cashier, and what each is on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.domain.provider import InstructionKind, Method, MethodField


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One way into the cashier; `link_type` is its PaymentLinkType."""

    link_type: str
    title: str


MOBILE: Final = "2"

PRODUCTS: Final[Mapping[str, Product]] = {
    "h5": Product(link_type=MOBILE, title="农行手机网页"),
    "pc": Product(link_type="1", title="农行网上银行"),
}
"""Source: sheet section 3.2. The links 3 (television) and 4 (smart client) are not offered."""

BUYER_IP: Final = "buyer_ip"

_FIELDS: Final = {
    BUYER_IP: MethodField(
        required=False,
        pattern=r"[0-9A-Fa-f.:]{2,45}",
        description="The payer's address, for the bank's risk control",
        personal=True,
    )
}

METHODS: Final[Mapping[str, Method]] = {
    name: Method(name=name, title=product.title, instruction=InstructionKind.REDIRECT, fields=_FIELDS)
    for name, product in PRODUCTS.items()
}
