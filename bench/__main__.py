"""`python -m bench`: measure, print one row per goal."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from bench import callbacks
from bench.board import Row, print_head, print_row
from bench.effort import FULL, QUICK, Effort
from bench.ground import Ground, fresh_ground

Measure = Callable[[Ground, Effort, frozenset[str]], Iterator[Row]]

_MEASURES: Final[tuple[tuple[frozenset[str], Measure], ...]] = (
    (frozenset({"P1", "P2", "P3", "P6", "P17"}), callbacks.measure),
)
