"""Paths, ids, methods, hosts and headers; what an unexpected fault shows, and what every answer carries."""

import pytest

from tests.support.invariants import assert_invariants
from tests.web.both import BOTH
from tests.web.front import (
    API_KEY,
    PAYMENT,
    UNKNOWN_ORDER,
    Front,
    bearer,
    problem,
)

NOWHERE = [
    "/",
    "/v1",
    "/v1/",
    "/v1/orders/",
    "//v1/orders",
    "/v1//orders",
    "/v2/orders",
    "/V1/orders",
    "/callbacks/",
    "/static/x",
    "/v1/orders/../../etc/passwd",
    "/%00",
    "/%ff",
]


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_path_gets_404_as_a_problem(front: Front, method: str, path: str) -> None:
    """No redirect, no page."""
    assert problem(front.call(method, path)) == (404, "not_found")


IDS = [
    "ord_x",
    "ord_" + "0" * 31,
    "ord_" + "0" * 33,
    "ORD_" + "0" * 32,
    "%00",
    "ord_%00",
    "%ff",
    "ord_" + "%F0%9F%92%A9",
]


@BOTH
@pytest.mark.parametrize("order_id", [*IDS, UNKNOWN_ORDER, f"pay_{'0' * 32}"])
def test_id_of_nothing_gets_404(front: Front, order_id: str) -> None:
    """Whatever stands in its place; a NUL would break PostgreSQL."""
    assert problem(front.get(f"/v1/orders/{order_id}")) == (404, "not_found")
    assert problem(front.post(f"/v1/orders/{order_id}/payments", PAYMENT)) == (404, "not_found")
    assert problem(front.post(f"/v1/orders/{order_id}/close")) == (404, "not_found")
    assert problem(front.get(f"/v1/payments/{order_id}")) == (404, "not_found")
    assert problem(front.get(f"/v1/refunds/{order_id}")) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/orders", "GET, HEAD, OPTIONS, POST"),
        ("PUT", f"/v1/orders/{UNKNOWN_ORDER}", "GET, HEAD, OPTIONS"),
        ("GET", f"/v1/orders/{UNKNOWN_ORDER}/payments", "OPTIONS, POST"),
        ("PATCH", f"/v1/payments/pay_{'0' * 32}", "GET, HEAD, OPTIONS"),
        ("GET", "/callbacks/alpha/alpha_main", "OPTIONS, POST"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("TRACE", "/v1/orders", "GET, HEAD, OPTIONS, POST"),
        ("JUNK", "/v1/orders", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_wrong_method_gets_405_with_what_is_allowed(front: Front, method: str, path: str, allow: str) -> None:
    """RFC 9110 section 15.5.6: the answer must say what is allowed."""
    response = front.call(method, path)

    assert problem(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == allow


def test_head_is_answered_like_get_without_the_body(front: Front) -> None:
    """And needs the same credentials."""
    order = front.opened()
    path = f"/v1/orders/{order['order_id']}"
    get, head = front.get(path), front.call("HEAD", path)

    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(get.data)))
    assert front.call("HEAD", path, credential=None).status_code == 401


def test_options_tells_the_methods_and_nothing_else(front: Front) -> None:
    """No credentials needed, nothing read."""
    response = front.call("OPTIONS", f"/v1/orders/{UNKNOWN_ORDER}", credential=None)

    assert (response.status_code, response.data) == (200, b"")
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


@pytest.mark.parametrize("host", ["", "a b", "\xff", "x" * 5000, "host:port", "[::1", "a\x00b", "evil.test"])
def test_junk_in_the_host_header_is_no_crash(front: Front, host: str) -> None:
    """The host is never used."""
    response = front.client.get("/v1/orders", headers=bearer("x"), environ_overrides={"HTTP_HOST": host})

    assert response.status_code in (400, 401)
    assert problem(response)[1] in ("malformed_request", "unauthorized")


def test_junk_bytes_in_the_query_are_no_crash(front: Front) -> None:
    """A query is bytes; not every server refuses those that are not ASCII."""
    headers = bearer(API_KEY)
    response = front.client.get("/v1/orders", headers=headers, environ_overrides={"QUERY_STRING": "colour=\xff"})

    assert problem(response) == (400, "malformed_request")


def test_thousand_headers_are_no_crash(front: Front) -> None:
    """The server in front limits them; the application must not mind."""
    headers = {f"X-Header-{i}": "x" * 100 for i in range(1000)}

    assert front.get("/v1/orders", headers=headers).status_code == 200


def test_unexpected_fault_gets_500_that_shows_nothing_of_it(front: Front, logged: list[dict[str, object]]) -> None:
    """One log line with the kind and the place of the fault, without its text."""
    front.alpha.script("create", ZeroDivisionError("canary-of-the-fault"))
    order = front.opened()
    response = front.post(f"/v1/orders/{order['order_id']}/payments", PAYMENT)
    events = [event for event in logged if event["event"] == "request_failed"]

    assert problem(response) == (500, "internal_error")
    assert [event["error"] for event in events] == ["ZeroDivisionError"]
    assert events[0]["request_id"] == response.get_json()["request_id"]
    assert "canary" not in response.text + str(logged)
    assert "ZeroDivisionError" not in response.text


def test_unexpected_fault_leaves_the_key_open_and_the_books_whole(front: Front) -> None:
    """5xx are not stored: after the lease the same request resumes under the same number."""
    front.alpha.script("create", ZeroDivisionError("x"))
    order = front.opened()
    path = f"/v1/orders/{order['order_id']}/payments"
    front.post(path, PAYMENT, key="k")
    soon = front.post(path, PAYMENT, key="k")
    front.clock.advance(seconds=60)
    later = front.post(path, PAYMENT, key="k")

    assert problem(soon) == (409, "idempotency_in_flight")
    assert later.status_code == 201
    assert len(set(front.alpha.numbers("create"))) == 1
    assert_invariants(front.store)


def test_every_answer_has_its_request_id_and_is_not_cached(front: Front, logged: list[dict[str, object]]) -> None:
    """In the header, in the log and, for a problem, in the body: one and the same."""
    logged.clear()
    responses = [front.get("/v1/orders"), front.get("/nowhere"), front.client.get("/healthz")]
    ids = [response.headers["X-Request-Id"] for response in responses]

    assert len(set(ids)) == 3
    assert responses[1].get_json()["request_id"] == ids[1]
    assert [event["request_id"] for event in logged if event["event"] == "request_answered"] == ids
    assert {response.headers["Cache-Control"] for response in responses} == {"no-store"}
    assert {response.headers["X-Content-Type-Options"] for response in responses} == {"nosniff"}
