"""
All key material of both sides, made once into a folder; every identity in it is invented and opens nothing.

The gateway's configuration points its `file:` references at the files marked G; those marked S are the simulators' own.
Private keys are unencrypted PKCS#8 PEM; every file has mode 0600, the folder 0700.

    identities.json                              G  merchant numbers, appids, serials (no secret)
    wechatpay_merchant_private_key.pem           G  signs requests and client pay parameters
    wechatpay_merchant_certificate.pem           G  its serial goes into Authorization
    wechatpay_apiv3_key.txt                      G  32 ASCII characters
    wechatpay_platform_certificate.pem           G  certificate mode
    wechatpay_public_key.pem                     G  public-key mode; its id is in identities.json
    wechatpay_platform_private_key.pem           S
    wechatpay_public_key_private_key.pem         S
    alipay_app_private_key.pem                   G  signs requests (应用私钥)
    alipay_app_public_key.pem                    G  never for verifying (应用公钥)
    alipay_public_key.pem                        G  key mode (支付宝公钥)
    alipay_app_certificate.pem                   G  certificate mode: appCertPublicKey
    alipay_platform_certificate.pem              G  certificate mode: alipayCertPublicKey_RSA2, leaf then issuer
    alipay_root_certificates.pem                 G  certificate mode: alipayRootCert, one RSA and one EC root
    alipay_private_key.pem                       S  key mode
    alipay_platform_certificate_private_key.pem  S  certificate mode
    alipay_issuer_private_key.pem                S  issues the next platform certificate when keys are rotated
    unionpay_merchant_private_key.pem            G  signs requests
    unionpay_merchant_certificate.pem            G  its decimal serial is certId
    unionpay_merchant_sign.pfx                   G  the same pair as PKCS#12; the password is 000000
    unionpay_root_certificate.pem                G  trust anchor
    unionpay_middle_certificate.pem              G  under the root; issues what messages carry as signPubKeyCert
    unionpay_encryption_certificate.pem          G  encrypts card data; its decimal serial is encryptCertId
    unionpay_sign_certificate.pem                S  goes along in every message; not for the configuration
    unionpay_sign_private_key.pem                S
    unionpay_middle_private_key.pem              S  issues the next sign certificate when keys are rotated
    unionpay_encryption_private_key.pem          S
    unionpay_stranger_certificate.pem            S  outside the chain: issuer of the middle's name, but another key
    unionpay_stranger_private_key.pem            S
    shared_account_identity.json                 G  app_id (no secret)
    shared_account_app_secret.txt                G  32 ASCII characters
    shared_account_app_private_key.pem           G  SM2, signs requests
    shared_account_platform_public_key.pem       G  SM2, one of platform_public_keys
    shared_account_app_public_key.pem            S  SM2
    shared_account_platform_private_key.pem      S  SM2

The files of shared_account are made only where gmssl-pyx is installed; they come at the next start once it is.
"""

import json
import os
import secrets
import string
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from sandbox.certificates import (
    Authority,
    AuthorityKey,
    authority_under,
    certificate_of,
    key_serial_text,
    pem_of,
    root_of,
)
from sandbox.shared_account import keys as shared_account_keys
from sandbox.shared_account.keys import SharedAccountKeys

