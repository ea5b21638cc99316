"""The settings of one merchant in the bank's biller mode."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, cast

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.bank.collector_config import REGION, read_institution, read_names
from adapters.bank.trustpay import Identity, load_bank_keys, load_pfx, load_signing_key
from adapters.kit.config import AccountSettings
from gateway.domain.biller import Institution

_MERCHANT: Final = r"[0-9]{15}"
_RESULT_URL: Final = r"https://[!-;=?-~]{1,190}"
_BILL_NAME: Final = "城乡居民医保"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One merchant, keys already parsed.

    Attributes:
        address: The path that the bank posts to: it names our account, for the messages do not name the merchant.
        biller_id: BillerNo, and the MerchantID of payments.
        bank_keys: Of the pinned certificates; several while the bank changes its own.
        result_url: Where the bank sends the payer's browser after a payment.
        bill_name: BillName, what the payer reads.
    """

    institution: Institution
    address: str
    biller_id: str
    identity: Identity = field(repr=False)
    bank_keys: tuple[rsa.RSAPublicKey, ...] = field(repr=False)
    result_url: str
    bill_name: str
    area_names: Mapping[str, str]

    @property
    def expiries(self) -> dict[str, datetime]:
        return {"sign_pfx": self.identity.ends_at} if self.identity.ends_at is not None else {}


def read_config(settings: AccountSettings) -> Config:
    """
    Read one `[accounts.<name>]` table.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    biller_id = settings.text("merchant_id", pattern=_MERCHANT)
    institution = read_institution(settings, biller_id)
    if institution.billers and set(institution.billers) != {biller_id}:
        settings.fault("billers", "must have one entry, the merchant_id: the bank knows the biller by it")
    identity = _read_identity(settings)
    bank_keys = settings.loaded("bank_certificates", load_bank_keys) or ()
    if identity is not None and identity.private_key.public_key() in bank_keys:
        settings.fault("bank_certificates", "holds our own key: everything we sign would pass for the bank's word")
    config = Config(
        institution=replace(institution, refunds_refused=False),
        address=f"/api/v1/bank/ebpp/{settings.name}",
        biller_id=biller_id,
        identity=cast("Identity", identity),  # `finish` raises if it is missing
        bank_keys=bank_keys,
        result_url=settings.text("result_url", pattern=_RESULT_URL),
        bill_name=settings.text("bill_name", pattern=r"[^<>&\x00-\x1f]{1,30}", default=_BILL_NAME),
        area_names=read_names(settings, "area_names", REGION, "divisions (6 digits)"),
    )
    settings.finish()
    return config


def _read_identity(settings: AccountSettings) -> Identity | None:
    if not settings.has("sign_pfx"):
        return settings.loaded("sign_private_key", load_signing_key)
    password = settings.secret("sign_pfx_password")
    return settings.loaded("sign_pfx", lambda text: load_pfx(text, password.reveal() if password is not None else ""))
