"""Keys and certificates in every shape that merchants paste, and no trace of a key in a complaint."""

import base64
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import NameOID

from adapters.kit.keys import der_from_pasted, load_certificate, load_rsa_private_key, load_rsa_public_key

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
CURVE_KEY = ec.generate_private_key(ec.SECP256R1())

PKCS8, PKCS1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def private_pem(key: PrivateKeyTypes, form: serialization.PrivateFormat, password: bytes | None = None) -> str:
    cipher = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, form, cipher).decode()


def public_pem(key: PublicKeyTypes) -> str:
    return key.public_bytes(PEM, SPKI).decode()


def certificate_pem(subject: str) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(7).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    signed = builder.not_valid_after(datetime(2031, 1, 1, tzinfo=UTC)).sign(KEY, hashes.SHA256())
    return signed.public_bytes(PEM).decode()


def bare(pem: str) -> str:
    """The base64 alone, on one line."""
    return "".join(pem.splitlines()[1:-1])


SHAPES: dict[str, Callable[[str], str]] = {
    "pem": lambda pem: pem,
    "pem-crlf": lambda pem: pem.replace("\n", "\r\n"),
    "pem-without-last-line-break": str.strip,
    "pem-indented": lambda pem: textwrap.indent(pem, "\t  "),
    "pem-on-one-line": lambda pem: pem.replace("\n", ""),
    "pem-spaces-for-line-breaks": lambda pem: pem.replace("\n", " "),
    "bare-base64": bare,
    "bare-base64-in-76-columns": lambda pem: "\n".join(textwrap.wrap(bare(pem), 76)),
    "bare-base64-with-blanks-around": lambda pem: f"\n\n  {bare(pem)}  \n",
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


@every_shape
@pytest.mark.parametrize("form", [PKCS8, PKCS1], ids=["pkcs8", "pkcs1"])
def test_private_key_in_any_pasted_shape_is_loaded(
    form: serialization.PrivateFormat, shape: Callable[[str], str]
) -> None:
    """The Java tool's key, the other tool's key, with armour or without."""
    loaded = load_rsa_private_key(shape(private_pem(KEY, form)))

    assert KEY.private_numbers() == loaded.private_numbers()


@every_shape
def test_public_key_in_any_pasted_shape_is_loaded(shape: Callable[[str], str]) -> None:
    """As the console shows it, or as a file."""
    loaded = load_rsa_public_key(shape(public_pem(KEY.public_key())))

    assert KEY.public_key().public_numbers() == loaded.public_numbers()


WRONG_PRIVATE_KEYS = {
    "empty": "",
    "prose": "my private key",
    "full-width": "ＭＩＩ",
    "not-base64": "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----",
    "not-der": base64.b64encode(b"canary canary canary").decode(),
    "cut": bare(private_pem(KEY, PKCS8))[:400],
    "public-key": public_pem(KEY.public_key()),
    "certificate": certificate_pem("one"),
    "curve": private_pem(CURVE_KEY, PKCS8),
    "too-short": private_pem(SHORT_KEY, PKCS8),
    "encrypted": private_pem(KEY, PKCS8, b"password"),
    "encrypted-pkcs1": private_pem(KEY, PKCS1, b"password"),
    "twice": private_pem(KEY, PKCS8) * 2,
}


@pytest.mark.parametrize("text", WRONG_PRIVATE_KEYS.values(), ids=WRONG_PRIVATE_KEYS)
def test_wrong_private_key_is_refused_without_showing_it(text: str) -> None:
    """A fault is told in words of ours alone, without a cause that could show the key."""
    with pytest.raises(ValueError, match=r"^(?:is|has) ") as caught:
        load_rsa_private_key(text)

    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not any(piece in shown for piece in text.split() if len(piece) > 12)


WRONG_PUBLIC_KEYS = {
    "empty": "",
    "prose": "the key",
    "not-der": base64.b64encode(b"canary canary canary").decode(),
    "private-key": private_pem(KEY, PKCS8),
    "curve": public_pem(CURVE_KEY.public_key()),
    "too-short": public_pem(SHORT_KEY.public_key()),
    "certificate": certificate_pem("one"),
}


@pytest.mark.parametrize("text", WRONG_PUBLIC_KEYS.values(), ids=WRONG_PUBLIC_KEYS)
def test_wrong_public_key_is_refused(text: str) -> None:
    """What is pasted into the wrong box, or is too weak, is a fault of the settings."""
    with pytest.raises(ValueError, match=r"^(?:is|has) "):
        load_rsa_public_key(text)


def test_der_from_pasted_drops_armour_and_white_space_alone() -> None:
    """The bytes between are the key's own."""
    assert der_from_pasted("-----BEGIN X-----\r\nAAEC\r\n Aw==\r\n-----END X-----\r\n") == b"\x00\x01\x02\x03"


@pytest.mark.parametrize(
    "text",
    [certificate_pem("one"), certificate_pem("one") + certificate_pem("two"), "subject=one\n" + certificate_pem("one")],
    ids=["alone", "leaf-then-issuer", "with-a-heading"],
)
def test_first_certificate_of_a_text_is_loaded(text: str) -> None:
    """A file may hold the leaf, its issuer, and what openssl writes above."""
    assert load_certificate(text).subject.rfc4514_string() == "CN=one"


@pytest.mark.parametrize(
    "text",
    ["", "证书", public_pem(KEY.public_key()), certificate_pem("one")[:200], bare(certificate_pem("one"))],
    ids=["empty", "chinese", "public-key", "cut", "bare"],
)
def test_wrong_certificate_is_refused(text: str) -> None:
    """What is no certificate is a fault of the settings."""
    with pytest.raises(ValueError, match=r"^is not a PEM certificate$"):
        load_certificate(text)
