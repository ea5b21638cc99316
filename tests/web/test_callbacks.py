"""Callbacks over HTTP: raw bytes in, the provider's own words out, by either front."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.domain.provider import Callback, CallbackRefused, CallbackUnreadable, RawCallback
from gateway.store import StoreContended, StoreUnavailable
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import account
from tests.web.both import BOTH
from tests.web.front import PROBLEM, Front, problem

PATH = "/callbacks/alpha/alpha_main"
BODIES = {
    "json": ("application/json", b'{"a": 1, "a": 2}\n'),
    "form": ("application/x-www-form-urlencoded", b"a=%E4%B8%AD&a=2&b=%ff+"),
    "multipart": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'),
    "xml": ("text/xml; charset=GBK", "<a>中</a>".encode("gbk")),
    "none": ("", b"\x00\xff\xfe"),
    "junk-type": ("\xff;;=", b"a"),
    "empty": ("text/plain", b""),
}


class Recorder:
    """Takes the place of `parse_callback`: keeps what came, answers or raises what it is told to."""

    def __init__(self, outcome: Callback | Exception) -> None:
        self._outcome = outcome
        self.seen: list[RawCallback] = []

    def __call__(self, raw: RawCallback) -> Callback:
        self.seen.append(raw)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


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


# --- source networks ---

NETWORKS = ("192.0.2.0/25", "2001:db8::/32")


def allow_listed(make_front: Callable[..., Front], **changes: Any) -> Front:
    accounts = {
        "alpha_main": account("alpha_main", "alpha", callback_networks=NETWORKS),
        "beta_main": account("beta_main", "beta"),
    }
    return make_front(accounts=accounts, **changes)


def status_from(front: Front, address: str, forwarded: str | None = None) -> int:
    headers = {"X-Forwarded-For": forwarded} if forwarded is not None else {}
    response = front.client.post(PATH, data=b"{}", headers=headers, environ_overrides={"REMOTE_ADDR": address})
    assert (response.data == b"") == (response.status_code == 403)
    return response.status_code


ADDRESSES = {
    "192.0.2.0": 500,
    "192.0.2.127": 500,
    "192.0.2.128": 403,
    "192.0.1.255": 403,
    "2001:db8::1": 500,
    "2001:db9::1": 403,
    "::ffff:192.0.2.1": 500,
    "::ffff:192.0.2.200": 403,
    "": 403,
    "junk": 403,
    "192.0.2.1, 192.0.2.2": 403,
}


@pytest.mark.parametrize(("address", "status"), ADDRESSES.items(), ids=ADDRESSES.keys())
@pytest.mark.parametrize("bare", [False, True], ids=["flask", "bare"])
def test_callback_source_is_held_against_the_networks(
    make_front: Callable[..., Front], address: str, status: int, bare: bool
) -> None:
    """500 is the adapter's own refusal: it was asked. An IPv4 address may come in IPv6 clothes."""
    assert status_from(allow_listed(make_front, bare_callbacks=bare), address) == status


@dataclass(frozen=True)
class Forwarded:
    """A request through proxies."""

    hops: int
    address: str
    forwarded: str | None
    status: int


FORWARDED = [
    Forwarded(0, "192.0.2.1", "203.0.113.9", 500),
    Forwarded(0, "203.0.113.9", "192.0.2.1", 403),
    Forwarded(1, "10.0.0.1", "192.0.2.1", 500),
    Forwarded(1, "10.0.0.1", "192.0.2.1, 203.0.113.9", 403),
    Forwarded(1, "10.0.0.1", "203.0.113.9, 192.0.2.1", 500),
    Forwarded(1, "10.0.0.1", None, 403),
    Forwarded(1, "10.0.0.1", "junk", 403),
    Forwarded(2, "10.0.0.1", "192.0.2.1, 10.0.0.2", 500),
    Forwarded(2, "10.0.0.1", "192.0.2.1", 403),
]


@pytest.mark.parametrize("case", FORWARDED, ids=repr)
@pytest.mark.parametrize("bare", [False, True], ids=["flask", "bare"])
def test_forwarded_address_is_believed_for_the_configured_hops_only(
    make_front: Callable[..., Front], case: Forwarded, bare: bool
) -> None:
    """The last hops entries are the proxies' own; everything before them anybody could have written."""
    front = allow_listed(make_front, trusted_proxies=case.hops, bare_callbacks=bare)

    assert status_from(front, case.address, case.forwarded) == case.status


def test_callback_from_elsewhere_is_counted_and_not_read(make_front: Callable[..., Front]) -> None:
    """The adapter is not even asked."""
    front = allow_listed(make_front)
    front.alpha.parse_callback = recorder = Recorder(CallbackRefused("signature"))
    status_from(front, "203.0.113.9")

    assert recorder.seen == []
    line = 'jiaofei_callbacks_total{account="alpha_main",outcome="refused",reason="address"} 1.0'
    assert line in front.client.get("/metrics").text


# --- the two fronts side by side ---

