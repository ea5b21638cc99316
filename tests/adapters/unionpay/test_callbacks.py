"""Back-notifies: what is refused, what contradicts, what is told, and that junk raises only the declared errors."""

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.clock import CHINA
from gateway.domain.provider import Callback, CallbackRefused, CallbackUnreadable, RawCallback
from gateway.domain.report import ProviderReport, ReportedRefundState, ReportedState
from gateway.domain.secret import Secret
from tests.adapters.unionpay import peer

PROVIDER: Final = peer.provider()


def parsed(fields: dict[str, str | None], received_at: datetime = peer.NOW, **how: Any) -> Callback:
    return PROVIDER.parse_callback(peer.callback(peer.notify_body(fields, **how), received_at))


def report_of(fields: dict[str, str | None], received_at: datetime = peer.NOW) -> ProviderReport:
    report = parsed(fields, received_at).report
    assert report is not None
    return report


# --- proof ------------------------------------------------------------------------------------------------------------


def resplit(whole: dict[str, str], name: str, into: str) -> bytes:
    """The same signed bytes, with every field from `name` up to `into` moved into the value of `name`."""
    names = sorted(whole)
    inside = names[names.index(name) : names.index(into) + 1]
    merged = "&".join(f"{each}={whole[each]}" for each in inside).removeprefix(f"{name}=")
    return urlencode({name: merged} | {each: whole[each] for each in names if each not in inside}).encode()


def test_notify_that_hides_fields_in_a_value_is_refused() -> None:
    """The signed text does not escape `&`: the same bytes could be read with fewer fields, the amount hidden."""
    body = resplit(peer.signed(peer.paid()), "settleDate", "signMethod")

    with pytest.raises(CallbackRefused, match="malformed"):
        PROVIDER.parse_callback(peer.callback(body))


def test_notify_whose_value_is_split_into_fields_is_refused() -> None:
    """A value with `&` in brackets is one value; spread out as fields it is another message, and no message at all."""
    whole = peer.signed(peer.paid(reqReserved="{batch=1&respCode=66}", respCode=None))
    good = urlencode(whole).encode()
    spread = good.replace(quote_plus("&respCode=66}").encode(), b"&respCode=66}")
    assert spread != good

    with pytest.raises(CallbackUnreadable, match="respCode"):
        PROVIDER.parse_callback(peer.callback(good))
    callback_of_spread: Any = None
    with contextlib.suppress(CallbackRefused, CallbackUnreadable):
        callback_of_spread = PROVIDER.parse_callback(peer.callback(spread))
    assert callback_of_spread is None


@pytest.mark.parametrize("again", [b"txnAmt=38001", b"txnAmt=1", b"txnAmt=", b"signature=x", b"signature="])
@pytest.mark.parametrize("first", [True, False])
def test_notify_with_a_field_twice_is_refused(again: bytes, *, first: bool) -> None:
    """Also where the second says the same: nobody chooses which of them counts."""
    body = peer.notify_body(peer.paid())
    with pytest.raises(CallbackRefused, match="malformed"):
        PROVIDER.parse_callback(peer.callback(again + b"&" + body if first else body + b"&" + again))


def test_notify_with_brackets_in_a_value_is_read() -> None:
    """`&` inside brackets is part of the value, also for us."""
    assert ReportedState.PAID is report_of(peer.paid(reserved="{a=1&b=[2&3]}")).state


def test_notify_with_blank_fields_is_judged_without_them() -> None:
    """The vendor's handler drops them before it verifies."""
    body = peer.notify_body(peer.paid()) + b"&accNo=&payType="

    assert PROVIDER.parse_callback(peer.callback(body)) == parsed(peer.paid())


