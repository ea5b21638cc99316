"""Every notification vector, alone and in sequence; a small fold stands for the core, and only moves forward."""

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.alipay.certificates import FixedKeys
from adapters.alipay.notify import open_notice
from adapters.kit.keys import load_rsa_public_key
from gateway.domain.money import fen_from_yuan, yuan_from_fen
from gateway.domain.provider import CallbackRefused, RawCallback, Verdict
from gateway.domain.report import ProviderReport, ReportedState
from tests.adapters.alipay import peer

_NOTIFIES = {vector["id"]: vector for vector in peer.vectors("notifies")}
_KEYS = FixedKeys(keys=(load_rsa_public_key(peer.pem("alipay_public.pem")),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the vectors speak of it."""

    state: str
    total_fen: int
    refunded_fen: int


def order_of(context: dict[str, str]) -> Order:
    return Order(
        state=context["state_before"],
        total_fen=fen_from_yuan(context["total_amount"]),
        refunded_fen=fen_from_yuan(context["refunded_before"]),
    )


def folded(order: Order, report: ProviderReport) -> tuple[Order, Verdict]:
    """Apply a report: paid stays paid, the refunded sum only grows, and a contradiction changes nothing."""
    if report.contradictions or report.amount_fen not in {None, order.total_fen}:
        return order, Verdict.QUARANTINED
    refunded_fen = max(order.refunded_fen, report.refunded_total_fen or 0)
    if report.state is ReportedState.PAID:
        refunds = {0: "PAID", order.total_fen: "REFUNDED"}
        return replace(
            order, state=refunds.get(refunded_fen, "PARTIAL_REFUNDED"), refunded_fen=refunded_fen
        ), Verdict.ACCEPTED
    closes = report.state is ReportedState.CLOSED and order.state == "PENDING"
    return replace(order, state="CLOSED") if closes else order, Verdict.ACCEPTED


def raw_of(vector: dict[str, Any]) -> RawCallback:
    return peer.callback(vector["raw_body"].encode("ascii"), content_type=vector["content_type"])


def reply_to(order: Order, raw: RawCallback) -> tuple[Order, bytes]:
    provider = peer.provider()
    try:
        report = provider.parse_callback(raw).report
    except CallbackRefused:
        return order, provider.acknowledge(Verdict.REFUSED, raw).body
    assert report is not None
    after, verdict = folded(order, report)
    return after, provider.acknowledge(verdict, raw).body


@pytest.mark.parametrize("name", sorted(_NOTIFIES))
def test_notify_vector_moves_the_order_as_told(name: str) -> None:
    """State, refunded sum and reply are those that the vector tells."""
    vector = _NOTIFIES[name]
    expect = vector["expect"]

    after, reply = reply_to(order_of(vector["order_context"]), raw_of(vector))

    assert (expect["state_after"], expect["refunded_after"]) == (after.state, yuan_from_fen(after.refunded_fen))
    assert (expect["reply"] == "success") == (reply == b"success")


@pytest.mark.parametrize("name", sorted(_NOTIFIES))
def test_notify_vector_signature_is_judged(name: str) -> None:
    """Authentic is authentic and the rest is refused as `signature`; values are decoded once."""
    vector = _NOTIFIES[name]
    body = vector["raw_body"].encode("ascii")
    if vector["expect"]["signature"] == "invalid":
        with pytest.raises(CallbackRefused) as refused:
            open_notice(body, _KEYS)
        assert refused.value.reason == "signature"
        return

    fields = open_notice(body, _KEYS).fields

    text = "&".join(f"{key}={fields[key]}" for key in sorted(fields))
    assert vector["string_to_sign"] == text
    assert base64.b64decode(vector["string_to_sign_bytes_base64"]) == text.encode(vector["charset"])
    wanted = vector["expect"].get("must_equal", {})
    assert wanted == {key: fields[key] for key in wanted}


def test_notify_vector_of_a_foreign_app_names_the_field() -> None:
    """The contradiction is app_id, by name."""
    report = peer.provider().parse_callback(raw_of(_NOTIFIES["ntf-wrong-app-id"])).report

    assert report is not None
    assert report.contradictions == ("app_id",)


def test_notify_vectors_of_different_facts_have_different_dedup_keys() -> None:
    """The redelivery alone shares a key with what it repeats, although all but two share one notify_id."""
    provider = peer.provider()
    keys = {
        name: provider.parse_callback(raw_of(vector)).dedup_key
        for name, vector in _NOTIFIES.items()
        if vector["expect"]["signature"] == "valid"
    }

    same = {"ntf-success", "ntf-success-redelivery", "ntf-empty-field", "ntf-gbk", "ntf-unknown-field", "ntf-coupon"}
    assert len({keys[name] for name in same}) == 1
    others = [key for name, key in keys.items() if name not in same]
    assert len({*others, keys["ntf-success"]}) == len(others) + 1


@pytest.mark.parametrize(
    "sequence", [pytest.param(sequence, id=sequence["id"]) for sequence in peer.vectors("notify_sequences")]
)
def test_notify_sequence_only_moves_forward(sequence: dict[str, Any]) -> None:
    """Payment, retries and refunds in any order: no state falls back and no sum is added twice."""
    order = order_of(sequence["order"])
    for name, state, refunded in sequence["steps"]:
        order, reply = reply_to(order, raw_of(_NOTIFIES[name]))

        assert (state, refunded) == (order.state, yuan_from_fen(order.refunded_fen)), name
        assert reply == b"success"


def test_partial_refund_vector_names_the_refund_but_not_its_amount() -> None:
    """refund_fee is the sum so far: it is never taken for this one refund."""
    report = peer.provider().parse_callback(raw_of(_NOTIFIES["ntf-partial-refund"])).report

    assert report is not None
    assert report.refund is not None
    assert (report.refund.out_refund_no, report.refund.amount_fen) == ("FY20260301000001-R1", None)
    assert report.refunded_total_fen == 10000


def test_expectations_of_the_vectors_are_complete() -> None:
    """No vector came without an expectation that is used here."""
    told = {json.dumps(sorted(vector["expect"])) for vector in _NOTIFIES.values()}

    assert all("state_after" in text and "reply" in text for text in told)
