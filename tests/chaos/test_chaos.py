"""A short run of what `make chaos` does at length."""

import os

import pytest

from tests.chaos.hooks import Fate
from tests.chaos.points import ALL_POINTS, STALLS, Box, Ticket, chosen, moved, plan, stalls
from tests.chaos.run import Plan, run

POINTS = ("create:after_call", "create:before_answer", "callback:", "refund:after_call", "webhook:after_post", "claim:")


@pytest.mark.timeout(600)
def test_processes_killed_at_points_under_load_lose_and_double_nothing() -> None:
    """Real processes, a real SQLite file; each of these points has had its death, and the books agree."""
    finding = run(
        Plan(seed=1, engine="sqlite", only=POINTS, passages=1, stalls=0, seconds=2, people=5, web_processes=1)
    )

    assert "" == finding.fault
    assert set(chosen(POINTS)) == set(finding.points)


def test_plan_of_one_seed_is_always_the_same() -> None:
    """The command that a finding prints meets the same points in the same order."""
    assert plan(3, 2) == plan(3, 2)
    assert plan(3, 1) != plan(4, 1)
    assert sorted(ALL_POINTS * 2) == sorted(ticket.point for ticket in plan(3, 2))
    assert stalls(3, 1, 20.0) == stalls(3, 1, 20.0)
    assert {point for points in STALLS.values() for point in points} == {each.point for each in stalls(3, 1, 20.0)}


def test_ticket_is_taken_by_one_process_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Otherwise one point would be counted for two."""
    box = Box(tmp_path_factory.mktemp("box"))
    ticket = Ticket(role="web", point="callback:before_answer", passage=2)
    box.put(ticket)

    (path,) = box.states("due")
    first, second = moved(path, "fired"), moved(path, "fired")

    assert (True, False) == (first, second)
    assert [ticket] == box.tickets("fired")


def test_process_dies_at_the_passage_that_its_ticket_names(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passages are a process's own, of a point by its flow; before it begins, none is counted."""
    deaths: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _number: deaths.append(pid))
    box = Box(tmp_path_factory.mktemp("box"))
    box.put(Ticket(role="worker", point="query:before_call", passage=2))
    fate = Fate(box)
    passed = []
    for flow in ("query", "begin", "query", "refund", "query"):
        if flow == "begin":
            fate.begin()
            continue
        with fate.flow(flow):
            fate.point("before_call")
        passed.append(len(deaths))

    assert [0, 0, 0, 1] == passed
    assert ["query:before_call"] == [ticket.point for ticket in box.tickets("fired")]
