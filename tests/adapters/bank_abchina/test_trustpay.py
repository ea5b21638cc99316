"""Keys and proofs of TrustPay by themselves: what is a key, what is signed, and what is not even looked at."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from adapters.bank import trustpay
from adapters.bank.trustpay import Malformed, NotAuthentic
from tests.adapters.bank_abchina import peer

BANK: Final = peer.private_key("abc_bank").public_key()
STRANGER: Final = peer.private_key("stranger").public_key()
SIGNATURE: Final = peer.signature(b"text", "abc_bank")
ENDS_AT: Final = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
UNKNOWN_KIND: Final = base64.b64encode(bytes.fromhex("3012020100300506032a03040406deadbeef0000")).decode()
"""A PKCS#8 whose object identifier, 1.2.3.4, names no kind of key."""

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def key_of(bits: int) -> rsa.RSAPrivateKey:
    """Made once: it takes a while."""
    return rsa.generate_private_key(65537, bits)


def certificate(public: Any, signer: Key) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "invented")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public).serial_number(1)
    return made.not_valid_before(ENDS_AT - timedelta(days=1)).not_valid_after(ENDS_AT).sign(signer, hashes.SHA256())


def pfx(key: Key | None, cert: x509.Certificate | None, password: bytes = b"invented") -> str:
    seal = serialization.BestAvailableEncryption(password)
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"n", key, cert, None, seal)).decode()


# --- keys -------------------------------------------------------------------------------------------------------------


def test_pfx_gives_its_key_and_the_end_of_its_certificate() -> None:
    """Broken into lines, as mails break it."""
    key = key_of(1024)
    text = pfx(key, certificate(key.public_key(), key))
    identity = trustpay.load_pfx(f" {text[:76]}\r\n{text[76:]}\n", "invented")

    assert (key.private_numbers(), ENDS_AT) == (identity.private_key.private_numbers(), identity.ends_at)
    assert "private_key" not in repr(identity)


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "*"], ids=ascii)
def test_text_that_is_no_pfx_is_refused_without_being_shown(text: str) -> None:
    """The fault says the form alone."""
    with pytest.raises(ValueError, match=r"\Ais not a PFX in base64 that the password opens\Z"):
        trustpay.load_pfx(text, "invented")


def pfx_without_a_certificate() -> str:
    return pfx(key_of(1024), None)


def pfx_without_a_key() -> str:
    return pfx(None, certificate(key_of(1024).public_key(), key_of(1024)))


def pfx_of_a_curve() -> str:
    curve = ec.generate_private_key(ec.SECP256R1())
    return pfx(curve, certificate(curve.public_key(), curve))


@pytest.mark.parametrize("make", [pfx_without_a_certificate, pfx_without_a_key, pfx_of_a_curve])
def test_pfx_of_something_else_is_refused(make: Callable[[], str]) -> None:
    """Not one RSA key with its certificate."""
    with pytest.raises(ValueError, match=r"\Aholds no RSA key with its certificate\Z"):
        trustpay.load_pfx(make(), "invented")


def test_pfx_of_a_key_with_a_strangers_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank would know neither. The library writes no such file, so what it reads is put in its place."""
    strange = certificate(STRANGER, peer.private_key("stranger"))
    monkeypatch.setattr(pkcs12, "load_key_and_certificates", lambda *_: (key_of(1024), strange, []))

    with pytest.raises(ValueError, match=r"\Aholds a key and a certificate that do not belong together\Z"):
        trustpay.load_pfx("AAAA", "invented")


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_bare_signing_key_has_no_end(form: serialization.PrivateFormat) -> None:
    """PKCS#8 and PKCS#1."""
    pem = key_of(1024).private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    identity = trustpay.load_signing_key(pem)

    assert (key_of(1024).private_numbers(), None) == (identity.private_key.private_numbers(), identity.ends_at)


