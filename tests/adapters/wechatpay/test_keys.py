"""Platform keys: rotation, download, its limits."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from adapters.kit.keys import load_certificate
from adapters.wechatpay.keys import PlatformKeys
from gateway.domain.provider import Callback, CallbackRefused, NoVerdict, Provider, RawCallback
from gateway.domain.report import ReportedState
from gateway.domain.secret import Secret
from tests.adapters.wechatpay import peer
from tests.adapters.wechatpay.peer import error, signed
from tests.conformance import network as faults
from tests.conformance.case import WireAnswer
from tests.conformance.network import playing

EMPTY: dict[str, Any] = {**peer.CERTIFICATES_ONLY, "platform_certificates": None}
ONLY_A: dict[str, Any] = {**peer.CERTIFICATES_ONLY, "platform_certificates": [Secret(peer.pem("platform_a_cert.pem"))]}


def listing(*names: str, key: str = "a", signed_at: datetime = peer.NOW) -> WireAnswer:
    body, headers = peer.certificates_answer(*names, key=key, signed_at=signed_at)
    return WireAnswer(status=200, headers=headers, body=body)


def parse(provider: Provider, raw: RawCallback) -> Callback | str:
    try:
        return provider.parse_callback(raw)
    except CallbackRefused as exc:
        return exc.reason


def paid_by(key: str, at: datetime = peer.NOW) -> RawCallback:
    return peer.payment_callback(peer.paid(), key=key, signed_at=at, received_at=at)


def test_first_answer_with_an_empty_store_downloads_and_is_proven() -> None:
    """Bootstrap: the answer waits for the certificates that prove it."""
    with playing(signed(peer.paid()), listing("a", "b")) as network:
        report = peer.provider(**EMPTY).query(peer.payment_ref()).report

    assert ReportedState.PAID is report.state
    assert [f"{peer.BASE_URL}/v3/certificates"] == [sent.url for sent in network.sent[1:]]


def test_callback_during_rotation_downloads_the_new_certificate_and_keeps_the_old() -> None:
    """Add before drop: both serials occur at random."""
    with playing(listing("a", "b")) as network:
        provider = peer.provider(**ONLY_A)
        results = [parse(provider, paid_by(key)) for key in ("b", "a", "b")]

    assert all(isinstance(result, Callback) for result in results)
    assert len(network.sent) == 1


def test_answer_signed_by_the_new_certificate_alone_is_enough_to_learn_it() -> None:
    """After a long idle time no old key can vouch for the list."""
    with playing(listing("b", key="b")):
        assert isinstance(parse(peer.provider(**ONLY_A), paid_by("b")), Callback)


def test_unknown_serials_cost_one_download_per_minute() -> None:
    """Anybody can make serials up."""
    clock = peer.FixedClock()
    with playing(*[listing("a", "b")] * 9) as network:
        provider = peer.provider(clock, **ONLY_A)
        for second in (0, 1, 30, 59, 60, 61, 119, 120):
            clock.instant = peer.NOW + timedelta(seconds=second)
            assert parse(provider, paid_by("unknown", clock.instant)) == "unknown_key"
            assert isinstance(parse(provider, paid_by("a", clock.instant)), Callback)

    assert len(network.sent) == 3


@pytest.mark.parametrize("serial", ["PUB_KEY_ID_0000000000000000000000000000000000", "not hex", "A" * 41, "é"])
def test_serial_that_no_certificate_can_have_costs_no_download(serial: str) -> None:
    """Downloads bring no public keys and no nonsense."""
    raw = paid_by("a")
    with playing() as network:
        result = parse(
            peer.provider(**ONLY_A),
            RawCallback(headers={**raw.headers, "wechatpay-serial": serial}, body=raw.body, received_at=peer.NOW),
        )

    assert (result, network.sent) == ("unknown_key", [])


@pytest.mark.parametrize(
    "settings",
    [peer.PUBLIC_KEY_ONLY, {"certificate_download": "off"}, {**ONLY_A, "certificate_download": "off"}],
    ids=["public-key-only", "off-with-both", "off-with-certificate"],
)
def test_account_without_download_never_asks(settings: Any) -> None:
    """A public-key merchant gets only errors from there."""
    with playing() as network:
        assert parse(peer.provider(**settings), paid_by("unknown")) == "unknown_key"

    assert network.sent == []


DAMAGED: dict[str, Any] = {
    "unreachable": faults.connection_refused,
    "time-out": faults.read_timeout,
    "error": lambda: error(500, "SYSTEM_ERROR"),
    "use-public-key": lambda: error(404, "RESOURCE_NOT_EXISTS"),
    "html": lambda: WireAnswer(status=200, headers={}, body=b"<html>"),
    "unsigned": lambda: WireAnswer(status=200, headers={}, body=listing("a", "b").body),
    "signed-by-an-unlisted-key": lambda: listing("a", "b", key="unknown"),
    "stale": lambda: listing("a", "b", signed_at=peer.NOW - timedelta(seconds=300)),
    "no-list": lambda: signed({"data": {}}),
    "odd-entries": lambda: signed({"data": [7]}),
    "odd-members": lambda: signed({"data": [{"serial_no": 7, "encrypt_certificate": {}}]}),
    "other-key": lambda: signed({"data": [_entry(apiv3_key=peer.CONFIG["apiv3_key_other"])]}),
    "not-a-certificate": lambda: signed({"data": [_entry(plain=b"hello")]}),
    "other-serial": lambda: signed({"data": [{**_entry(), "serial_no": peer.SERIALS["unknown"]}]}),
    "the-merchants-own-among-them": lambda: signed({"data": [_entry(), _merchants_own()]}),
}


def _entry(plain: bytes | None = None, **how: Any) -> dict[str, Any]:
    pem = plain or peer.pem("platform_b_cert.pem").encode()
    return {"serial_no": peer.SERIALS["b"], "encrypt_certificate": peer.sealed(pem, **how)}


def _merchants_own() -> dict[str, Any]:
    own = peer.pem("merchant_cert.pem")
    return {**_entry(plain=own.encode()), "serial_no": f"{load_certificate(own).serial_number:040X}"}


@pytest.mark.parametrize("fault", DAMAGED.values(), ids=DAMAGED)
def test_download_that_does_not_hold_changes_nothing(fault: Any) -> None:
    """The message at hand is refused, the keys held stay, and there is no second try within the minute."""
    with playing(fault()) as network:
        provider = peer.provider(**ONLY_A)
        results = [parse(provider, paid_by(key)) for key in ("b", "b", "a")]

    assert results[:2] == ["unknown_key", "unknown_key"]
    assert isinstance(results[2], Callback)
    assert len(network.sent) == 1 or isinstance(fault(), Exception)


def test_unprovable_first_answer_gives_no_verdict() -> None:
    """When the certificates cannot be had, an answer proves nothing."""
    with playing(signed(peer.paid()), error(500, "SYSTEM_ERROR")), pytest.raises(NoVerdict):
        peer.provider(**EMPTY).query(peer.payment_ref())


# --- the store itself -------------------------------------------------------------------------------------------------

CERTIFICATE_A, CERTIFICATE_B = (load_certificate(peer.pem(f"platform_{name}_cert.pem")) for name in "ab")


def test_expired_certificate_is_not_found_and_dropped_on_the_next_addition() -> None:
    """One second before its end it proves, at its end it does not."""
    clock = peer.FixedClock(CERTIFICATE_A.not_valid_after_utc - timedelta(seconds=1))
    keys = PlatformKeys(clock=clock, download=None)
    keys.add_certificates([CERTIFICATE_A])
    assert keys.find(peer.SERIALS["a"]) is not None

    clock.instant = CERTIFICATE_A.not_valid_after_utc
    assert keys.find(peer.SERIALS["a"]) is None
    keys.add_certificates([CERTIFICATE_B])
    assert [CERTIFICATE_B.not_valid_after_utc] == list(keys.expiries().values())


def test_key_expiries_name_each_certificate() -> None:
    """A public key has no end and is left out."""
    expiries = peer.provider().key_expiries()

    assert {CERTIFICATE_A.not_valid_after_utc, CERTIFICATE_B.not_valid_after_utc} == set(expiries.values())
    assert all(name.startswith("platform certificate ") for name in expiries)


def test_many_threads_with_unknown_serials_download_once() -> None:
    """They wait for the one download and all find the key it brought."""
    asked: list[str] = []
    everyone = threading.Barrier(8)
    found: list[bool] = []

    def download(_find: Any) -> list[x509.Certificate]:
        asked.append("download")
        return [CERTIFICATE_A]

    keys = PlatformKeys(clock=peer.FixedClock(), download=download)

    def find() -> None:
        everyone.wait()
        found.append(keys.find(peer.SERIALS["a"]) is not None)

    threads = [threading.Thread(target=find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (asked, found) == (["download"], [True] * 8)
