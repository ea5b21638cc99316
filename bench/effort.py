"""How much of everything a run does."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """
    Attributes:
        pairs: Runs of each side, one after the other; the median counts.
        callbacks: First deliveries in one run over HTTP.
        warm_up: Deliveries before the first run that counts.
        calls: Calls in one run in process.
        creates: Payments started in one run over HTTP.
        crypto: Signatures or verifications in one run beside a peer.
        stored: Orders stored for P10.
    """

    pairs: int
    callbacks: int
    warm_up: int
    calls: int
    creates: int
    crypto: int
    stored: int


FULL: Final = Effort(pairs=5, callbacks=1000, warm_up=200, calls=300, creates=800, crypto=200, stored=100_000)
QUICK: Final = Effort(pairs=3, callbacks=300, warm_up=60, calls=100, creates=320, crypto=50, stored=20_000)
