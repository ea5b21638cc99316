"""No identity number, name, openid, key, token or callback body in a log, an error, a metric, an event or a column."""

import logging
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from gateway.domain.provider import CallbackRefused, CallbackUnreadable, NoVerdict, ProviderUnavailable, RequestRefused
from gateway.store import StoreUnavailable
from tests.support.databases import Database
from tests.web.both import BOTH
from tests.web.front import (
    API_KEY,
    SIGNER_KEY,
    SIGNING_SECRET,
    SUBJECT,
    Down,
    Front,
    order_body,
    resident_id,
    signed_headers,
)

NAME, PAYER = "金丝雀甲", "金丝雀乙"
OPENID = "openid-canary-0001"
IDENTITY, PAYERS_IDENTITY = resident_id("34010019010203004"), "P-CANARY-77"
CALLBACK = "canary-of-the-callback-body"
PEOPLE = [NAME, PAYER, OPENID, IDENTITY, PAYERS_IDENTITY, CALLBACK]
KEYS = [API_KEY, SIGNER_KEY, SIGNING_SECRET]
PERSON = {"name": NAME, "id_type": "resident_id", "id_number": IDENTITY}
CANARY_SUBJECT = SUBJECT | {
    "insured": PERSON,
    "payer": {"name": PAYER, "id_type": "passport", "id_number": PAYERS_IDENTITY},
}
PAYMENT = {"provider": "alpha", "method": "native", "fields": {"openid": OPENID}}


