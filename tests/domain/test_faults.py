"""Where a fault happened, told by names and lines alone."""

import re
from collections.abc import Callable
from functools import partial

import pytest

from gateway.domain.faults import frames_of

CANARY = "canary-of-a-message"


def fall(depth: int) -> None:
    if depth:
        fall(depth - 1)
    raise ValueError(CANARY)


def caught(work: Callable[[], None]) -> ValueError:
    try:
        work()
    except ValueError as exc:
        return exc
    raise AssertionError("nothing was raised")


def test_frames_name_module_function_and_line_from_the_outside_in() -> None:
    """Enough to find the place; the message is not among it."""
    raised, called = caught.__code__.co_firstlineno + 2, fall.__code__.co_firstlineno
    frames = frames_of(caught(partial(fall, 1)))

    assert [f"{__name__}.caught:{raised}", f"{__name__}.fall:{called + 2}", f"{__name__}.fall:{called + 3}"] == frames
    assert CANARY not in "".join(frames)


@pytest.mark.parametrize(("depth", "count"), [(0, 2), (10, 12), (11, 12), (50, 12)])
def test_twelve_innermost_frames_are_kept(depth: int, count: int) -> None:
    """A fault in a deep recursion does not fill the log; where it was raised is always there."""
    frames = frames_of(caught(partial(fall, depth)))

    assert count == len(frames)
    assert re.search(r"\.fall:\d+\Z", frames[-1])
    assert (depth <= 10) is (".caught:" in frames[0])


def test_error_that_was_never_raised_has_no_frames() -> None:
    """Nothing to tell."""
    assert [] == frames_of(ValueError(CANARY))


def test_code_without_a_module_is_still_named() -> None:
    """Code that was made from text has no module name."""
    made: dict[str, Callable[[], None]] = {}
    exec("def made():\n    raise ValueError", {"__builtins__": __builtins__}, made)

    assert "?.made:2" == frames_of(caught(made["made"]))[-1]
