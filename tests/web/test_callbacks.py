"""Callbacks over HTTP: raw bytes in, the provider's own words out, by either front."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.domain.provider import Callback, CallbackRefused, CallbackUnreadable
from gateway.store import StoreContended, StoreUnavailable
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.web.both import BOTH
from tests.web.front import Front, problem
from tests.web.recorder import PATH, Recorder

BODIES = {
    "json": ("application/json", b'{"a": 1, "a": 2}\n'),
    "form": ("application/x-www-form-urlencoded", b"a=%E4%B8%AD&a=2&b=%ff+"),
    "multipart": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'),
    "xml": ("text/xml; charset=GBK", "<a>中</a>".encode("gbk")),
    "none": ("", b"\x00\xff\xfe"),
    "junk-type": ("\xff;;=", b"a"),
    "empty": ("text/plain", b""),
}


@dataclass
class CountingEngine:
    """Counts what is asked of the database."""

    inner: Any
    reads: int = 0
    batches: list[list[str]] = field(default_factory=list)

    @property
    def dialect(self) -> Any:
        return self.inner.dialect

    def read(self, query: Any, values: Any) -> Any:
        self.reads += 1
        return self.inner.read(query, values)

    def flush(self, batch: Any) -> None:
        self.batches.append([write.name for write, _ in batch])
        self.inner.flush(batch)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture(params=[False, True], ids=["flask", "bare"])
def either(request: pytest.FixtureRequest, make_front: Callable[..., Front]) -> Front:
    """The Flask route, and the plain function in front of Flask."""
    return make_front(bare_callbacks=request.param)


@pytest.mark.parametrize(("content_type", "body"), BODIES.values(), ids=BODIES.keys())
def test_callback_bytes_reach_the_adapter_untouched(either: Front, content_type: str, body: bytes) -> None:
    """No form is parsed, nothing is decoded; headers have lower-case names; the time is ours."""
    recorder = Recorder(CallbackRefused("signature"))
    either.alpha.parse_callback = recorder
    headers = {"Wechatpay-Signature": "a+b/c==", "X-Two": "1, 2"}
    if content_type:
        headers["Content-Type"] = content_type
    either.client.post(PATH, data=body, headers=headers)
    raw = recorder.seen[0]

    assert raw.body == body
    assert (raw.headers["wechatpay-signature"], raw.headers["x-two"]) == ("a+b/c==", "1, 2")
    assert raw.headers.get("content-type", "") == content_type
    assert raw.received_at == either.clock.now()


VERDICTS = {
    "applied": (None, 200, b"accepted"),
    "ignored": (Callback(dedup_key="d", event="e", report=None), 200, b"ignored"),
    "refused": (CallbackRefused("signature"), 500, b"refused"),
    "stale": (CallbackRefused("stale", skew_seconds=301), 500, b"refused"),
    "unreadable": (CallbackUnreadable("not_json"), 500, b"refused"),
}


@pytest.mark.parametrize(("outcome", "status", "words"), VERDICTS.values(), ids=VERDICTS.keys())
def test_callback_verdict_is_answered_in_the_adapters_exact_words(
    either: Front, outcome: Any, status: int, words: bytes
) -> None:
    """Status, bytes and content type are the adapter's; nothing is added to them."""
    payment = either.started(either.opened())
    either.alpha.pay(payment["out_trade_no"])
    raw = either.alpha.callback(payment["out_trade_no"])
    if outcome is not None:
        either.alpha.parse_callback = Recorder(outcome)
    response = either.deliver_to("alpha_main", raw)

    assert (response.status_code, response.data, response.content_type) == (status, words, "text/plain")
    assert response.headers["Content-Length"] == str(len(words))


@BOTH
def test_callback_repeated_is_acknowledged_alike_for_one_read_and_no_write(either: Front) -> None:
    """Providers repeat themselves; it must cost next to nothing."""
    payment = either.started(either.opened())
    either.alpha.pay(payment["out_trade_no"])
    raw = either.alpha.callback(payment["out_trade_no"])
    first = either.deliver_to("alpha_main", raw)
    engine = CountingEngine(either.store._engine)
    either.store._engine = engine
    second = either.deliver_to("alpha_main", raw)
    either.store._engine = engine.inner

    assert (second.status_code, second.data) == (first.status_code, first.data) == (200, b"accepted")
    assert (engine.reads, engine.batches) == (1, [])
    assert either.alpha.count("query") == 0
    assert_invariants(either.store)


