"""A thousand equal requests at once."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import TestResponse

from tests.support.invariants import assert_invariants
from tests.web.both import BOTH
from tests.web.front import API_KEY, Front, bearer

CALLS = 1000
THREADS = 50  # each holds a connection, of which PostgreSQL gives a hundred
PAYMENT = json.dumps({"provider": "alpha", "method": "native"})


class Rush:
    """Many clients that send one and the same request."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._mutex = threading.Lock()
        self.path = f"/v1/orders/{front.opened()['order_id']}/payments"
        self.answers: list[TestResponse] = []
        self.others_answered = threading.Event()

    def send(self, _: int = 0) -> TestResponse:
        headers = bearer(API_KEY) | {"Idempotency-Key": "one-key", "Content-Type": "application/json"}
        response = self._front.app.test_client().post(self.path, data=PAYMENT, headers=headers)
        with self._mutex:
            self.answers.append(response)
            if len(self.answers) == CALLS - 1:
                self.others_answered.set()
        return response

    def run(self) -> list[int]:
        with ThreadPoolExecutor(THREADS) as pool:
            return [response.status_code for response in pool.map(self.send, range(CALLS))]


@BOTH
@pytest.mark.timeout(60)
def test_thousand_equal_requests_make_one_provider_call(front: Front) -> None:
    """Whoever is not first hears that the first is running, or gets its very answer."""
    rush = Rush(front)
    statuses = rush.run()
    created = [response for response in rush.answers if response.status_code == 201]

    assert front.alpha.count("create") == 1
    assert set(statuses) <= {201, 409}
    assert len({response.data for response in created}) == 1
    assert [response.headers.get("Idempotency-Replayed") for response in created].count(None) == 1
    assert_invariants(front.store)


@BOTH
@pytest.mark.timeout(60)
def test_thousand_equal_requests_while_the_provider_thinks_are_told_to_wait(front: Front) -> None:
    """The provider answers only after all the others have had theirs."""
    rush = Rush(front)
    front.alpha.script("create", lambda _: rush.others_answered.wait(50) and None)
    statuses = rush.run()
    again = rush.send()

    assert rush.others_answered.is_set()
    assert (statuses.count(201), statuses.count(409)) == (1, CALLS - 1)
    assert front.alpha.count("create") == 1
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert_invariants(front.store)
