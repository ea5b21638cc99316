"""Certificate mode: which certificate may have signed, and what a change of certificates needs."""

import base64
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from adapters.alipay.certificates import (
    CertificateSet,
    CertifiedKeys,
    certificate_sn,
    chains_to,
    read_certificates,
)
from adapters.alipay.tables import API_CERTIFICATE, API_QUERY
from gateway.domain.provider import NoVerdict
from gateway.domain.report import ReportedState
from gateway.domain.secret import Secret
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import CERTIFICATE_MODE, answer_body, notice, ok, paid, provider, ref, replies, trade

_ROOTS = read_certificates(peer.pem("root_bundle.pem"))[1:]


def _rotated_answer(key: str = "rotated", sn: str | None = None) -> bytes:
    return answer_body(API_QUERY, trade(), key=key, cert_sn=sn or peer.SERIALS["rotated"])


def _download(file: str = "alipay_cert_rotated.pem", text: str | None = None) -> bytes:
    content = base64.b64encode((peer.pem(file) if text is None else text).encode()).decode()
    return answer_body(API_CERTIFICATE, ok(alipay_cert_content=content), key="rotated")


def test_answer_by_the_configured_certificate_is_read() -> None:
    """alipay_cert_sn stands between node and sign, and is not signed."""
    body = answer_body(API_QUERY, trade(), key="certificate", cert_sn=peer.SERIALS["certificate"].upper())

    with replies(body) as wire:
        assert provider(**CERTIFICATE_MODE).query(ref()).report.state is ReportedState.PAID
    assert wire.apis() == [API_QUERY]


def test_answer_that_names_no_certificate_is_checked_with_the_configured_one() -> None:
    """Some answers leave the serial out."""
    with replies(answer_body(API_QUERY, trade(), key="certificate")):
        assert provider(**CERTIFICATE_MODE).query(ref()).report.state is ReportedState.PAID


def test_new_certificate_is_downloaded_once_and_kept() -> None:
    """An unknown serial is fetched, its chain checked, and the next answer needs no download."""
    built = provider(**CERTIFICATE_MODE)
    with replies(_rotated_answer(), _download(), _rotated_answer()) as wire:
        assert built.query(ref()).report.state is ReportedState.PAID
        assert built.query(ref()).report.state is ReportedState.PAID

    assert wire.apis() == [API_QUERY, API_CERTIFICATE, API_QUERY]
    assert wire.content(1) == {"alipay_cert_sn": peer.SERIALS["rotated"]}
    assert f"alipay_cert {peer.SERIALS['rotated']}" in built.key_expiries()


def test_old_and_new_certificate_prove_notices_after_a_change() -> None:
    """A callback may still carry the old signature; none of them needs the network."""
    built = provider(**CERTIFICATE_MODE)
    with replies(_rotated_answer(), _download()):
        built.query(ref())
    with replies() as wire:
        reports = {built.parse_callback(notice(paid(), key=key)).report for key in ("certificate", "rotated")}

    assert len(reports) == 1
    assert wire.sent == []


def test_two_configured_certificates_live_at_once() -> None:
    """The file may hold the present and the coming certificate."""
    both = Secret(peer.pem("alipay_cert.pem") + peer.pem("alipay_cert_rotated.pem"))
    built = provider(**{**CERTIFICATE_MODE, "alipay_cert": both})

    with replies(_rotated_answer()) as wire:
        assert built.query(ref()).report.state is ReportedState.PAID
    assert wire.apis() == [API_QUERY]


def _sn_of(file: str) -> str:
    return certificate_sn(read_certificates(peer.pem(file))[0])