@BOTH
def test_callback_that_pays_is_one_read_and_one_batch(either: Front) -> None:
    """The hot path: everything judged from one row, everything written at once."""
    payment = either.started(either.opened())
    either.alpha.pay(payment["out_trade_no"])
    engine = CountingEngine(either.store._engine)
    either.store._engine = engine
    either.deliver_to("alpha_main", either.alpha.callback(payment["out_trade_no"]))
    either.store._engine = engine.inner

    assert (engine.reads, len(engine.batches)) == (1, 1)


def test_callback_of_a_payment_not_known_yet_is_applied_when_it_comes_again(either: Front, database: Database) -> None:
    """Orphan: kept and refused; our row may be late."""
    payment = either.started(either.opened())
    either.alpha.pay(payment["out_trade_no"])
    raw = either.alpha.callback(payment["out_trade_no"])
    database.rows(f"UPDATE payments SET out_trade_no = '{'f' * 32}'")
    early = either.deliver_to("alpha_main", raw)
    database.rows(f"UPDATE payments SET out_trade_no = '{payment['out_trade_no']}'")
    late = either.deliver_to("alpha_main", raw)

    assert (early.status_code, early.data) == (500, b"orphan")
    assert (late.status_code, late.data) == (200, b"accepted")
    assert database.rows("SELECT state FROM notifications WHERE source = 'callback'") == [("applied",)]


def test_callback_quarantined_is_acknowledged_and_again_when_repeated(either: Front) -> None:
    """A repetition must not wash it clean."""
    payment = either.started(either.opened())
    either.alpha.pay(payment["out_trade_no"])
    raw = either.alpha.callback(payment["out_trade_no"], amount_fen=1)

    assert [either.deliver_to("alpha_main", raw).data for _ in range(2)] == [b"quarantined"] * 2


@pytest.mark.parametrize("fault", [StoreUnavailable("canary"), StoreContended("canary")], ids=["down", "contended"])
@pytest.mark.parametrize("operation", ["read", "flush"])
def test_callback_with_the_database_down_is_not_acknowledged(either: Front, fault: Exception, operation: str) -> None:
    """5xx in the provider's form, and the next delivery is applied."""
    payment = either.started(either.opened())
    either.alpha.pay(payment["out_trade_no"])
    raw = either.alpha.callback(payment["out_trade_no"])
    engine = either.store._engine

    class Broken:
        dialect = engine.dialect
        read, flush = engine.read, engine.flush

    def fail(*_: object) -> None:
        raise fault

    broken = Broken()
    setattr(broken, operation, fail)
    either.store._engine = broken
    first = either.deliver_to("alpha_main", raw)
    either.store._engine = engine
    second = either.deliver_to("alpha_main", raw)

    assert (first.status_code, first.data) == (500, b"unstored")
    assert (second.status_code, second.data) == (200, b"accepted")


@pytest.mark.parametrize(
    "path",
    [
        "/callbacks/alpha/nobody",
        "/callbacks/beta/alpha_main",
        "/callbacks/gamma/alpha_main",
        "/callbacks/alpha",
        "/callbacks/alpha/",
        "/callbacks/",
        "/callbacks",
        "/callbacks//alpha/alpha_main",
        "/callbacks/alpha//alpha_main",
        "/callbacks/alpha/alpha_main/other",
        "/callbacks/alpha/alpha_main/refunds/more",
        "/callbacks/alpha/alpha_main%2frefundsx",
        "/callbacks/ALPHA/alpha_main",
        "/callbacks/alpha/%00",
        "/callbacks/alpha/%ff",
    ],
)
def test_callback_to_no_account_gets_404(either: Front, path: str) -> None:
    """An account answers at its own provider's address alone."""
    recorder = Recorder(CallbackRefused("signature"))
    either.alpha.parse_callback = either.beta.parse_callback = recorder

    assert problem(either.client.post(path, data=b"{}")) == (404, "not_found")
    assert recorder.seen == []


@pytest.mark.parametrize("path", [PATH, f"{PATH}/refunds"])
def test_callback_to_both_addresses_of_an_account_is_taken(either: Front, path: str) -> None:
    """Some providers have an address for refunds of its own."""
    assert either.client.post(path, data=b"{}").data == b"refused"
