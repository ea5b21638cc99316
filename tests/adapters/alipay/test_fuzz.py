"""Whatever arrives, only the declared errors come out; what Alipay's own key signed included."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.alipay.envelope import AnswerUnreadable, open_envelope, parse_node
from adapters.alipay.tables import API_QUERY, API_REFUND, API_REFUND_QUERY
from gateway.domain.provider import (
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    NoVerdict,
    ProviderAnswer,
    ProviderError,
)
from gateway.domain.report import ReportedState
from tests.adapters.alipay import peer

_ALIPAY = peer.provider()
_NAMES = [
    *sorted(peer.paid()),
    "refund_fee",
    "out_biz_no",
    "gmt_refund",
    "refund_status",
    "gmt_close",
    "alipay_cert_sn",
]
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_TELLING = st.sampled_from(
    ["", "0", "0.00", "380.01", "-1", "NaN", "1e9", "TRADE_CLOSED", "TRADE_SUCCESS", "9" * 2000, "\x00", "２"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT | _TELLING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=300) | st.text("abcsign_type=&%+012 ", max_size=200).map(str.encode))
def test_callback_of_any_bytes_is_refused(body: bytes) -> None:
    """Arbitrary bytes prove nothing and break nothing."""
    with pytest.raises(CallbackRefused):
        _ALIPAY.parse_callback(peer.callback(body))


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(
    st.dictionaries(st.sampled_from(_NAMES), _TELLING | _TEXT, max_size=6), st.sets(st.sampled_from(_NAMES), max_size=3)
)
def test_callback_of_signed_junk_is_read_or_unreadable(changes: dict[str, str], absent: set[str]) -> None:
    """Authentic junk gives a report that a store can keep, or says that it is not understood."""
    fields = {name: value for name, value in (peer.paid() | changes).items() if name not in absent}
    try:
        callback = _ALIPAY.parse_callback(peer.notice(fields))
    except (CallbackRefused, CallbackUnreadable):
        return
    assert isinstance(callback, Callback)
    assert callback.dedup_key.isascii()
    assert callback.event.isascii()
    if callback.report is not None and callback.report.state is ReportedState.PAID:
        assert callback.report.amount_fen is not None


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=300) | st.text('{}[]":,\\ asign_response0', max_size=200).map(str.encode))
def test_envelope_of_any_bytes_is_unreadable(body: bytes) -> None:
    """The scanner takes what is an answer, and nothing else."""
    with pytest.raises(AnswerUnreadable):
        open_envelope(body, method=API_QUERY)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(_TEXT, _JSON, max_size=4), _JSON, st.sampled_from(["utf-8", "gb18030"]), st.booleans())
def test_envelope_slices_the_node_byte_for_byte(others: dict[str, Any], node: Any, charset: str, escaped: bool) -> None:
    """Whatever stands around it, the slice is the node's own bytes."""
    text = json.dumps(node, ensure_ascii=escaped)
    name = peer.node_name(API_QUERY)
    around = [f"{json.dumps(key)} : {json.dumps(value)}" for key, value in others.items() if key not in {name, "sign"}]
    body = ("{" + " , ".join([*around, f'"{name}":{text}']) + "}").encode(charset)

    envelope = open_envelope(body, method=API_QUERY, content_type=f"text/html;charset={charset}")

    assert text.encode(charset) == envelope.node
    assert envelope.signature is None


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=120) | st.text('{}[]":,\\ 0-1eE.', max_size=100).map(str.encode))
def test_node_of_any_text_is_parsed_or_unreadable(raw: bytes) -> None:
    """No other exception, whatever was signed."""
    try:
        assert isinstance(parse_node(raw.decode("latin-1")), dict)
    except AnswerUnreadable:
        return


_MEMBERS = [
    "code", "sub_code", "out_trade_no", "trade_status", "total_amount", "refund_fee", "send_pay_date", "fund_change",
    "out_request_no", "refund_status", "refund_amount", "refund_channel_status", "trade_no", "gmt_refund_pay",
]  # fmt: skip


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.sampled_from(_MEMBERS), _JSON, max_size=6), st.sampled_from([None, "platform"]))
def test_answer_of_signed_junk_raises_only_declared_errors(changes: dict[str, Any], key: str | None) -> None:
    """Query, refund and refund query bear any members."""
    calls: tuple[tuple[str, Callable[[], ProviderAnswer]], ...] = (
        (API_QUERY, lambda: _ALIPAY.query(peer.ref())),
        (API_REFUND, lambda: _ALIPAY.refund(peer.refund())),
        (API_REFUND_QUERY, lambda: _ALIPAY.query_refund(peer.refund())),
    )
    for api, call in calls:
        with peer.replies(peer.answer_body(api, peer.trade() | changes, key=key)):
            try:
                report = call().report
            except ProviderError:
                continue
        assert key is not None, "an unsigned answer was read"
        assert report.provider_status.isascii()


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_answer_with_any_byte_changed_says_the_same_or_nothing(position: int, value: int) -> None:
    """One byte cannot turn an answer into another."""
    good = peer.answer_body(API_QUERY, peer.trade(subject="居民医保"))
    at = position % len(good)
    with peer.replies(good[:at] + bytes([value]) + good[at + 1 :]):
        try:
            report = _ALIPAY.query(peer.ref()).report
        except NoVerdict:
            return
    with peer.replies(good):
        assert report == _ALIPAY.query(peer.ref()).report
