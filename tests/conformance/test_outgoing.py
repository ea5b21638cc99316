"""Outgoing calls of every adapter: exact bytes out, exact reports in, and no verdict without proof."""

import pytest

from gateway.domain.provider import Operation
from tests.conformance.case import AdapterCase, OutgoingCase
from tests.conformance.checks import outgoing
from tests.conformance.checks.callbacks import AMOUNTS_FEN
from tests.conformance.loading import each_call, each_good_call

every_call = pytest.mark.parametrize(("case", "call"), each_call())
every_good_call = pytest.mark.parametrize(("case", "call"), each_good_call())
every_answered_call = pytest.mark.parametrize(
    ("case", "call"), each_call(lambda call: call.raises is None and bool(call.exchanges))
)
every_create = pytest.mark.parametrize(("case", "call"), each_good_call(Operation.CREATE))
every_money_call = pytest.mark.parametrize(("case", "call"), each_good_call(Operation.CREATE, Operation.REFUND))


@every_good_call
def test_good_answer_gives_exactly_its_report(case: AdapterCase, call: OutgoingCase) -> None:
    """What the provider proved is reported, no more and no less."""
    outgoing.check_result(case, call)


@pytest.mark.parametrize(("case", "call"), each_call(lambda call: call.raises is not None))
def test_documented_refusal_raises_its_decision(case: AdapterCase, call: OutgoingCase) -> None:
    """A code that the documents call final, or a rate limit, is exactly that."""
    outgoing.check_refusal(case, call)


@every_call
def test_request_bytes_equal_the_fixture(case: AdapterCase, call: OutgoingCase) -> None:
    """Every byte on the wire is known beforehand."""
    outgoing.check_wire_bytes(case, call)


@every_good_call
def test_request_goes_to_the_configured_address(case: AdapterCase, call: OutgoingCase) -> None:
    """No address is hard-wired."""
    outgoing.check_requests_stay_at_base_url(case, call)


@every_money_call
def test_retry_after_time_out_carries_the_same_number_and_content(case: AdapterCase, call: OutgoingCase) -> None:
    """A second try is the first one again in the provider's eyes: never a second payment, never a second refund."""
    outgoing.check_retry_is_the_same(case, call)


@every_money_call
@pytest.mark.parametrize("amount_fen", AMOUNTS_FEN)
def test_request_amount_is_exact(case: AdapterCase, call: OutgoingCase, amount_fen: int) -> None:
    """Fen in, the provider's unit out, nothing lost."""
    outgoing.check_amount(case, call, amount_fen)


@every_create
def test_awkward_description_is_cut_and_cleaned(case: AdapterCase, call: OutgoingCase) -> None:
    """A long text with emoji and markup still makes a request."""
    outgoing.check_awkward_description(case, call)


@every_create
def test_unknown_method_is_unsupported(case: AdapterCase, call: OutgoingCase) -> None:
    """A method that is not offered is refused before anything is sent."""
    outgoing.check_unknown_method(case, call)


@every_answered_call
def test_fault_after_sending_gives_no_verdict(case: AdapterCase, call: OutgoingCase) -> None:
    """Time-out, reset, 5xx, HTML, half, empty, unsigned: nothing is concluded."""
    outgoing.check_no_verdict_without_proof(case, call)


@every_answered_call
def test_unreachable_provider_is_unavailable(case: AdapterCase, call: OutgoingCase) -> None:
    """When nothing can have arrived, that is certain."""
    outgoing.check_unreachable_is_unavailable(case, call)


@every_answered_call
def test_answer_with_flipped_byte_gives_no_verdict(case: AdapterCase, call: OutgoingCase) -> None:
    """Not one bit of a signed answer may change its meaning."""
    outgoing.check_flipped_answer_bytes(case, call)


@every_answered_call
def test_stale_answer_gives_no_verdict(case: AdapterCase, call: OutgoingCase) -> None:
    """An old answer is not an answer to this question."""
    outgoing.check_stale_answer(case, call)
