"""Answers that a fault has spoilt: lost on the way, cut in half, or replaced by somebody's error page."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sandbox.faults import Fault, FaultRule
from sandbox.wire import Answer

LOST_SECONDS: Final = 30
"""How long a lost answer keeps a live caller waiting, unless the rule says otherwise."""

_PAGE: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


def struck_answer(
    rule: FaultRule, sound: Answer | None, *, limited: Callable[[], Answer], broken: Callable[[], Answer]
) -> Answer:
    """
    What a fault leaves of a request.

    Args:
        sound: The whole answer, where the request was committed.
        limited: The provider's own words for too many requests.
        broken: The provider's own system error.
    """
    if rule.fault in {Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT}:
        return lost_answer(rule)
    if rule.fault is Fault.RATE_LIMITED:
        return limited()
    if rule.fault is Fault.HTML_ANSWER:
        return html_answer()
    if rule.fault is Fault.HALF_JSON and sound is not None:
        return spoilt_answer(sound)
    return broken()


def lost_answer(rule: FaultRule) -> Answer:
    """No answer at all."""
    return Answer(status=0, lost=True, lost_after_seconds=LOST_SECONDS if rule.seconds is None else rule.seconds)


def html_answer() -> Answer:
    """A page under HTTP 200, as proxies in between send it."""
    return Answer(status=200, headers={"Content-Type": "text/html; charset=utf-8"}, body=_PAGE.encode("utf-8"))


def spoilt_answer(sound: Answer) -> Answer:
    """The first half of the body under the headers of the whole."""
    return replace(sound, body=sound.body[: len(sound.body) // 2])
