"""The journeys of an app over HTTP: open, pay, read, list, history."""

from datetime import timedelta

import pytest

from gateway.domain.clock import rfc3339
from gateway.domain.provider import NoVerdict, ProviderUnavailable, RequestRefused
from tests.support.invariants import assert_invariants
from tests.web.both import BOTH
from tests.web.front import NARROW_KEY, SUBJECT, VILLAGE_KEY, Front, order_body, problem


@BOTH
def test_journey_from_open_to_paid_shows_every_step(front: Front) -> None:
    """What the app reads is what happened, and the invariants hold."""
    order = front.opened(subject=SUBJECT)
    payment = front.started(order)
    front.settled(payment)
    shown = front.get(f"/v1/orders/{order['order_id']}").get_json()

    assert (order["state"], order["next_steps"]) == ("open", ["start_payment", "close"])
    assert payment["instruction"] == {
        "kind": "qr_text",
        "payload": {"text": f"qr:{payment['out_trade_no']}"},
        "expires_at": None,
    }
    assert (shown["state"], shown["amount_paid_fen"], shown["next_steps"]) == ("paid", 38001, ["refund"])
    assert shown["paid_payment_id"] == payment["payment_id"]
    assert shown["payments"][0]["instruction"] is None
    assert shown["subject"] == {"region": "340100", "insured_year": 2026, "insurance_kind": "resident_medical"}
    assert_invariants(front.store)


def test_order_times_are_shown_with_offset(front: Front) -> None:
    """RFC 3339, Beijing time; the configured life when the app names none."""
    order = front.opened()

    assert order["created_at"] == "2026-03-01T10:20:30+08:00"
    assert order["expires_at"] == "2026-03-01T12:20:30+08:00"


def test_order_token_is_given_with_the_order_only(front: Front) -> None:
    """Reading an order later does not hand out a token."""
    order = front.opened()

    assert order["order_token"].startswith("jot_")
    assert "order_token" not in front.get(f"/v1/orders/{order['order_id']}").get_json()


def test_open_order_twice_under_other_keys_gives_the_same_order(front: Front) -> None:
    """client_order_no is the natural key, whatever the idempotency key."""
    assert front.opened("C-9")["order_id"] == front.opened("C-9")["order_id"]


def test_open_order_with_used_number_and_other_amount_is_refused(front: Front) -> None:
    """N10: never the old order in silence."""
    order = front.opened("C-9")
    response = front.post("/v1/orders", order_body("C-9", amount_fen=38002))

    assert problem(response) == (422, "client_order_no_reused")
    assert response.get_json()["order_id"] == order["order_id"]


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(119, 422), (120, 201), (400 * 86400, 201), (400 * 86400 + 1, 422)],
    ids=["too-soon", "soonest", "latest", "too-late"],
)
def test_open_order_expiry_at_the_edge(front: Front, seconds: int, status: int) -> None:
    """From 2 minutes to 400 days ahead. The clock stands at a fraction of a second, which the text cannot say."""
    front.clock.advance(microseconds=-123456)
    expires_at = rfc3339(front.clock.now() + timedelta(seconds=seconds))
    response = front.post("/v1/orders", order_body(expires_at=expires_at))

    assert response.status_code == status


def test_start_payment_without_verdict_is_accepted_as_unknown(front: Front) -> None:
    """202, and the same request resumes under the same number."""
    front.alpha.script("create", NoVerdict("no answer"))
    order = front.opened()
    body = {"provider": "alpha", "method": "native"}
    first = front.post(f"/v1/orders/{order['order_id']}/payments", body, key="k")
    second = front.post(f"/v1/orders/{order['order_id']}/payments", body, key="k")

    assert (first.status_code, first.get_json()["state"]) == (202, "unknown")
    assert (second.status_code, second.get_json()["state"]) == (201, "pending")
    assert len(set(front.alpha.numbers("create"))) == 1


def test_start_payment_refused_by_the_provider_is_a_problem(front: Front) -> None:
    """422, stored, and the payment is shown as failed with its evidence."""
    front.alpha.script("create", RequestRefused("no", code="NO_RIGHT"))
    order = front.opened()
    response = front.post(f"/v1/orders/{order['order_id']}/payments", {"provider": "alpha", "method": "native"})
    shown = front.get(f"/v1/payments/{response.get_json()['payment_id']}").get_json()

    assert problem(response) == (422, "provider_refused")
    assert shown["state"] == "failed"
    assert shown["evidence_id"].startswith("ntf_")


def test_second_live_payment_of_one_order_is_allowed(front: Front) -> None:
    """The earlier one is closed or left to surplus handling."""
    order = front.opened()
    first, second = front.started(order), front.started(order, "beta")

    assert first["payment_id"] != second["payment_id"]


# --- lists ---


def test_order_list_pages_give_each_order_once_newest_first(front: Front) -> None:
    """The cursor of the last page is null."""
    opened = [front.opened(f"C-{i}")["order_id"] for i in range(5)]
    pages, cursor = [], ""
    while cursor is not None:
        query = f"&cursor={cursor}" if cursor else ""
        page = front.get(f"/v1/orders?limit=2{query}").get_json()
        pages.append([order["order_id"] for order in page["orders"]])
        cursor = page["next_cursor"]

    assert pages == [opened[4:2:-1], opened[2:0:-1], opened[:1]]


