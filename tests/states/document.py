"""Writes the grids as docs/states.md."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.states.cells import ORDERS, PAYMENTS, REFUNDS, Grid
from tests.states.returned import COLLECTED, OWED
from tests.support.world import World

GRIDS: Final = (PAYMENTS, ORDERS, REFUNDS, OWED, COLLECTED)
PAGE: Final = Path(__file__).parents[2] / "docs" / "states.md"
_HEAD: Final = """\
# States and events

Every state against every event, made by doing each one in a fresh world (`make states` writes this page; the tests do
it again and compare). `→ x` is a move; `applied`, `duplicate`, `quarantined` and `orphan` are what became of the
message where the state stayed; `refused` is what the app is told. After every cell the invariants were checked.
"""


def page(fresh_world: Callable[[], World]) -> str:
    """The whole page, from one fresh world per cell."""
    return _HEAD + "".join(f"\n{part}" for grid in GRIDS for part in _grid(grid, fresh_world))


def _grid(grid: Grid, fresh_world: Callable[[], World]) -> Iterator[str]:
    yield f"## {grid.title}\n"
    yield f"{grid.says}\n"
    rows = [["event", *grid.reach], ["---"] * (len(grid.reach) + 1)]
    rows += [[event, *(grid.cell(fresh_world(), state, event) for state in grid.reach)] for event in grid.happen]
    yield "".join(f"| {' | '.join(row)} |\n" for row in rows)
