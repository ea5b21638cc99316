"""The event chain: every field of every line is bound to all lines before it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.events import CHAIN_START, event_hash, next_event
from gateway.domain.order import Event
from gateway.domain.schedule import QUERY_PAUSES, pause
from tests.support.clock import START
from tests.support.rows import an_event
from tests.support.world import World


def _hash(event: Event, previous: str) -> str:
    return event_hash(
        previous,
        order_id=event.order_id,
        seq=event.seq,
        kind=event.kind,
        at=event.at,
        actor=event.actor,
        evidence_id=event.evidence_id,
        detail=event.detail,
    )


CHANGES = {
    "order_id": {"order_id": "ord_2"},
    "seq": {"seq": 2},
    "kind": {"kind": "order_paid"},
    "at": {"at": START + timedelta(microseconds=2)},
    "actor": {"actor": "app:other"},
    "evidence_id": {"evidence_id": "ntf_2"},
    "evidence_removed": {"evidence_id": None},
    "detail": {"detail": '{"名":"别"}'},
}


@pytest.mark.parametrize("name", CHANGES)
def test_event_with_one_field_changed_has_another_hash(name: str) -> None:
    """Nothing in a line can be changed unseen."""
    event = an_event()
    assert event.hash == _hash(event, CHAIN_START)

    assert event.hash != _hash(replace(event, **CHANGES[name]), CHAIN_START)


def test_event_after_another_line_has_another_hash() -> None:
    """Nor can a line before it."""
    event = an_event()

    assert event.hash != _hash(event, "1" * 64)


def test_event_detail_is_written_in_one_way() -> None:
    """Sorted keys, no blanks, Chinese as it is."""
    event = an_event(b=1, a="退保")

    assert event.detail == '{"a":"退保","b":1}'
    assert event.seq == 1


def test_event_of_a_journey_names_its_actor(world: World) -> None:
    """Who did it is on record: the app, the provider, the worker."""
    order, _payment = world.paid()
    world.refund(order, 100)
    world.work()
    actors = [(e.kind, e.actor) for e in world.store.read().events_page(order.id, after=0, limit=99)]

    assert actors == [
        ("order_opened", "app:wallet"),
        ("payment_created", "app:wallet"),
        ("payment_pending", "provider:alpha_main"),
        ("instruction_given", "provider:alpha_main"),
        ("payment_paid", "provider:alpha_main"),
        ("order_paid", "provider:alpha_main"),
        ("refund_requested", "app:wallet"),
        ("refund_submitted", "worker"),
    ]


@pytest.mark.parametrize(
    ("tries", "seconds"), [(0, 10), (1, 10), (2, 20), (9, 3600), (10, 3600), (10_000, 3600)], ids=str
)
def test_pause_grows_and_its_last_step_repeats(tries: int, seconds: int) -> None:
    """Unknown always has a next look."""
    assert pause(QUERY_PAUSES, tries) == timedelta(seconds=seconds)


def test_next_event_continues_the_count() -> None:
    """Positions have no gaps."""
    first = an_event()
    second = next_event(
        order_id="ord_1",
        after_seq=first.seq,
        after_hash=first.hash,
        kind="order_paid",
        at=START,
        actor="worker",
        detail={},
    )

    assert (second.seq, second.evidence_id, second.detail) == (2, None, "{}")
    assert second.hash == _hash(second, first.hash)
