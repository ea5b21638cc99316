"""`python -m bench`: measure, and print one row for each goal."""

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from bench import callbacks, commits, cost, creates, drain, floor_rate, growth, peers
from bench.board import Row, print_head, print_row
from bench.effort import FULL, QUICK, Effort
from bench.ground import Ground, fresh_ground

Measure = Callable[[Ground, Effort, frozenset[str]], Iterator[Row]]

_MEASURES: Final[tuple[Measure, ...]] = (
    callbacks.measure,
    cost.measure,
    commits.measure,
    creates.measure,
    growth.measure,
    drain.measure,
    peers.measure,
    floor_rate.measure,
)
_IDS: Final = ("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P10", "P11", "P12", "P13", "P14", "P15", "P17", "F4")
_LATER: Final = "P9, P16"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures as ratios; see docs/performance.md.")
    parser.add_argument("--only", metavar="P4,P15", help="these rows alone")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: a look, not a figure")
    parser.add_argument("--stored", type=int, metavar="N", help="orders stored for P10")
    arguments = parser.parse_args()
    arguments.only = frozenset(arguments.only.upper().split(",")) if arguments.only else frozenset(_IDS)
    if unknown := arguments.only - set(_IDS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(_IDS)}")
    return arguments


def main() -> None:
    """Measure what was asked for. The exit status says nothing of the figures."""
    arguments = _arguments()
    effort = QUICK if arguments.quick else FULL
    if arguments.stored:
        effort = replace(effort, stored=arguments.stored)
    warnings.filterwarnings("ignore", module="platformdirs")
    print_head()
    for measure in _MEASURES:
        with fresh_ground() as ground:
            for row in measure(ground, effort, arguments.only):
                print_row(row)
    print(f"not measured here: {_LATER}; they concern what is not built yet")


if __name__ == "__main__":
    main()
