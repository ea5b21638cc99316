"""Every way in which a callback is refused or unreadable, and the edges of acceptance."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.provider import Callback, CallbackRefused, CallbackUnreadable, RawCallback
from gateway.domain.secret import Secret
from tests.adapters.wechatpay import peer

PROVIDER = peer.provider(certificate_download="off")


def parse(raw: RawCallback, **settings: Any) -> Callback:
    provider = peer.provider(certificate_download="off", **settings) if settings else PROVIDER
    return provider.parse_callback(raw)


def outcome(raw: RawCallback, **settings: Any) -> Callback | CallbackRefused | CallbackUnreadable:
    try:
        return parse(raw, **settings)
    except (CallbackRefused, CallbackUnreadable) as exc:
        return exc


# --- proof ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1], ids=["old", "early"])
@pytest.mark.parametrize(("seconds", "fresh"), [(299, True), (300, False), (301, False)])
def test_callback_freshness_ends_before_300_seconds(*, seconds: int, sign: int, fresh: bool) -> None:
    """299 is fresh, 300 is not, on either side; the skew is told."""
    raw = peer.payment_callback(peer.paid(), signed_at=peer.NOW - timedelta(seconds=sign * seconds))
    result = outcome(raw)

    if fresh:
        assert isinstance(result, Callback)
    else:
        assert isinstance(result, CallbackRefused)
        assert ("stale", sign * seconds) == (result.reason, result.skew_seconds)


@pytest.mark.parametrize("key", ["a", "b", "public_key"])
def test_callback_under_each_held_key_is_accepted(key: str) -> None:
    """Both certificates and the public key live at once: the switch-over ramps for a week."""
    assert isinstance(outcome(peer.payment_callback(peer.paid(), key=key)), Callback)


@pytest.mark.parametrize("change", [str.lower, lambda serial: "00" + serial, lambda serial: serial.lstrip("0")])
def test_callback_serial_is_compared_without_case_and_leading_zeros(change: Any) -> None:
    """Certificate B's serial begins with a zero."""
    raw = peer.payment_callback(peer.paid(), key="b")
    headers = {**raw.headers, "wechatpay-serial": change(raw.headers["wechatpay-serial"])}

    assert isinstance(outcome(replace(raw, headers=headers)), Callback)


