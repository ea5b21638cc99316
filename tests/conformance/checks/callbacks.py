"""What every adapter does with what arrives: verify, then read; and nothing but the declared errors."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    Provider,
    RawCallback,
    Verdict,
)
from gateway.domain.report import ReportedRefundState, ReportedState
from tests.conformance.case import AcceptedSample, AdapterCase, Callbacks, FixedClock, RefusedSample, UnreadableSample
from tests.conformance.network import playing

Outcome = Callback | CallbackRefused | CallbackUnreadable

BODY_POSITIONS_MAX: Final = 1500
AMOUNTS_FEN: Final = (1, 113, 1999, 38001, 2_147_483_649, 9_999_999_999)
_LOW_BIT, _CASE_BIT, _HIGH_BIT = 0x01, 0x20, 0x80
JUNK_BODIES: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "one-zero-byte": b"\x00",
    "not-utf8": b"\xff\xfe\xfa",
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "json-null": b"null",
    "json-array": b"[]",
    "json-empty-object": b"{}",
    "json-deep": b"[" * 100_000,
    "json-long-number": b"1" * 10_000,
    "ampersands": b"&" * 5_000,
    "many-fields": b"&".join(b"k%d=v" % number for number in range(3_000)),
    "broken-percent": b"sign=%zz&sign_type=%e4%b8",
    "megabyte": b"A" * (1 << 20),
}
JUNK_VALUES: Final[Mapping[str, str]] = {
    "empty": "",
    "blank": " ",
    "minus": "-",
    "zero-byte": "\x00",
    "latin-letter": "\xe9",
    "fullwidth-digits": "１７７２３３１６３０",
    "lone-surrogate": "\ud800",
    "huge-number": "9" * 5_000,
    "negative-number": "-1",
    "exponent": "1e9",
    "nan": "nan",
    "too-long": "A" * 100_000,
    "probe": "WECHATPAY/SIGNTEST/c2lnbg",
    "line-break": "a\nb",
}


def of(case: AdapterCase) -> Callbacks:
    """The case's callbacks; only adapters that take callbacks come here."""
    assert case.callbacks is not None
    return case.callbacks


def fresh(case: AdapterCase, key: str | None = None) -> RawCallback:
    """The paid callback, signed and arriving now."""
    callbacks = of(case)
    return callbacks.sign(signed_at=case.now, received_at=case.now, key=key or callbacks.keys[0])


def outcome(provider: Provider, raw: RawCallback) -> Outcome:
    """What came of a callback; any other exception goes through and fails the test."""
    try:
        return provider.parse_callback(raw)
    except (CallbackRefused, CallbackUnreadable) as exc:
        return exc


# --- samples ----------------------------------------------------------------------------------------------------------


def check_accepted_sample(case: AdapterCase, sample: AcceptedSample) -> None:
    """A genuine callback gives exactly its report, without a single call, on a day when our clock says anything."""
    provider = case.build(FixedClock(case.now + timedelta(days=30)))

    with playing() as network:
        callback = provider.parse_callback(sample.raw)

    assert sample.report == callback.report
    assert sample.event == callback.event
    assert callback.dedup_key.isascii()
    assert 0 < len(callback.dedup_key) <= 128
    assert network.sent == []


def check_refused_sample(case: AdapterCase, sample: RefusedSample) -> None:
    """A callback that proves nothing is refused, for the reason that the case names."""
    with playing():
        result = outcome(case.build(FixedClock(case.now)), sample.raw)

    assert isinstance(result, CallbackRefused)
    assert sample.reason in {None, result.reason}


def check_unreadable_sample(case: AdapterCase, sample: UnreadableSample) -> None:
    """An authentic callback that cannot be understood says so, and gives no report."""
    with playing():
        result = outcome(case.build(FixedClock(case.now)), sample.raw)

    assert isinstance(result, CallbackUnreadable)


# --- damage -----------------------------------------------------------------------------------------------------------


