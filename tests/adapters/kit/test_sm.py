"""What our own code refuses before any SM2 library is asked, and the edges of a key's forms."""

import base64
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest

from adapters.kit import sm, sm_der, sm_keys
from tests.adapters.shared_account import peer

PAIR: Final = peer.KEYS["app"]
NUMBER: Final = bytes.fromhex(PAIR["d_hex"])
POINT: Final = bytes.fromhex(PAIR["pub_hex"])[1:]
PUBLIC: Final = sm_keys.Sm2PublicKey(point=POINT)
PRIVATE: Final = sm_keys.Sm2PrivateKey(number=NUMBER, public=PUBLIC)
ONE: Final = (1).to_bytes(32)
LAST: Final = (sm_keys.ORDER - 1).to_bytes(32)


class Asked(Exception):
    """A library was asked."""


def _ask(*_: Any, **__: Any) -> Any:
    raise Asked


def gmssl() -> sm.Sm2:
    """A module that has no opinion: whoever asks it is found out."""
    return sm._Gmssl(SimpleNamespace(sm2_verify=_ask, sm2_decrypt=_ask, sm2_encrypt=_ask, GmsslInnerError=OSError))


def gmalg() -> sm.Sm2:
    return sm._Gmalg(SimpleNamespace(SM2=_ask, errors=SimpleNamespace(GMError=OSError)))


each = pytest.mark.parametrize("library", [gmssl(), gmalg()], ids=["gmssl_pyx", "gmalg"])


# --- what no library is asked -----------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize(
    "signature",
    [
        b"",
        ONE,
        ONE + ONE[:-1],
        ONE + ONE + b"\x00",
        bytes(32) + ONE,
        ONE + bytes(32),
        sm_keys.ORDER.to_bytes(32) + ONE,
        ONE + sm_keys.ORDER.to_bytes(32),
        b"\xff" * 64,
    ],
    ids=["empty", "r", "cut", "longer", "r-0", "s-0", "r-n", "s-n", "beyond"],
)
def test_signature_out_of_range_is_false_whatever_the_library_would_say(library: sm.Sm2, signature: bytes) -> None:
    """1 ≤ r, s < n, and nothing behind them."""
    assert library.verify(PUBLIC, b"text", b"user", signature) is False


@each
@pytest.mark.parametrize("signature", [ONE + ONE, LAST + LAST, ONE + LAST], ids=["least", "greatest", "both"])
def test_signature_at_the_edge_of_its_range_is_asked_about(library: sm.Sm2, signature: bytes) -> None:
    """It may be right."""
    with pytest.raises(Asked):
        library.verify(PUBLIC, b"text", b"user", signature)


@each
def test_ciphertext_off_the_curve_or_too_short_reaches_no_library(library: sm.Sm2) -> None:
    """To decrypt another point gives the private key away, bit by bit."""
    off = bytes([POINT[0] ^ 1]) + POINT[1:]
    with pytest.raises(ValueError, match="is not a point of the SM2 curve"):
        library.decrypt(PRIVATE, off + bytes(33))
    for ciphertext in (b"", POINT, POINT + bytes(32)):
        with pytest.raises(ValueError, match="is too short for a ciphertext"):
            library.decrypt(PRIVATE, ciphertext)
    with pytest.raises(Asked):
        library.decrypt(PRIVATE, POINT + bytes(33))


@each
@pytest.mark.parametrize("length", [0, sm.PLAINTEXT_BYTES_MAX + 1])
def test_plaintext_of_another_length_reaches_no_library(library: sm.Sm2, length: int) -> None:
    """One less, or one more, would be."""
    with pytest.raises(ValueError, match="SM2 encrypts 1 to"):
        library.encrypt(PUBLIC, bytes(length))
    with pytest.raises(Asked):
        library.encrypt(PUBLIC, bytes(min(length, sm.PLAINTEXT_BYTES_MAX) or 1))


@pytest.mark.parametrize("fault", [OSError, ValueError])
def test_fault_of_the_pure_library_is_a_text_that_shows_nothing(fault: type[Exception]) -> None:
    """Junk raises only the declared error."""

    def fail(*_: Any) -> bytes:
        raise fault("canary")

    module = SimpleNamespace(
        SM2=lambda *_, **__: SimpleNamespace(decrypt=fail), errors=SimpleNamespace(GMError=OSError)
    )
    with pytest.raises(ValueError, match=r"\Acannot be decrypted with this key\Z"):
        sm._Gmalg(module).decrypt(PRIVATE, POINT + bytes(33))