class Heard:
    """Everything that came out of the gateway, but the answers of success, which the app must have."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.tokens: list[str] = []

    def keep(self, response: Any) -> Any:
        if response.status_code >= 400:
            self.errors.append(f"{response.headers} {response.text}")
        elif response.is_json and "order_token" in response.json:
            self.tokens.append(response.json["order_token"])
        return response


@pytest.fixture
def standard_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What libraries log."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def good_journey(front: Front, heard: Heard) -> str:
    order = heard.keep(front.post("/v1/orders", order_body(subject=CANARY_SUBJECT))).get_json()
    path = f"/v1/orders/{order['order_id']}"
    payment = heard.keep(front.post(f"{path}/payments", PAYMENT, credential=order["order_token"])).get_json()
    heard.keep(front.settled(payment, provider_status=CALLBACK))
    heard.keep(front.post(f"{path}/refunds", {"client_refund_no": "R-1"}))
    front.work()
    heard.keep(front.get(path, credential=order["order_token"]))
    return path


def bad_journeys(front: Front, heard: Heard, path: str) -> None:
    """Every kind of fault, each with something personal or secret at hand."""
    spoilt = CANARY_SUBJECT | {"insured": PERSON | {"id_type": "passport!", "id_number": IDENTITY[:-1] + "?"}}
    token = heard.tokens[0]
    keep = heard.keep
    keep(front.post("/v1/orders", order_body("C-2", subject=spoilt)))
    keep(front.post("/v1/orders", order_body("C-2", description=f"{IDENTITY}\x00")))
    keep(front.post("/v1/orders", f'{{"insured": "{IDENTITY}", "name": "{NAME}"'.encode()))
    keep(front.post("/v1/orders", order_body("C-1", amount_fen=1, subject=CANARY_SUBJECT)))
    keep(front.post("/v1/orders", order_body("C-3", subject=CANARY_SUBJECT)))
    keep(front.get("/v1/orders", credential=token))
    keep(front.get(path, credential=token[:-2]))
    keep(front.get("/v1/orders", credential=API_KEY + "x"))
    keep(front.get("/v1/orders?client_order_no=x&limit=" + IDENTITY))
    keep(front.get(f"/v1/orders/{IDENTITY}"))
    keep(front.get("/v1/orders", credential=None, headers=signed_headers("GET", "/v1/orders", 1, "n" * 16)))
    other = front.opened("C-4")
    pay = f"/v1/orders/{other['order_id']}/payments"
    keep(front.post(pay, PAYMENT | {"fields": {"openid": OPENID * 5}}))
    keep(front.post(pay, PAYMENT | {"fields": {"openid": OPENID, "phone": IDENTITY}}))
    for fault in (NoVerdict(NAME), ProviderUnavailable(OPENID), RequestRefused(IDENTITY), ZeroDivisionError(NAME)):
        front.alpha.script("create", fault)
        keep(front.post(pay, PAYMENT))
    payment = front.started(other)
    raw = front.alpha.callback(payment["out_trade_no"], provider_status=CALLBACK, amount_fen=1)
    keep(front.deliver_to("alpha_main", raw))
    parse = front.alpha.parse_callback
    for refusal in (CallbackRefused("signature"), CallbackUnreadable("not_json"), ZeroDivisionError(CALLBACK)):
        front.alpha.parse_callback = _raiser(refusal)
        keep(front.deliver_to("alpha_main", raw))
    front.alpha.parse_callback = parse
    engine = front.store._engine
    front.store._engine = Down(engine, StoreUnavailable(f"{NAME} {OPENID} {IDENTITY}"))
    keep(front.post("/v1/orders", order_body("C-5", subject=CANARY_SUBJECT)))
    keep(front.deliver_to("alpha_main", raw))
    keep(front.client.get("/readyz"))
    front.store._engine = engine


def _raiser(fault: Exception) -> Any:
    def parse(_: object) -> None:
        raise fault

    return parse


@BOTH
def test_nothing_personal_or_secret_leaves_by_a_side_door(
    front: Front, database: Database, logged: list[Any], standard_log: pytest.LogCaptureFixture
) -> None:
    """Canaries go in by every way; none comes out in logs, errors, metrics, events or in clear in the database."""
    heard = Heard()
    path = good_journey(front, heard)
    bad_journeys(front, heard, path)
    front.work()
    events = front.get(f"{path}/events").text
    stored = database.everything()
    outlets = {
        "log": repr(logged) + standard_log.text,
        "errors": "\n".join(heard.errors),
        "metrics": front.client.get("/metrics").text,
        "stored": stored.decode("utf-8", "replace"),
    }
    canaries = [*PEOPLE, *KEYS, *heard.tokens]
    found = [(outlet, canary) for outlet, text in outlets.items() for canary in canaries if canary in text]

    assert len(heard.errors) >= 20
    assert len(heard.tokens) >= 1
    # provider_status is the provider's own word and belongs to the history; here it carries the canary on purpose.
    assert found == [("stored", CALLBACK)]
    assert [canary for canary in [*canaries] if canary in events] == [CALLBACK]


def test_answers_of_success_show_no_person(front: Front) -> None:
    """Not even to the app that sent them: an answer is stored, cached and printed by others."""
    order = front.opened(subject=CANARY_SUBJECT)
    payment = front.started(order, openid=OPENID)
    texts = [
        front.get(f"/v1/orders/{order['order_id']}").text,
        front.get(f"/v1/payments/{payment['payment_id']}").text,
        front.get("/v1/orders").text,
        front.get(f"/v1/orders/{order['order_id']}/events").text,
    ]

    assert [person for person in PEOPLE for text in texts if person in text] == []


def test_log_line_of_a_request_tells_route_and_outcome_only(front: Front, logged: list[Any]) -> None:
    """No address, no query, no path with its ids."""
    logged.clear()
    front.get("/v1/orders?client_order_no=C-1")

    assert [set(event) for event in logged] == [{"event", "log_level", "route", "status", "milliseconds", "request_id"}]
    assert (logged[0]["route"], logged[0]["status"]) == ("list_orders", 404)


def test_callback_that_is_refused_is_logged_with_reason_and_digest(front: Front, logged: list[Any]) -> None:
    """Enough to recognise it, nothing to read in it; a stale one says by how much."""
    logged.clear()
    front.alpha.parse_callback = _raiser(CallbackRefused("stale", skew_seconds=301))
    front.client.post("/callbacks/alpha/alpha_main", data=b"canary")
    event = logged[0]

    assert (event["event"], event["outcome"], event["reason"]) == ("callback_not_applied", "refused", "stale")
    assert event["skew_seconds"] == 301
    assert event["digest"] == sha256(b"canary").hexdigest()
