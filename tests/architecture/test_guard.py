"""The suite fails when it shrinks or when a test was skipped (N21)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import guard
from tests.guard import _Guard

OK, FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED


def ended(floor: Path, outcomes: list[str], *, exitstatus: int = OK, is_worker: bool = False) -> Any:
    """A session of these tests, ended under the guard, with the lines that it says."""
    found = _Guard()
    for number, outcome in enumerate(outcomes):
        report: Any = SimpleNamespace(skipped=outcome == "skipped", when="call", nodeid=f"test_{number}")
        found.pytest_runtest_logreport(report)
    config = SimpleNamespace(workerinput={}) if is_worker else SimpleNamespace()
    session: Any = SimpleNamespace(config=config, exitstatus=exitstatus)
    found.pytest_sessionfinish(session)
    said: list[str] = []
    terminal: Any = SimpleNamespace(line=lambda text, **_: said.append(text))
    found.pytest_terminal_summary(terminal)
    assert floor.exists()
    return session.exitstatus, said


@pytest.fixture
def floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A floor of three tests."""
    path = tmp_path / "floor.txt"
    path.write_text("3\n")
    monkeypatch.setattr(guard, "_FLOOR", path)
    return path


def test_suite_at_its_floor_passes(floor: Path) -> None:
    """Nothing is said."""
    assert (OK, []) == ended(floor, ["passed"] * 3)


def test_suite_below_its_floor_fails_and_says_by_how_many(floor: Path) -> None:
    """Although every test that ran has passed."""
    status, said = ended(floor, ["passed"] * 2)

    assert status == FAILED
    assert said == ["only 2 tests ran; 3 did before (tests/floor.txt)"]


def test_suite_with_a_skipped_test_fails_and_names_it(floor: Path) -> None:
    """Whatever the reason."""
    status, said = ended(floor, ["passed", "passed", "passed", "skipped"])

    assert status == FAILED
    assert said == ["SKIPPED, which the suite does not allow: test_3"]


def test_suite_that_failed_anyway_keeps_its_own_verdict(floor: Path) -> None:
    """An interrupted run is told as such."""
    assert ended(floor, [], exitstatus=pytest.ExitCode.INTERRUPTED)[0] == pytest.ExitCode.INTERRUPTED


def test_worker_of_a_divided_suite_judges_nothing(floor: Path) -> None:
    """Each sees a part only; the one that gathers them judges."""
    assert ended(floor, ["passed"], is_worker=True)[0] == OK


def test_continuous_integration_runs_the_guarded_suite() -> None:
    """`.ci/run` runs `make test`, which loads the guard."""
    root = Path(__file__).parents[2]
    recipe = (root / "Makefile").read_text().partition("\ntest:")[2].partition("\n\n")[0]

    assert "make test" in (root / ".ci" / "run").read_text().splitlines()
    assert "-p tests.guard" in recipe
