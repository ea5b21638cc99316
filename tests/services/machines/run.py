"""Runs the machine so and so often."""

from collections import Counter
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.services.machines.machine import Machine


def run_histories(
    template: Path, folder: Path, *, examples: int, steps: int, seed: int, shrink: bool = True
) -> Counter[str]:
    """
    Live through so many histories of at most so many steps; what they came to, counted.

    Args:
        template: A migrated SQLite file without a row.
        seed: Of one seed the histories are the same every time.

    Raises:
        AssertionError: Something did not hold; the steps that lead there are printed, as few as were found.
    """
    empty, reached = template.read_bytes(), Counter[str]()

    def machine() -> Machine:
        return Machine(empty, folder, reached)

    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=chosen)  # type: ignore[arg-type]
    return reached