@pytest.mark.parametrize(
    "text",
    ["", "x", "AAAA", peer.text("abc_bank_public.pem"), UNKNOWN_KIND],
    ids=["empty", "x", "der", "public", "unknown-kind"],
)
def test_text_that_is_no_private_key_is_refused_without_being_shown(text: str) -> None:
    """The fault says the form alone."""
    with pytest.raises(ValueError, match=r"\Ais not a private key in PKCS#8 or PKCS#1\Z"):
        trustpay.load_signing_key(text)


def test_private_key_under_a_password_is_refused_and_so_is_another_kind() -> None:
    """The password would have to be kept beside it."""
    form, seal = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"invented")
    sealed = key_of(1024).private_bytes(serialization.Encoding.DER, form, seal)
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, form, serialization.NoEncryption()
    )

    with pytest.raises(ValueError, match="is not a private key in PKCS#8 or PKCS#1"):
        trustpay.load_signing_key(base64.b64encode(sealed).decode())
    with pytest.raises(ValueError, match="is not an RSA key"):
        trustpay.load_signing_key(base64.b64encode(curve).decode())


def test_our_own_key_needs_as_many_bits_as_the_banks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library makes none shorter than the bank's least, so that least is raised."""
    key = key_of(1024)
    container = pfx(key, certificate(key.public_key(), key))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, form, none).decode()
    monkeypatch.setattr(trustpay, "_RSA_BITS_MIN", 1025)

    with pytest.raises(ValueError, match=r"\Ahas fewer than 1025 bits\Z"):
        trustpay.load_pfx(container, "invented")
    with pytest.raises(ValueError, match=r"\Ahas fewer than 1025 bits\Z"):
        trustpay.load_signing_key(pem)


def pem_of(public: Any) -> str:
    return certificate(public, key_of(1024)).public_bytes(serialization.Encoding.PEM).decode()


def test_bank_keys_are_all_of_the_certificates_in_their_order() -> None:
    """One after the other, whatever stands between them."""
    bank, stranger = pem_of(BANK), pem_of(STRANGER)
    der = "".join(bank.splitlines()[1:-1])

    assert (BANK, STRANGER) == trustpay.load_bank_keys(f"old\n{bank}new\n{stranger}\n")
    assert (BANK,) == trustpay.load_bank_keys(der)


def test_bank_key_needs_1024_bits() -> None:
    """The bank's have no more; a shorter one could be found out."""
    enough, short = ((1 << bits) - 1 for bits in (1024, 1023))
    public = rsa.RSAPublicNumbers(65537, enough).public_key()

    assert (public,) == trustpay.load_bank_keys(pem_of(public))
    with pytest.raises(ValueError, match="has fewer than 1024 bits"):
        trustpay.load_bank_keys(pem_of(rsa.RSAPublicNumbers(65537, short).public_key()))


def test_certificate_of_another_kind_of_key_is_refused() -> None:
    """One among many, too."""
    curve = pem_of(ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(ValueError, match="holds a certificate of another kind of key"):
        trustpay.load_bank_keys(pem_of(BANK) + curve)


@pytest.mark.parametrize(
    "text", ["", "x", "AAAA", peer.text("abc_bank_public.pem")], ids=["empty", "x", "der", "public"]
)
def test_text_that_is_no_certificate_is_refused_without_being_shown(text: str) -> None:
    """The fault says the form alone."""
    with pytest.raises(ValueError, match=r"\Ais neither PEM certificates nor one certificate in base64\Z"):
        trustpay.load_bank_keys(text)


# --- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "content", "signature"),
    [
        ([BANK], b"text", ""),
        ([BANK], b"text", SIGNATURE[:-1]),
        ([BANK], b"text", SIGNATURE + "\n"),
        ([BANK], b"text", " " + SIGNATURE),
        ([BANK], b"text", SIGNATURE + "*"),
        ([BANK], b"text", "é" * len(SIGNATURE)),
        ([BANK], b"text", "\ud800"),
        ([BANK], b"text", "A" * len(SIGNATURE)),
        ([BANK], b"text ", SIGNATURE),
        ([STRANGER], b"text", SIGNATURE),
        ([], b"text", SIGNATURE),
    ],
    ids=[
        *("empty", "cut", "line-end", "blank", "junk-behind", "latin", "surrogate", "other-bytes", "other-content"),
        *("other-key", "no-key"),
    ],
)
def test_wrong_signature_is_false(keys: list[rsa.RSAPublicKey], content: bytes, signature: str) -> None:
    """Whatever is wrong, the answer is no, and never an exception."""
    assert trustpay.is_signed_by([BANK], b"text", SIGNATURE) is True
    assert trustpay.is_signed_by([STRANGER, BANK], b"text", SIGNATURE) is True

    assert trustpay.is_signed_by(keys, content, signature) is False


