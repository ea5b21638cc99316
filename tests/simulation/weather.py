"""What concerns everybody for a while: providers that fail, our own processes that stop, a clock that is wrong."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from sandbox.faults import Fault
from tests.simulation.plan import Weather
from tests.simulation.rig import Rig

_SHIFT_SECONDS_MAX: Final = 120
"""Callbacks are fresh within 300 s; a machine that is further off is one that nobody may run."""


def announce(rig: Rig, weather: tuple[Weather, ...]) -> None:
    """Put everything on the agenda."""
    for event in weather:
        rig.later(event.at, lambda event=event: _KINDS[event.kind](rig, event))  # type: ignore[misc]


def _provider_down(rig: Rig, event: Weather) -> None:
    rig.sandbox.faults.add(Fault.ERROR_5XX_BEFORE_COMMIT, provider=event.provider, for_seconds=event.seconds)


def _provider_slow_commit(rig: Rig, event: Weather) -> None:
    rig.sandbox.faults.add(Fault.TIMEOUT_AFTER_COMMIT, provider=event.provider, for_seconds=event.seconds)


def _gateway_down(rig: Rig, event: Weather) -> None:
    rig.power_cut(event.seconds)


def _power_cut(rig: Rig, _event: Weather) -> None:
    rig.power_cut(1.0)


def _workers_down(rig: Rig, event: Weather) -> None:
    rig.workers_up = False

    def back() -> None:
        rig.workers_up = True

    rig.later(event.seconds, back)


def _clock_jump(rig: Rig, event: Weather) -> None:
    """Forwards or backwards, and right again after a while."""
    seconds = (event.at * 1000) % (2 * _SHIFT_SECONDS_MAX) - _SHIFT_SECONDS_MAX
    rig.clock_of_gateway.shift = timedelta(seconds=int(seconds))

    def right() -> None:
        rig.clock_of_gateway.shift = timedelta()

    rig.later(event.seconds, right)


_KINDS: Final[Mapping[str, Callable[[Rig, Weather], None]]] = {
    "provider_down": _provider_down,
    "provider_slow_commit": _provider_slow_commit,
    "gateway_down": _gateway_down,
    "workers_down": _workers_down,
    "clock_jump": _clock_jump,
    "power_cut": _power_cut,
}
