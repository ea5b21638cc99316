"""Callbacks: what is proven, what it means, and what makes two of them the same fact."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from gateway.domain.provider import Callback, CallbackRefused, CallbackUnreadable, Verdict
from gateway.domain.report import ProviderReport, ReportedRefundState, ReportedState
from tests.adapters.shared_account import peer
from tests.adapters.shared_account.test_sm import by_index

VECTORS: Final = [case for case in peer.vector("envelope")["cases"] if case["direction"] == "callback"]
REASONS: Final = {
    "format": {"malformed"},
    "app": {"unknown_key"},
    "algorithm": {"malformed"},
    "signature": {"signature"},
    "decrypt_or_signature": {"decrypt", "signature"},
}


def parse(data: Any, **changes: Any) -> Callback:
    return peer.provider().parse_callback(peer.callback(data, **changes))


def report_of(data: Any) -> ProviderReport:
    report = parse(data).report
    assert report is not None
    return report


# --- the vectors, through the public door -----------------------------------------------------------------------------


def delivered(case: dict[str, Any]) -> Any:
    """A vector's body, arriving at its own time."""
    millis = case.get("message", {}).get("timestamp", "1760842820266")
    at = datetime.fromtimestamp(int(millis) / 1000, UTC)
    return replace(peer.callback(peer.paid()), body=case["body_json"].encode(), received_at=at)


@by_index([case for case in VECTORS if case["expect"] == "accept"])
def test_good_callback_of_vector_is_read(case: dict[str, Any]) -> None:
    """Paid and revoked, in both user-ID modes and both spellings of hex."""
    callback = peer.provider(sm2_user_id=case["user_id_mode"]).parse_callback(delivered(case))

    data = case["message"]["data"]
    assert callback.report is not None
    assert (f"sa.pay.notify {data['callType']}", data["outTradeNo"]) == (callback.event, callback.report.out_trade_no)
    assert (ReportedState.PAID, 35000) == (callback.report.state, callback.report.amount_fen)
    assert (data["callType"] == "03") == (callback.report.refund is not None)


@by_index([case for case in VECTORS if case["expect"] == "reject"])
def test_bad_callback_of_vector_is_refused(case: dict[str, Any]) -> None:
    """Nothing of it is read."""
    with pytest.raises(CallbackRefused) as caught:
        peer.provider(sm2_user_id=case["user_id_mode"]).parse_callback(delivered(case))

    assert caught.value.reason in REASONS[case["reason"]]


def test_refusals_of_all_kinds_sound_the_same_outside() -> None:
    """Padding, JSON and signature give one answer."""
    told = peer.provider().acknowledge(Verdict.REFUSED, peer.callback(peer.paid()))

    assert (401, b'{"code":"FAIL","message":"invalid"}') == (told.status, told.body)


def test_orphans_are_asked_for_again_where_configured() -> None:
    """Otherwise the statement finds them."""
    raw = peer.callback(peer.paid())

    assert 200 == peer.provider().acknowledge(Verdict.ORPHAN, raw).status
    assert 503 == peer.provider(orphan_ack="repeat").acknowledge(Verdict.ORPHAN, raw).status


# --- proof ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "is_fresh"), [(600, True), (-600, True), (600.9, False), (-600.9, False), (601, False), (-601, False)]
)
def test_callback_at_the_edge_of_its_window(seconds: float, *, is_fresh: bool) -> None:
    """Milliseconds count; the told skew is in seconds, positive in our past."""
    raw = peer.callback(peer.paid(), signed_at=peer.NOW - timedelta(seconds=seconds))

    if is_fresh:
        assert peer.provider().parse_callback(raw).report
        return
    with pytest.raises(CallbackRefused, match="stale") as caught:
        peer.provider().parse_callback(raw)
    assert int(seconds) == caught.value.skew_seconds


def test_callback_with_its_time_as_a_number_is_read() -> None:
    """Some platforms write it so."""
    assert parse(peer.paid(), timestamp=int(peer.NOW.timestamp() * 1000)).report


@pytest.mark.parametrize("told", ["1760751020", "17607510200000", "1760751020000 ", "x" * 13, 1.5, True, [], {}])
def test_callback_with_another_time_is_refused(told: Any) -> None:
    """Thirteen digits, signed or not."""
    with pytest.raises(CallbackRefused, match="malformed"):
        parse(peer.paid(), timestamp=told)


def test_callback_may_carry_unsigned_extra() -> None:
    """It is never looked at."""
    raw = peer.callback(peer.paid())
    body = {**json.loads(raw.body), "extra": {"ordStas": "7"}}

    assert peer.provider().parse_callback(replace(raw, body=json.dumps(body).encode())) == parse(peer.paid())


def test_callback_with_hex_of_both_cases_is_refused() -> None:
    """One message has two spellings at most."""
    raw = peer.callback(peer.paid())
    body = json.loads(raw.body)
    letters = body["encData"]
    at = next(i for i, sign in enumerate(letters) if sign.isalpha())
    body["encData"] = letters[:at] + letters[at].lower() + letters[at + 1 :]

    with pytest.raises(CallbackRefused, match="malformed"):
        peer.provider().parse_callback(replace(raw, body=json.dumps(body).encode()))