def test_fault_of_the_compiled_library_is_no() -> None:
    """As a wrong signature is, and a text that shows nothing."""

    def fail(*_: Any, **__: Any) -> bytes:
        raise OSError("canary")

    library = sm._Gmssl(SimpleNamespace(sm2_verify=fail, sm2_decrypt=fail, GmsslInnerError=OSError))
    assert library.verify(PUBLIC, b"text", b"user", ONE + ONE) is False
    with pytest.raises(ValueError, match=r"\Acannot be decrypted with this key\Z"):
        library.decrypt(PRIVATE, POINT + bytes(33))


@pytest.mark.parametrize(("other", "same"), [("ab", True), ("AB", False), ("", False), ("é", False), ("\ud800", False)])
def test_digests_are_compared_as_texts_whatever_they_hold(other: str, same: bool) -> None:
    """Junk is no, never an exception."""
    assert sm.same_digest("ab", other) is sm.same_digest(other, "ab") is same


# --- forms of keys ----------------------------------------------------------------------------------------------------


def pasted(der: bytes) -> str:
    return base64.b64encode(der).decode()


def test_private_key_does_not_show_its_number() -> None:
    """Its public half may be seen."""
    assert "number" not in repr(PRIVATE)
    assert "point" in repr(PRIVATE)


def test_private_key_of_33_bytes_begins_with_a_zero() -> None:
    """The form that Java writes; with any other first byte it is none."""
    assert NUMBER == sm_keys.load_sm2_private_key("00" + NUMBER.hex()).number
    with pytest.raises(ValueError, match="is not an SM2 private key"):
        sm_keys.load_sm2_private_key("01" + NUMBER.hex())


@pytest.mark.parametrize("number", [1, sm_keys.ORDER - 2])
def test_least_and_greatest_private_key_are_read(number: int) -> None:
    """1 ≤ d ≤ n-2."""
    assert number == int.from_bytes(sm_keys.load_sm2_private_key(f"{number:064x}").number)


SM2_OID: Final = bytes.fromhex("2a811ccf5501822d")
P256_OID: Final = bytes.fromhex("2a8648ce3d030107")


def sec1(number: bytes = NUMBER, curve: bytes | None = SM2_OID) -> bytes:
    named = sm_der.to_der(0xA0, sm_der.to_der(sm_der.OBJECT_ID, curve)) if curve else b""
    return sm_der.to_der(sm_der.SEQUENCE, b"\x02\x01\x01" + sm_der.to_der(sm_der.OCTETS, number) + named)


@pytest.mark.parametrize("curve", [SM2_OID, None], ids=["named", "unnamed"])
def test_sec1_key_of_this_curve_is_read(curve: bytes | None) -> None:
    """The curve may be left out."""
    assert NUMBER == sm_keys.load_sm2_private_key(pasted(sec1(curve=curve))).number


@pytest.mark.parametrize(
    "der",
    [sec1(curve=P256_OID), sec1(NUMBER[1:]), sec1(NUMBER + b"\x00"), sec1(b"")],
    ids=["other-curve", "31-bytes", "33-bytes", "empty"],
)
def test_sec1_key_of_another_curve_or_length_is_refused(der: bytes) -> None:
    """The same number means another key there."""
    with pytest.raises(ValueError, match="is not an SM2 private key"):
        sm_keys.load_sm2_private_key(pasted(der))


def kind_of(curve: bytes) -> bytes:
    """Which kind of key on which curve, as PKCS#8 and SubjectPublicKeyInfo say it."""
    oids = (bytes.fromhex("2a8648ce3d0201"), curve)
    return sm_der.to_der(sm_der.SEQUENCE, b"".join(sm_der.to_der(sm_der.OBJECT_ID, oid) for oid in oids))


def test_pkcs8_key_is_of_this_curve_alone() -> None:
    """Its kind stands before the key itself."""

    def pkcs8(curve: bytes) -> str:
        octets = sm_der.to_der(sm_der.OCTETS, sec1(curve=None))
        return pasted(sm_der.to_der(sm_der.SEQUENCE, b"\x02\x01\x00" + kind_of(curve) + octets))

    assert NUMBER == sm_keys.load_sm2_private_key(pkcs8(SM2_OID)).number
    with pytest.raises(ValueError, match="is not an SM2 private key"):
        sm_keys.load_sm2_private_key(pkcs8(P256_OID))


