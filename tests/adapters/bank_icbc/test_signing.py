"""The bank's proof by itself: SHA-1 alone, one text for one signature, and no key that could not be the bank's."""

import base64
from typing import Final

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from adapters.bank.icbc.signing import is_from_bank, load_bank_key
from tests.adapters.bank_icbc import peer

KEY: Final = peer._KEYS[peer.BANK]
PUBLIC: Final = KEY.public_key()
OTHER: Final = peer._KEYS[peer.BANK_PREVIOUS].public_key()
TEXT: Final = "/callbacks?amount=38001&no=缴费".encode()
SIGNATURE: Final = base64.b64encode(KEY.sign(TEXT, padding.PKCS1v15(), hashes.SHA1())).decode()


@pytest.mark.parametrize("keys", [[PUBLIC], [OTHER, PUBLIC], [PUBLIC, OTHER]], ids=["one", "second", "first"])
def test_signature_of_one_of_the_banks_keys_is_believed(keys: list[rsa.RSAPublicKey]) -> None:
    """The bank changes its key without a date."""
    assert is_from_bank(keys, TEXT, SIGNATURE) is True


@pytest.mark.parametrize(
    "signature",
    [
        "",
        SIGNATURE[:-1],
        SIGNATURE + "\n",
        " " + SIGNATURE,
        SIGNATURE + "*",
        "*" * len(SIGNATURE),
        "é" * len(SIGNATURE),
        "\ud800",
        "A" * len(SIGNATURE),
        SIGNATURE.rstrip("="),
        base64.b64encode(KEY.sign(TEXT, padding.PKCS1v15(), hashes.SHA256())).decode(),
    ],
    ids=[
        *("empty", "cut", "line-end", "blank", "junk-behind", "no-base64", "latin", "surrogate", "other-bytes"),
        *("no-padding", "sha256"),
    ],
)
def test_text_that_is_no_signature_is_false(signature: str) -> None:
    """Whatever is wrong, the answer is no, and never an exception."""
    assert is_from_bank([PUBLIC, OTHER], TEXT, signature) is False


def test_signature_of_another_text_or_key_is_false() -> None:
    """Nor is it believed without a key."""
    assert is_from_bank([PUBLIC], TEXT + b"0", SIGNATURE) is False
    assert is_from_bank([OTHER], TEXT, SIGNATURE) is False
    assert is_from_bank([], TEXT, SIGNATURE) is False


def pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


# SubjectPublicKeyInfo with the object identifier 1.2.3.4, which names no kind of key.
UNKNOWN_KIND: Final = base64.b64encode(bytes.fromhex("300b300506032a0304030200ff")).decode()


@pytest.mark.parametrize(
    "text",
    [pem(rsa.RSAPublicNumbers(65537, (1 << 1024) - 1).public_key()), pem(PUBLIC)],
    ids=["1024-bits", "the-banks"],
)
def test_key_of_1024_bits_is_long_enough(text: str) -> None:
    """The bank's own has no more."""
    assert 1024 <= load_bank_key(text).key_size


@pytest.mark.parametrize(
    "text",
    [
        pem(ec.generate_private_key(ec.SECP256R1()).public_key()),
        pem(ec.generate_private_key(ec.SECP521R1()).public_key()),
        pem(rsa.RSAPublicNumbers(65537, (1 << 1016) - 1).public_key()),
        pem(rsa.RSAPublicNumbers(65537, (1 << 1023) - 1).public_key()),
    ],
    ids=["curve", "longer-curve", "1016-bits", "1023-bits"],
)
def test_key_of_another_kind_or_shorter_is_refused(text: str) -> None:
    """It could not be the bank's, or anybody could find it out."""
    with pytest.raises(ValueError, match="is not an RSA key of 1024 bits or more"):
        load_bank_key(text)


@pytest.mark.parametrize("text", ["", "x", "MII", UNKNOWN_KIND], ids=["empty", "no-base64", "cut", "unknown-kind"])
def test_text_that_is_no_key_is_refused_without_being_shown(text: str) -> None:
    """The fault says the form alone."""
    with pytest.raises(ValueError, match=r"\Ais not a public key\Z"):
        load_bank_key(text)