@pytest.mark.parametrize(
    "name", ["appId", "encType", "signType", "timestamp", "version", "transType", "encData", "signData"]
)
def test_callback_without_a_member_is_refused(name: str) -> None:
    """Each of them is needed."""
    raw = peer.callback(peer.paid())
    body = {k: v for k, v in json.loads(raw.body).items() if k != name}

    with pytest.raises(CallbackRefused):
        peer.provider().parse_callback(replace(raw, body=json.dumps(body).encode()))


def test_callback_with_another_text_of_the_same_signature_is_refused() -> None:
    """The last digit's unused bits say nothing, so only one text has them."""
    raw = peer.callback(peer.paid())
    proof = json.loads(raw.body)["signData"]
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = f"{proof[:-3]}{digits[digits.index(proof[-3]) + 1]}=="
    assert base64.b64decode(proof) == base64.b64decode(twin)

    with pytest.raises(CallbackRefused, match="signature"):
        peer.provider().parse_callback(replace(raw, body=raw.body.replace(proof.encode(), twin.encode())))


@pytest.mark.parametrize("changes", [{"trans_type": "sa.pay.query"}, {"version": "1.0.0"}, {"version": None}])
def test_proven_message_that_is_no_notice_is_unreadable(changes: dict[str, Any]) -> None:
    """An answer sent to the callback address says nothing there, whatever is in it."""
    with pytest.raises(CallbackUnreadable):
        parse(peer.paid(), **changes)


@pytest.mark.parametrize("size", [65_536, 65_537])
def test_callback_of_the_greatest_length(size: int) -> None:
    """65 536 bytes pass, one more does not."""
    raw = peer.callback(peer.paid())
    body = raw.body[:-1] + b',"extra":"' + b"x" * (size - len(raw.body) - 11) + b'"}'
    assert size == len(body)

    if size <= 65_536:
        assert peer.provider().parse_callback(replace(raw, body=body)).report
        return
    with pytest.raises(CallbackRefused, match="malformed"):
        peer.provider().parse_callback(replace(raw, body=body))


# --- meaning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ord_stas", ["7", "8", "9", "14", "16", "99"])
def test_paid_notice_with_another_word_is_unknown(ord_stas: str) -> None:
    """Neither closed nor failed on its word: a query tells."""
    assert ReportedState.UNKNOWN is report_of(peer.paid(ordStas=ord_stas)).state


@pytest.mark.parametrize("ord_stas", ["6", "7", "9", "99"])
def test_revoked_notice_with_another_word_proves_no_refund(ord_stas: str) -> None:
    """Only refunded is refunded."""
    report = report_of(peer.revoked(ordStas=ord_stas))

    assert report.refund is not None
    assert (ReportedRefundState.UNKNOWN, None) == (report.refund.state, report.refunded_total_fen)


def test_revoked_notice_without_a_number_tells_the_total() -> None:
    """The core judges whose it is."""
    report = report_of(peer.revoked(revokeSn=None))

    assert report.refund is not None
    assert (None, 38001) == (report.refund.out_refund_no, report.refunded_total_fen)


@pytest.mark.parametrize(
    "changes",
    [
        {"outTradeNo": "short"},
        {"outTradeNo": peer.NUMBER},
        {"outTradeNo": 12345678},
        {"payOrdId": None},
        {"payOrdId": "x" * 65},
        {"ordStas": 6},
        {"ordStas": None},
        {"callType": 2},
        {"callType": ""},
        {"psnAcctPay": 380},
        {"psnAcctPay": "380"},
        {"psnAcctPay": "３８０.01"},
        {"psnAcctPay": "100000000.01"},
    ],
)
def test_proven_notice_of_another_shape_is_unreadable(changes: dict[str, Any]) -> None:
    """Authentic, but not what the sheet describes."""
    with pytest.raises(CallbackUnreadable):
        parse(peer.paid(**changes))


# --- the dedup key ----------------------------------------------------------------------------------------------------


def test_same_fact_under_two_notify_ids_is_one() -> None:
    """The key names the fact, not the message."""
    first, second = parse(peer.paid()), parse(peer.paid(notifyId="N2", memo="again", receiptNo="P1"))

    assert first.dedup_key == second.dedup_key


@pytest.mark.parametrize(
    "changes",
    [
        {"outTradeNo": peer.WIRE_REFUND_NUMBER},
        {"payOrdId": "ORD3401040002"},
        {"ordStas": "5"},
        {"ordStas": "14"},
        {"psnAcctPay": "380.00"},
        {"callType": "03", "ordStas": "8"},
    ],
)
def test_another_fact_under_the_same_notify_id_is_another(changes: dict[str, str]) -> None:
    """A contradictory message does not stand in for the right one."""
    assert parse(peer.paid()).dedup_key != parse(peer.paid(**changes)).dedup_key


@pytest.mark.parametrize(
    "changes", [{"revokeSn": "V0001"}, {"revokeSn": None}, {"psnAcctPay": "380.00"}, {"ordStas": "11"}]
)
def test_another_revoke_under_the_same_notify_id_is_another(changes: dict[str, Any]) -> None:
    """Whose revoke, how much, and whether it is done."""
    assert parse(peer.revoked()).dedup_key != parse(peer.revoked(**changes)).dedup_key


def test_other_calls_are_told_apart_by_their_content() -> None:
    """Stored once each, and nothing changed."""
    keys = {parse({"callType": "07", "notifyId": name}).dedup_key for name in ("N1", "N2", "N1")}

    assert 2 == len(keys)
