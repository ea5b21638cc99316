"""F4: how fast one connection inserts single rows; the task rows of a later time will stand beside it."""

import uuid
from collections.abc import Iterator

from bench.board import Row, median, per_second
from bench.effort import Effort
from bench.floors import create_floor_table, insert_rate
from bench.ground import Ground


def measure(ground: Ground, effort: Effort, wanted: frozenset[str]) -> Iterator[Row]:
    """PostgreSQL against SQLite; shown, not judged."""
    if "F4" not in wanted:
        return
    urls = (ground.postgres("rate"), ground.sqlite("rate"))
    for url in urls:
        create_floor_table(url)
    postgres: list[float] = []
    sqlite: list[float] = []
    for _ in range(effort.pairs):
        for url, rates in zip(urls, (postgres, sqlite), strict=True):
            rates.append(insert_rate(url, [(uuid.uuid4().hex, bytes(200)) for _ in range(effort.calls)]))
    yield Row(
        id="F4",
        what="single-row commits of one connection, PostgreSQL to SQLite",
        goal=None,
        ratio=median(postgres) / median(sqlite),
        ours=per_second(median(postgres)),
        floor=per_second(median(sqlite)),
    )