@pytest.mark.parametrize(
    ("answer", "download"),
    [
        pytest.param(
            _rotated_answer("rogue", _sn_of("alipay_cert_rogue.pem")), _download("alipay_cert_rogue.pem"), id="rogue"
        ),
        pytest.param(
            _rotated_answer("certificate", _sn_of("alipay_cert_expired.pem")),
            _download("alipay_cert_expired.pem"),
            id="expired",
        ),
        pytest.param(_rotated_answer(), _download("alipay_cert.pem"), id="another-than-asked"),
        pytest.param(
            _rotated_answer("certificate", "0" * 32), _download("alipay_cert.pem"), id="known-under-another-serial"
        ),
        pytest.param(
            _rotated_answer("app", _sn_of("app_cert.pem")), _download("app_cert.pem"), id="a-merchant-s-certificate"
        ),
        pytest.param(
            _rotated_answer("rotated"),
            _download(text=peer.pem("alipay_cert_rotated.pem").split("-----END CERTIFICATE-----")[0]),
            id="cut",
        ),
        pytest.param(
            _rotated_answer(),
            _download(text=peer.pem("alipay_cert_rotated.pem").split("-----END CERTIFICATE-----\n")[0]
                      + "-----END CERTIFICATE-----\n"),
            id="without-its-issuer",
        ),
        pytest.param(_rotated_answer("certificate"), _download(), id="not-signed-by-it"),
        pytest.param(_rotated_answer(), _download(text=""), id="empty"),
        pytest.param(_rotated_answer(), b"<html>", id="html"),
        pytest.param(_rotated_answer(), (500, b""), id="http-500"),
        pytest.param(_rotated_answer(), requests.ReadTimeout(), id="time-out"),
        pytest.param(_rotated_answer(), answer_body(API_CERTIFICATE, ok(alipay_cert_content="?"), key=None), id="junk"),
        pytest.param(_rotated_answer(), answer_body(API_CERTIFICATE, ok(alipay_cert_content=[1]), key=None), id="list"),
    ],
)  # fmt: skip
def test_certificate_that_does_not_prove_itself_is_not_believed(answer: bytes, download: peer.Reply) -> None:
    """The chain decides, signature by signature and by date; never the issuer's name."""
    with replies(answer, download), pytest.raises(NoVerdict):
        provider(**CERTIFICATE_MODE).query(ref())


def test_download_is_tried_once_a_minute_at_most() -> None:
    """Whatever its outcome; also for another serial."""
    clock = peer.FixedClock()
    built = provider(clock, **CERTIFICATE_MODE)
    asked = []
    for seconds, sn in ((0, "0" * 32), (30, peer.SERIALS["rotated"]), (59, "1" * 32), (60, peer.SERIALS["rotated"])):
        clock.instant = peer.NOW + timedelta(seconds=seconds)
        with replies(_rotated_answer(sn=sn), _download()) as wire, suppress(NoVerdict):
            built.query(ref())
        asked.append(wire.apis().count(API_CERTIFICATE))

    assert asked == [1, 0, 0, 1]


def test_many_threads_download_once() -> None:
    """A change of certificates under load costs one call, and nobody is refused for it."""
    keys: Any = provider(**CERTIFICATE_MODE)._client.keys
    calls: list[str] = []
    asked, answered = threading.Event(), threading.Event()

    def download(sn: str) -> str:
        calls.append(sn)
        asked.set()
        answered.wait(10)
        return peer.pem("alipay_cert_rotated.pem")

    keys._download = download
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(keys.for_answer(peer.SERIALS["rotated"])))) for _ in range(8)
    ]
    threads[0].start()
    assert asked.wait(10)
    for thread in threads[1:]:
        thread.start()
        thread.join(0.02)  # time to run past a lock that is not there
    answered.set()
    for thread in threads:
        thread.join(10)

    assert calls == [peer.SERIALS["rotated"]]
    assert found == [1] * 8


# --- a small authority of our own -------------------------------------------------------------------------------------


def _certificate(subject: str, issuer: str, *, key: str, by: str, ca: bool, organisation: str) -> x509.Certificate:
    def named(common_name: str, owner: str) -> x509.Name:
        parts = [(NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, owner), (NameOID.COMMON_NAME, common_name)]
        return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])

    return (
        x509.CertificateBuilder()
        .subject_name(named(subject, organisation))
        .issuer_name(named(issuer, "Test Authority" if issuer == "root" else organisation))
        .public_key(peer.private_key(key).public_key())
        .serial_number(int.from_bytes(subject.encode()))
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2044, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(peer.private_key(by), hashes.SHA256())
    )


