"""RSA signatures: deterministic, strict, and never an exception."""

import base64
import string

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.kit.sign import sign_sha256, verify_sha256

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
TEXT = "amount=380.01&no=缴费\n".encode()
SIGNATURE = sign_sha256(KEY, TEXT)
DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


def test_signature_is_deterministic_and_proves_its_text() -> None:
    """The same key and bytes always give the same text, so that vectors compare byte for byte."""
    assert sign_sha256(KEY, TEXT) == SIGNATURE
    assert len(SIGNATURE) == 344
    assert verify_sha256(KEY.public_key(), TEXT, SIGNATURE)


def test_signature_is_pkcs1_v15_with_sha256() -> None:
    """What cryptography's own verification of that scheme accepts."""
    KEY.public_key().verify(base64.b64decode(SIGNATURE), TEXT, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    ("key", "text", "signature"),
    [
        (OTHER, TEXT, SIGNATURE),
        (KEY, TEXT + b" ", SIGNATURE),
        (KEY, TEXT.strip(), SIGNATURE),
        (KEY, b"", SIGNATURE),
        (KEY, TEXT, ""),
        (KEY, TEXT, SIGNATURE[:-1]),
        (KEY, TEXT, SIGNATURE + "="),
        (KEY, TEXT, SIGNATURE + "\n"),
        (KEY, TEXT, " " + SIGNATURE),
        (KEY, TEXT, SIGNATURE[:64] + "\n" + SIGNATURE[64:]),
        (KEY, TEXT, SIGNATURE.replace("+", "-").replace("/", "_") + "-"),
        (KEY, TEXT, SIGNATURE.rstrip("=")),
        (KEY, TEXT, "é" * 344),
        (KEY, TEXT, "\ud800"),
        (KEY, TEXT, "\x00" * 344),
        (KEY, TEXT, "WECHATPAY/SIGNTEST/" + SIGNATURE),
        (KEY, TEXT, "A" * 1_000_000),
    ],
    ids=[
        "other-key", "longer-text", "stripped-text", "no-text", "empty", "cut", "more-padding", "line-end", "blank",
        "wrapped", "url-alphabet", "no-padding", "latin", "surrogate", "zeros", "probe", "megabyte",
    ],
)  # fmt: skip
def test_wrong_signature_is_false(key: rsa.RSAPrivateKey, text: bytes, signature: str) -> None:
    """Whatever is wrong, the answer is no."""
    assert verify_sha256(key.public_key(), text, signature) is False


def test_signature_with_another_hash_is_false() -> None:
    """A SHA-1 signature of the right key does not do."""
    weak = base64.b64encode(KEY.sign(TEXT, padding.PKCS1v15(), hashes.SHA1())).decode()

    assert verify_sha256(KEY.public_key(), TEXT, weak) is False


def test_signature_has_only_one_text() -> None:
    """The unused bits of the last digit cannot be changed: 16 texts decode to the same bytes, one is the signature."""
    position = DIGITS.index(SIGNATURE[-3])
    texts = [SIGNATURE[:-3] + DIGITS[position - position % 16 + low] + "==" for low in range(16)]

    assert [text for text in texts if verify_sha256(KEY.public_key(), TEXT, text)] == [SIGNATURE]


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_verify_of_any_text_never_raises(signature: str) -> None:
    """Junk from outside is no, never an exception."""
    assert verify_sha256(KEY.public_key(), TEXT, signature) is False
