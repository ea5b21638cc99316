"""Refunds made outside, put on record over HTTP: operators alone, by role; a dry run first."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.domain.operator import Role
from tests.support.collecting import VILLAGE
from tests.support.world import AMOUNT_FEN
from tests.web.both import BOTH
from tests.web.front import API_KEY, Front, problem
from tests.web.test_collections import a_record, submit
from tests.web.test_replays import KEYS, OPERATORS

PATH = "/ops/v1/offline-refunds"


@pytest.fixture
def front(make_front: Callable[..., Front]) -> Front:
    return make_front(agents={VILLAGE.name: VILLAGE}, operators=OPERATORS)


def collected(front: Front) -> dict[str, Any]:
    """A refund of a premium that an agent took in cash and has given back."""
    [result] = submit(front, a_record()).get_json()["results"]
    return {"payment_id": result["payment_id"], "reference": "TK-7", "returned_on": "2026-03-01", "why": "paid twice"}


def ask(front: Front, body: Any, credential: str = KEYS[Role.OPERATOR]) -> TestResponse:
    return front.call("POST", PATH, body=body, credential=credential)


@BOTH
def test_offline_refund_is_rehearsed_recorded_and_known(front: Front) -> None:
    """200 and nothing changed; then 201 with the same changes; then 200 and none."""
    body = collected(front)
    dry = ask(front, body | {"dry_run": True})
    untouched = front.payment(body["payment_id"]).amount_refunded_fen
    real, again = ask(front, body), ask(front, body)

    assert (200, 201, 200) == (dry.status_code, real.status_code, again.status_code)
    assert (0, None) == (untouched, dry.get_json()["refund_id"])
    assert dry.get_json()["changes"] == real.get_json()["changes"] != []
    assert ("unchanged", []) == (again.get_json()["outcome"], again.get_json()["changes"])
    assert AMOUNT_FEN == front.payment(body["payment_id"]).amount_refunded_fen
    assert "operator" == real.get_json()["who"]


@pytest.mark.parametrize(("role", "status"), [(r, 403 if r is Role.VIEWER else 201) for r in Role])
def test_only_operators_and_above_may_record_one(front: Front, role: Role, status: int) -> None:
    """A viewer looks."""
    assert status == ask(front, collected(front), KEYS[role]).status_code


def test_apps_may_not_record_one(front: Front) -> None:
    """An app's key is known, and of no use here."""
    assert 403 == ask(front, collected(front), API_KEY).status_code


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_id": "pay_1"},
        {"reference": ""},
        {"reference": "7" * 65},
        {"amount_fen": 0},
        {"amount_fen": "101"},
        {"returned_on": "2026-03-02"},
        {"returned_on": "yesterday"},
        {"why": ""},
    ],
    ids=["no-id", "no-paper", "long-paper", "nothing", "text", "future", "no-day", "no-reason"],
)
def test_offline_refund_at_fault_is_refused(front: Front, changes: dict[str, Any]) -> None:
    """422 with the fields at fault; nothing is done."""
    body = collected(front)

    assert 422 == ask(front, body | changes).status_code
    assert 0 == front.payment(body["payment_id"]).amount_refunded_fen


def test_refusals_of_an_offline_refund_name_what_to_do(front: Front) -> None:
    """Its provider can be asked; more than is left; the paper stands for another sum."""
    body = collected(front)
    online = front.start(front.open())
    front.pay(online)
    through = ask(front, body | {"payment_id": online.id})
    too_much = ask(front, body | {"amount_fen": AMOUNT_FEN + 1})
    ask(front, body | {"amount_fen": 101})
    reused = ask(front, body | {"amount_fen": 102})

    assert (409, "refund_through_provider") == problem(through)
    assert (409, "refund_exceeds_payment") == problem(too_much)
    assert (422, "refund_reference_reused") == problem(reused)