def test_callback_without_signature_type_means_the_usual_one() -> None:
    """Absent is allowed, another type is not."""
    raw = peer.payment_callback(peer.paid())
    absent = {name: value for name, value in raw.headers.items() if name != "wechatpay-signature-type"}
    other = {**raw.headers, "wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}

    assert isinstance(outcome(replace(raw, headers=absent)), Callback)
    refused = outcome(replace(raw, headers=other))
    assert isinstance(refused, CallbackRefused)
    assert refused.reason == "headers"


@pytest.mark.parametrize("name", ["timestamp", "nonce", "serial", "signature"])
@pytest.mark.parametrize("value", [None, "", "é", "\ud800", "a\nb", "9" * 400], ids=ascii)
def test_callback_with_damaged_proof_is_refused(name: str, value: str | None) -> None:
    """Each of the four headers is needed as it was sent."""
    raw = peer.payment_callback(peer.paid())
    headers = {**raw.headers, f"wechatpay-{name}": value}
    if value is None:
        del headers[f"wechatpay-{name}"]

    assert isinstance(
        outcome(replace(raw, headers={k: v for k, v in headers.items() if v is not None})), CallbackRefused
    )


@pytest.mark.parametrize(
    "timestamp", ["1e9", "１７６０００００００", "-1", " 1760000000", "1760000000.0", "999999999999"]
)
def test_callback_with_odd_timestamp_is_refused(timestamp: str) -> None:
    """A timestamp is decimal ASCII digits; a far one is stale, not a crash."""
    raw = peer.payment_callback(peer.paid())

    assert isinstance(outcome(replace(raw, headers={**raw.headers, "wechatpay-timestamp": timestamp})), CallbackRefused)


@pytest.mark.parametrize("tail", ["otmYZsM2LC4c", "!!!not base64"], ids=["base64", "not-base64"])
def test_signature_probe_is_refused_like_any_wrong_signature(tail: str) -> None:
    """签名探测: who accepts it is flagged."""
    raw = peer.payment_callback(peer.paid())
    headers = {**raw.headers, "wechatpay-signature": f"WECHATPAY/SIGNTEST/{tail}"}
    refused = outcome(replace(raw, headers=headers))

    assert isinstance(refused, CallbackRefused)
    assert refused.reason == "signature"


# --- the sealed resource ----------------------------------------------------------------------------------------------


def test_callback_under_the_previous_apiv3_key_is_read() -> None:
    """Callbacks that were queued before a key reset are still under the old key."""
    raw = peer.callback(
        peer.compact(peer.envelope(peer.sealed(peer.compact(peer.paid()), apiv3_key=peer.CONFIG["apiv3_key_other"])))
    )
    refused = outcome(raw)

    assert isinstance(refused, CallbackRefused)
    assert refused.reason == "decrypt"
    assert isinstance(outcome(raw, apiv3_key_previous=Secret(peer.CONFIG["apiv3_key_other"])), Callback)


@pytest.mark.parametrize("length", range(65))
def test_resource_nonce_of_any_length_is_survived(length: int) -> None:
    """The library refuses some lengths by exception; the process goes on."""
    resource = {**peer.sealed(peer.compact(peer.paid())), "nonce": "n" * length}
    refused = outcome(peer.callback(peer.compact(peer.envelope(resource))))

    assert isinstance(refused, CallbackRefused)
    assert refused.reason == "decrypt"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ciphertext": "!!!"}, "decrypt"),
        ({"ciphertext": ""}, "decrypt"),
        ({"ciphertext": "医保"}, "decrypt"),
        ({"nonce": "\\ud800"}, None),
        ({"associated_data": "other"}, "decrypt"),
        ({"associated_data": None}, "decrypt"),
        ({"ciphertext": None}, None),
        ({"nonce": 12}, None),
        ({"associated_data": []}, None),
        ({"algorithm": "AEAD_SM4_GCM"}, None),
        ({"algorithm": None}, None),
        ({"original_type": "refund"}, None),
    ],
    ids=ascii,
)
def test_damaged_resource_is_refused_or_unreadable(change: dict[str, Any], reason: str | None) -> None:
    """What no key opens is refused; what is not a sealed resource at all is unreadable."""
    resource = {**peer.sealed(peer.compact(peer.paid())), **change}
    result = outcome(peer.callback(peer.compact(peer.envelope(resource)).replace(b"\\\\u", b"\\u")))

    assert isinstance(result, CallbackRefused if reason else CallbackUnreadable)
    assert reason is None or reason == result.reason


def test_empty_associated_data_is_the_same_as_none() -> None:
    """It may be empty or absent."""
    resource = peer.sealed(peer.compact(peer.paid()), associated_data="")
    del resource["associated_data"]

    assert isinstance(outcome(peer.callback(peer.compact(peer.envelope(resource)))), Callback)


# --- proven nonsense --------------------------------------------------------------------------------------------------

