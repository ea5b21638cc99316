"""`python -m tests.services.machines`: more histories than the suite has time for, from a seed."""

import argparse
import tempfile
from pathlib import Path

import structlog

from gateway.store import upgrade
from tests.services.machines.run import run_histories


def main() -> None:
    """Run and tell what was reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.services.machines", description=__doc__)
    parser.add_argument("--examples", type=int, default=2_000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as name:
        template = Path(name) / "template.sqlite3"
        upgrade(f"sqlite:///{template}")
        reached = run_histories(template, Path(name), examples=given.examples, steps=given.steps, seed=given.seed)
    for what, often in sorted(reached.items()):
        print(f"{often:8} {what}")


if __name__ == "__main__":
    main()
