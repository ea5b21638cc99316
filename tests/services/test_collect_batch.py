"""A batch under one idempotency key: every line by itself, resumed after a crash, answered byte for byte again."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.domain.collection import LineResult, SubmittedLine
from gateway.domain.refusal import Refusal
from gateway.services.collect import Collector, collect_batch, preview_batch
from gateway.services.idempotent import LEASE, KeyedRequest, Reply
from gateway.store import StoreUnavailable
from tests.support.collecting import person, record, with_agents
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import World

LINES = [SubmittedLine(line_no=n, record=record(f"T-{n}", subject=person(n))) for n in range(1, 6)]
BAD = SubmittedLine(line_no=6, record=None, errors={"proof_no": ["is missing"]})


@pytest.fixture
def world(store: Any) -> World:
    return with_agents(World(store))


def _render(batch_id: str, results: list[LineResult]) -> Reply:
    members = [[one.line_no, one.outcome.value, one.order_id] for one in results]
    return Reply(status=200, body=json.dumps([batch_id, members]).encode())


def _collect(world: World, lines: Sequence[SubmittedLine], request: KeyedRequest) -> Reply:
    return collect_batch(world.deps, "village", lines, request, _render)


def _outcomes(reply: Reply) -> list[str]:
    return [outcome for _, outcome, _ in json.loads(reply.body)[1]]


def test_batch_sent_again_gets_the_stored_answer(world: World, database: Database) -> None:
    """Byte for byte, and nothing is done."""
    request = world.request(app="village")
    first = _collect(world, [*LINES, BAD], request)
    again = _collect(world, [*LINES, BAD], request)

    assert _outcomes(first) == ["accepted"] * 5 + ["invalid"]
    assert (again.body, again.replayed) == (first.body, True)
    assert database.rows("SELECT count(*) FROM orders") == [(5,)]
    assert_invariants(world.store)


def test_batch_broken_off_in_the_middle_resumes_with_each_lines_own_result(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two lines were in when the process died: the same request tells them as accepted, once each."""
    request = world.request(app="village")
    take = Collector.take

    def dies(self: Collector, line: SubmittedLine) -> LineResult:
        if line.line_no == 3:
            raise StoreUnavailable("gone")
        return take(self, line)

    monkeypatch.setattr(Collector, "take", dies)
    with pytest.raises(StoreUnavailable):
        _collect(world, LINES, request)
    monkeypatch.setattr(Collector, "take", take)

    with pytest.raises(Refusal) as caught:
        _collect(world, LINES, request)
    world.clock.advance(seconds=LEASE.total_seconds())
    resumed = _collect(world, LINES, request)

    assert caught.value.code == "idempotency_in_flight"
    assert _outcomes(resumed) == ["accepted"] * 5
    assert database.rows("SELECT count(*) FROM orders") == [(5,)]
    assert database.rows("SELECT count(DISTINCT batch_id) FROM collections") == [(1,)]
    assert _outcomes(_collect(world, LINES, world.request(app="village"))) == ["duplicate"] * 5
    assert_invariants(world.store)


def test_batch_preview_writes_nothing(world: World, database: Database) -> None:
    """Not even a key."""
    foreseen = preview_batch(world.deps, "village", [*LINES, BAD])

    assert [one.outcome for one in foreseen] == ["accepted"] * 5 + ["invalid"]
    for table in ("orders", "collections", "notifications", "idempotency_keys", "review_items"):
        assert database.rows(f"SELECT count(*) FROM {table}") == [(0,)]
