"""Answers that a fault has spoilt: lost on the way, cut in half, or replaced by somebody's error page."""

from dataclasses import replace
from typing import Final

from sandbox.faults import FaultRule
from sandbox.wire import Answer

LOST_SECONDS: Final = 30
"""How long a lost answer keeps a live caller waiting, unless the rule says otherwise."""

_PAGE: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


def lost_answer(rule: FaultRule) -> Answer:
    """No answer at all."""
    return Answer(status=0, lost=True, lost_after_seconds=LOST_SECONDS if rule.seconds is None else rule.seconds)


def html_answer() -> Answer:
    """A page under HTTP 200, as proxies in between send it."""
    return Answer(status=200, headers={"Content-Type": "text/html; charset=utf-8"}, body=_PAGE.encode("utf-8"))


def spoilt_answer(sound: Answer) -> Answer:
    """The first half of the body under the headers of the whole."""
    return replace(sound, body=sound.body[: len(sound.body) // 2])