_IDENTITIES_FILE: Final = "identities.json"
_APIV3_KEY_FILE: Final = "wechatpay_apiv3_key.txt"
_APIV3_KEY_LENGTH: Final = 32
_UNIONPAY_PFX_PASSWORD: Final = b"000000"
_UNIONPAY_MIDDLE_NAME: Final = "Sandbox Test OCA1"
UNIONPAY_SIGN_NAME: Final = "041@8310000000083040@中国银联股份有限公司@00016495"
"""Common name of UnionPay's certificates; the third part is what a merchant must check. Source: sheet section 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """
    Who the two sides are. Invented: the numbers have the documented length, and no merchant has them.

    Attributes:
        mchid: The merchant number; in partner mode the same number is `sp_mchid`.
        sub_mchids: Sub merchants that the service provider may collect for.
        merchant_serial: Serial of the merchant API certificate, 40 hex digits.
        mer_id: UnionPay's merchant number, 15 digits.
    """

    mchid: str = "1999900001"
    appid: str = "wx0000000000000a01"
    sub_mchids: tuple[str, ...] = ("1999900071", "1999900072")
    sub_appid: str = "wx0000000000000b02"
    merchant_serial: str = ""
    platform_serial: str = ""
    public_key_id: str = "PUB_KEY_ID_0119999000012026010100000000000001"
    app_id: str = "2099000000000001"
    seller_id: str = "2088999900000001"
    seller_email: str = "seller@sandbox.example"
    app_auth_token: str = "209901BBsandbox0000000000000000000000X01"  # noqa: S105 an invented token of the sandbox
    mer_id: str = "777999900000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionpayKeys:
    """Both sides' keys for UnionPay; `stranger` is outside the chain."""

    merchant_private_key: rsa.RSAPrivateKey = field(repr=False)
    merchant_certificate: x509.Certificate = field(repr=False)
    root_certificate: x509.Certificate = field(repr=False)
    middle: Authority = field(repr=False)
    sign_private_key: rsa.RSAPrivateKey = field(repr=False)
    sign_certificate: x509.Certificate = field(repr=False)
    encryption_private_key: rsa.RSAPrivateKey = field(repr=False)
    encryption_certificate: x509.Certificate = field(repr=False)
    stranger_private_key: rsa.RSAPrivateKey = field(repr=False)
    stranger_certificate: x509.Certificate = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """
    Both sides' keys, parsed once. Its repr shows the folder and the identities alone.

    Attributes:
        shared_account: None when gmssl-pyx was not installed where the keyring was made.
    """

    folder: Path
    identities: Identities
    apiv3_key: bytes = field(repr=False)
    merchant_private_key: rsa.RSAPrivateKey = field(repr=False)
    merchant_certificate: x509.Certificate = field(repr=False)
    platform_private_key: rsa.RSAPrivateKey = field(repr=False)
    platform_certificate: x509.Certificate = field(repr=False)
    public_key_private_key: rsa.RSAPrivateKey = field(repr=False)
    app_private_key: rsa.RSAPrivateKey = field(repr=False)
    app_certificate: x509.Certificate = field(repr=False)
    alipay_private_key: rsa.RSAPrivateKey = field(repr=False)
    alipay_certificate_private_key: rsa.RSAPrivateKey = field(repr=False)
    alipay_certificate: x509.Certificate = field(repr=False)
    alipay_issuer: Authority = field(repr=False)
    alipay_roots: tuple[x509.Certificate, ...] = field(repr=False)
    unionpay: UnionpayKeys = field(repr=False)
    shared_account: SharedAccountKeys | None = field(repr=False)

    def path(self, name: str) -> Path:
        """Where one of the files of the module's list stands."""
        return self.folder / name


