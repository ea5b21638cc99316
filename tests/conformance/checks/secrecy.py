"""What must never be seen, and what must happen once: canaries in texts, keys parsed while messages pass."""

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any, Final

from gateway.domain.provider import RawCallback
from tests.conformance.case import AdapterCase, FixedClock
from tests.conformance.checks import callbacks, outgoing
from tests.conformance.loading import good_calls
from tests.conformance.network import Reply, connection_refused, playing

_KEY_LOADER: Final = re.compile(r"load_(?:pem|der|ssh)_\w+|public_key|private_numbers|public_numbers")


def damaged_callbacks(case: AdapterCase) -> Iterator[RawCallback]:
    """The case's samples and what a careless or hostile sender makes of them."""
    if case.callbacks is None:
        return
    groups = (case.callbacks.accepted, case.callbacks.refused, case.callbacks.unreadable)
    for raw in [sample.raw for group in groups for sample in group]:
        yield raw
        yield replace(raw, body=raw.body[:-1])
        yield replace(raw, headers={})
        yield replace(raw, headers=dict.fromkeys(raw.headers, "\xe9"))


def shown_by_callbacks(case: AdapterCase) -> Iterator[str]:
    """Every text that callbacks bring to light: reports, errors and their whole chain of causes."""
    provider = case.build(FixedClock(case.now))
    yield repr(provider)
    yield str(provider)
    for raw in damaged_callbacks(case):
        try:
            yield repr(provider.parse_callback(raw))
        except Exception as exc:
            yield text_of(exc)


def shown_by_calls(case: AdapterCase) -> Iterator[str]:
    """Every text that outgoing calls bring to light, in the good case and under every fault."""
    provider = case.build(FixedClock(case.now))
    for call in case.outgoing.calls:
        good = outgoing.good_replies(call, case.now)
        runs: list[Sequence[Reply]] = [good, [connection_refused()]]
        runs += [replies for _name, replies in outgoing.faulty_runs(case, call)]
        for replies in runs:
            with playing(*replies):
                try:
                    result = outgoing.perform(provider, call)
                    yield repr(getattr(result, "report", result))
                except Exception as exc:
                    yield text_of(exc)


def text_of(exc: BaseException) -> str:
    """An exception as logs and error pages show it, causes and contexts included."""
    chain = "".join(traceback.format_exception(exc, chain=True))
    return f"{exc!r} {exc!s} {vars(exc)!r} {exc.args!r} {chain}"


def check_canaries(case: AdapterCase, shown: Iterator[str], logged: Callable[[], str]) -> None:
    """Nothing secret or personal is in any repr, error, log line or output."""
    assert case.canaries, "a case must name its secret and personal texts"
    logging.getLogger().setLevel(logging.DEBUG)
    with playing():
        texts = [*shown, logged()]
    for canary in case.canaries:
        assert len(canary.encode()) >= 6, "a short canary is found by accident"
        assert not any(canary in text for text in texts), f"canary {canary[:3]}… was shown"


@contextmanager
def key_work() -> Iterator[list[str]]:
    """Names of the key and certificate loaders of `cryptography` that were called in the block, however imported."""
    called: list[str] = []

    def watch(_frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call" and _KEY_LOADER.fullmatch(getattr(argument, "__name__", "")):
            called.append(argument.__name__)

    sys.setprofile(watch)
    try:
        yield called
    finally:
        sys.setprofile(None)


def check_keys_loaded_once(case: AdapterCase) -> None:
    """Keys are parsed when the provider is built; messages and calls parse none."""
    provider = case.build(FixedClock(case.now))
    runs = [(call, outgoing.good_replies(call, case.now)) for call in good_calls(case)]
    raws = [sample.raw for sample in case.callbacks.accepted] if case.callbacks else []
    with key_work() as called:
        for raw in raws:
            callbacks.outcome(provider, raw)
        for call, replies in runs:
            outgoing.error_of(provider, call, *replies)

    assert called == []
