"""`make states`: writes docs/states.md."""

import tempfile
from itertools import count
from pathlib import Path

import structlog

from gateway.store import open_store, upgrade
from tests.states.document import PAGE, page
from tests.support.world import World


def main() -> None:
    """One database file for each cell."""
    structlog.configure(processors=[_drop])
    with tempfile.TemporaryDirectory() as folder:
        numbers = count(1)

        def fresh_world() -> World:
            url = f"sqlite:///{Path(folder) / f'{next(numbers)}.sqlite3'}"
            upgrade(url)
            return World(open_store(url))

        PAGE.write_text(page(fresh_world), encoding="utf-8")


def _drop(*_event: object) -> str:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