# --- messages ---------------------------------------------------------------------------------------------------------

MESSAGE: Final = '{"TrxResponse":{"ReturnCode":"0000"}}'
PROOF: Final = peer.signature(MESSAGE.encode("gbk"), "abc_bank")


def frame(message: str = MESSAGE, algorithm: str = '"SHA1withRSA"', signature: str = f'"{PROOF}"') -> bytes:
    text = f'{{"MSG":{{"Message":{message},"Signature-Algorithm":{algorithm},"Signature":{signature}}}}}'
    return text.encode("gbk")


def test_answer_is_its_message_whatever_stands_around_it() -> None:
    """Line ends, as the bank sends them."""
    assert {"TrxResponse": {"ReturnCode": "0000"}} == trustpay.open_answer(b"\r\n" + frame() + b"\r\n", [BANK])


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", 'no {"MSG'),
        (b"<html>", 'no {"MSG'),
        (b'{"MSG', "no Message"),
        (b'{"MSG":{"Other":1}}', "no Message"),
        (b'{"MSG":{"Message":', "is no readable JSON in GBK"),
        (frame() + b"\xff", "is no readable JSON in GBK"),
        (frame()[:-1], "is no readable JSON in GBK"),
        (b'{"MSG":{"Message":' + b"[" * 100_000, "is no readable JSON in GBK"),
        (frame(message='"text"'), "Message is no object"),
        (frame(message="[1]"), "Message is no object"),
    ],
    ids=["empty", "page", "start", "other", "half", "no-gbk", "unclosed", "deep", "text", "list"],
)
def test_body_that_is_no_answer_is_malformed(body: bytes, fault: str) -> None:
    """The fault shows nothing of the message."""
    with pytest.raises(Malformed, match=rf"\A{re.escape(fault)}\Z"):
        trustpay.open_answer(body, [BANK])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (MESSAGE, "0000"),
        ('{"TrxResponse":{"ReturnCode":"' + "A" * 16 + '"}}', "A" * 16),
        ('{"TrxResponse":{"ReturnCode":"' + "A" * 17 + '"}}', ""),
        ('{"TrxResponse":{"ReturnCode":"a b"}}', ""),
        ('{"TrxResponse":{"ReturnCode":1}}', ""),
        ('{"TrxResponse":{}}', ""),
        ('{"TrxResponse":[]}', ""),
        ("{}", ""),
    ],
)
@pytest.mark.parametrize(
    "unproven",
    [
        {"signature": '"AAAA"'},
        {"signature": "null"},
        {"signature": "7"},
        {"algorithm": '"SHA256withRSA"'},
        {"algorithm": "null"},
    ],
    ids=str,
)
def test_answer_that_is_not_proven_tells_its_code_to_logs_alone(
    message: str, said: str, unproven: dict[str, str]
) -> None:
    """A word of up to 16 letters and digits: it is not believed, and not to be misused."""
    proof = peer.signature(message.encode("gbk"), "abc_bank")
    with pytest.raises(NotAuthentic, match="not signed by a key of the bank") as raised:
        trustpay.open_answer(frame(**{"message": message, "signature": f'"{proof}"', **unproven}), [BANK])

    assert said == raised.value.said


