"""Who may speak for UnionPay: chain, dates, name; and that no chain is checked twice."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from adapters.unionpay import certificates
from adapters.unionpay.certificates import (
    KNOWN_MAX,
    PLATFORM_NAME,
    TEST_NAME,
    Chain,
    PlatformCertificates,
    Untrusted,
    load_certificates,
)
from gateway.domain.provider import CallbackRefused, NoVerdict
from tests.adapters.unionpay import peer
from tests.conformance.network import playing

PLATFORM: Final = peer.text("platform_sign.pem")
MIDDLE: Final = load_certificates(peer.text("middle.pem"))
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
AUTHORITY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
LEAF: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def named(*common_names: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])


def issued(
    *common_names: str, key: Any = LEAF, issuer: str = "TEST-ONLY issuer", **dates: datetime
) -> x509.Certificate:
    """A leaf of the tests' own authority; invented."""
    return (
        x509.CertificateBuilder()
        .subject_name(named(*common_names))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dates.get("start", START))
        .not_valid_after(dates.get("end", END))
        .sign(AUTHORITY, hashes.SHA256())
    )


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


GENUINE: Final = f"041@8310000000083040@{PLATFORM_NAME}@00016495"
AUTHORITY_CERTIFICATE: Final = issued("TEST-ONLY issuer", key=AUTHORITY, start=START, end=END + timedelta(days=400))


def trusting(*middles: x509.Certificate, names: frozenset[str] = frozenset({PLATFORM_NAME})) -> PlatformCertificates:
    return PlatformCertificates(
        Chain(middles=middles or (AUTHORITY_CERTIFICATE,), names=names, own_digests=frozenset())
    )


def test_genuine_certificate_gives_its_key() -> None:
    """The one good case beside which the others are judged."""
    assert LEAF.public_key() == trusting().key(pem_of(issued(GENUINE)), START)


@pytest.mark.parametrize(
    "common_name",
    [
        "041@8310000000083040@某商户@00016495",
        f"041@831@{PLATFORM_NAME}有限@0001",
        f"041@831@ {PLATFORM_NAME}@0001",
        f"041@{PLATFORM_NAME}@某商户@0001",
        f"{PLATFORM_NAME}",
        f"041@8310000000083040@{TEST_NAME}@00000062",
        "041@8310000000083040",
        "@@@",
    ],
)
def test_certificate_of_another_name_is_untrusted(common_name: str) -> None:
    """The third part must equal UnionPay's name: containing it, or standing elsewhere, is not enough."""
    with pytest.raises(Untrusted):
        trusting().key(pem_of(issued(common_name)), START)


def test_certificate_with_two_common_names_is_untrusted() -> None:
    """Nobody chooses which of them counts."""
    with pytest.raises(Untrusted):
        trusting().key(pem_of(issued(GENUINE, "041@1@某商户@2")), START)


def test_test_name_is_trusted_only_where_it_is_configured() -> None:
    """The gate of the test environment."""
    pem = pem_of(issued(f"041@Z12@{TEST_NAME}@00000062"))

    assert LEAF.public_key() == trusting(names=frozenset({PLATFORM_NAME, TEST_NAME})).key(pem, START)


@pytest.mark.parametrize(
    ("at", "trusted"),
    [
        (START - timedelta(seconds=1), False),
        (START, True),
        (END, True),
        (END + timedelta(seconds=1), False),
    ],
    ids=["before", "first", "last", "after"],
)
def test_certificate_is_trusted_within_its_dates_alone(at: datetime, *, trusted: bool) -> None:
    """Also when its chain was checked before."""
    platform = trusting()
    pem = pem_of(issued(GENUINE))
    platform.key(pem, START)
    if trusted:
        assert LEAF.public_key() == platform.key(pem, at)
        return
    with pytest.raises(Untrusted, match="out of date"):
        platform.key(pem, at)


def test_certificate_under_an_expired_middle_is_untrusted() -> None:
    """The middle's dates count, too."""
    middle = issued("TEST-ONLY issuer", key=AUTHORITY, start=START, end=START + timedelta(days=1))

    with pytest.raises(Untrusted, match="out of date"):
        trusting(middle).key(pem_of(issued(GENUINE)), START + timedelta(days=2))


def test_certificate_under_another_middle_of_the_same_name_is_untrusted() -> None:
    """A name is copied in a minute: the signature decides. So does the vectors' clone of the whole authority."""
    with pytest.raises(Untrusted):
        trusting(*MIDDLE).key(peer.text("rogue_platform_sign.pem"), START)
    with pytest.raises(Untrusted):
        trusting(*load_certificates(peer.text("rogue_middle.pem"))).key(PLATFORM, START)


