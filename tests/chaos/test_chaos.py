"""A short run of what `make chaos` does at length."""

import pytest

from tests.chaos.points import ALL_POINTS, Box, Ticket, chosen, plan
from tests.chaos.run import Plan, run

POINTS = ("create:after_call", "create:before_answer", "callback:", "refund:after_call", "webhook:after_post", "claim:")


@pytest.mark.timeout(600)
def test_processes_killed_at_points_under_load_lose_and_double_nothing() -> None:
    """Real processes, a real SQLite file; each of these points has had its death, and the books agree."""
    finding = run(Plan(seed=1, engine="sqlite", only=POINTS, seconds=2, people=5))

    assert "" == finding.fault
    assert set(chosen(POINTS)) == set(finding.points)


def test_plan_of_one_seed_is_always_the_same() -> None:
    """The command that a finding prints meets the same points in the same order."""
    assert plan(3, 2) == plan(3, 2)
    assert plan(3, 1) != plan(4, 1)
    assert sorted(ALL_POINTS) == sorted(ticket.point for ticket in plan(3, 1))


def test_ticket_is_taken_by_one_process_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Otherwise one point would be counted for two."""
    box = Box(tmp_path_factory.mktemp("box"))
    ticket = Ticket(role="web", point="callback:before_answer", passage=2)
    box.put(ticket)

    first, second = box.take(101), box.take(102)

    assert first is not None
    assert ticket == first[0]
    assert second is None