PAID = peer.compact(peer.paid())
NONSENSE = {
    "empty": b"",
    "not-utf8": b"\xff\xfe",
    "bom": b"\xef\xbb\xbf" + PAID,
    "array": b"[1]",
    "null": b"null",
    "twice-named": PAID[:-1] + b',"out_trade_no":"ffffffffffff"}',
    "deep": b'{"a":' + b"[" * 100 + b"]" * 100 + b"}",
    "very-deep": b"[" * 100_000,
    "long-number": PAID.replace(b"38001", b"9" * 2000),
    "long-float": PAID.replace(b"38001", b"1." + b"0" * 2000),
    "not-a-number": PAID.replace(b"38001", b"NaN"),
    "amount-float": PAID.replace(b"38001", b"38001.0"),
    "amount-text": PAID.replace(b"38001", b'"38001"'),
    "amount-bool": PAID.replace(b"38001", b"true"),
    "amount-negative": PAID.replace(b"38001", b"-38001"),
    "amount-huge": PAID.replace(b"38001", b"10000000001"),
    "amount-null": PAID.replace(b"38001", b"null"),
    "amount-list": peer.compact(peer.paid(amount=[38001])),
    "amount-absent": peer.compact(peer.paid(amount=None)),
    "currency-odd": PAID.replace(b'"currency":"CNY"', b'"currency":"\xc2\xa5"'),
    "number-absent": peer.compact(peer.paid(out_trade_no=None)),
    "number-with-nul": PAID.replace(peer.NUMBER.encode(), b"01\\u0000ab23"),
    "number-four-bytes": PAID.replace(peer.NUMBER.encode(), "𠮷bcdefgh".encode()),
    "number-long": PAID.replace(peer.NUMBER.encode(), b"a" * 65),
    "number-surrogate": PAID.replace(peer.NUMBER.encode(), b"\\ud800abcdef"),
    "their-number-odd": PAID.replace(peer.TRADE_NUMBER.encode(), b"42 00"),
    "state-absent": peer.compact(peer.paid(trade_state=None)),
    "state-number": peer.compact(peer.paid(trade_state=1)),
    "state-long": peer.compact(peer.paid(trade_state="S" * 33)),
}


@pytest.mark.parametrize("plain", NONSENSE.values(), ids=NONSENSE)
def test_sealed_nonsense_is_unreadable(plain: bytes) -> None:
    """Proven and opened, but nothing to be sure of."""
    assert isinstance(outcome(peer.payment_callback(plain)), CallbackUnreadable)


ENVELOPE = peer.compact(peer.envelope(peer.sealed(PAID)))
ENVELOPE_NONSENSE = {
    "empty": b"",
    "nul": b"\x00",
    "array": b"[]",
    "null": b"null",
    "no-event": b"{}",
    "event-number": b'{"event_type":1}',
    "event-surrogate": b'{"event_type":"\\ud800"}',
    "event-long": b'{"event_type":"' + b"A" * 65 + b'"}',
    "no-resource": b'{"event_type":"TRANSACTION.SUCCESS"}',
    "resource-list": b'{"event_type":"TRANSACTION.SUCCESS","resource":[]}',
    "twice-named": ENVELOPE[:-1] + b',"event_type":"REFUND.SUCCESS"}',
    "deep": b"[" * 100_000,
    "trailing": ENVELOPE + b"{}",
}


@pytest.mark.parametrize("body", ENVELOPE_NONSENSE.values(), ids=ENVELOPE_NONSENSE)
def test_signed_nonsense_is_unreadable(body: bytes) -> None:
    """Proven, but not an envelope."""
    assert isinstance(outcome(peer.callback(body)), CallbackUnreadable)


def test_four_byte_characters_elsewhere_do_no_harm() -> None:
    """Only what we use is read."""
    assert isinstance(outcome(peer.payment_callback(peer.paid(attach="😀𠮷\x00"))), Callback)


def test_callback_errors_show_nothing_personal() -> None:
    """Neither openid nor key nor body in any text."""
    raw = peer.payment_callback(PAID.replace(b"38001", b"true"))
    unreadable = outcome(raw)

    shown = f"{unreadable!r} {vars(unreadable)!r} {raw!r} {parse(peer.payment_callback(PAID))!r}"
    assert not [secret for secret in (peer.OPENID, peer.CONFIG["apiv3_key"], "GEbd") if secret in shown]
    assert base64.b64encode(b"openid").decode() not in shown
