"""The simulation repeats itself, and finds what it is there to find."""

import pytest

from sandbox.keyring import Keyring, create_keyring
from tests.simulation.plan import make_plan
from tests.simulation.planted import PLANTED
from tests.simulation.run import run_seed


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return create_keyring(tmp_path_factory.mktemp("simulation") / "ring")


def test_seed_run_twice_gives_the_same_log(ring: Keyring) -> None:
    """One integer tells a whole run, crashes included."""
    first, second = (run_seed(7, 40, ring, crash_every=150) for _ in range(2))

    assert ("", first.digest, first.crashes) == (second.fault, second.digest, second.crashes)
    assert first.crashes > 0


def test_other_seed_gives_another_log(ring: Keyring) -> None:
    """The seed is what makes the difference."""
    digests = {run_seed(seed, 12, ring).digest for seed in (1, 2)}

    assert len(digests) == 2


def test_longer_plan_begins_like_the_shorter_one() -> None:
    """So that a fault found late in a long run is found by any longer one."""
    assert make_plan(3, 50).payers == make_plan(3, 80).payers[:50]


def test_surplus_that_is_kept_is_found(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """One planted defect for every run of the suite; `make planted` tries them all."""
    PLANTED["surplus_kept"](monkeypatch)

    assert "not sent back" in run_seed(1, 60, ring).fault
