"""Takes the place of an adapter's eyes."""

from gateway.domain.provider import Callback, RawCallback

PATH = "/callbacks/alpha/alpha_main"


class Recorder:
    """Takes the place of `parse_callback`: keeps what came, answers or raises what it is told to."""

    def __init__(self, outcome: Callback | Exception) -> None:
        self._outcome = outcome
        self.seen: list[RawCallback] = []

    def __call__(self, raw: RawCallback) -> Callback:
        self.seen.append(raw)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome
