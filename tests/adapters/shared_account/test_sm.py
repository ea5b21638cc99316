"""SM2, SM3, SM4 and every form of key, against vectors made by two other implementations."""

import base64
import sys
from types import SimpleNamespace
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.kit import sm, sm_der, sm_keys
from tests.adapters.shared_account import peer, sm2

LIBRARIES: Final = {name: sm.find_sm2(name) for name in sm.SM2_PACKAGES}
SIGN: Final = peer.vector("sm2_sign")
ENCRYPT: Final = peer.vector("sm2_encrypt")
SM3: Final = peer.vector("sm3")
SM4: Final = peer.vector("sm4")

each_library = pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)


def by_index(cases: list[Any], name: str = "note") -> Any:
    return pytest.mark.parametrize("case", cases, ids=[f"{n}-{case.get(name, '')}" for n, case in enumerate(cases)])


# --- hashes and ciphers -----------------------------------------------------------------------------------------------


@by_index(SM3["sm3"])
def test_sm3_of_vector_text_is_the_vector_digest(case: dict[str, str]) -> None:
    """SM3 over UTF-8."""
    assert case["sm3_hex"] == sm.sm3(case["utf8"].encode()).hex()


@by_index(SM3["hmac_sm3"])
def test_hmac_sm3_of_vector_text_is_the_vector_digest(case: dict[str, str]) -> None:
    """HMAC with SM3."""
    assert case["hmac_sm3_hex"] == sm.hmac_sm3(case["key_utf8"].encode(), case["utf8"].encode()).hex()


@by_index(SM4["valid"])
def test_sm4_of_vector_text_goes_there_and_back(case: dict[str, str]) -> None:
    """ECB and CBC with PKCS#7."""
    key, iv, plain = bytes.fromhex(case["key_hex"]), bytes.fromhex(case["iv_hex"]), case["plaintext_utf8"].encode()

    assert case["ecb_pkcs7_hex"] == sm.sm4_encrypt(key, plain).hex()
    assert case["cbc_pkcs7_hex"] == sm.sm4_encrypt(key, plain, iv=iv).hex()
    assert plain == sm.sm4_decrypt(key, bytes.fromhex(case["ecb_pkcs7_hex"]))
    assert plain == sm.sm4_decrypt(key, bytes.fromhex(case["cbc_pkcs7_hex"]), iv=iv)


@by_index(SM4["reject"], "why")
def test_sm4_of_broken_text_raises(case: dict[str, str]) -> None:
    """Another length, padding or key never gives bytes."""
    with pytest.raises(ValueError):  # noqa: PT011  the hex itself may be what is broken
        sm.sm4_decrypt(bytes.fromhex(case["key_hex"]), bytes.fromhex(case["ecb_hex"]))


# --- keys -------------------------------------------------------------------------------------------------------------


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


PAIRS: Final = ("app", "platform", "leadzero", "other")
PRIVATE_FORMS: Final = (
    "d_hex",
    "private_key_base64_32",
    "private_key_base64_33",
    "private_pkcs8_pem",
    "private_sec1_pem",
)
PUBLIC_FORMS: Final = (
    "pub_hex",
    "public_key_base64_65",
    "public_key_hex_xy",
    "public_spki_pem",
    "public_compressed_hex",
    "certificate_pem",
)


@pytest.mark.parametrize("form", PRIVATE_FORMS)
@pytest.mark.parametrize("pair", PAIRS)
def test_private_key_of_any_form_is_the_same_key(pair: str, form: str) -> None:
    """And its public key is found without being told."""
    key = sm_keys.load_sm2_private_key(peer.KEYS[pair][form])

    assert (peer.KEYS[pair]["d_hex"], peer.KEYS[pair]["pub_hex"][2:]) == (key.number.hex(), key.public.point.hex())
    assert key.number.hex() not in repr(key)


@pytest.mark.parametrize("form", PUBLIC_FORMS)
@pytest.mark.parametrize("pair", PAIRS)
def test_public_key_of_any_form_is_the_same_key(pair: str, form: str) -> None:
    """A certificate also tells when it ends."""
    key = sm_keys.load_sm2_public_key(peer.KEYS[pair][form])

    assert peer.KEYS[pair]["pub_hex"][2:] == key.point.hex()
    assert (form == "certificate_pem") == (key.ends_at is not None)


def test_private_key_without_its_public_half_in_pkcs8_loads() -> None:
    """PKCS#8 without the optional field exists."""
    number = bytes.fromhex(peer.KEYS["app"]["d_hex"])
    sec1 = sm_der.to_der(sm_der.SEQUENCE, b"\x02\x01\x01" + sm_der.to_der(sm_der.OCTETS, number))
    kind = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
    pkcs8 = sm_der.to_der(sm_der.SEQUENCE, b"\x02\x01\x00" + kind + sm_der.to_der(sm_der.OCTETS, sec1))

    assert number == sm_keys.load_sm2_private_key(_base64(pkcs8)).number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!!!",
        "00" * 32,
        f"{sm_keys.ORDER - 1:064x}",
        f"{sm_keys.ORDER:064x}",
        "ff" * 32,
        "AQID",
        peer.KEYS["app"]["public_spki_pem"],
        _base64(bytes.fromhex("3077020101") + bytes(20)),
    ],
    ids=["empty", "junk", "zero", "n-1", "n", "ff", "short", "a public key", "cut"],
)
def test_private_key_that_is_none_is_refused(text: str) -> None:
    """1 ≤ d ≤ n-2, in one of the known forms."""
    with pytest.raises(ValueError, match=r"^is "):
        sm_keys.load_sm2_private_key(text)


@pytest.mark.parametrize(
    "text",
    ["", "!!!!", "04" + "11" * 64, "02" + "00" * 31 + "05", "ff" * 64, peer.KEYS["app"]["private_pkcs8_pem"]],
    ids=["empty", "junk", "off the curve", "no such x", "beyond p", "a private key"],
)
def test_public_key_that_is_none_is_refused(text: str) -> None:
    """Only a point of the curve."""
    with pytest.raises(ValueError, match=r"^is "):
        sm_keys.load_sm2_public_key(text)


def test_public_key_on_another_curve_is_refused() -> None:
    """A P-256 key has the same lengths and another meaning."""
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(ValueError, match="not a point of the SM2 curve"):
        sm_keys.load_sm2_public_key(text)


# --- signatures -------------------------------------------------------------------------------------------------------


def verifies(library: sm.Sm2, case: dict[str, Any], signature: bytes) -> bool:
    try:
        key = sm_keys.load_sm2_public_key(case["public_key_hex"])
    except ValueError:
        return False
    return library.verify(key, case["message_utf8"].encode(), case["user_id"].encode(), signature)


@each_library
@by_index([case for case in SIGN["cases"] if "signature_raw_hex" in case])
def test_raw_signature_of_vector_is_as_expected(library: sm.Sm2, case: dict[str, Any]) -> None:
    """Every raw form, right and wrong, never an exception."""
    assert case["expect"] is verifies(library, case, bytes.fromhex(case["signature_raw_hex"]))


@each_library
@by_index([case for case in SIGN["cases"] if case.get("signature_der_hex")])
def test_der_signature_of_vector_is_as_expected(library: sm.Sm2, case: dict[str, Any]) -> None:
    """The same signatures in DER."""
    assert case["expect"] is verifies(
        library, case, sm_der.signature_from_der(bytes.fromhex(case["signature_der_hex"]))
    )


@by_index([case for case in SIGN["cases"] if case.get("signature_der_hex")])
def test_signature_goes_to_der_and_back(case: dict[str, Any]) -> None:
    """Minimal positive integers; leading zeros come back."""
    raw, der = bytes.fromhex(case["signature_raw_hex"]), bytes.fromhex(case["signature_der_hex"])

    assert (der, raw) == (sm_der.signature_to_der(raw), sm_der.signature_from_der(der))


@pytest.mark.parametrize(
    "der_hex",
    [
        "",
        "30",
        "3006020101020101ff",
        "300702020001020101",
        "3006020181020101",
        "3003020101",
        "3009020101020101020101",
        "308106020101020101",
        "3006030101020101",
        "30820006020101020101",
        "020101020101",
    ],
    ids=["empty", "cut", "trailing", "long zero", "negative", "one", "three", "long length", "tag", "longer", "bare"],
)
def test_signature_in_loose_der_is_refused(der_hex: str) -> None:
    """One signature has one DER text."""
    with pytest.raises(ValueError, match=r"^is not"):
        sm_der.signature_from_der(bytes.fromhex(der_hex))


@each_library
def test_published_signature_verifies(library: sm.Sm2) -> None:
    """The sample of GB/T 32918.5."""
    told = SIGN["published"]
    key = sm_keys.load_sm2_private_key(told["d_hex"])
    raw = bytes.fromhex(told["signature_raw_hex"])

    assert told["pub_hex"] == "04" + key.public.point.hex()
    assert library.verify(key.public, told["message_utf8"].encode(), told["user_id"].encode(), raw)