OddRequest = dict[str, Any]
LIMIT = 65536
REQUESTS: dict[str, OddRequest] = {
    "genuine": {"headers": {"X-Signature": "genuine"}, "data": b'{"dedup_key":"d","event":"e","report":null}'},
    "forged": {"data": b"{}"},
    "unreadable": {"headers": {"X-Signature": "genuine"}, "data": b"junk"},
    "refunds": {"path": f"{PATH}/refunds", "data": b"{}"},
    "trailing-slash": {"path": f"{PATH}/", "data": b"{}"},
    "trailing-path": {"path": f"{PATH}/more", "data": b"{}"},
    "unknown-account": {"path": "/callbacks/alpha/nobody", "data": b"{}"},
    "doubled-slash": {"path": "/callbacks//alpha/alpha_main", "data": b"{}"},
    "no-account": {"path": "/callbacks/", "data": b"{}"},
    "empty": {"data": b""},
    "no-length": {"input_stream": io.BytesIO(b"{}"), "environ_overrides": {"CONTENT_LENGTH": ""}},
    "length-of-text": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "two"}},
    "length-negative": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "-2"}},
    "length-plus": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "+2"}},
    "length-with-zeros": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "0" * 20 + "2"}},
    "length-full-width": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "２"}},
    "length-beyond-the-body": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "3"}},
    "length-beyond-the-body-terminated": {
        "data": b"{}",
        "environ_overrides": {"CONTENT_LENGTH": "3", "wsgi.input_terminated": True},
    },
    "length-of-gigabytes": {"data": b"{}", "environ_overrides": {"CONTENT_LENGTH": "0000000019999999999"}},
    "chunked": {
        "input_stream": io.BytesIO(b"{}"),
        "headers": {"Transfer-Encoding": "chunked"},
        "environ_overrides": {"wsgi.input_terminated": True},
    },
    "chunked-with-length": {"data": b"{}", "headers": {"Transfer-Encoding": "chunked"}},
    "at-the-limit": {"data": b"x" * LIMIT},
    "chunked-at-the-limit": {
        "input_stream": io.BytesIO(b"x" * LIMIT),
        "headers": {"Transfer-Encoding": "chunked"},
        "environ_overrides": {"wsgi.input_terminated": True},
    },
    "too-long": {"data": b"x" * (LIMIT + 1)},
    "chunked-too-long": {
        "input_stream": io.BytesIO(b"x" * (LIMIT + 1)),
        "headers": {"Transfer-Encoding": "chunked"},
        "environ_overrides": {"wsgi.input_terminated": True},
    },
    "get": {"method": "GET"},
    "head": {"method": "HEAD"},
    "put": {"method": "PUT", "data": b"{}"},
    "options": {"method": "OPTIONS"},
    "form": {"data": b"a=1&b=2", "content_type": "application/x-www-form-urlencoded"},
    "query": {"path": f"{PATH}?a=1", "data": b"{}"},
    "junk-host": {"data": b"{}", "environ_overrides": {"HTTP_HOST": "a b"}},
}


def told(front: Front, request: OddRequest) -> tuple[Any, ...]:
    """What the client reads, and what the adapter was given."""
    recorder = Recorder(CallbackRefused("none"))
    parse = front.alpha.parse_callback

    def record(raw: RawCallback) -> Callback:
        recorder.seen.append(raw)
        return parse(raw)

    front.alpha.parse_callback = record
    members = {"path": PATH, "method": "POST"} | request
    if "input_stream" in members:
        members["input_stream"] = io.BytesIO(members["input_stream"].getvalue())
    response: TestResponse = front.client.open(members.pop("path"), **members)
    body = response.data
    if response.content_type == PROBLEM and body:
        body = body.replace(response.get_json()["request_id"].encode(), b"req")
    seen = [(raw.body, dict(raw.headers)) for raw in recorder.seen]
    return response.status, body, response.content_type, response.headers.get("Allow"), seen


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
def test_bare_front_answers_like_the_flask_route(make_front: Callable[..., Front], request_: OddRequest) -> None:
    """To the byte, and what the adapter sees is the same, too."""
    flask, bare = make_front(), make_front(bare_callbacks=True)
    expected = told(flask, request_)
    actual = told(bare, request_)

    assert expected == actual


def test_bare_front_keeps_the_framework_out_of_a_plain_callback(make_front: Callable[..., Front]) -> None:
    """Otherwise it would be no gain."""
    front = make_front(bare_callbacks=True)
    began: list[int] = []
    front.app.before_request_funcs[None].insert(0, lambda: began.append(1))
    front.client.post(PATH, data=b"{}")
    plain = len(began)
    front.client.get(PATH)

    assert (plain, len(began)) == (0, 1)


def test_bare_front_leaves_an_adapters_bug_to_the_frameworks_error_table(
    make_front: Callable[..., Front], logged: list[dict[str, Any]]
) -> None:
    """500 without a word of it, logged once."""
    front = make_front(bare_callbacks=True)
    front.alpha.parse_callback = Recorder(ZeroDivisionError("canary-of-the-bug"))
    response = front.client.post(PATH, data=b"{}")

    assert problem(response) == (500, "internal_error")
    assert [event["error"] for event in logged if event["event"] == "request_failed"] == ["ZeroDivisionError"]
    assert "canary" not in response.text + str(logged)