def test_certificate_that_names_another_issuer_is_untrusted() -> None:
    """Both are needed: the signature and the name."""
    with pytest.raises(Untrusted):
        trusting().key(pem_of(issued(GENUINE, issuer="TEST-ONLY somebody")), START)


def test_second_middle_is_tried() -> None:
    """Several pairs may be configured; authorities change."""
    platform = trusting(*MIDDLE, AUTHORITY_CERTIFICATE)

    assert LEAF.public_key() == platform.key(pem_of(issued(GENUINE)), START)


@pytest.mark.parametrize(
    "key",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),
    ],
    ids=["elliptic", "short"],
)
def test_certificate_with_another_kind_of_key_is_untrusted(key: Callable[[], Any]) -> None:
    """RSA of 2048 bits at least."""
    with pytest.raises(Untrusted):
        trusting().key(pem_of(issued(GENUINE, key=key())), START)


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: "",
        lambda pem: pem + pem,
        lambda pem: peer.text("other_merchant_sign.pem") + pem,
        lambda pem: pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        lambda pem: pem.replace("M", "*", 1),
        lambda pem: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        lambda pem: "x" + pem,
        lambda pem: pem + " " * 10_000,
        lambda pem: pem.replace("\n", "\n\u00e9", 1),
    ],
    ids=["none", "two", "two-others", "other-armour", "not-base64", "no-certificate", "prefix", "long", "not-ascii"],
)
def test_text_that_is_not_exactly_one_certificate_is_untrusted(change: Callable[[str], str]) -> None:
    """The certificate that is judged is the one that is used."""
    with pytest.raises(Untrusted):
        trusting(*MIDDLE).key(change(PLATFORM), START)


def test_own_certificate_is_never_unionpays() -> None:
    """In the test environment our own certificate may carry the very name that is accepted there."""
    own = issued(f"041@Z12@{TEST_NAME}@00000062")
    chain = Chain(
        middles=(AUTHORITY_CERTIFICATE,),
        names=frozenset({TEST_NAME}),
        own_digests=frozenset({certificates.digest_of(own)}),
    )

    with pytest.raises(Untrusted, match="not UnionPay's"):
        PlatformCertificates(chain).key(pem_of(own), START)


def test_chain_is_checked_once_however_the_certificate_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache goes by the certificate's bytes, not by its line ends."""
    checked: list[x509.Certificate] = []
    judge = certificates.is_issued_by

    def counted(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
        checked.append(leaf)
        return judge(leaf, issuer)

    monkeypatch.setattr(certificates, "is_issued_by", counted)
    platform = trusting()
    pem = pem_of(issued(GENUINE))

    for text in (pem, pem.replace("\n", "\r\n"), pem.strip()):
        platform.key(text, START)

    assert 1 == len(checked)


def test_cache_is_bounded_and_keeps_none_that_is_not_trusted() -> None:
    """Strangers push nobody out; only the authority itself could fill it."""
    platform = trusting()
    for number in range(KNOWN_MAX + 2):
        platform.key(pem_of(issued(f"041@{number}@{PLATFORM_NAME}@1")), START)
        with pytest.raises(Untrusted):
            platform.key(pem_of(issued("041@1@某商户@1")), START)

    assert KNOWN_MAX == len(platform.expiries())


def test_expiries_name_every_certificate_in_use() -> None:
    """Own, authorities', encryption, and the platform's once it was met."""
    provider = peer.provider()
    before = set(provider.key_expiries())
    provider.parse_callback(peer.callback(peer.notify_body(peer.paid())))

    assert {"sign_certificate", "encrypt_certificate"} < before
    assert 1 == len(set(provider.key_expiries()) - before)


@pytest.mark.parametrize("signer", ["other_merchant_sign", "platform_sign_testcn", "platform_sign_expired"])
def test_message_of_another_signer_proves_nothing(signer: str) -> None:
    """Chain-valid keys of other merchants, the test gateway's in production, and expired ones."""
    provider = peer.provider()
    with pytest.raises(CallbackRefused, match="unknown_key"):
        provider.parse_callback(peer.callback(peer.notify_body(peer.paid(), signer)))
    with playing(peer.answer(peer.found(peer.paid()), signer)), pytest.raises(NoVerdict, match="unknown_key"):
        provider.query(peer.ref())