@pytest.mark.parametrize("reserved", ["", "EMPTY_FIELD"])
def test_notify_whose_signed_field_was_emptied_is_refused(reserved: str) -> None:
    """Blank is not signed, so emptying a field changes what is."""
    fields = peer.signed(peer.paid())

    with pytest.raises(CallbackRefused, match="signature"):
        PROVIDER.parse_callback(peer.callback(urlencode({**fields, "txnAmt": reserved}).encode()))


@pytest.mark.parametrize("encoding", ["utf-8", "Utf-8", "GBK"])
def test_notify_with_its_encoding_in_any_case_is_read(encoding: str) -> None:
    """Real traffic echoes the merchant's spelling; what is signed is the spelling."""
    assert ReportedState.PAID is report_of(peer.paid(encoding=encoding)).state


def test_notify_in_an_unknown_encoding_is_refused() -> None:
    """No guess at bytes."""
    body = urlencode({**peer.signed(peer.paid()), "encoding": "utf-7"}).encode()
    with pytest.raises(CallbackRefused, match="malformed"):
        PROVIDER.parse_callback(peer.callback(body))


def test_notify_is_judged_at_its_arrival() -> None:
    """A replay of years later is judged as then; an arrival after the certificate's end is refused."""
    body = peer.notify_body(peer.paid())

    assert PROVIDER.parse_callback(peer.callback(body, datetime(2048, 12, 1, tzinfo=CHINA))).report
    with pytest.raises(CallbackRefused, match="unknown_key"):
        PROVIDER.parse_callback(peer.callback(body, datetime(2049, 6, 1, tzinfo=CHINA)))


def test_notify_under_a_shared_key_needs_the_configured_one() -> None:
    """signMethod 11 and 12: by settings alone, never by the message."""
    account = peer.provider(**peer.SHARED_KEY, sign_method="11", secure_key=Secret("invented-key-1"))
    other = peer.provider(**peer.SHARED_KEY, sign_method="11", secure_key=Secret("invented-key-2"))
    sm3 = peer.provider(**peer.SHARED_KEY, sign_method="12", secure_key=Secret("invented-key-1"))
    fields = peer.present({"version": "5.1.0", "encoding": "UTF-8", **peer.paid()})
    sent = account._config.proof.sign(fields)
    raw = peer.callback(urlencode(sent).encode())

    assert ReportedState.PAID is (account.parse_callback(raw).report or report_of({})).state
    for provider in (other, sm3, PROVIDER):
        with pytest.raises(CallbackRefused, match="signature"):
            provider.parse_callback(raw)
    assert sm3.parse_callback(peer.callback(urlencode(sm3._config.proof.sign(fields)).encode())).report


# --- meaning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (peer.paid(merId="777290058110097"), ("merId",)),
        (peer.paid(merId=None), ("merId",)),
        (peer.refunded(merId="777290058110097"), ("merId",)),
    ],
    ids=["payment", "payment-without", "refund"],
)
def test_notify_for_another_merchant_contradicts(fields: dict[str, str | None], wrong: tuple[str, ...]) -> None:
    """Authentic, but not ours."""
    assert wrong == report_of(fields).contradictions


def test_notify_in_another_currency_says_so() -> None:
    """The core compares it with CNY."""
    assert ("CNY", "840") == (report_of(peer.paid()).currency, report_of(peer.paid(currencyCode="840")).currency)


@pytest.mark.parametrize("txn_type", ["04", "31"])
def test_refund_notify_names_payment_and_refund(txn_type: str) -> None:
    """By our own number in reqReserved; an undo is a refund here."""
    report = report_of({**peer.refunded(), "txnType": txn_type})

    assert (peer.NUMBER, ReportedState.PAID, peer.QUERY_ID) == (
        report.out_trade_no,
        report.state,
        report.provider_trade_no,
    )
    assert report.amount_fen is None
    assert report.refund is not None
    assert (peer.REFUND_NUMBER, 12001, ReportedRefundState.SUCCEEDED) == (
        report.refund.out_refund_no,
        report.refund.amount_fen,
        report.refund.state,
    )


