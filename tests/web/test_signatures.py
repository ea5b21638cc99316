"""HMAC signatures of an app's requests: N6 of the field's failures, a captured request cannot be sent again."""

import json

import pytest
from werkzeug.test import TestResponse

from tests.web.both import BOTH
from tests.web.front import SIGNER_KEY, Front, order_body, problem, signed_headers

NONCE = "nonce-0123456789abcdef"


def now_of(front: Front) -> int:
    return int(front.clock.now().timestamp())


def signed_get(front: Front, target: str, *, skew: int = 0, nonce: str = NONCE, **changes: str | None) -> TestResponse:
    headers = signed_headers("GET", target, now_of(front) + skew, nonce)
    headers = {name: value for name, value in (headers | changes).items() if value is not None}
    return front.get(target, credential=None, headers=headers)


def signed_post(front: Front, raw: bytes, sent: bytes | None = None) -> TestResponse:
    headers = signed_headers("POST", "/v1/orders", now_of(front), NONCE, raw)
    return front.post("/v1/orders", raw if sent is None else sent, credential=None, headers=headers)


def test_signed_request_is_let_in(front: Front) -> None:
    """A body and its hash belong together."""
    assert signed_post(front, json.dumps(order_body()).encode()).status_code == 201


@pytest.mark.parametrize(
    ("skew", "status"),
    [(-301, 401), (-300, 200), (-299, 200), (0, 200), (299, 200), (300, 200), (301, 401)],
)
def test_signature_window_is_300_seconds_both_ways(front: Front, skew: int, status: int) -> None:
    """At the edge it is still good; one second past it is not, and the answer says by how much."""
    response = signed_get(front, "/v1/orders", skew=skew)

    assert response.status_code == status
    assert status == 200 or f"{skew} seconds" in response.get_json()["detail"]


