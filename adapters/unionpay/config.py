"""The settings of one merchant account. Refuses an account that could not tell UnionPay from another merchant."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from adapters.kit.config import AccountSettings
from adapters.kit.keys import load_rsa_private_key, load_rsa_public_key
from adapters.unionpay.certificates import (
    PLATFORM_NAME,
    TEST_NAME,
    Chain,
    PlatformCertificates,
    Untrusted,
    digest_of,
    is_issued_by,
    load_certificates,
    rsa_key_of,
)
from adapters.unionpay.sensitive import Sealer
from adapters.unionpay.signing import DIGEST_BY_SIGN_METHOD, SIGN_METHOD_RSA, CertificateProof, KeyProof, Proof
from gateway.domain.secret import Secret

PRODUCTION: Final = "production"
TEST: Final = "test"

ACCESS_MERCHANT: Final = "0"
ACCESS_ACQUIRER: Final = "1"
ACCESS_PLATFORM: Final = "2"

RETURN_URL: Final = r"https?://[!-%'-~]{1,240}"
"""Without `&`, which the signed text does not escape."""

_BASE_URL: Final = r"https://[^\s/?#@]+(/[^\s?#]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[^\s?#]*)?"
_BASE_URLS: Final = {PRODUCTION: "https://gateway.95516.com", TEST: "https://gateway.test.95516.com"}
_FILE_URLS: Final = {PRODUCTION: "https://filedownload.95516.com/", TEST: "https://filedownload.test.95516.com/"}
"""Source: sheet section 1."""

_NAME: Final = r"[^&={}\[\]\x00-\x1f\x7f-\x9f]{1,40}"
_PARTY_FIELDS: Final = {
    ACCESS_MERCHANT: {},
    ACCESS_ACQUIRER: {
        "acq_ins_code": ("acqInsCode", r"[0-9]{8,11}"),
        "mer_cat_code": ("merCatCode", r"[0-9]{4}"),
        "mer_name": ("merName", _NAME),
        "mer_abbr": ("merAbbr", _NAME),
    },
    ACCESS_PLATFORM: {
        "sub_mer_id": ("subMerId", r"[0-9A-Za-z]{5,15}"),
        "sub_mer_name": ("subMerName", _NAME),
        "sub_mer_abbr": ("subMerAbbr", _NAME),
    },
}
"""What each accessType adds to a request. Source: sheet section 4; lengths unverified."""

_PUBLIC_TEST_KEY: Final = "88888888"
_PFX_CHARACTERS_MAX: Final = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Our signing key and its certificate, from the PFX or from a PEM pair."""

    private_key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One account, keys already parsed.

    Attributes:
        party: Fields that every request carries beside `merId`, by the account's accessType.
        identity: None with a shared key (signMethod 11 or 12).
        sealer: Seals card numbers; None where the account takes none.
        front_url: Where the browser comes back to unless the payment says otherwise; may be "".
        term_id: Terminal number of QR payments; "" where the account offers none.
        pay_time: How long a payment may be paid from its creation on, at most.
        app_result_key: Verifies what the app control tells the app.
        expiries: When each configured certificate ends.
    """

    environment: str
    base_url: str
    file_url: str
    mer_id: str
    access_type: str
    party: Mapping[str, str] = field(repr=False)
    proof: Proof = field(repr=False)
    identity: Identity | None = field(repr=False)
    sealer: Sealer | None = field(repr=False)
    front_url: str
    term_id: str
    pay_time: timedelta
    app_result_key: rsa.RSAPublicKey | None = field(repr=False)
    expiries: Mapping[str, datetime]


def read_config(settings: AccountSettings) -> Config:
    """
    Read one `[accounts.<name>]` table.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    environment = settings.choice("environment", (PRODUCTION, TEST), default=PRODUCTION)
    sign_method = settings.choice("sign_method", (SIGN_METHOD_RSA, *DIGEST_BY_SIGN_METHOD), default=SIGN_METHOD_RSA)
    access_type = settings.choice("access_type", tuple(_PARTY_FIELDS), default=ACCESS_MERCHANT)
    expiries: dict[str, datetime] = {}
    identity = _read_identity(settings, expiries) if sign_method == SIGN_METHOD_RSA else None
    proof = _read_proof(settings, sign_method, environment, identity, expiries)
    config = Config(
        environment=environment,
        base_url=settings.text("base_url", pattern=_BASE_URL, default=_BASE_URLS[environment]).rstrip("/"),
        file_url=settings.text("file_url", pattern=_BASE_URL, default=_FILE_URLS[environment]),
        mer_id=settings.text("mer_id", pattern=r"[0-9A-Za-z]{15}"),
        access_type=access_type,
        party=_read_party(settings, access_type),
        proof=proof,
        identity=identity,
        sealer=_read_sealer(settings, sign_method, expiries),
        front_url=settings.text("front_url", pattern=RETURN_URL, default=""),
        term_id=settings.text("term_id", pattern=r"[0-9A-Za-z]{8}", default=""),
        pay_time=timedelta(minutes=settings.number("pay_minutes", least=1, most=1440, default=15)),
        app_result_key=settings.loaded("app_result_key", _load_public_key, default=None),
        expiries=expiries,
    )
    settings.finish()
    return config


