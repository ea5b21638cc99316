"""The event chain by fixed values: a hash that is computed in another way makes every stored history a broken one."""

import hashlib
from typing import Any

from gateway.domain.events import CHAIN_START, event_hash, next_event
from tests.support.clock import START

MEMBERS: dict[str, Any] = {
    "order_id": "ord_1",
    "seq": 1,
    "kind": "order_opened",
    "at": START,
    "actor": "app:wallet",
    "evidence_id": "ntf_1",
    "detail": '{"note":"缴费"}',
}


def test_hash_is_taken_over_the_fields_joined_by_unit_separators() -> None:
    """The bytes, written out once by hand; the time is in microseconds."""
    line = f'{"0" * 64}\x1ford_1\x1f1\x1forder_opened\x1f1772331630123456\x1fapp:wallet\x1fntf_1\x1f{{"note":"缴费"}}'

    assert hashlib.sha256(line.encode()).hexdigest() == event_hash(CHAIN_START, **MEMBERS)


def test_hash_without_evidence_has_an_empty_field() -> None:
    """None is no text."""
    line = f'{"0" * 64}\x1ford_1\x1f1\x1forder_opened\x1f1772331630123456\x1fapp:wallet\x1f\x1f{{"note":"缴费"}}'

    assert hashlib.sha256(line.encode()).hexdigest() == event_hash(CHAIN_START, **MEMBERS | {"evidence_id": None})


def test_next_event_follows_the_last_and_tells_its_detail_in_one_spelling() -> None:
    """Sorted keys, no blanks, Chinese as it is; the number after the last one; the hash over all of it."""
    event = next_event(
        order_id="ord_1",
        after_seq=6,
        after_hash="a" * 64,
        kind="order_paid",
        at=START,
        actor="worker",
        detail={"b": 1, "a": "缴费"},
    )
    expected = MEMBERS | {
        "seq": 7,
        "kind": "order_paid",
        "actor": "worker",
        "evidence_id": None,
        "detail": '{"a":"缴费","b":1}',
    }

    assert expected | {"hash": event_hash("a" * 64, **expected)} == {
        name: getattr(event, name) for name in (*expected, "hash")
    }
