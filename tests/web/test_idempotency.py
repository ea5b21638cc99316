"""Idempotency keys over HTTP: field_failures section 3, rules 1 to 6."""

import json

import pytest

from gateway.domain.provider import ProviderUnavailable
from gateway.store import StoreUnavailable
from tests.support.databases import Database
from tests.web.both import BOTH
from tests.web.front import API_KEY, PAYMENT, PROBLEM, SUBJECT, UNKNOWN_ORDER, Front, Json, bearer, order_body, problem

KEYED_PATHS = ["/v1/orders", "/v1/orders/{}/payments", "/v1/orders/{}/refunds", "/v1/orders/{}/close"]


# --- the header ---


@pytest.mark.parametrize("path", KEYED_PATHS)
def test_key_absent_gets_400(front: Front, path: str) -> None:
    """On every call that changes something."""
    response = front.call("POST", path.format(UNKNOWN_ORDER), body=order_body())

    assert problem(response) == (400, "idempotency_key_missing")


MALFORMED = {
    "empty": "",
    "blank": "  ",
    "256": "k" * 256,
    "quoted-256": '"' + "k" * 256 + '"',
    "not-ascii": "schlüssel",
    "inner-blank": "a b",
    "quoted-blank": '"a b"',
    "quoted-empty": '""',
    "quote-open": '"abc',
    "quote-inside": '"a"b"',
    "escape-open": '"a\\"',
    "other-escape": '"a\\n"',
    "two-keys": "k1,k2",
    "two-keys-with-blank": "k1, k2",
    "two-quoted-keys": '"k1", "k2"',
    "tab": "a\tb",
    "delete": "a\x7fb",
}


@pytest.mark.parametrize("key", MALFORMED.values(), ids=MALFORMED.keys())
def test_key_malformed_gets_400(front: Front, key: str) -> None:
    """1 to 255 visible ASCII characters, bare or quoted; and nothing happens."""
    headers = bearer(API_KEY) | {"Content-Type": "application/json"}
    response = front.client.post(
        "/v1/orders",
        data=json.dumps(order_body()),
        headers=headers,
        environ_overrides={"HTTP_IDEMPOTENCY_KEY": key.encode().decode("latin-1")},
    )

    assert problem(response) == (400, "idempotency_key_malformed")
    assert front.get("/v1/orders").get_json()["orders"] == []


def test_key_given_twice_gets_400(front: Front) -> None:
    """Which of the two would it be?"""
    headers = [*bearer(API_KEY).items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    response = front.client.post("/v1/orders", json=order_body(), headers=headers)

    assert problem(response) == (400, "idempotency_key_malformed")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("abc", '"abc"'),
        ('"abc"', "abc"),
        (" abc\t", "abc"),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ('"a,b"', '"a,b"'),
        ("k" * 255, '"' + "k" * 255 + '"'),
        ("!#~", '"!#~"'),
    ],
)
def test_key_quoted_and_bare_are_the_same_key(front: Front, first: str, second: str) -> None:
    """The draft's structured field and the form that most clients send."""
    one = front.post("/v1/orders", order_body(), key=first)
    two = front.post("/v1/orders", order_body(), key=second)

    assert (one.status_code, two.headers["Idempotency-Replayed"]) == (201, "true")


def test_keys_in_other_case_are_other_keys(front: Front) -> None:
    """A key is compared as it stands."""
    front.post("/v1/orders", order_body("C-1"), key="abc")

    assert "Idempotency-Replayed" not in front.post("/v1/orders", order_body("C-2"), key="ABC").headers


# --- replays ---


@BOTH
def test_replay_of_every_call_is_byte_for_byte(front: Front) -> None:
    """Status, body and content type, however the state has moved on since."""
    order = front.opened("C-1")
    path = f"/v1/orders/{order['order_id']}"
    calls = [
        ("/v1/orders", order_body("C-2", subject=SUBJECT), "a"),
        (f"{path}/payments", PAYMENT, "b"),
        (f"{path}/refunds", {"client_refund_no": "R-1"}, "c"),
        (f"{path}/close", None, "d"),
    ]
    before = [front.post(p, body, key=key) for p, body, key in calls]
    front.work()
    front.clock.advance(days=29)
    after = [front.post(p, body, key=key) for p, body, key in calls]

    assert [r.status_code for r in before] == [201, 201, 409, 202]
    assert [(r.status_code, r.data, r.content_type) for r in after] == [
        (r.status_code, r.data, r.content_type) for r in before
    ]
    assert [r.headers.get("Idempotency-Replayed") for r in before] == [None] * 4
    assert [r.headers.get("Idempotency-Replayed") for r in after] == ["true"] * 4
    assert front.alpha.count("create") == 1


