"""Refunds and closing over HTTP."""

import pytest

from tests.support.invariants import assert_invariants
from tests.web.both import BOTH
from tests.web.front import Front, problem


@BOTH
def test_refund_in_parts_is_followed_to_its_end(front: Front) -> None:
    """Accepted at once, submitted by the worker, proven by the provider's notice."""
    order, payment = front.paid_order()
    response = front.post(f"/v1/orders/{order['order_id']}/refunds", {"client_refund_no": "R-1", "amount_fen": 8001})
    refund = response.get_json()
    front.work()
    submitted = front.get(f"/v1/refunds/{refund['refund_id']}").get_json()
    entry = front.alpha.refunds[refund["out_refund_no"]]
    entry.state = type(entry.state).SUCCEEDED
    front.deliver_to(payment["account"], front.alpha.refund_callback(refund["out_refund_no"]))
    done = front.get(f"/v1/refunds/{refund['refund_id']}").get_json()
    shown = front.get(f"/v1/orders/{order['order_id']}").get_json()

    assert (response.status_code, refund["state"], refund["reason"]) == (202, "requested", "asked")
    assert submitted["state"] == "submitted"
    assert (done["state"], done["amount_fen"]) == ("succeeded", 8001)
    assert done["evidence_id"].startswith("ntf_")
    assert (shown["amount_refunded_fen"], shown["refunds"]) == (8001, [done])
    assert_invariants(front.store)


def test_refund_without_amount_takes_all_that_is_left(front: Front) -> None:
    """What is under way counts as gone."""
    order, _ = front.paid_order()
    path = f"/v1/orders/{order['order_id']}/refunds"
    front.post(path, {"client_refund_no": "R-1", "amount_fen": 8001})

    assert front.post(path, {"client_refund_no": "R-2"}).get_json()["amount_fen"] == 30000


def test_refund_of_one_fen_too_many_is_refused_with_what_is_left(front: Front) -> None:
    """The whole amount plus one."""
    order, _ = front.paid_order()
    response = front.post(f"/v1/orders/{order['order_id']}/refunds", {"client_refund_no": "R-1", "amount_fen": 38002})

    assert problem(response) == (409, "refund_exceeds_payment")
    assert response.get_json()["refundable_fen"] == 38001


def test_refund_of_an_unpaid_order_is_refused_with_its_state(front: Front) -> None:
    """Only money that came can go back."""
    order = front.opened()
    response = front.post(f"/v1/orders/{order['order_id']}/refunds", {"client_refund_no": "R-1"})

    assert problem(response) == (409, "order_not_paid")
    assert response.get_json()["order_state"] == "open"


def test_refund_number_with_another_amount_is_refused(front: Front) -> None:
    """The same number with the same amount is the same refund, under any key."""
    order, _ = front.paid_order()
    path = f"/v1/orders/{order['order_id']}/refunds"
    first = front.post(path, {"client_refund_no": "R-1", "amount_fen": 8001})
    same = front.post(path, {"client_refund_no": "R-1", "amount_fen": 8001})
    other = front.post(path, {"client_refund_no": "R-1", "amount_fen": 8002})

    assert first.get_json() == same.get_json()
    assert problem(other) == (422, "client_refund_no_reused")


@BOTH
def test_close_of_an_order_without_payments_is_closed_at_once(front: Front) -> None:
    """200: nothing can be paid any more."""
    order = front.opened()
    response = front.post(f"/v1/orders/{order['order_id']}/close")

    assert (response.status_code, response.get_json()["state"]) == (200, "closed")
    assert response.get_json()["next_steps"] == []


@BOTH
def test_close_with_an_open_payment_is_closing_until_it_is_proven_unpayable(front: Front) -> None:
    """N1: 202 first; closed only after the provider has closed it."""
    order = front.opened()
    front.started(order)
    response = front.post(f"/v1/orders/{order['order_id']}/close")
    front.work()

    assert (response.status_code, response.get_json()["state"]) == (202, "closing")
    assert front.get(f"/v1/orders/{order['order_id']}").get_json()["state"] == "closed"
    assert front.alpha.count("close") == 1
    assert_invariants(front.store)


def test_close_of_a_paid_order_is_refused_with_its_state(front: Front) -> None:
    """A paid order is refunded, not closed."""
    order, _ = front.paid_order()
    response = front.post(f"/v1/orders/{order['order_id']}/close")

    assert problem(response) == (409, "order_already_paid")
    assert response.get_json()["order_state"] == "paid"


@pytest.mark.parametrize("body", [b"", b"{}", b"junk"], ids=["none", "object", "junk"])
def test_close_reads_no_body(front: Front, body: bytes) -> None:
    """The call has no body to be wrong about."""
    order = front.opened()

    assert front.post(f"/v1/orders/{order['order_id']}/close", body).status_code == 200
