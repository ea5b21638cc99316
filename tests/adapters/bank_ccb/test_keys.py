"""A counter's key by itself: what is one, what it proves, and a machine that cannot tell."""

from typing import Final

import pytest
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from adapters.bank.ccb import keys
from adapters.bank.ccb.keys import load_counter_key, machine_can_verify, verifies

KEY: Final = rsa.generate_private_key(65537, 1024)
PROOF: Final = KEY.sign(b"POSID=1", padding.PKCS1v15(), hashes.MD5())


def hex_of(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form).hex()


def test_key_of_1024_bits_is_read_with_its_last_30_digits() -> None:
    """In lines, as it is copied, too."""
    text = hex_of(KEY.public_key())
    loaded = load_counter_key(f" {text[:64]}\r\n{text[64:]}\n")

    assert (KEY.public_key(), text[-30:]) == (loaded.public, loaded.pub.reveal())
    assert "RSAPublicKey" not in repr(loaded)


@pytest.mark.parametrize(
    "text",
    ["", "30", "zz" * 60, hex_of(KEY.public_key()) + "0", "0" * 200, "3049300506032a0304034000" + "ff" * 63],
    ids=["empty", "short", "no-hex", "odd", "no-key", "unknown-kind"],
)
def test_text_that_is_no_key_is_refused_without_being_shown(text: str) -> None:
    """The fault says the form alone."""
    with pytest.raises(ValueError, match=r"\Ais not the counter's public key in hex\Z"):
        load_counter_key(text)


@pytest.mark.parametrize(
    "key",
    [
        rsa.RSAPublicNumbers(65537, (1 << 1023) - 1).public_key(),
        ec.generate_private_key(ec.SECP256R1()).public_key(),
        ec.generate_private_key(ec.SECP521R1()).public_key(),
    ],
    ids=["1023-bits", "curve", "longer-curve"],
)
def test_key_of_another_kind_or_shorter_is_refused(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> None:
    """It could not be the counter's, or anybody could find it out."""
    with pytest.raises(ValueError, match="is not an RSA key of 1024 bits or more"):
        load_counter_key(hex_of(key))


def test_proof_is_of_its_key_text_and_digest_alone() -> None:
    """Everything else is no, never an exception."""
    public, other = KEY.public_key(), rsa.generate_private_key(65537, 1024).public_key()
    with_sha1 = KEY.sign(b"POSID=1", padding.PKCS1v15(), hashes.SHA1())

    assert verifies(public, b"POSID=1", PROOF) is True
    for key, text, proof in (
        (public, b"POSID=2", PROOF),
        (other, b"POSID=1", PROOF),
        (public, b"POSID=1", PROOF[:-1]),
        (public, b"POSID=1", b""),
        (public, b"POSID=1", with_sha1),
    ):
        assert verifies(key, text, proof) is False


@pytest.mark.parametrize(
    "fault", [UnsupportedAlgorithm("MD5"), InternalError("bits", []), ValueError("exponent")], ids=repr
)
def test_machine_whose_library_refuses_the_banks_choices_cannot_verify(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """As a FIPS build does: an answer, so that the settings can be refused with a word."""

    def refuse(*_: object) -> bool:
        raise fault

    assert machine_can_verify() is True
    monkeypatch.setattr(keys, "verifies", refuse)

    assert machine_can_verify() is False


def test_machine_that_denies_a_good_signature_cannot_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason."""
    monkeypatch.setattr(keys, "_KNOWN_TEXT", b"POSID=061230001")

    assert machine_can_verify() is False