def test_order_list_of_exactly_one_page_has_no_cursor(front: Front) -> None:
    """A full page is not a promise of another."""
    front.opened("C-1")
    front.opened("C-2")

    assert front.get("/v1/orders?limit=2").get_json()["next_cursor"] is None


def test_order_list_by_state_shows_that_state_only(front: Front) -> None:
    """The filter and the paging work together."""
    paid, _ = front.paid_order("C-1")
    open_ids = [front.opened(f"C-{i}")["order_id"] for i in range(2, 5)]

    assert [o["order_id"] for o in front.get("/v1/orders?state=paid").get_json()["orders"]] == [paid["order_id"]]
    assert [o["order_id"] for o in front.get("/v1/orders?state=open").get_json()["orders"]] == open_ids[::-1]


def test_order_list_by_client_number_finds_the_order(front: Front) -> None:
    """And another app's number is not found."""
    order = front.opened("C-77")

    assert front.get("/v1/orders?client_order_no=C-77").get_json()["orders"][0]["order_id"] == order["order_id"]
    assert problem(front.get("/v1/orders?client_order_no=C-77", credential=VILLAGE_KEY)) == (404, "not_found")


def test_order_list_of_another_app_is_empty(front: Front) -> None:
    """Apps do not see each other."""
    front.opened()

    assert front.get("/v1/orders", credential=NARROW_KEY).get_json() == {"orders": [], "next_cursor": None}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        f"limit={'9' * 5000}",
        "limit=1&limit=2",
        "state=unknown",
        "cursor=ord_x",
        "cursor=ord_" + "0" * 32 + "%0A",
        "colour=red",
        "client_order_no=%00",
        "client_order_no=%ff",
    ],
)
def test_order_list_with_bad_query_names_the_fault(front: Front, query: str) -> None:
    """422 with the name of what is wrong."""
    response = front.get(f"/v1/orders?{query}")

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]) == [query.partition("=")[0]]


def test_events_pages_give_the_whole_chain(front: Front) -> None:
    """Oldest first, without gaps, each with its hash."""
    order, _ = front.paid_order()
    events, cursor = [], 0
    while cursor is not None:
        page = front.get(f"/v1/orders/{order['order_id']}/events?limit=2&cursor={cursor}").get_json()
        events += page["events"]
        cursor = page["next_cursor"]

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["kind"] for event in events] == [
        "order_opened",
        "payment_created",
        "payment_pending",
        "instruction_given",
        "payment_paid",
        "order_paid",
    ]
    assert len({event["hash"] for event in events}) == len(events)


# --- refresh ---


def test_refresh_asks_the_provider_once_in_three_seconds(front: Front) -> None:
    """The second question inside the pause is told when to come again; the first after it is let through."""
    payment = front.started(front.opened())
    path = f"/v1/payments/{payment['payment_id']}?refresh=true"
    first = front.get(path)
    front.clock.advance(seconds=2.999999)
    second = front.get(path)
    front.clock.advance(microseconds=1)
    third = front.get(path)

    assert [first.status_code, third.status_code] == [200, 200]
    assert problem(second) == (429, "refresh_too_soon")
    assert second.headers["Retry-After"] == "3"
    assert second.get_json()["retryable"] is True
    assert front.alpha.count("query") == 2


def test_refresh_records_what_the_provider_says(front: Front) -> None:
    """A payment that was paid in silence is shown as paid."""
    payment = front.started(front.opened())
    front.alpha.pay(payment["out_trade_no"])

    assert front.get(f"/v1/payments/{payment['payment_id']}?refresh=true").get_json()["state"] == "paid"


@pytest.mark.parametrize("fault", [NoVerdict("x"), ProviderUnavailable("x")], ids=["no-verdict", "unavailable"])
def test_refresh_without_an_answer_shows_the_payment_as_it_was(front: Front, fault: Exception) -> None:
    """Reading never fails because a provider is down."""
    payment = front.started(front.opened())
    front.alpha.script("query", fault)
    response = front.get(f"/v1/payments/{payment['payment_id']}?refresh=true")

    assert (response.status_code, response.get_json()["state"]) == (200, "pending")


def test_refresh_of_a_paid_payment_asks_nobody(front: Front) -> None:
    """A verdict needs no question, so there is nothing to limit."""
    _, payment = front.paid_order()
    path = f"/v1/payments/{payment['payment_id']}?refresh=true"

    assert [front.get(path).status_code for _ in range(2)] == [200, 200]
    assert front.alpha.count("query") == 0


def test_read_payment_without_refresh_asks_nobody(front: Front) -> None:
    """A plain read is ours alone."""
    payment = front.started(front.opened())

    assert front.get(f"/v1/payments/{payment['payment_id']}").get_json() == payment
    assert front.alpha.count("query") == 0