_ROOT = _certificate("root", "root", key="rogue", by="rogue", ca=True, organisation="Test Authority")
_OURS = _certificate("one", "root", key="certificate", by="rogue", ca=False, organisation="Test Ant")
_MERCHANT_S = _certificate("two", "root", key="rotated", by="rogue", ca=False, organisation="Some Merchant")
_NEXT = _certificate("three", "root", key="rotated", by="rogue", ca=False, organisation="Test Ant")
_BY_A_LEAF = _certificate("four", "one", key="rotated", by="certificate", ca=False, organisation="Test Ant")
_AUTHORITY = _certificate("five", "root", key="rotated", by="rogue", ca=True, organisation="Test Ant")


@pytest.mark.parametrize(
    ("offered", "believed"),
    [
        pytest.param((_NEXT,), True, id="the-next-one"),
        pytest.param((_MERCHANT_S,), False, id="a-merchant-s"),
        pytest.param((_BY_A_LEAF, _OURS), False, id="issued-by-a-leaf"),
        pytest.param((_AUTHORITY,), False, id="an-authority"),
    ],
)
def test_only_the_platform_s_own_certificate_is_believed(offered: tuple[x509.Certificate, ...], believed: bool) -> None:
    """The roots issue merchants' certificates, too: chain, organisation and kind must all fit."""
    keys = CertifiedKeys(
        CertificateSet(app=_MERCHANT_S, platform=(_OURS,), roots=(_ROOT,)),
        clock=peer.FixedClock(),
        download=lambda _sn: "".join(one.public_bytes(Encoding.PEM).decode() for one in offered),
    )

    assert believed == bool(keys.for_answer(certificate_sn(offered[0])))


@pytest.mark.parametrize(
    ("file", "now", "trusted"),
    [
        ("alipay_cert.pem", peer.NOW, True),
        ("alipay_cert_rotated.pem", peer.NOW, True),
        ("alipay_cert_rogue.pem", peer.NOW, False),
        ("alipay_cert_rogue.pem", None, False),
        ("alipay_cert_expired.pem", peer.NOW, False),
        ("alipay_cert_expired.pem", None, True),
        ("alipay_cert_expired.pem", datetime(2024, 6, 1, tzinfo=UTC), True),
        ("alipay_cert_expired.pem", datetime(2024, 6, 1, 0, 0, 1, tzinfo=UTC), False),
        ("alipay_cert.pem", datetime(2023, 12, 31, tzinfo=UTC), False),
    ],
)
def test_chain_is_checked_by_signature_and_date(file: str, now: datetime | None, trusted: bool) -> None:
    """To the second at both ends."""
    leaf, *issuers = read_certificates(peer.pem(file))

    assert trusted == chains_to(leaf, tuple(issuers), _ROOTS, now=now)


def test_leaf_that_is_no_authority_issues_nothing() -> None:
    """A certificate cannot be vouched for by one that is not an authority."""
    assert chains_to(_OURS, (), (_ROOT,), now=peer.NOW)
    assert not chains_to(_BY_A_LEAF, (_OURS,), (_ROOT,), now=peer.NOW)


@pytest.mark.parametrize("text", ["", "junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_text_without_certificates_gives_none(text: str) -> None:
    """Nothing raises; callers say what is missing."""
    assert read_certificates(text) == ()


def test_key_expiries_name_every_certificate() -> None:
    """For the console and readiness; key mode has none."""
    expiries = provider(**CERTIFICATE_MODE).key_expiries()

    assert len(expiries) == 4
    assert expiries["app_cert"] == datetime(2044, 1, 1, tzinfo=UTC)
    assert provider().key_expiries() == {}
