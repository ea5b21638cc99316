"""What callbacks mean, and every way in which one is refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.domain.clock import CHINA
from gateway.domain.provider import Callback, CallbackRefused, CallbackUnreadable, RawCallback, Verdict
from gateway.domain.report import ReportedRefundState, ReportedState, Source
from tests.adapters.wechatpay import peer
from tests.conformance.network import playing

PROVIDER = peer.provider(certificate_download="off")


def parse(raw: RawCallback, **settings: Any) -> Callback:
    provider = peer.provider(certificate_download="off", **settings) if settings else PROVIDER
    return provider.parse_callback(raw)


def outcome(raw: RawCallback, **settings: Any) -> Callback | CallbackRefused | CallbackUnreadable:
    try:
        return parse(raw, **settings)
    except (CallbackRefused, CallbackUnreadable) as exc:
        return exc


# --- meaning ----------------------------------------------------------------------------------------------------------


def test_payment_callback_reports_total_number_and_time() -> None:
    """The order's total, not what was left to pay after a coupon."""
    report = parse(peer.payment_callback(peer.paid())).report

    assert report is not None
    assert (report.source, report.out_trade_no, report.state) == (Source.CALLBACK, peer.NUMBER, ReportedState.PAID)
    assert (report.amount_fen, report.currency, report.provider_trade_no) == (38001, "CNY", peer.TRADE_NUMBER)
    assert datetime(2025, 10, 9, 16, 53, 15, tzinfo=CHINA) == report.occurred_at
    assert (report.contradictions, report.refund) == ((), None)


@pytest.mark.parametrize(
    ("trade_state", "wanted"),
    [("REFUND", ReportedState.PAID), ("CLOSED", ReportedState.CLOSED), ("FLOATING", ReportedState.UNKNOWN)],
)
def test_payment_callback_maps_its_trade_state(trade_state: str, wanted: ReportedState) -> None:
    """A refunded payment had been paid; an unknown word is unknown."""
    report = parse(peer.payment_callback(peer.paid(trade_state=trade_state))).report

    assert report is not None
    assert wanted is report.state


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("SUCCESS", ReportedRefundState.SUCCEEDED),
        ("CLOSED", ReportedRefundState.FAILED),
        ("ABNORMAL", ReportedRefundState.ABNORMAL),
    ],
)
def test_refund_callback_reports_a_paid_payment_and_its_refund(status: str, wanted: ReportedRefundState) -> None:
    """Only paid money goes back."""
    report = parse(peer.refund_callback(peer.refunded_callback(refund_status=status))).report

    assert report is not None
    assert report.refund is not None
    assert (report.state, report.amount_fen, report.currency) == (ReportedState.PAID, 38001, None)
    assert (wanted, 12001, peer.REFUND_NUMBER) == (
        report.refund.state,
        report.refund.amount_fen,
        report.refund.out_refund_no,
    )


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"mchid": "1900009999"}, ("mchid",)),
        ({"mchid": None}, ("mchid",)),
        ({"appid": "wx0000000000000000"}, ("appid",)),
        ({"appid": None}, ()),
        ({"mchid": ["1900000109"], "appid": {}}, ("mchid", "appid")),
        ({"sub_mchid": "1900000871"}, ("sub_mchid",)),
    ],
    ids=["mchid", "no-mchid", "appid", "no-appid", "lists", "sub-merchants"],
)
def test_direct_payment_callback_names_what_is_not_ours(changes: Any, wanted: tuple[str, ...]) -> None:
    """Authentic, but for another account: told by name, for quarantine."""
    report = parse(peer.payment_callback(peer.paid(**changes))).report

    assert report is not None
    assert wanted == report.contradictions


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, ()),
        ({"sp_mchid": "1900009999"}, ("sp_mchid",)),
        ({"sub_mchid": "1900009999"}, ("sub_mchid",)),
        ({"sub_mchid": None}, ("sub_mchid",)),
        ({"sp_appid": "wx0", "sub_appid": "wx1"}, ("sp_appid", "sub_appid")),
        ({"sub_appid": None}, ()),
        ({"sp_mchid": None, "mchid": "1900000109"}, ()),
        ({"sp_mchid": None, "mchid": "1900009999"}, ("mchid",)),
        ({"sp_mchid": None}, ("sp_mchid",)),
    ],
    ids=["ours", "sp", "sub", "no-sub", "apps", "no-sub-app", "mchid-for-sp", "wrong-mchid", "no-sp"],
)
def test_partner_payment_callback_names_what_is_not_ours(changes: Any, wanted: tuple[str, ...]) -> None:
    """Service provider and sub merchant must both be ours; one vendor sample says mchid for sp_mchid."""
    report = parse(peer.payment_callback(peer.paid_to_partner(**changes)), **peer.PARTNER).report

    assert report is not None
    assert wanted == report.contradictions