def create_keyring(folder: Path) -> Keyring:
    """
    Make every key and certificate of both sides, write them into the folder, and return them.

    Raises:
        FileExistsError: The folder holds a keyring already; nothing is overwritten.
    """
    if (folder / _IDENTITIES_FILE).exists():
        raise FileExistsError(f"there is a keyring already: {folder / _IDENTITIES_FILE}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keyring = _new_keyring(folder)
    for name, content in _files(keyring).items():
        _write_private(folder / name, content)
    return keyring


def open_keyring(folder: Path) -> Keyring:
    """
    Read the folder's keyring, making what it lacks: all of it, or the files of a provider that was added later.

    Raises:
        FileNotFoundError: Another file is missing from a keyring that was complete once.
        ValueError: A file does not hold what its name says.
    """
    if not (folder / _IDENTITIES_FILE).exists():
        return create_keyring(folder)
    if not any(folder.glob("unionpay_*")):
        for name, content in _unionpay_files(_new_unionpay_keys(Identities().mer_id)).items():
            _write_private(folder / name, content)
    if not shared_account_keys.present(folder):
        for name, content in _shared_account_files(shared_account_keys.new_keys()).items():
            _write_private(folder / name, content)
    return load_keyring(folder)


def load_keyring(folder: Path) -> Keyring:
    """
    Read a folder that `create_keyring` wrote.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    fields = json.loads((folder / _IDENTITIES_FILE).read_text("utf-8"))
    platform_chain = x509.load_pem_x509_certificates((folder / "alipay_platform_certificate.pem").read_bytes())
    return Keyring(
        folder=folder,
        identities=Identities(**{**fields, "sub_mchids": tuple(fields["sub_mchids"])}),
        apiv3_key=(folder / _APIV3_KEY_FILE).read_bytes(),
        merchant_private_key=_load_key(folder / "wechatpay_merchant_private_key.pem"),
        merchant_certificate=_load_certificate(folder / "wechatpay_merchant_certificate.pem"),
        platform_private_key=_load_key(folder / "wechatpay_platform_private_key.pem"),
        platform_certificate=_load_certificate(folder / "wechatpay_platform_certificate.pem"),
        public_key_private_key=_load_key(folder / "wechatpay_public_key_private_key.pem"),
        app_private_key=_load_key(folder / "alipay_app_private_key.pem"),
        app_certificate=_load_certificate(folder / "alipay_app_certificate.pem"),
        alipay_private_key=_load_key(folder / "alipay_private_key.pem"),
        alipay_certificate_private_key=_load_key(folder / "alipay_platform_certificate_private_key.pem"),
        alipay_certificate=platform_chain[0],
        alipay_issuer=Authority(
            certificate=platform_chain[1], private_key=_load_key(folder / "alipay_issuer_private_key.pem")
        ),
        alipay_roots=tuple(x509.load_pem_x509_certificates((folder / "alipay_root_certificates.pem").read_bytes())),
        unionpay=_load_unionpay_keys(folder),
        shared_account=shared_account_keys.load_keys(folder),
    )


def _load_unionpay_keys(folder: Path) -> UnionpayKeys:
    def key(name: str) -> rsa.RSAPrivateKey:
        return _load_key(folder / f"unionpay_{name}_private_key.pem")

    def certificate(name: str) -> x509.Certificate:
        return _load_certificate(folder / f"unionpay_{name}_certificate.pem")

    return UnionpayKeys(
        merchant_private_key=key("merchant"),
        merchant_certificate=certificate("merchant"),
        root_certificate=certificate("root"),
        middle=Authority(certificate=certificate("middle"), private_key=key("middle")),
        sign_private_key=key("sign"),
        sign_certificate=certificate("sign"),
        encryption_private_key=key("encryption"),
        encryption_certificate=certificate("encryption"),
        stranger_private_key=key("stranger"),
        stranger_certificate=certificate("stranger"),
    )


def _new_keyring(folder: Path) -> Keyring:
    merchant_key, platform_key, app_key, alipay_leaf_key = (new_rsa_key() for _ in range(4))
    root = root_of("Sandbox Test Root R1", new_rsa_key())
    elliptic_root = root_of("Sandbox Test Root E1", ec.generate_private_key(ec.SECP256R1()))
    issuer = authority_under(root, "Sandbox Test Certification Authority Class 2 R1", new_rsa_key())
    wechatpay_root = root_of("Sandbox Test Tenpay Root", new_rsa_key())
    merchant_certificate = certificate_of("Sandbox Merchant", merchant_key.public_key(), wechatpay_root)
    platform_certificate = certificate_of("Sandbox Tenpay Platform", platform_key.public_key(), wechatpay_root)
    alphabet = string.ascii_letters + string.digits
    identities = Identities(
        merchant_serial=key_serial_text(merchant_certificate),
        platform_serial=key_serial_text(platform_certificate),
    )
    return Keyring(
        folder=folder,
        identities=identities,
        apiv3_key="".join(secrets.choice(alphabet) for _ in range(_APIV3_KEY_LENGTH)).encode("ascii"),
        merchant_private_key=merchant_key,
        merchant_certificate=merchant_certificate,
        platform_private_key=platform_key,
        platform_certificate=platform_certificate,
        public_key_private_key=new_rsa_key(),
        app_private_key=app_key,
        app_certificate=certificate_of("Sandbox App", app_key.public_key(), issuer),
        alipay_private_key=new_rsa_key(),
        alipay_certificate_private_key=alipay_leaf_key,
        alipay_certificate=certificate_of("Sandbox Alipay Platform", alipay_leaf_key.public_key(), issuer),
        alipay_issuer=issuer,
        alipay_roots=(root.certificate, elliptic_root.certificate),
        unionpay=_new_unionpay_keys(identities.mer_id),
        shared_account=shared_account_keys.new_keys(),
    )


def _new_unionpay_keys(mer_id: str) -> UnionpayKeys:
    merchant_key, sign_key, encryption_key, stranger_key = (new_rsa_key() for _ in range(4))
    root = root_of("Sandbox Test CS CA", new_rsa_key())
    middle = authority_under(root, _UNIONPAY_MIDDLE_NAME, new_rsa_key())
    namesake = root_of(_UNIONPAY_MIDDLE_NAME, new_rsa_key())
    return UnionpayKeys(
        merchant_private_key=merchant_key,
        merchant_certificate=certificate_of(
            f"041@Z2020-01-01@{mer_id}:SIGN@00000001", merchant_key.public_key(), middle
        ),
        root_certificate=root.certificate,
        middle=middle,
        sign_private_key=sign_key,
        sign_certificate=certificate_of(UNIONPAY_SIGN_NAME, sign_key.public_key(), middle),
        encryption_private_key=encryption_key,
        encryption_certificate=certificate_of(
            "041@Z2020-01-01@00040000:SIGN@00000006", encryption_key.public_key(), middle
        ),
        stranger_private_key=stranger_key,
        stranger_certificate=certificate_of(UNIONPAY_SIGN_NAME, stranger_key.public_key(), namesake),
    )


def _files(keyring: Keyring) -> dict[str, bytes]:
    """What is written, by name; identities.json last, because it marks the folder as complete."""
    identities = json.dumps(asdict(keyring.identities), ensure_ascii=False, indent=2) + "\n"
    return {
        "wechatpay_merchant_private_key.pem": _key_pem(keyring.merchant_private_key),
        "wechatpay_merchant_certificate.pem": pem_of(keyring.merchant_certificate),
        _APIV3_KEY_FILE: keyring.apiv3_key,
        "wechatpay_platform_certificate.pem": pem_of(keyring.platform_certificate),
        "wechatpay_public_key.pem": _public_pem(keyring.public_key_private_key),
        "wechatpay_platform_private_key.pem": _key_pem(keyring.platform_private_key),
        "wechatpay_public_key_private_key.pem": _key_pem(keyring.public_key_private_key),
        "alipay_app_private_key.pem": _key_pem(keyring.app_private_key),
        "alipay_app_public_key.pem": _public_pem(keyring.app_private_key),
        "alipay_public_key.pem": _public_pem(keyring.alipay_private_key),
        "alipay_app_certificate.pem": pem_of(keyring.app_certificate),
        "alipay_platform_certificate.pem": pem_of(keyring.alipay_certificate, keyring.alipay_issuer.certificate),
        "alipay_root_certificates.pem": pem_of(*keyring.alipay_roots),
        "alipay_private_key.pem": _key_pem(keyring.alipay_private_key),
        "alipay_platform_certificate_private_key.pem": _key_pem(keyring.alipay_certificate_private_key),
        "alipay_issuer_private_key.pem": _key_pem(keyring.alipay_issuer.private_key),
        **_unionpay_files(keyring.unionpay),
        **_shared_account_files(keyring.shared_account),
        _IDENTITIES_FILE: identities.encode("utf-8"),
    }


def _unionpay_files(keys: UnionpayKeys) -> dict[str, bytes]:
    pfx = pkcs12.serialize_key_and_certificates(
        b"merchant",
        keys.merchant_private_key,
        keys.merchant_certificate,
        None,
        serialization.BestAvailableEncryption(_UNIONPAY_PFX_PASSWORD),
    )
    return {
        "unionpay_merchant_private_key.pem": _key_pem(keys.merchant_private_key),
        "unionpay_merchant_certificate.pem": pem_of(keys.merchant_certificate),
        "unionpay_merchant_sign.pfx": pfx,
        "unionpay_root_certificate.pem": pem_of(keys.root_certificate),
        "unionpay_middle_certificate.pem": pem_of(keys.middle.certificate),
        "unionpay_encryption_certificate.pem": pem_of(keys.encryption_certificate),
        "unionpay_sign_certificate.pem": pem_of(keys.sign_certificate),
        "unionpay_sign_private_key.pem": _key_pem(keys.sign_private_key),
        "unionpay_middle_private_key.pem": _key_pem(keys.middle.private_key),
        "unionpay_encryption_private_key.pem": _key_pem(keys.encryption_private_key),
        "unionpay_stranger_certificate.pem": pem_of(keys.stranger_certificate),
        "unionpay_stranger_private_key.pem": _key_pem(keys.stranger_private_key),
    }


def _shared_account_files(keys: SharedAccountKeys | None) -> dict[str, bytes]:
    return {} if keys is None else shared_account_keys.files_of(keys)


def new_rsa_key() -> rsa.RSAPrivateKey:
    """A fresh 2048-bit key, the size all providers use."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)


def _key_pem(key: AuthorityKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _load_key(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"not an RSA private key: {path}")
    return key


def _load_certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())