CHANGES = {
    "no-signature": {"Jiaofei-Signature": None},
    "empty-signature": {"Jiaofei-Signature": ""},
    "other-signature": {"Jiaofei-Signature": "0" * 64},
    "not-ascii-signature": {"Jiaofei-Signature": "\xe9" * 64},
    "cut-signature": {"Jiaofei-Signature": "0" * 63},
    "no-timestamp": {"Jiaofei-Timestamp": None},
    "timestamp-of-text": {"Jiaofei-Timestamp": "now"},
    "negative-timestamp": {"Jiaofei-Timestamp": "-1"},
    "timestamp-too-long": {"Jiaofei-Timestamp": "1" * 13},
    "timestamp-not-ascii": {"Jiaofei-Timestamp": "\xb2\xb3"},
    "no-nonce": {"Jiaofei-Nonce": None},
    "short-nonce": {"Jiaofei-Nonce": "a" * 15},
    "long-nonce": {"Jiaofei-Nonce": "a" * 65},
    "odd-nonce": {"Jiaofei-Nonce": "a" * 15 + " "},
    "other-nonce": {"Jiaofei-Nonce": "nonce-of-another-call"},
    "no-key": {"Authorization": None},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_signed_request_with_a_part_missing_or_changed_gets_401(front: Front, changes: dict[str, str | None]) -> None:
    """Each part is needed."""
    assert problem(signed_get(front, "/v1/orders", **changes)) == (401, "unauthorized")


def test_other_secret_gets_401(front: Front) -> None:
    """The secret is what proves the caller."""
    headers = signed_headers("GET", "/v1/orders", now_of(front), NONCE, secret="another-secret")

    assert problem(front.get("/v1/orders", credential=None, headers=headers)) == (401, "unauthorized")


def test_key_without_signature_is_not_enough_for_an_app_that_signs(front: Front) -> None:
    """A key that was seen is useless without the secret."""
    assert problem(front.get("/v1/orders", credential=SIGNER_KEY)) == (401, "unauthorized")


def test_changed_body_gets_401(front: Front) -> None:
    """One fen more."""
    raw = json.dumps(order_body(amount_fen=38001)).encode()

    assert problem(signed_post(front, raw, raw.replace(b"38001", b"38002"))) == (401, "unauthorized")


@pytest.mark.parametrize(
    "sent", ["/v1/orders?limit=3", "/v1/orders", "/v1/orders?limit=2&state=paid", "/v1/orders?limit=%32"]
)
def test_changed_query_gets_401(front: Front, sent: str) -> None:
    """The query is signed as it stands on the wire, escapes and all."""
    headers = signed_headers("GET", "/v1/orders?limit=2", now_of(front), NONCE)

    assert problem(front.get(sent, credential=None, headers=headers)) == (401, "unauthorized")


def test_changed_method_or_path_gets_401(front: Front) -> None:
    """A signature for one call is none for another."""
    as_head = signed_headers("HEAD", "/v1/orders", now_of(front), NONCE)
    elsewhere = signed_headers("GET", "/v1/orders/x", now_of(front), NONCE)

    assert front.get("/v1/orders", credential=None, headers=as_head).status_code == 401
    assert front.get("/v1/orders", credential=None, headers=elsewhere).status_code == 401


@BOTH
def test_captured_request_sent_again_gets_401(front: Front) -> None:
    """N6: the nonce is used up, in another process of the gateway too."""
    first = signed_get(front, "/v1/orders")
    again = signed_get(front, "/v1/orders")
    fresh = signed_get(front, "/v1/orders", nonce=NONCE + "-2")

    assert (first.status_code, fresh.status_code) == (200, 200)
    assert problem(again) == (401, "unauthorized")
    assert "nonce" in again.get_json()["detail"]


def test_forged_request_does_not_use_up_the_nonce(front: Front) -> None:
    """Otherwise anybody could shut an app out."""
    signed_get(front, "/v1/orders", **{"Jiaofei-Signature": "0" * 64})

    assert signed_get(front, "/v1/orders").status_code == 200


def test_nonce_is_remembered_as_long_as_its_request_could_be_sent_again(front: Front) -> None:
    """A clock ahead of ours by the whole window, purged at the last instant, still refused."""
    target, timestamp = "/v1/orders", now_of(front) + 300
    headers = signed_headers("GET", target, timestamp, NONCE)
    first = front.get(target, credential=None, headers=headers)
    front.clock.advance(seconds=600, milliseconds=800)  # the clock began at a fraction of a second
    front.store.run(lambda tx: tx.purge(nonces_before=front.clock.now(), keys_before=front.clock.now()))
    again = front.get(target, credential=None, headers=headers)

    assert [first.status_code, again.status_code] == [200, 401]
    assert "nonce" in again.get_json()["detail"]


TARGETS = [
    "/v1/orders?client_order_no=C-1",
    "/v1/orders?client_order_no=C%2D1",
    "/v1/orders?client%5Forder_no=C-1",
    "/v1/orders?limit=2&cursor=ord_00000000000000000000000000000000",
    "/v1/orders?",
    "/v1/orders?client_order_no=a+b",
    "/v1/orders?client_order_no=%E7%BC%B4?",
]


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_signed_exactly_as_sent(front: Front, target: str) -> None:
    """A server that offers the raw request line (RAW_URI) is believed, so that no escape is read in between."""
    path, _, query = target.partition("?")
    headers = signed_headers("GET", target, now_of(front), NONCE)
    overrides = {"RAW_URI": target, "REQUEST_URI": target, "QUERY_STRING": query}

    assert front.client.get(path, headers=headers, environ_overrides=overrides).status_code != 401


@pytest.mark.parametrize("target", [target for target in TARGETS if not target.endswith("orders?")])
def test_target_is_rebuilt_where_the_server_keeps_only_the_decoded_path(front: Front, target: str) -> None:
    """As granian does; the query is raw in either case."""
    path, _, query = target.partition("?")
    headers = signed_headers("GET", target, now_of(front), NONCE)
    overrides = {"RAW_URI": "", "REQUEST_URI": "", "QUERY_STRING": query}

    assert front.client.get(path, headers=headers, environ_overrides=overrides).status_code != 401


def test_target_with_the_whole_address_on_the_request_line_is_signed_by_path(front: Front) -> None:
    """A proxy may send the absolute form (RFC 9112 section 3.2.2)."""
    headers = signed_headers("GET", "/v1/orders?limit=2", now_of(front), NONCE)
    overrides = {"RAW_URI": "http://pay.example.test/v1/orders?limit=2", "QUERY_STRING": "limit=2"}
    overrides["REQUEST_URI"] = overrides["RAW_URI"]

    assert front.client.get("/v1/orders", headers=headers, environ_overrides=overrides).status_code == 200