@pytest.mark.parametrize("reserved", [None, "batch 2026", "a" * 41])
def test_refund_notify_without_our_number_is_an_orphan(reserved: str | None) -> None:
    """A refund from the merchant's console: its own number, which no payment has."""
    fields = {**peer.refunded(), "reqReserved": reserved}
    report = report_of(fields)

    assert peer.REFUND_NUMBER == report.out_trade_no


def test_failed_refund_notify_proves_nothing_of_the_payment() -> None:
    """ "No such original" is not "paid"."""
    report = report_of(peer.refunded(respCode="35"))

    assert ReportedState.UNKNOWN is report.state
    assert report.refund is not None
    assert ReportedRefundState.FAILED is report.refund.state


@pytest.mark.parametrize(("minutes", "state"), [(5, ReportedState.PENDING), (26, ReportedState.FAILED)])
def test_failed_payment_notify_is_final_only_after_its_time(minutes: int, state: ReportedState) -> None:
    """Told by txnTime and arrival; such notifies are not documented for front payments."""
    assert state is report_of(peer.paid(respCode="66"), peer.CREATED_AT + timedelta(minutes=minutes)).state


def test_unpaid_notify_gives_no_number_and_no_time() -> None:
    """The number of a failed try is not the payment's."""
    report = report_of(peer.paid(respCode="05"))

    assert (None, None) == (report.provider_trade_no, report.occurred_at)


@pytest.mark.parametrize(
    ("txn_time", "trace_time", "wanted"),
    [
        ("20261231235950", "0101000012", datetime(2027, 1, 1, 0, 0, 12, tzinfo=CHINA)),
        ("20270101000001", "1231235959", datetime(2026, 12, 31, 23, 59, 59, tzinfo=CHINA)),
        ("20260301102029", "0301102145", peer.PAID_AT),
        ("20260301102029", "0230102145", None),
        ("20260301102029", "1332102145", None),
        ("20260301102029", "x", None),
        ("20260301102029", None, None),
    ],
    ids=["new-year", "old-year", "same", "no-such-day", "no-such-month", "junk", "unsaid"],
)
def test_time_without_a_year_is_the_nearest(txn_time: str, trace_time: str | None, wanted: datetime | None) -> None:
    """A time that cannot be read is unsaid, and no payment is given up for it."""
    report = report_of(peer.paid(txnTime=txn_time, traceTime=trace_time))

    assert (ReportedState.PAID, wanted) == (report.state, report.occurred_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"txnAmt": "1"},
        {"respCode": "A6"},
        {"respCode": "05"},
        {"orderId": peer.REFUND_NUMBER},
        {"queryId": "052603011020308427999"},
        {"merId": "777290058110097"},
        {"currencyCode": "840"},
        {"txnType": "04"},
    ],
    ids=str,
)
def test_dedup_key_names_everything_that_is_judged(changes: dict[str, str | None]) -> None:
    """No message stands in for another one that would be judged differently."""
    assert parsed(peer.paid()).dedup_key != parsed(peer.paid(**changes)).dedup_key


@pytest.mark.parametrize("changes", [{"traceTime": "0301102146"}, {"settleAmt": "37000"}], ids=str)
def test_dedup_key_leaves_out_what_is_not_judged(changes: dict[str, str | None]) -> None:
    """The discount and the second do not make another fact."""
    assert parsed(peer.paid()).dedup_key == parsed(peer.paid(**changes)).dedup_key


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        (peer.paid(respCode=None), "respCode"),
        (peer.paid(respCode="0"), "respCode"),
        (peer.paid(orderId="a b"), "orderId"),
        (peer.paid(txnTime="20261301000000"), "txnTime"),
        (peer.paid(txnTime=None), "txnTime"),
        (peer.paid(txnAmt="1" * 13), "txnAmt"),
        (peer.paid(txnAmt="99999999999"), "txnAmt"),
        (peer.paid(txnAmt="３８"), "txnAmt"),
        (peer.paid(queryId="no number"), "queryId"),
        (peer.paid(txnType="1"), "txnType"),
        (peer.refunded(respCode=None), "respCode"),
        ({**peer.refunded(), "txnAmt": None}, "txnAmt"),
    ],
)
def test_proven_notify_that_cannot_be_understood_is_unreadable(fields: dict[str, str | None], where: str) -> None:
    """The reason names the field, and none of its content."""
    with pytest.raises(CallbackUnreadable) as raised:
        parsed(fields)

    assert where == raised.value.reason


