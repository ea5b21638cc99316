"""Notifications in certificate mode, acknowledgements, and the browser's return."""

from typing import Any

import pytest

from gateway.domain.provider import CallbackRefused, RawCallback, Verdict
from tests.adapters.alipay import peer
from tests.adapters.alipay.peer import notice, notify_body, paid, provider


def reason_of(raw: RawCallback, **settings: Any) -> str:
    with pytest.raises(CallbackRefused) as refused:
        provider(**settings).parse_callback(raw)
    return refused.value.reason


# --- certificate mode -------------------------------------------------------------------------------------------------


def test_certified_notice_is_verified_with_the_certificate() -> None:
    """In certificate mode the platform certificate's key proves a notification."""
    certified = provider(**peer.CERTIFICATE_MODE)

    assert (
        certified.parse_callback(notice(paid(), key="certificate")).report
        == provider().parse_callback(notice(paid())).report
    )
    assert reason_of(notice(paid()), **peer.CERTIFICATE_MODE) == "signature"


@pytest.mark.parametrize("unsigned", [(), ("alipay_cert_sn",)], ids=["signed", "left-out"])
def test_certified_notice_may_name_its_certificate(unsigned: tuple[str, ...]) -> None:
    """alipay_cert_sn as a field is tried as signed first, then as left out."""
    raw = notice(paid(alipay_cert_sn=peer.SERIALS["certificate"]), key="certificate", unsigned=unsigned)

    assert (
        provider(**peer.CERTIFICATE_MODE).parse_callback(raw).report == provider().parse_callback(notice(paid())).report
    )


def test_certified_notice_of_an_unknown_certificate_is_refused_without_a_call() -> None:
    """Anybody can post a serial: a callback never makes us download."""
    raw = notice(paid(alipay_cert_sn=peer.SERIALS["rotated"]), key="rotated")
    with peer.replies() as wire:
        assert reason_of(raw, **peer.CERTIFICATE_MODE) == "unknown_key"

    assert wire.sent == []


# --- acknowledgements and returns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "status", "body"),
    [
        (Verdict.ACCEPTED, 200, b"success"),
        (Verdict.IGNORED, 200, b"success"),
        (Verdict.QUARANTINED, 200, b"fail"),
        (Verdict.ORPHAN, 200, b"fail"),
        (Verdict.REFUSED, 200, b"fail"),
        (Verdict.UNSTORED, 503, b"fail"),
    ],
    ids=lambda value: getattr(value, "value", None),
)
def test_acknowledgement_is_exact(verdict: Verdict, status: int, body: bytes) -> None:
    """Seven bytes for what is done with, `fail` for the rest."""
    told = provider().acknowledge(verdict, notice(paid()))

    assert (status, body, "text/plain; charset=utf-8") == (told.status, told.body, told.content_type)


_RETURN = {
    "app_id": peer.APP_ID,
    "auth_app_id": peer.APP_ID,
    "charset": "utf-8",
    "method": "alipay.trade.wap.pay.return",
    "out_trade_no": peer.NUMBER,
    "seller_id": peer.SELLER_ID,
    "timestamp": "2026-03-01 10:21:00",
    "total_amount": "380.01",
    "trade_no": peer.TRADE_NUMBER,
    "version": "1.0",
}


def test_return_with_our_own_parameters_names_the_payment() -> None:
    """What return_url carried itself is not signed, and is dropped."""
    query = notify_body(_RETURN) + b"&order=ord_1"

    assert provider().read_return(query) == peer.NUMBER


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(notify_body(_RETURN | {"app_id": "2021000000000000"}), id="foreign-app"),
        pytest.param(notify_body(_RETURN | {"out_trade_no": "?"}), id="no-number"),
        pytest.param(notify_body(_RETURN, key="app"), id="another-key"),
        pytest.param(b"", id="empty"),
        pytest.param(notify_body(_RETURN) + b"&trade_no=1", id="field-twice"),
    ],
)
def test_return_that_proves_nothing_is_refused(query: bytes) -> None:
    """A return that is not Alipay's or not ours leads to no query."""
    with pytest.raises(CallbackRefused):
        provider().read_return(query)