def test_refund_callback_for_another_merchant_is_contradicted() -> None:
    """The refund callback names the merchant, too."""
    report = parse(peer.refund_callback(peer.refunded_callback(mchid="1900009999"))).report

    assert report is not None
    assert report.contradictions == ("mchid",)


@pytest.mark.parametrize("event", ["MEDICAL_INSURANCE.SUCCESS", "PAYSCORE.USER_PAID", "NEVER.HEARD"])
def test_callback_with_another_event_changes_nothing(event: str) -> None:
    """Authentic events that we do not use are acknowledged, even with a resource we cannot open."""
    read = parse(peer.callback(peer.compact(peer.envelope({"ciphertext": 7}, event=event))))

    assert (event, None) == (read.event, read.report)


def test_dedup_key_names_the_fact_not_the_message() -> None:
    """Two deliveries of one fact may have two notification ids; another state is another fact."""
    first = peer.payment_callback(peer.paid())
    other_id = peer.compact({**peer.envelope(peer.sealed(peer.compact(peer.paid()))), "id": "another"})
    keys = [
        parse(raw).dedup_key
        for raw in (
            first,
            peer.callback(other_id, signed_at=peer.NOW - timedelta(seconds=9), key="b"),
            peer.payment_callback(peer.paid(trade_state="REFUND")),
            peer.refund_callback(peer.refunded_callback()),
            peer.refund_callback(peer.refunded_callback(refund_status="ABNORMAL")),
        )
    ]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    assert all(len(key) <= 128 and key.isascii() for key in keys)


def test_dedup_key_of_a_refund_is_by_wechats_number() -> None:
    """Another merchant's refund of our number, which is quarantined, must not hide ours."""
    ours = parse(peer.refund_callback(peer.refunded_callback()))
    other = parse(peer.refund_callback(peer.refunded_callback(mchid="1900009999", refund_id="5030000000000000009")))
    unnamed = parse(peer.refund_callback(peer.refunded_callback(refund_id=None)))

    assert len({ours.dedup_key, other.dedup_key, unnamed.dedup_key}) == 3


@pytest.mark.parametrize(
    "success_time",
    ["2025-10-09T08:53:15Z", "2025-10-09T16:53:15.000+08:00"],
    ids=["utc", "milliseconds"],
)
def test_success_time_in_either_form_is_read(success_time: str) -> None:
    """Both forms are legal in answers."""
    report = parse(peer.payment_callback(peer.paid(success_time=success_time))).report

    assert report is not None
    assert datetime(2025, 10, 9, 16, 53, 15, tzinfo=CHINA) == report.occurred_at


@pytest.mark.parametrize(
    "success_time", ["", None, 7, "2025-13-09T16:53:15+08:00", "0001-01-01T00:00:00+08:00", "x" * 99]
)
def test_success_time_that_cannot_be_read_is_unsaid(success_time: Any) -> None:
    """No payment is given up for a time."""
    report = parse(peer.payment_callback(peer.paid(success_time=success_time))).report

    assert report is not None
    assert (report.state, report.occurred_at) == (ReportedState.PAID, None)


# --- acknowledgement --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "status", "code"),
    [
        (Verdict.ACCEPTED, 200, b"SUCCESS"),
        (Verdict.IGNORED, 200, b"SUCCESS"),
        (Verdict.QUARANTINED, 200, b"SUCCESS"),
        (Verdict.REFUSED, 401, b"FAIL"),
        (Verdict.ORPHAN, 503, b"FAIL"),
        (Verdict.UNSTORED, 503, b"FAIL"),
    ],
)
def test_acknowledgement_of_each_verdict(verdict: Verdict, status: int, code: bytes) -> None:
    """2xx stops the retries, anything else asks for more."""
    words = peer.provider().acknowledge(verdict, peer.payment_callback(peer.paid()))

    assert (status, "application/json") == (words.status, words.content_type)
    assert b'{"code":"' + code + b'","message":"' in words.body


def test_callback_under_a_known_key_makes_no_call() -> None:
    """The provider waits five seconds: nothing is fetched meanwhile."""
    with playing() as network:
        peer.provider().parse_callback(peer.payment_callback(peer.paid()))

    assert network.sent == []