def test_card_number_of_a_notify_is_given_to_nobody_else() -> None:
    """Masked as it comes, opened when it is ours, unreadable when it is not; and never from an unproven notify."""
    masked = peer.callback(peer.notify_body(peer.paid(accNo="622609******0048")))
    none = peer.callback(peer.notify_body(peer.paid()))
    foreign = peer.callback(peer.notify_body(peer.paid(accNo="bm90IGEgY2lwaGVy")))

    assert ("622609******0048", "") == (PROVIDER.read_card_number(masked), PROVIDER.read_card_number(none))
    with pytest.raises(CallbackUnreadable):
        PROVIDER.read_card_number(foreign)
    with pytest.raises(CallbackRefused):
        PROVIDER.read_card_number(replace(masked, body=masked.body + b"&x=1"))


# --- junk -------------------------------------------------------------------------------------------------------------

fuzz = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
texts: Any = st.text(st.characters(codec="utf-8"))
NAMES: Final = sorted({*peer.signed(peer.refunded())} - {"signature"})


def parse(raw: RawCallback) -> None:
    with contextlib.suppress(CallbackRefused, CallbackUnreadable):
        PROVIDER.parse_callback(raw)


@fuzz
@given(body=st.binary() | texts.map(str.encode))
def test_arbitrary_body_is_refused(body: bytes) -> None:
    """Bytes from nowhere prove nothing."""
    with pytest.raises(CallbackRefused):
        PROVIDER.parse_callback(peer.callback(body))


@fuzz
@given(fields=st.dictionaries(st.sampled_from([*NAMES, "signature"]) | texts, texts))
def test_arbitrary_form_is_refused(fields: dict[str, str]) -> None:
    """So do the right names without the right signature."""
    with pytest.raises(CallbackRefused):
        PROVIDER.parse_callback(peer.callback(urlencode({**peer.signed(peer.paid()), **fields, "x": "1"}).encode()))


@fuzz
@given(changes=st.dictionaries(st.sampled_from(NAMES), texts, max_size=4), refund=st.booleans())
def test_signed_junk_raises_only_declared_errors(changes: dict[str, str], *, refund: bool) -> None:
    """A proven form with fields of any content."""
    good = peer.refunded() if refund else peer.paid()
    kept = {name: value for name, value in changes.items() if name not in {"encoding", "signPubKeyCert"}}
    parse(peer.callback(peer.notify_body({**good, **kept})))


@fuzz
@given(
    changes=st.dictionaries(
        st.sampled_from(NAMES), st.from_regex(r"[0-9]{0,15}", fullmatch=True) | st.sampled_from(["00", "A6"])
    )
)
def test_signed_digits_raise_only_declared_errors(changes: dict[str, str]) -> None:
    """Numbers and times that look nearly right."""
    kept = {name: value for name, value in changes.items() if name not in {"encoding", "signPubKeyCert", "version"}}
    parse(peer.callback(peer.notify_body({**peer.paid(), **kept})))


@fuzz
@given(pem=texts)
def test_arbitrary_certificate_text_is_refused(pem: str) -> None:
    """What is said to be a certificate need not be one."""
    body = urlencode({**peer.signed(peer.paid()), "signPubKeyCert": pem}).encode()
    with pytest.raises(CallbackRefused):
        PROVIDER.parse_callback(peer.callback(body))