@pytest.mark.parametrize("first", ["02", "03"])
def test_compressed_key_is_the_point_of_its_parity_alone(first: str) -> None:
    """Both points of an x are keys; the first byte says which."""
    point = sm_keys.load_sm2_public_key(first + POINT[:32].hex()).point

    assert (POINT[:32], int(first)) == (point[:32], 2 + point[-1] % 2)
    assert (point == POINT) is (int(first) == 2 + POINT[-1] % 2)


@pytest.mark.parametrize(
    "text",
    ["05" + POINT[:32].hex(), "04" + POINT[:32].hex(), "02" + POINT.hex(), "06" + POINT.hex()],
    ids=["33-bytes-of-no-kind", "33-bytes-uncompressed", "65-bytes-compressed", "65-bytes-hybrid"],
)
def test_point_whose_first_byte_does_not_fit_its_length_is_refused(text: str) -> None:
    """A reader that does not look at it would take another point."""
    with pytest.raises(ValueError, match="is not a point of the SM2 curve"):
        sm_keys.load_sm2_public_key(text)


def spki(curve: bytes = SM2_OID, more: bytes = b"") -> bytes:
    bits = sm_der.to_der(sm_der.BITS, b"\x00\x04" + POINT)
    return sm_der.to_der(sm_der.SEQUENCE, kind_of(curve) + bits + more)


def test_subject_public_key_info_is_of_this_curve_and_has_two_members() -> None:
    """Anything more, or another curve, is another thing."""
    assert POINT == sm_keys.load_sm2_public_key(pasted(spki())).point
    for der in (spki(P256_OID), spki(more=b"\x05\x00"), spki()[:-1], b"\x30\x00" + bytes(70)):
        with pytest.raises(ValueError, match=r"\Ais not "):
            sm_keys.load_sm2_public_key(pasted(der))


def test_certificate_gives_its_key_and_its_end() -> None:
    """The end is told to operators before it comes."""
    key = sm_keys.load_sm2_public_key(PAIR["certificate_pem"])

    assert POINT == key.point
    assert key.ends_at is not None
    assert key.ends_at > datetime(2026, 1, 1, tzinfo=UTC)


# --- DER --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535])
def test_element_of_any_length_is_read_as_it_was_written(length: int) -> None:
    """In its shortest form."""
    der = sm_der.to_der(sm_der.SEQUENCE, sm_der.to_der(sm_der.OCTETS, bytes(length)))

    assert [(sm_der.OCTETS, bytes(length))] == sm_der.children(der)


@pytest.mark.parametrize(
    "der_hex",
    [
        *("30", "3081", "308100", "30817f" + "00" * 127, "30820080" + "00" * 128, "3080", "30858000000000"),
        *("3101", "3000" * 2, "3100", "020100"),
    ],
)
def test_der_in_another_form_or_of_another_kind_is_refused(der_hex: str) -> None:
    """One text for one key, or a reader could be told two things."""
    with pytest.raises(ValueError, match=r"\Ais not "):
        sm_der.children(bytes.fromhex(der_hex))


def test_content_is_found_by_place_and_tag() -> None:
    """A missing element is refused like one of another kind."""
    elements = sm_der.children(bytes.fromhex("30050201010400"))

    assert (b"\x01", b"") == (sm_der.content_of(elements, 0, 2), sm_der.content_of(elements, 1, sm_der.OCTETS))
    for place, tag in ((0, sm_der.OCTETS), (1, 2), (2, sm_der.OCTETS), (3, 2)):
        with pytest.raises(ValueError, match="is not the DER that was expected"):
            sm_der.content_of(elements, place, tag)


def test_number_keeps_its_sign_and_its_length() -> None:
    """A zero before a high bit, and none elsewhere; 32 bytes when it comes back."""
    raw = bytes(31) + b"\x80" + bytes(32)
    der = sm_der.signature_to_der(raw)

    assert ("300702020080020100", raw) == (der.hex(), sm_der.signature_from_der(der))


@pytest.mark.parametrize("first", [1, 0x30, 0x58, 0x7F, 0x80, 0xFF])
def test_number_that_begins_with_any_byte_comes_back(first: int) -> None:
    """Only zeros are left out."""
    raw = bytes(31) + bytes([first]) + bytes([first]) + bytes(31)

    assert raw == sm_der.signature_from_der(sm_der.signature_to_der(raw))
