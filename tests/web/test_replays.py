"""Replays over HTTP: operators alone, by role; a dry run first, the same words from the run."""

import hashlib
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.domain.operator import Operator, Role
from gateway.store import Store
from tests.support.databases import Database
from tests.web.both import BOTH
from tests.web.front import API_KEY, Front

KEYS = {role: f"test-key-of-the-{role.value}" for role in Role}


OPERATORS = {
    role.value: Operator(name=role.value, role=role, api_key_digests=(hashlib.sha256(key.encode()).hexdigest(),))
    for role, key in KEYS.items()
}


@pytest.fixture
def front(store: Store, database: Database) -> Front:
    """With one operator of each role."""
    return Front(store, database.url, operators=OPERATORS)


def ask(front: Front, body: Any, credential: str = KEYS[Role.OPERATOR]) -> TestResponse:
    return front.call("POST", "/ops/v1/replays", body=body, credential=credential)


def lost_callback(front: Front) -> dict[str, Any]:
    """A payment that is paid at the provider, whose callback never came."""
    payment = front.start(front.open())
    front.alpha.pay(payment.out_trade_no)
    return {"kind": "query", "ids": [payment.id], "why": "the payer telephoned"}


@BOTH
def test_dry_run_tells_what_the_run_changes(front: Front) -> None:
    """200 and nothing changed; then 201 with the same items; then 201 and no changes."""
    body = lost_callback(front)
    dry = ask(front, body | {"dry_run": True})
    untouched = front.payment(body["ids"][0])
    real, again = ask(front, body), ask(front, body)

    assert (200, 201, 201) == (dry.status_code, real.status_code, again.status_code)
    assert (untouched.state, dry.get_json()["replay_id"]) == ("pending", None)
    assert dry.get_json()["items"] == real.get_json()["items"]
    assert [] == again.get_json()["items"][0]["changes"]
    assert front.payment(body["ids"][0]).state == "paid"


def test_replay_can_be_read_afterwards_by_viewers(front: Front) -> None:
    """As it was answered."""
    real = ask(front, lost_callback(front)).get_json()
    response = front.get(f"/ops/v1/replays/{real['replay_id']}", credential=KEYS[Role.VIEWER])

    assert real == response.get_json()
    assert real["who"] == "operator"


@pytest.mark.parametrize(("role", "status"), [(r, 403 if r is Role.VIEWER else 201) for r in Role])
def test_only_operators_and_above_may_replay(front: Front, role: Role, status: int) -> None:
    """A viewer looks."""
    assert status == ask(front, lost_callback(front), KEYS[role]).status_code


@pytest.mark.parametrize(("credential", "status"), [(API_KEY, 403), ("unknown", 401), ("", 401)])
def test_apps_and_strangers_may_not(front: Front, credential: str, status: int) -> None:
    """An app's key is known, and of no use here."""
    assert status == ask(front, lost_callback(front), credential).status_code


def test_operators_key_is_of_no_use_for_apps_calls(front: Front) -> None:
    """Nor the other way round."""
    assert front.get("/v1/orders", credential=KEYS[Role.ADMIN]).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": []},
        {"filter": {"state": "pending", "since": "2026-03-01T00:00:00+08:00"}},
        {"kind": "money"},
        {"why": ""},
        {"ids": ["pay_1"] * 201},
        {"ids": ["DROP TABLE"]},
    ],
    ids=["neither", "both", "unknown-kind", "no-reason", "too-many", "no-id"],
)
def test_request_at_fault_is_refused(front: Front, changes: dict[str, Any]) -> None:
    """422 with the fields at fault; nothing is done."""
    body = lost_callback(front) | changes

    assert ask(front, body).status_code == 422


def test_filter_of_a_state_that_is_none_of_the_kinds_is_refused(front: Front) -> None:
    """422."""
    chosen = {"state": "paid", "since": "2026-03-01T00:00:00+08:00"}

    assert ask(front, {"kind": "query", "filter": chosen, "why": "x"}).status_code == 422


def test_unknown_replay_is_not_found(front: Front) -> None:
    """404."""
    assert front.get(f"/ops/v1/replays/rep_{'0' * 32}", credential=KEYS[Role.VIEWER]).status_code == 404