def load_pfx(text: str, password: str) -> Identity:
    """
    Open a PFX (PKCS #12) given as base64; the old RC2 and 3DES ones of the test kit, too.

    Source: sheet sections 3 (Python specifics) and 13.

    Raises:
        ValueError: With a text that shows nothing of it.
    """
    try:
        content = base64.b64decode("".join(text[:_PFX_CHARACTERS_MAX].split()), validate=True)
        key, certificate, _ = pkcs12.load_key_and_certificates(content, password.encode())
    except (binascii.Error, ValueError):
        raise ValueError("is not a PFX in base64 that the password opens") from None
    if certificate is None or not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("holds no RSA key with its certificate")
    return _pair(key, certificate)


def _pair(key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> Identity:
    if rsa_key_of(certificate) != key.public_key():
        raise ValueError("does not belong to the certificate, or has fewer than 2048 bits")
    return Identity(private_key=key, certificate=certificate)


def _read_identity(settings: AccountSettings, expiries: dict[str, datetime]) -> Identity | None:
    if settings.has("sign_pfx"):
        password = settings.secret("sign_pfx_password")
        identity = settings.loaded(
            "sign_pfx", lambda text: load_pfx(text, password.reveal() if password is not None else "")
        )
    else:
        certificates = settings.loaded("sign_certificate", load_certificates)
        key = settings.loaded("sign_private_key", load_rsa_private_key)
        identity = _paired(settings, key, certificates[0]) if key is not None and certificates else None
    if identity is not None:
        expiries["sign_certificate"] = identity.certificate.not_valid_after_utc
    return identity


def _paired(settings: AccountSettings, key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> Identity | None:
    try:
        return _pair(key, certificate)
    except ValueError as exc:
        settings.fault("sign_private_key", str(exc))
        return None


def _read_proof(
    settings: AccountSettings,
    sign_method: str,
    environment: str,
    identity: Identity | None,
    expiries: dict[str, datetime],
) -> Proof:
    if sign_method != SIGN_METHOD_RSA:
        secure_key = settings.secret("secure_key") or Secret("")
        if environment == PRODUCTION and secure_key == Secret(_PUBLIC_TEST_KEY):
            settings.fault("secure_key", "is the test environment's, which everybody knows")
        return KeyProof(sign_method, secure_key)
    platform = PlatformCertificates(_read_chain(settings, environment, identity, expiries))
    for position, certificate in enumerate(_read_platform_certificates(settings)):
        try:
            platform.add(certificate)
        except Untrusted as exc:
            settings.fault("platform_certificates", f"no. {position + 1} is {exc}")
    if identity is None:
        return KeyProof(next(iter(DIGEST_BY_SIGN_METHOD)), Secret(""))  # a fault was noted: `finish` raises
    return CertificateProof(
        private_key=identity.private_key, cert_id=str(identity.certificate.serial_number), platform=platform
    )


def _read_chain(
    settings: AccountSettings, environment: str, identity: Identity | None, expiries: dict[str, datetime]
) -> Chain:
    roots = settings.loaded("root_certificates", load_certificates) or ()
    middles = settings.loaded("middle_certificates", load_certificates) or ()
    for position, middle in enumerate(middles):
        if roots and not any(is_issued_by(middle, root) for root in roots):
            settings.fault("middle_certificates", f"no. {position + 1} is not issued under root_certificates")
    expiries |= _named("root_certificates", roots) | _named("middle_certificates", middles)
    return Chain(
        middles=middles,
        names=frozenset({PLATFORM_NAME, TEST_NAME} if environment == TEST else {PLATFORM_NAME}),
        own_digests=frozenset({digest_of(identity.certificate)} if identity is not None else ()),
    )


def _read_platform_certificates(settings: AccountSettings) -> Sequence[x509.Certificate]:
    return settings.loaded("platform_certificates", load_certificates, default=None) or ()


def _read_sealer(settings: AccountSettings, sign_method: str, expiries: dict[str, datetime]) -> Sealer | None:
    certificates = settings.loaded("encrypt_certificate", load_certificates, default=None)
    if not certificates:
        return None
    if sign_method != SIGN_METHOD_RSA:
        settings.fault("encrypt_certificate", 'needs sign_method = "01": card data may not go with a shared key')
    key = rsa_key_of(certificates[0])
    if key is None:
        raise AssertionError("load_certificates let another kind of key pass")
    expiries["encrypt_certificate"] = certificates[0].not_valid_after_utc
    return Sealer(cert_id=str(certificates[0].serial_number), key=key)


def _read_party(settings: AccountSettings, access_type: str) -> dict[str, str]:
    for other, fields in _PARTY_FIELDS.items():
        for key in fields:
            if other != access_type and settings.has(key):
                settings.text(key)
                settings.fault(key, f'belongs to access_type = "{other}"')
    read = {wire: settings.text(key, pattern=pattern) for key, (wire, pattern) in _PARTY_FIELDS[access_type].items()}
    return {"accessType": access_type, **read}


def _load_public_key(text: str) -> rsa.RSAPublicKey:
    """A public key, or the certificate that holds it."""
    if "BEGIN CERTIFICATE" not in text:
        return load_rsa_public_key(text)
    key = rsa_key_of(load_certificates(text)[0])
    if key is None:
        raise AssertionError("load_certificates let another kind of key pass")
    return key


def _named(key: str, certificates: Sequence[x509.Certificate]) -> dict[str, datetime]:
    return {f"{key} {certificate.serial_number}": certificate.not_valid_after_utc for certificate in certificates}
