"""Callbacks of every adapter: exact reports from genuine ones, refusal of everything else."""

import pytest

from tests.conformance.case import AcceptedSample, AdapterCase, RefusedSample, UnreadableSample
from tests.conformance.checks import callbacks
from tests.conformance.loading import CASES, each_case, each_sample, pairs

WITH_CALLBACKS = [name for name, case in CASES.items() if case.callbacks]

every_case = pytest.mark.parametrize("case", each_case(with_callbacks=True))


@pytest.mark.parametrize(("case", "sample"), each_sample("accepted"))
def test_genuine_callback_gives_exactly_its_report(case: AdapterCase, sample: AcceptedSample) -> None:
    """Verified bytes become the one report, whatever our clock says and without any call."""
    callbacks.check_accepted_sample(case, sample)


@pytest.mark.parametrize(("case", "sample"), each_sample("refused"))
def test_unproven_callback_is_refused(case: AdapterCase, sample: RefusedSample) -> None:
    """What is not proven to be the provider's gives no report."""
    callbacks.check_refused_sample(case, sample)


@pytest.mark.parametrize(("case", "sample"), each_sample("unreadable"))
def test_authentic_nonsense_is_unreadable(case: AdapterCase, sample: UnreadableSample) -> None:
    """What is proven but not understood is kept apart from forgeries."""
    callbacks.check_unreadable_sample(case, sample)


@pytest.mark.parametrize(("case", "sample"), each_sample("accepted"))
def test_callback_with_flipped_byte_is_refused(case: AdapterCase, sample: AcceptedSample) -> None:
    """Not one bit of a body may change."""
    callbacks.check_flipped_body_bytes(case, sample)


@every_case
def test_callback_with_flipped_header_byte_is_refused(case: AdapterCase) -> None:
    """Not one bit of a signed header may change."""
    callbacks.check_flipped_header_bytes(case)


@every_case
def test_callback_without_a_signed_header_is_refused(case: AdapterCase) -> None:
    """Each signed header is needed."""
    callbacks.check_header_missing(case)


@every_case
def test_callback_without_a_signed_form_field_is_refused(case: AdapterCase) -> None:
    """Each signed form field is needed, once."""
    callbacks.check_form_field_missing(case)


@every_case
@pytest.mark.parametrize("value", callbacks.JUNK_VALUES.values(), ids=callbacks.JUNK_VALUES)
def test_callback_with_junk_in_its_proof_is_refused(case: AdapterCase, value: str) -> None:
    """Whatever stands where the proof should be, the answer is a refusal."""
    callbacks.check_header_junk(case, value)
    callbacks.check_form_field_junk(case, value)


@every_case
@pytest.mark.parametrize("body", callbacks.JUNK_BODIES.values(), ids=callbacks.JUNK_BODIES)
def test_callback_with_junk_body_is_refused(case: AdapterCase, body: bytes) -> None:
    """Whatever is posted, the answer is a refusal."""
    callbacks.check_body_junk(case, body)


@every_case
def test_callback_cut_or_grown_is_refused(case: AdapterCase) -> None:
    """A body is whole or nothing."""
    callbacks.check_body_cut_or_grown(case)


@every_case
def test_callback_beyond_its_window_is_stale(case: AdapterCase) -> None:
    """One second too old or too early is stale, the edge is not, and our own clock is not asked."""
    callbacks.check_freshness(case)


@every_case
def test_callback_during_key_rotation_is_accepted_with_old_and_new_key(case: AdapterCase) -> None:
    """Both keys live at once."""
    callbacks.check_keys_in_rotation(case)


@every_case
def test_callback_with_foreign_key_is_refused(case: AdapterCase) -> None:
    """A good signature by a wrong key is a wrong signature."""
    callbacks.check_foreign_key(case)


@every_case
def test_callback_sent_again_is_the_same_message(case: AdapterCase) -> None:
    """A retry is recognised; another message is not taken for one."""
    callbacks.check_redelivery(case)


@every_case
def test_callback_with_unknown_status_reports_unknown(case: AdapterCase) -> None:
    """Nobody guesses what a new word means."""
    callbacks.check_unknown_status(case)


@every_case
@pytest.mark.parametrize("amount_fen", callbacks.AMOUNTS_FEN)
def test_callback_amount_is_exact(case: AdapterCase, amount_fen: int) -> None:
    """Fen in, fen out."""
    callbacks.check_amount(case, amount_fen)


@pytest.mark.parametrize(("sender", "receiver"), pairs(WITH_CALLBACKS))
def test_callback_of_another_provider_is_refused(sender: str, receiver: str) -> None:
    """A message posted to the wrong address proves nothing there."""
    callbacks.check_refuses_others(CASES[sender], CASES[receiver])
