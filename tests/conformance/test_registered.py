"""Every registered adapter comes before the suite, and tells the truth about itself."""

import pytest

from adapters.registry import find_builder, provider_names
from tests.conformance.case import AdapterCase
from tests.conformance.checks import callbacks, outgoing
from tests.conformance.loading import FAULTS, each_case


@pytest.mark.parametrize("name", provider_names())
def test_registered_adapter_has_a_case(name: str) -> None:
    """An adapter without a case that loads is a failure here, so that none escapes the suite."""
    if name in FAULTS:
        raise AssertionError(f"tests/adapters/{name}/case.py cannot be used") from FAULTS[name]


@pytest.mark.parametrize("name", provider_names())
def test_registered_adapter_has_a_builder(name: str) -> None:
    """The registry's name leads to a function that builds."""
    assert callable(find_builder(name))


@pytest.mark.parametrize("case", each_case())
def test_case_names_its_adapter(case: AdapterCase) -> None:
    """A provider calls itself by the name under which it is registered."""
    outgoing.check_methods_are_true(case)


@pytest.mark.parametrize("case", each_case())
def test_declared_operations_work_and_others_are_unsupported(case: AdapterCase) -> None:
    """Capabilities are neither too many nor too few."""
    outgoing.check_capabilities_are_true(case)


@pytest.mark.parametrize("case", each_case())
def test_acknowledgement_of_each_verdict_is_exact(case: AdapterCase) -> None:
    """The provider hears exactly the words that stop, or ask for, its retries."""
    callbacks.check_acknowledgements(case)


@pytest.mark.parametrize("case", each_case(with_callbacks=True))
def test_acknowledgement_of_junk_is_a_refusal(case: AdapterCase) -> None:
    """An answer that repeats something of the callback is not broken by a callback of any shape."""
    callbacks.check_acknowledgement_of_anything(case)
