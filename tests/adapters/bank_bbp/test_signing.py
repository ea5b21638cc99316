"""Signatures of both kinds by themselves: what is signed, and that whatever else comes is no, never an exception."""

import base64
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.bank.bbp.signing import (
    BankKey,
    OurKey,
    answer_text,
    request_text,
    rsa_bank_key,
    rsa_our_key,
    sm2_bank_key,
    sm2_our_key,
)
from adapters.kit.sm import SM2_PACKAGES, find_sm2
from adapters.kit.sm_keys import Sm2PrivateKey, load_sm2_public_key
from tests.adapters.bank_bbp import peer

TEXT: Final = b"POST\n/x\n1\nn\n{}\n"
LIBRARY: Final = find_sm2(next(iter(SM2_PACKAGES)))
SM2_NUMBER: Final = peer.sm2_private()
SM2_PUBLIC: Final = load_sm2_public_key(peer.key_file("biller_bank_sm2_public.pem"))
DER: Final = peer.sm2_sign(SM2_NUMBER, TEXT)
RAW: Final = peer.sm2_sign(SM2_NUMBER, TEXT, raw=True)


def bank_key(sig_format: str) -> BankKey:
    return sm2_bank_key(LIBRARY, SM2_PUBLIC, sig_format)


def rsa_pair() -> tuple[BankKey, OurKey]:
    key = serialization.load_pem_private_key(peer.key_file("gateway_rsa_private.pem").encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return rsa_bank_key(key.public_key()), rsa_our_key("JF-1", key)


def test_request_signs_its_five_lines_and_answers_their_three() -> None:
    """Line ends only, behind the body as well."""
    assert "POST\n/路\n17\nn\n{}\n".encode() == request_text("/路", "17", "n", b"{}")
    assert b"17\nn\n\xff\n" == answer_text("17", "n", b"\xff")


def test_path_that_is_no_text_is_signed_as_a_question_mark() -> None:
    """It may be anything: no signature can be right for it, and nothing is raised."""
    assert b"POST\n/?\n17\nn\n\n" == request_text("/\udcff", "17", "n", b"")


def test_rsa_signature_proves_its_text_alone() -> None:
    """By the name under which the bank knows our key."""
    bank, ours = rsa_pair()
    signature = ours.sign(TEXT)

    assert ("JF-1", "RSA2", "RSA2") == (ours.key_id, ours.sign_type, bank.sign_type)
    assert bank.verify(TEXT, signature) is True
    assert bank.verify(TEXT + b"\n", signature) is False


@pytest.mark.parametrize(("sig_format", "signature"), [("der", DER), ("raw", RAW)], ids=["der", "raw"])
def test_sm2_signature_is_believed_in_its_agreed_form_alone(sig_format: str, signature: str) -> None:
    """The other form is another agreement."""
    key = bank_key(sig_format)

    assert ("SM2", True) == (key.sign_type, key.verify(TEXT, signature))
    assert key.verify(TEXT + b"\n", signature) is False
    assert key.verify(TEXT, RAW if sig_format == "der" else DER) is False


def wrong(signature: str) -> dict[str, str]:
    proof = base64.b64decode(signature)
    return {
        "empty": "",
        "cut": signature[:-4],
        "longer": base64.b64encode(proof + b"\x00").decode(),
        "other-bytes": base64.b64encode(bytes([proof[0] ^ 1]) + proof[1:]).decode(),
        "line-end": signature + "\n",
        "blank": " " + signature,
        "no-base64": "*" * len(signature),
        "odd": "A",
        "latin": "é" * len(signature),
        "surrogate": "\ud800",
        "megabyte": signature + "A" * 1_000_000,
    }


@pytest.mark.parametrize(("sig_format", "signature"), [("der", DER), ("raw", RAW)], ids=["der", "raw"])
@pytest.mark.parametrize("case", wrong(DER))
def test_sm2_signature_in_any_other_text_is_false(sig_format: str, signature: str, case: str) -> None:
    """Whatever is wrong, the answer is no."""
    assert bank_key(sig_format).verify(TEXT, wrong(signature)[case]) is False


@pytest.mark.parametrize("sig_format", ["der", "raw"])
def test_our_sm2_signature_is_in_the_agreed_form(sig_format: str) -> None:
    """DER begins with its tag; raw is r and s, 64 bytes."""
    ours = sm2_our_key("JF-2", LIBRARY, Sm2PrivateKey(number=SM2_NUMBER.to_bytes(32), public=SM2_PUBLIC), sig_format)
    signature = ours.sign(TEXT)

    assert ("JF-2", "SM2", True) == (ours.key_id, ours.sign_type, bank_key(sig_format).verify(TEXT, signature))
    assert (len(base64.b64decode(signature)) == 64) is (sig_format == "raw")


def test_keys_show_their_names_alone() -> None:
    """Not even the functions that hold them."""
    bank, ours = rsa_pair()

    assert "BankKey(sign_type='RSA2')" == repr(bank)
    assert "OurKey(key_id='JF-1', sign_type='RSA2')" == repr(ours)
