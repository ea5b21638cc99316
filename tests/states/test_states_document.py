"""docs/states.md says what the code does, cell by cell."""

import pytest

from tests.states.cells import Grid
from tests.states.document import GRIDS, PAGE
from tests.support.world import World

CELLS = [
    pytest.param(grid, state, event, id=f"{grid.title.lower()}-{state}-{event}")
    for grid in GRIDS
    for event in grid.happen
    for state in grid.reach
]


def written(grid: Grid, state: str, event: str) -> str:
    """The cell as it stands in the page."""
    part = PAGE.read_text(encoding="utf-8").partition(f"## {grid.title}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines() if line[:1] == "|"]
    column = rows[0].index(state)
    return next(row[column] for row in rows if row[0] == event)


@pytest.fixture
def engine() -> str:
    """One engine: what the store does on each has tests of its own."""
    return "sqlite"


@pytest.mark.parametrize(("grid", "state", "event"), CELLS)
def test_cell_of_the_page_is_what_happens(world: World, grid: Grid, state: str, event: str) -> None:
    """The page was read by people; a change of a cell is a change of behaviour."""
    assert written(grid, state, event) == grid.cell(world, state, event)


def test_page_has_no_other_rows() -> None:
    """A state or an event that the code has lost is lost in the page, too."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]

    assert sum(len(grid.happen) + 2 for grid in GRIDS) == len(lines)
