"""The journeys of an app over HTTP: open, pay, read, list, refund, close."""

import pytest
from structlog.testing import capture_logs  # noqa: F401

from tests.web.both import BOTH
from tests.web.front import PERSON, SUBJECT, Front


@BOTH
def test_journey_to_a_paid_order_ends_in_a_paid_order(front: Front) -> None:
    """Open, start, callback, read."""
    order = front.opened(subject=SUBJECT)
    front.settled(front.started(order))
    shown = front.get(f"/v1/orders/{order['order_id']}").get_json()

    assert shown["state"] == "paid"