@each_library
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("user_id", [peer.USER_ID, peer.APP_SECRET.encode()], ids=["default", "app_secret"])
def test_own_signature_verifies_with_every_library(library: sm.Sm2, pair: str, user_id: bytes) -> None:
    """Ours and the tests' own; with another user ID, key or message it does not."""
    key = sm_keys.load_sm2_private_key(peer.KEYS[pair]["d_hex"])
    raw, peers = library.sign(key, b"message", user_id), sm2.sign(peer.number_of(pair), b"message", user_id)

    assert sm.SIGNATURE_BYTES == len(raw)
    for other in LIBRARIES.values():
        assert other.verify(key.public, b"message", user_id, raw)
        assert other.verify(key.public, b"message", user_id, peers)
        assert not other.verify(key.public, b"message", b"another user id", raw)
        assert not other.verify(key.public, b"massage", user_id, raw)


# --- encryption -------------------------------------------------------------------------------------------------------


@each_library
@by_index(ENCRYPT["valid"])
def test_ciphertext_of_vector_opens_in_every_encoding(library: sm.Sm2, case: dict[str, str]) -> None:
    """Raw in both orders, and DER of two makers."""
    key = sm_keys.load_sm2_private_key(ENCRYPT["d_hex"])
    forms = (
        bytes.fromhex(case["c1c3c2_hex_without_04"]),
        sm_der.ciphertext_from_c1c2c3(bytes.fromhex(case["c1c2c3_hex_without_04"])),
        sm_der.ciphertext_from_der(bytes.fromhex(case["c1c3c2_der_hex_from_sm_crypto"])),
        sm_der.ciphertext_from_der(bytes.fromhex(case["der_hex_from_openssl"])),
    )

    assert [case["plaintext_utf8"]] * 4 == [library.decrypt(key, form).decode() for form in forms]


@each_library
@by_index(ENCRYPT["reject"], "why")
def test_broken_ciphertext_raises(library: sm.Sm2, case: dict[str, str]) -> None:
    """Hash and point are checked."""
    key = sm_keys.load_sm2_private_key(ENCRYPT["d_hex"])

    with pytest.raises(ValueError, match=r"^(is|cannot)"):
        library.decrypt(key, bytes.fromhex(case["c1c3c2_hex_without_04"]))


@each_library
def test_published_ciphertext_opens(library: sm.Sm2) -> None:
    """The sample of GB/T 32918.5."""
    told = SIGN["published"]
    key = sm_keys.load_sm2_private_key(told["d_hex"])

    plain = library.decrypt(key, bytes.fromhex(told["encrypt_c1c3c2_hex_without_04"]))

    assert told["encrypt_plaintext_utf8"] == plain.decode()


@each_library
@pytest.mark.parametrize("length", [1, 32, 255])
def test_own_ciphertext_opens_with_every_library(library: sm.Sm2, length: int) -> None:
    """There and back, also through DER."""
    key = sm_keys.load_sm2_private_key(peer.KEYS["leadzero"]["d_hex"])
    sealed = library.encrypt(key.public, b"x" * length)

    assert sealed == sm_der.ciphertext_from_der(sm_der.ciphertext_to_der(sealed))
    for other in LIBRARIES.values():
        assert b"x" * length == other.decrypt(key, sealed)


@each_library
@pytest.mark.parametrize("length", [0, 256])
def test_plaintext_of_another_length_is_not_encrypted(library: sm.Sm2, length: int) -> None:
    """The one library could not, so the other does not."""
    key = sm_keys.load_sm2_private_key(peer.KEYS["app"]["d_hex"])

    with pytest.raises(ValueError, match="1 to 255 bytes"):
        library.encrypt(key.public, b"x" * length)


def test_ciphertext_off_the_curve_never_reaches_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the library would make of it."""
    careless = SimpleNamespace(sm2_decrypt=lambda _number, _der: b"garbage", GmsslInnerError=ArithmeticError)
    monkeypatch.setitem(sys.modules, "gmssl_pyx", careless)  # type: ignore[arg-type]
    key = sm_keys.load_sm2_private_key(ENCRYPT["d_hex"])
    case = next(case for case in ENCRYPT["reject"] if case["why"] == "C1 not on the curve")

    with pytest.raises(ValueError, match="not a point"):
        sm.find_sm2("gmssl_pyx").decrypt(key, bytes.fromhex(case["c1c3c2_hex_without_04"]))


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never another one instead."""
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)

    with pytest.raises(sm.SmLibraryMissing, match="gmssl-pyx, which is not installed"):
        sm.find_sm2("gmssl_pyx")


def test_libraries_with_known_holes_are_not_offered() -> None:
    """Predictable nonces, unauthenticated decryption, aborts. Source: sheet of the SM libraries, section 4."""
    assert not {"gmssl", "crossmool", "sm_crypto", "smcryptopy"} & set(sm.SM2_PACKAGES)