def test_replay_of_a_stored_problem_is_the_same_problem(front: Front) -> None:
    """Business rejections are stored, with the content type of problems; only the header tells the new request's id."""
    front.paid_order("C-1", subject=SUBJECT)
    first = front.post("/v1/orders", order_body("C-2", subject=SUBJECT), key="k")
    second = front.post("/v1/orders", order_body("C-2", subject=SUBJECT), key="k")

    assert problem(first) == (409, "premium_already_paid")
    assert (second.status_code, second.data, second.content_type) == (409, first.data, PROBLEM)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["X-Request-Id"] != first.headers["X-Request-Id"]


def test_replay_finds_order_and_spelling_of_the_json_the_same(front: Front) -> None:
    """Members in another order, other blanks and other escapes are the same meaning."""
    first = front.post("/v1/orders", order_body("C-1"), key="k")
    spelt = '{ "amount_fen":38001,\n"description":"\\u57ce乡居民医保", "client_order_no" : "C\\u002d1" }'.encode()

    assert front.post("/v1/orders", spelt, key="k").data == first.data


# --- reuse and flight ---


@pytest.mark.parametrize(
    "body",
    [order_body("C-2"), order_body("C-1", amount_fen=38002), order_body("C-1", subject=SUBJECT)],
    ids=["number", "amount", "subject"],
)
def test_key_with_another_meaning_gets_422(front: Front, body: Json) -> None:
    """N20: another code than in flight, so that the app can tell its own mistake from bad luck."""
    front.post("/v1/orders", order_body("C-1"), key="k")
    response = front.post("/v1/orders", body, key="k")

    assert problem(response) == (422, "idempotency_key_reused")
    assert "Idempotency-Replayed" not in response.headers


def test_key_on_another_order_gets_422(front: Front) -> None:
    """The whole route is part of the meaning, the order in it too."""
    first, second = front.opened("C-1"), front.opened("C-2")
    front.post(f"/v1/orders/{first['order_id']}/payments", PAYMENT, key="k")
    response = front.post(f"/v1/orders/{second['order_id']}/payments", PAYMENT, key="k")

    assert problem(response) == (422, "idempotency_key_reused")


def test_key_on_another_call_gets_422(front: Front) -> None:
    """Even where both have no body that tells them apart."""
    order = front.opened(client_order_no="C-1")
    front.post(f"/v1/orders/{order['order_id']}/close", key="k")
    response = front.post(f"/v1/orders/{order['order_id']}/refunds", {"client_refund_no": "R-1"}, key="k")

    assert problem(response) == (422, "idempotency_key_reused")


def test_key_in_flight_gets_409_with_retry_after(front: Front) -> None:
    """While the provider is being called, an equal request waits and another is a mistake."""
    order = front.opened()
    path = f"/v1/orders/{order['order_id']}/payments"
    during = []

    def ask_again(_: object) -> None:
        client = front.app.test_client()
        during.append(front.post(path, PAYMENT, key="k", client=client))
        during.append(front.post(path, PAYMENT | {"provider": "beta"}, key="k", client=client))

    front.alpha.script("create", ask_again)
    first = front.post(path, PAYMENT, key="k")

    assert first.status_code == 201
    assert problem(during[0]) == (409, "idempotency_in_flight")
    assert (during[0].headers["Retry-After"], during[0].get_json()["retryable"]) == ("2", True)
    assert problem(during[1]) == (422, "idempotency_key_reused")


def test_client_ip_does_not_change_the_meaning(front: Front) -> None:
    """Opening 28: the payer's phone moves from one network to another between two tries."""
    methods = dict(front.alpha.methods)
    spec = methods["native"].fields["openid"]
    methods["native"] = type(methods["native"])(
        name="native", title="x", instruction=methods["native"].instruction, fields={"openid": spec, "client_ip": spec}
    )
    front.alpha.methods = methods
    path = f"/v1/orders/{front.opened()['order_id']}/payments"
    first = front.post(path, PAYMENT | {"fields": {"openid": "o", "client_ip": "192.0.2.1"}}, key="k")
    moved = front.post(path, PAYMENT | {"fields": {"openid": "o", "client_ip": "192.0.2.2"}}, key="k")
    other = front.post(path, PAYMENT | {"fields": {"openid": "p", "client_ip": "192.0.2.1"}}, key="k")

    assert (first.status_code, moved.data) == (201, first.data)
    assert problem(other) == (422, "idempotency_key_reused")


def test_payers_address_is_taken_from_the_connection_with_an_order_token(front: Front) -> None:
    """A browser must not choose it; an app's server may."""
    native = front.alpha.methods["native"]
    front.alpha.methods = {
        "native": type(native)(
            name="native",
            title="x",
            instruction=native.instruction,
            fields={"client_ip": type(native.fields["openid"])(required=True, pattern="[0-9.]+", description="ip")},
        )
    }
    order = front.opened()
    path = f"/v1/orders/{order['order_id']}/payments"
    front.post(path, PAYMENT | {"fields": {"client_ip": "192.0.2.9"}}, credential=order["order_token"])
    front.post(path, PAYMENT | {"fields": {"client_ip": "192.0.2.9"}})

    assert [request.fields["client_ip"] for request in front.alpha.requests] == ["127.0.0.1", "192.0.2.9"]


# --- what is not stored ---


@pytest.mark.parametrize(
    "raw",
    [b"{", b'{"client_order_no":"C-1"}', json.dumps(order_body(amount_fen=0)).encode()],
    ids=["400", "422", "fen"],
)
def test_validation_failure_is_not_stored(front: Front, database: Database, raw: bytes) -> None:
    """Nothing was executed: the corrected request may come with the same key."""
    front.post("/v1/orders", raw, key="k")
    stored = database.rows("SELECT key FROM idempotency_keys")

    assert stored == []
    assert front.post("/v1/orders", order_body(), key="k").status_code == 201


def test_bad_method_fields_are_not_stored(front: Front) -> None:
    """Validation by the method's own table is validation, too."""
    path = f"/v1/orders/{front.opened()['order_id']}/payments"
    first = front.post(path, PAYMENT | {"fields": {"openid": ""}}, key="k")
    second = front.post(path, PAYMENT, key="k")

    assert [first.status_code, second.status_code] == [422, 201]


def test_503_is_not_stored(front: Front) -> None:
    """Opening 33: a replayed 5xx could never succeed."""
    path = f"/v1/orders/{front.opened()['order_id']}/payments"
    front.alpha.script("create", ProviderUnavailable("down"), ProviderUnavailable("down"))
    statuses = [front.post(path, PAYMENT, key="k").status_code for _ in range(3)]

    assert statuses == [503, 503, 201]
    assert len(set(front.alpha.numbers("create"))) == 1


def test_database_fault_while_storing_leaves_the_key_free(front: Front) -> None:
    """A commit that failed for certain is as if nobody had asked."""
    engine = front.store._engine

    class FailsOnce:
        dialect = engine.dialect
        read = engine.read

        def flush(self, _: object) -> None:
            front.store._engine = engine
            raise StoreUnavailable("commit failed")

    front.store._engine = FailsOnce()
    statuses = [front.post("/v1/orders", order_body(), key="k").status_code for _ in range(2)]

    assert statuses == [503, 201]


def test_401_and_404_use_up_no_key(front: Front, database: Database) -> None:
    """A stranger cannot spend an app's keys."""
    front.post("/v1/orders", order_body(), key="k", credential="nobody")
    front.post(f"/v1/orders/{UNKNOWN_ORDER}/payments", PAYMENT, key="k")

    assert database.rows("SELECT key FROM idempotency_keys") == []


def test_natural_key_guards_after_the_idempotency_key_is_forgotten(front: Front) -> None:
    """Rule 8: after 30 days the number alone prevents a second order."""
    first = front.post("/v1/orders", order_body(), key="k").get_json()
    front.clock.advance(days=31)
    front.store.run(lambda tx: tx.purge(nonces_before=front.clock.now(), keys_before=front.clock.now()))
    second = front.post("/v1/orders", order_body(), key="k")

    assert "Idempotency-Replayed" not in second.headers
    assert second.get_json()["order_id"] == first["order_id"]
