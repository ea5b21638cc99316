"""The settings of one account at newbank. Refuses an account that could not prove a word of the bank."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.kit.config import AccountSettings
from adapters.kit.keys import load_rsa_private_key, load_rsa_public_key

_BASE_URL: Final = r"https://[^\s/?#@]+(/[^\s?#]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[^\s?#]*)?"
_MERCHANT_NO: Final = r"[0-9]{15}"
"""Fact to replace: the alphabet and length of a merchant number (source: section on public fields)."""

_KEY_ID: Final = r"[0-9A-Za-z_-]{1,64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One account, keys already parsed.

    Attributes:
        base_url: Without a slash at the end; a path of its own is part of what requests sign.
        key_id: The bank's name of our public key.
        bank_keys: The bank's public keys by their names: the present one and, while it changes, the previous one.
    """

    base_url: str
    merchant_no: str
    key_id: str
    private_key: rsa.RSAPrivateKey = field(repr=False)
    bank_keys: Mapping[str, rsa.RSAPublicKey] = field(repr=False)


def read_config(settings: AccountSettings) -> Config:
    """
    Read one `[accounts.<name>]` table.

    Fact to replace: what the bank hands over when it opens the account: numbers, keys, certificates, addresses
    (source: section on access, and the branch's letter). The page docs/providers/newbank.md lists them.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    base_url = settings.text("base_url", pattern=_BASE_URL).rstrip("/")
    merchant_no = settings.text("merchant_no", pattern=_MERCHANT_NO)
    key_id = settings.text("key_id", pattern=_KEY_ID)
    private_key = settings.loaded("private_key", load_rsa_private_key)
    bank_keys = _bank_keys(settings, private_key)
    settings.finish()
    if private_key is None:
        raise AssertionError("finish() let a missing key pass")
    return Config(
        base_url=base_url, merchant_no=merchant_no, key_id=key_id, private_key=private_key, bank_keys=bank_keys
    )


def _bank_keys(settings: AccountSettings, private_key: rsa.RSAPrivateKey | None) -> Mapping[str, rsa.RSAPublicKey]:
    present = settings.text("bank_key_id", pattern=_KEY_ID)
    keys = {present: settings.loaded("bank_public_key", load_rsa_public_key)}
    if settings.has("bank_key_id_previous") or settings.has("bank_public_key_previous"):
        previous = settings.text("bank_key_id_previous", pattern=_KEY_ID)
        if previous == present:
            settings.fault("bank_key_id_previous", "is the present key's name")
        keys[previous] = settings.loaded("bank_public_key_previous", load_rsa_public_key)
    if private_key is not None and private_key.public_key() in keys.values():
        settings.fault("bank_public_key", "is our own public key; the bank's is needed")
    return {name: key for name, key in keys.items() if key is not None}
