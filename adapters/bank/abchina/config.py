"""The settings of one merchant account. Refuses an account that could not tell the bank from anybody else."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.bank.trustpay import Identity, load_bank_keys, load_pfx, load_signing_key
from adapters.kit.config import AccountSettings

UNIONPAY_CARDS: Final = "6"

_LOCAL: Final = r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?"
_BASE_URL: Final = rf"https://[^\s/?#@]+|{_LOCAL}(/[^\s?#]*)?"
_RESULT_URL: Final = r"https?://[!#-%(-;=?-~]{1,200}"
"""Without what HTML would have to escape: the bank takes the address as it stands between the tags."""
_PRODUCTION: Final = "https://pay.abchina.com"
_REQUEST_PATH: Final = "/ebus/trustpay/ReceiveMerchantTrxReqServlet"
"""Source: sheet section 3.2. A newer path without `/trustpay` is known from one client's log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One account, keys already parsed.

    Attributes:
        request_url: Where every message is posted.
        identity: Signs our messages.
        bank_keys: Of the pinned certificates; several while the bank changes its own.
        payment_type: Cards taken: 1 debit, 3 credit, A both, 6 UnionPay, 7 corporate.
        pay_time: How long a payment may be paid from its creation on, at most.
        keep_days: How long the bank keeps an order (订单保存时间).
        result_url: Where the bank sends the payer's browser after the notify.
        wrapped: Send `{"MSG":{…}}` instead of the bare envelope.
        legacy_refund_text: Send refunds in the malformed text of the bank's own SDK.
    """

    request_url: str
    merchant_id: str
    identity: Identity = field(repr=False)
    bank_keys: tuple[rsa.RSAPublicKey, ...] = field(repr=False)
    payment_type: str
    commodity_type: str
    pay_time: timedelta
    keep_days: int
    result_url: str
    zipped_statements: bool
    wrapped: bool
    legacy_refund_text: bool

    @property
    def expiries(self) -> dict[str, datetime]:
        """Our own certificate's end alone: the bank's is pinned, and goes on working after its end."""
        return {"sign_pfx": self.identity.ends_at} if self.identity.ends_at is not None else {}


def read_config(settings: AccountSettings) -> Config:
    """
    Read one `[accounts.<name>]` table.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    identity = _read_identity(settings)
    bank_keys = settings.loaded("bank_certificates", load_bank_keys) or ()
    if identity is not None and identity.private_key.public_key() in bank_keys:
        settings.fault("bank_certificates", "holds our own key: everything we sign would pass for the bank's word")
    base_url = settings.text("base_url", pattern=_BASE_URL, default=_PRODUCTION)
    path = settings.text("request_path", pattern=r"(/[0-9A-Za-z._-]+)+", default=_REQUEST_PATH)
    merchant_id = settings.text("merchant_id", pattern=r"[0-9]{15}")
    payment_type = settings.choice("payment_type", ("A", "1", "3", UNIONPAY_CARDS, "7"), default="A")
    commodity_type = settings.text("commodity_type", pattern=r"[0-9]{4}", default="0499")
    pay_minutes = settings.number("pay_minutes", least=1, most=1440, default=30)
    keep_days = settings.number("keep_days", least=1, most=999, default=30)
    result_url = settings.text("result_url", pattern=_RESULT_URL)
    zipped_statements = settings.flag("zipped_statements", default=True)
    wrapped = settings.flag("wrapped_requests", default=False)
    legacy_refund_text = settings.flag("legacy_refund_text", default=False)
    settings.finish()
    if identity is None:
        raise AssertionError("finish let missing keys pass")
    return Config(
        request_url=base_url.rstrip("/") + path,
        merchant_id=merchant_id,
        identity=identity,
        bank_keys=bank_keys,
        payment_type=payment_type,
        commodity_type=commodity_type,
        pay_time=timedelta(minutes=pay_minutes),
        keep_days=keep_days,
        result_url=result_url,
        zipped_statements=zipped_statements,
        wrapped=wrapped,
        legacy_refund_text=legacy_refund_text,
    )


def _read_identity(settings: AccountSettings) -> Identity | None:
    if not settings.has("sign_pfx"):
        return settings.loaded("sign_private_key", load_signing_key)
    password = settings.secret("sign_pfx_password")
    return settings.loaded("sign_pfx", lambda text: load_pfx(text, password.reveal() if password is not None else ""))
