"""Every source of chance in the process, made from one seed, so that a seed tells a whole run."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from unittest.mock import patch

from gateway.domain.clock import Clock


class SeededIds:
    """uuid7 in shape: the virtual instant's milliseconds, a counter that keeps the order of making, seeded digits."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance
        self._made = 0

    def new(self) -> str:
        self._made += 1
        millis = _milliseconds(self._clock.now()) & 0xFFFFFFFFFFFF
        tail = self._chance.getrandbits(32)
        return f"{millis:012x}7{self._made >> 20 & 0xFFF:03x}8{self._made & 0xFFFFF:07x}{tail:08x}"


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, `os.urandom`, `secrets`, `uuid.uuid4` and `random` repeat themselves for an equal seed."""
    source = random.Random(f"urandom/{seed}")
    before = random.getstate()
    random.seed(seed)
    with ExitStack() as stack:
        for place in ("os.urandom", "random._urandom"):
            stack.enter_context(patch(place, source.randbytes))
        yield
    random.setstate(before)