def test_xml_that_is_not_gbk_is_malformed_and_without_its_parts_not_proven() -> None:
    """Nothing outside the proven text is read."""
    with pytest.raises(Malformed, match="MSG is not GBK"):
        trustpay.open_xml(b"<MSG>\xff</MSG>", [BANK])
    with pytest.raises(NotAuthentic) as raised:
        trustpay.open_xml(b"<MSG></MSG>", [BANK])
    assert "" == raised.value.said


@pytest.mark.parametrize("charset", ["gb2312", "gbk"])
def test_xml_is_proven_over_its_message_in_either_charset(charset: str) -> None:
    """Where a character is in both they are the same; where not, the bank's own program signs a question mark."""
    inner = "<TrxResponse><Name>镕</Name></TrxResponse>"
    proof = peer.signature(inner.encode(charset, "replace"), "abc_bank")
    document = (
        f"<MSG><Message>{inner}</Message><Signature-Algorithm>SHA1withRSA</Signature-Algorithm>"
        f"<Signature>{proof}</Signature></MSG>"
    )

    assert inner == trustpay.open_xml(document.encode("gbk"), [BANK])
    with pytest.raises(NotAuthentic):
        trustpay.open_xml(document.replace("SHA1", "SHA256").encode("gbk"), [BANK])
    with pytest.raises(NotAuthentic):
        trustpay.open_xml(document.encode("gbk"), [STRANGER])


# --- forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "wanted"),
    [(b"MSG=QUJD", "QUJD"), (b"MSG=a%2Bb%3D", "a+b="), (b"MSG=a+b", "a+b"), (b"MSG=a%20b", "a+b"), (b"MSG=", "")],
)
def test_form_gives_its_one_value(body: bytes, wanted: str) -> None:
    """A blank can only have been a plus."""
    assert wanted == trustpay.form_msg(body)


@pytest.mark.parametrize(
    "body", [b"", b"msg=a", b"MSG=a&b=c", b"XMSG=a", b"MSG=" + b"A" * (3 * 65536 + 1)], ids=lambda body: ascii(body[:9])
)
def test_form_of_anything_else_is_malformed(body: bytes) -> None:
    """Another field, or one too long."""
    with pytest.raises(Malformed, match="MSG is not the one field"):
        trustpay.form_msg(body)


def test_form_of_the_greatest_length_is_read() -> None:
    """Every character escaped."""
    assert "A" * 65536 == trustpay.form_msg(b"MSG=" + b"%41" * 65536)
    with pytest.raises(Malformed, match="MSG is not ASCII"):
        trustpay.form_msg(b"MSG=%ff")


@pytest.mark.parametrize("msg", ["", "A", "QUJD\n", "QUJE=", "QQ==QQ==", "QR==", "é", "\ud800"], ids=ascii)
def test_text_that_is_no_base64_in_its_one_form_is_malformed(msg: str) -> None:
    """Else one message had many texts."""
    assert b"ABC" == trustpay.decode_msg("QUJD")

    with pytest.raises(Malformed, match=r"\AMSG is not base64\Z"):
        trustpay.decode_msg(msg)


def test_element_is_the_text_between_its_tags_or_its_default() -> None:
    """Empty is a text; half an element is none."""
    assert ("1", "", "d") == (
        trustpay.element("<a>1</a>", "a"),
        trustpay.element("x<a></a>y", "a", default="d"),
        trustpay.element("<b>1</b>", "a", default="d"),
    )
    for text in ("<a>", "</a>", "</a><a>", "<a>1</a><a>", "<a>1</a></a>"):
        with pytest.raises(Malformed, match=r"\Aa\Z"):
            trustpay.element(text, "a", default="d")
    with pytest.raises(Malformed, match=r"\Aa\Z"):
        trustpay.element("", "a")
