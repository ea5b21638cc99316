"""Secrets, personal texts and keys of every adapter."""

from collections.abc import Callable

import pytest

from tests.conformance.case import AdapterCase
from tests.conformance.checks import secrecy
from tests.conformance.loading import each_case


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Everything that was logged or printed so far, at any level."""
    caplog.set_level("DEBUG")
    return lambda: "".join((caplog.text, *capfd.readouterr()))


@pytest.mark.parametrize("case", each_case(with_callbacks=True))
def test_callbacks_show_nothing_secret_or_personal(case: AdapterCase, logged: Callable[[], str]) -> None:
    """Neither reports nor errors nor logs carry a canary."""
    secrecy.check_canaries(case, secrecy.shown_by_callbacks(case), logged)


@pytest.mark.parametrize("case", each_case())
def test_calls_show_nothing_secret_or_personal(case: AdapterCase, logged: Callable[[], str]) -> None:
    """Neither reports nor errors nor logs carry a canary, under any fault."""
    secrecy.check_canaries(case, secrecy.shown_by_calls(case), logged)


@pytest.mark.parametrize("case", each_case())
def test_keys_are_parsed_when_built_and_never_again(case: AdapterCase) -> None:
    """No key is loaded while messages pass."""
    secrecy.check_keys_loaded_once(case)
