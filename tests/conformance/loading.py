"""Finds the case of every registered adapter. A case that cannot be loaded fails its own test; nothing is skipped."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

import pytest

from adapters.registry import provider_names
from gateway.domain.provider import Operation
from tests.conformance.case import AdapterCase, OutgoingCase

TOY: Final = "toy"


def load_case(name: str) -> AdapterCase:
    """The adapter's own case, from its room in the tests."""
    module = "tests.conformance.toy.case" if name == TOY else f"tests.adapters.{name}.case"
    case = import_module(module).case()
    if not isinstance(case, AdapterCase):
        raise TypeError(f"{module}.case() must return an AdapterCase")
    return case


def _load_all() -> tuple[dict[str, AdapterCase], dict[str, Exception]]:
    cases: dict[str, AdapterCase] = {}
    faults: dict[str, Exception] = {}
    for name in (*provider_names(), TOY):
        try:
            cases[name] = load_case(name)
        except Exception as exc:  # whatever is wrong with one case, the others are still tested
            faults[name] = exc
    return cases, faults


CASES, FAULTS = _load_all()


def each_case(*, with_callbacks: bool = False) -> list[Any]:
    """One parameter for each adapter (that takes callbacks)."""
    return [pytest.param(case, id=name) for name, case in CASES.items() if case.callbacks or not with_callbacks]


def each_sample(group: str) -> list[Any]:
    """One parameter for each callback sample of a group: accepted, refused, unreadable."""
    return [
        pytest.param(case, sample, id=f"{name}-{sample.id}")
        for name, case in CASES.items()
        if case.callbacks is not None
        for sample in getattr(case.callbacks, group)
    ]


def each_call(wanted: Callable[[OutgoingCase], bool] = lambda _call: True) -> list[Any]:
    """One parameter for each outgoing call that is wanted."""
    return [
        pytest.param(case, call, id=f"{name}-{call.id}")
        for name, case in CASES.items()
        for call in case.outgoing.calls
        if wanted(call)
    ]


def good_calls(case: AdapterCase, *operations: Operation) -> list[OutgoingCase]:
    """The calls of these operations (all without any) that bring an answer."""
    return [call for call in case.outgoing.calls if call.raises is None and call.operation in (operations or Operation)]


def each_good_call(*operations: Operation) -> list[Any]:
    """One parameter for each call of these operations that brings an answer."""
    return each_call(lambda call: call.raises is None and call.operation in (operations or tuple(Operation)))


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Every two different names, both ways."""
    kept = list(names)
    return [(sender, receiver) for sender in kept for receiver in kept if sender != receiver]
