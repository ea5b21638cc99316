"""The settings of one institution. Refuses one whose messages could not be proven, or that names no division."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from adapters.bank.bbp.signing import BankKey, OurKey, rsa_bank_key, rsa_our_key, sm2_bank_key, sm2_our_key
from adapters.bank.bbp.tables import RSA2, SIG_DER, SIG_RAW, SM2
from adapters.bank.collector_config import REGION, read_institution, read_names
from adapters.kit.config import AccountSettings
from adapters.kit.keys import load_rsa_private_key, load_rsa_public_key
from adapters.kit.sm import SM2_PACKAGES, Sm2, SmLibraryMissing, find_sm2
from adapters.kit.sm_keys import Sm2PrivateKey, load_sm2_private_key, load_sm2_public_key
from gateway.domain.biller import Institution
from gateway.domain.secret import Secret

T = TypeVar("T")

_INST_ID: Final = r"[0-9A-Za-z]{2,32}"
_KEY_ID: Final = re.compile(r"[0-9A-Za-z_\-]{1,64}")
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_KEYS_MAX: Final = 8
_INSURANCE_TYPES: Final = MappingProxyType({"resident_medical": "390"})
"""insutype of our kinds; 390 居民 is unverified. Source: sheet section 7, last paragraph."""

_SELF_TEST: Final = b"jiaofei bbp self test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One institution, keys already parsed.

    Attributes:
        bank_keys: Every key that the bank may sign with now, by id.
        area_names: Names of divisions, to be shown to payers.
        insurance_types: insutype by our kind of insurance.
    """

    institution: Institution
    bank_keys: Mapping[str, BankKey]
    our_key: OurKey = field(repr=False)
    area_names: Mapping[str, str]
    insurance_types: Mapping[str, str]


def read_config(settings: AccountSettings) -> Config:
    """
    Read one `[accounts.<name>]` table.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    sig_format = settings.choice("sm2_sig", (SIG_DER, SIG_RAW), default=SIG_DER)
    library = _read_library(settings)
    config = Config(
        institution=read_institution(settings, settings.text("inst_id", pattern=_INST_ID)),
        bank_keys=_read_bank_keys(settings, library, sig_format),
        our_key=cast("OurKey", _read_our_key(settings, library, sig_format)),  # `finish` raises if it is missing
        area_names=read_names(settings, "area_names", REGION, "divisions (6 digits)"),
        insurance_types=read_names(settings, "insurance_types", _KIND, "kinds of insurance") or _INSURANCE_TYPES,
    )
    settings.finish()
    return config


def _read_library(settings: AccountSettings) -> Sm2 | None:
    """Only where something of this account is SM2: the library is an optional extra."""
    name = settings.choice("sm2_backend", tuple(SM2_PACKAGES), default=next(iter(SM2_PACKAGES)))
    if not settings.has("bank_sm2_keys") and settings.choice("sign_type", (RSA2, SM2), default=RSA2) == RSA2:
        return None
    try:
        return find_sm2(name)
    except SmLibraryMissing as exc:
        settings.fault("sm2_backend", str(exc))
        return None


def _read_bank_keys(settings: AccountSettings, library: Sm2 | None, sig_format: str) -> Mapping[str, BankKey]:
    keys: dict[str, BankKey] = {}
    for key_id, rsa_key in _load_each(settings, "bank_keys", load_rsa_public_key).items():
        keys[key_id] = rsa_bank_key(rsa_key)
    for key_id, sm2_key in _load_each(settings, "bank_sm2_keys", load_sm2_public_key).items():
        if key_id in keys:
            settings.fault("bank_sm2_keys", "has a key id that bank_keys has, too")
        if library is not None:
            keys[key_id] = sm2_bank_key(library, sm2_key, sig_format)
    if not settings.has("bank_keys") and not settings.has("bank_sm2_keys"):
        settings.fault("bank_keys", "is missing, and so is bank_sm2_keys: nothing of the bank could be proven")
    return MappingProxyType(keys)


def _load_each(settings: AccountSettings, table: str, load: Callable[[str], T]) -> dict[str, T]:
    keys: dict[str, T] = {}
    texts: Mapping[str, Any] = settings.table(table, default=None)
    if settings.has(table) and not 0 < len(texts) <= _KEYS_MAX:
        settings.fault(table, f"must have 1 to {_KEYS_MAX} keys")
    for key_id, text in texts.items():
        if _KEY_ID.fullmatch(key_id) is None or not isinstance(text, (str, Secret)):
            settings.fault(table, "must give each key id (letters, digits, _ and -) a key")
            continue
        try:
            keys[key_id] = load(text.reveal() if isinstance(text, Secret) else text)
        except ValueError as exc:
            settings.fault(f"{table}.{key_id}", str(exc))
    return keys


def _read_our_key(settings: AccountSettings, library: Sm2 | None, sig_format: str) -> OurKey | None:
    key_id = settings.text("signing_key_id", pattern=_KEY_ID.pattern)
    if settings.choice("sign_type", (RSA2, SM2), default=RSA2) == RSA2:
        rsa_key = settings.loaded("signing_key", load_rsa_private_key)
        return rsa_our_key(key_id, rsa_key) if rsa_key is not None else None
    sm2_key = settings.loaded("signing_key", load_sm2_private_key)
    if sm2_key is None or library is None:
        return None
    _try_pair(settings, library, sm2_key, sig_format)
    return sm2_our_key(key_id, library, sm2_key, sig_format)


def _try_pair(settings: AccountSettings, library: Sm2, key: Sm2PrivateKey, sig_format: str) -> None:
    """Start-up self-test of library and key."""
    signature = sm2_our_key("", library, key, sig_format).sign(_SELF_TEST)
    if not sm2_bank_key(library, key.public, sig_format).verify(_SELF_TEST, signature):
        settings.fault("signing_key", "does not verify what it signed")