def _flipped(body: bytes) -> Iterator[tuple[int, bytes]]:
    stride = max(1, -(-len(body) // BODY_POSITIONS_MAX))
    for position in range(0, len(body), stride):
        for bit in (_LOW_BIT, _CASE_BIT, _HIGH_BIT):
            yield position, body[:position] + bytes([body[position] ^ bit]) + body[position + 1 :]


def _decoded(body: bytes) -> bytes:
    return unquote_to_bytes(body.replace(b"+", b" "))


def _field_at(body: bytes, position: int) -> str:
    start = body.rfind(b"&", 0, position) + 1
    return body[start:].split(b"&", 1)[0].split(b"=", 1)[0].decode("latin-1")


def _same_message(callbacks: Callbacks, body: bytes, damaged: bytes, position: int) -> bool:
    if callbacks.signs_decoded_values and _decoded(body) == _decoded(damaged):
        return True
    return bool(callbacks.free_form_fields) and _field_at(body, position) in callbacks.free_form_fields


def check_flipped_body_bytes(case: AdapterCase, sample: AcceptedSample) -> None:
    """A callback of which one bit of the body changed on its way is refused as not proven, wherever the bit stood."""
    callbacks, provider = of(case), case.build(FixedClock(case.now))
    with playing():
        good = provider.parse_callback(sample.raw)
        for position, damaged in _flipped(sample.raw.body):
            result = outcome(provider, replace(sample.raw, body=damaged))
            if _same_message(callbacks, sample.raw.body, damaged, position):
                assert isinstance(result, CallbackRefused) or good == result, f"byte {position}"
            else:
                assert isinstance(result, CallbackRefused), f"byte {position}"


def check_flipped_header_bytes(case: AdapterCase) -> None:
    """A signed header with one changed bit is refused; one that differs in letter case alone may mean the same."""
    provider, raw = case.build(FixedClock(case.now)), fresh(case)
    with playing():
        good = provider.parse_callback(raw)
        for name in of(case).signed_headers:
            for position, damaged in _flipped(raw.headers[name].encode("latin-1")):
                text = damaged.decode("latin-1")
                result = outcome(provider, replace(raw, headers={**raw.headers, name: text}))
                same = text.lower() == raw.headers[name].lower() and result == good
                assert isinstance(result, CallbackRefused) or same, f"{name}, byte {position}"


def check_header_missing(case: AdapterCase) -> None:
    """Without any one of the signed headers nothing is proven."""
    provider, raw = case.build(FixedClock(case.now)), fresh(case)
    with playing():
        for name in of(case).signed_headers:
            kept = {other: value for other, value in raw.headers.items() if other != name}
            assert isinstance(outcome(provider, replace(raw, headers=kept)), CallbackRefused), name


def check_header_junk(case: AdapterCase, value: str) -> None:
    """Junk in any one of the signed headers, or in all of them, is refused and breaks nothing."""
    names = of(case).signed_headers
    provider, raw = case.build(FixedClock(case.now)), fresh(case)
    with playing():
        for junk in (*({name: value} for name in names), dict.fromkeys(names, value)):
            if junk:
                result = outcome(provider, replace(raw, headers={**raw.headers, **junk}))
                assert isinstance(result, CallbackRefused), sorted(junk)


def check_form_field_missing(case: AdapterCase) -> None:
    """Without any one of the signed form fields, or with it twice, nothing is proven."""
    provider, raw = case.build(FixedClock(case.now)), fresh(case)
    pieces = raw.body.split(b"&")
    with playing():
        for name in of(case).signed_form_fields:
            own = [piece for piece in pieces if piece.startswith(name.encode() + b"=")]
            assert own, f"the case's callback has no field {name}"
            without = b"&".join(piece for piece in pieces if piece not in own)
            emptied = b"&".join(name.encode() + b"=" if piece in own else piece for piece in pieces)
            for damaged in (without, emptied, raw.body + b"&" + own[0], raw.body + b"&" + name.encode() + b"=x"):
                assert isinstance(outcome(provider, replace(raw, body=damaged)), CallbackRefused), name


def check_form_field_junk(case: AdapterCase, value: str) -> None:
    """Junk in any one of the signed form fields is refused and breaks nothing."""
    provider, raw = case.build(FixedClock(case.now)), fresh(case)
    pieces = raw.body.split(b"&")
    with playing():
        for name in of(case).signed_form_fields:
            field = name.encode() + b"="
            junk = field + value.encode("utf-8", "surrogatepass")
            damaged = b"&".join(junk if piece.startswith(field) else piece for piece in pieces)
            if damaged != raw.body:
                assert isinstance(outcome(provider, replace(raw, body=damaged)), CallbackRefused), name


def check_body_junk(case: AdapterCase, body: bytes) -> None:
    """Another body under genuine headers, or under none, is refused and breaks nothing."""
    provider, raw = case.build(FixedClock(case.now)), fresh(case)
    with playing():
        for headers in (raw.headers, {}):
            result = outcome(provider, replace(raw, headers=headers, body=body))
            assert isinstance(result, CallbackRefused)


def check_body_cut_or_grown(case: AdapterCase) -> None:
    """A body that lost its end, or got more than was signed, is refused."""
    provider, raw = case.build(FixedClock(case.now)), fresh(case)
    body = raw.body
    cut = [body[: len(body) * part // 16] for part in range(16)]
    grown = [body + body, b" " + body, b"\xef\xbb\xbf" + body, body + b"\n", body + b"\x00", body + b"&extra=1"]
    with playing():
        good = provider.parse_callback(raw)
        for damaged in (*cut, *grown):
            result = outcome(provider, replace(raw, body=damaged))
            same = of(case).signs_parsed_members and damaged.strip() == body and result == good
            assert same or isinstance(result, CallbackRefused), damaged[-8:]


# --- time and keys ----------------------------------------------------------------------------------------------------


def _at_age(case: AdapterCase, seconds: int) -> Outcome:
    signed_at = case.now - timedelta(seconds=seconds)
    raw = of(case).sign(signed_at=signed_at, received_at=case.now, key=of(case).keys[0])
    with playing():
        return outcome(case.build(FixedClock(case.now + timedelta(days=1))), raw)


def check_freshness(case: AdapterCase) -> None:
    """A message is good within the window on both sides of its arrival, and stale one second beyond, by a told skew."""
    window = of(case).window_seconds
    if window is None:
        assert isinstance(_at_age(case, 86_400), Callback), "messages without a judged time have no age"
        return
    for sign in (1, -1):
        edge, beyond = _at_age(case, sign * window), _at_age(case, sign * (window + 1))
        assert isinstance(_at_age(case, sign * (window - 1)), Callback)
        assert isinstance(edge, Callback) == of(case).edge_accepted
        assert isinstance(beyond, CallbackRefused)
        assert (beyond.reason, beyond.skew_seconds) == ("stale", sign * (window + 1))


def check_keys_in_rotation(case: AdapterCase) -> None:
    """While the provider changes its key, both the old and the new one prove a message, and give the same report."""
    provider = case.build(FixedClock(case.now))
    with playing() as network:
        reports = [provider.parse_callback(fresh(case, key)).report for key in of(case).keys]

    assert len(reports) >= 2, "a case must hold an old and a new key"
    assert all(report == reports[0] for report in reports)
    assert network.sent == []


def check_foreign_key(case: AdapterCase) -> None:
    """A message signed with a key that is not the provider's is refused, and a refresh that fails changes nothing."""
    with playing():
        result = outcome(case.build(FixedClock(case.now)), fresh(case, of(case).foreign_key))

    assert isinstance(result, CallbackRefused)


def check_redelivery(case: AdapterCase) -> None:
    """The provider's retry of one message has the same dedup key; another message has another."""
    provider, callbacks = case.build(FixedClock(case.now)), of(case)
    with playing():
        first, again = (
            provider.parse_callback(callbacks.sign(signed_at=moment, received_at=moment, key=callbacks.keys[0]))
            for moment in (case.now, case.now + timedelta(minutes=15))
        )
        others = {provider.parse_callback(sample.raw).dedup_key for sample in callbacks.accepted}

    assert first == again
    assert len(others) == len({sample.raw.body for sample in callbacks.accepted})


# --- acknowledgement --------------------------------------------------------------------------------------------------


def check_acknowledgements(case: AdapterCase) -> None:
    """Every verdict has the provider's exact words, and none of them needs the network."""
    provider = case.build(FixedClock(case.now))
    answered = of(case).accepted[0].raw if case.callbacks else RawCallback(headers={}, body=b"", received_at=case.now)
    with playing() as network:
        told = {verdict: provider.acknowledge(verdict, answered) for verdict in Verdict}

    assert dict(case.acknowledgements) == told
    assert network.sent == []


def check_acknowledgement_of_anything(case: AdapterCase) -> None:
    """Whatever came, a refusal and a plea for another try are always sayable, in words of the same status."""
    provider, raw = case.build(FixedClock(case.now)), fresh(case)
    samples = (*of(case).refused, *of(case).unreadable)
    bodies = (*JUNK_BODIES.values(), *(sample.raw.body for sample in samples), *(b"\xff" + raw.body, raw.body[:-9]))
    for verdict in (Verdict.REFUSED, Verdict.UNSTORED):
        for headers in (raw.headers, {}):
            for body in bodies:
                told = provider.acknowledge(verdict, replace(raw, headers=headers, body=body))
                assert isinstance(told, Acknowledgement)
                assert told.status == case.acknowledgements[verdict].status, body[:32]


# --- meaning ----------------------------------------------------------------------------------------------------------


def check_unknown_status(case: AdapterCase) -> None:
    """A status word that we have never seen is unknown: neither paid nor failed."""
    with playing():
        report = case.build(FixedClock(case.now)).parse_callback(of(case).unknown_status).report

    assert report is not None
    states = {report.state} | ({report.refund.state} if report.refund else set())
    assert states & {ReportedState.UNKNOWN, ReportedRefundState.UNKNOWN}
    assert not states & {ReportedState.FAILED, ReportedState.CLOSED, ReportedRefundState.SUCCEEDED}
    assert report.refund is not None or report.state is ReportedState.UNKNOWN


def check_amount(case: AdapterCase, amount_fen: int) -> None:
    """The amount is the provider's to the fen."""
    with playing():
        report = case.build(FixedClock(case.now)).parse_callback(of(case).paid_with_amount(amount_fen)).report

    assert report is not None
    assert type(report.amount_fen) is int
    assert amount_fen == report.amount_fen


def check_refuses_others(sender: AdapterCase, receiver: AdapterCase) -> None:
    """What another provider signed proves nothing here."""
    provider = receiver.build(FixedClock(sender.now))
    with playing():
        for sample in of(sender).accepted:
            assert isinstance(outcome(provider, sample.raw), CallbackRefused), sample.id
