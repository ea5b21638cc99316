"""What errors carry beside their text: the edge, the history and the counters read it from there."""

import pytest

from gateway.domain.biller import BillerReason, BillerRefused
from gateway.domain.biller_front import NotAdmitted
from gateway.domain.provider import CallbackRefused, CallbackUnreadable, NoVerdict, ProviderError, ProviderUnavailable
from gateway.domain.refusal import Refusal


def test_refusal_carries_everything_that_its_answer_needs() -> None:
    """Its text is the code alone: a detail may name what a log must not."""
    refused = Refusal("rate_limited", "too many", errors={"a": ["b"]}, extra={"state": "paid"}, retry_after_seconds=7)

    assert ("rate_limited", "rate_limited", "too many") == (str(refused), refused.code, refused.detail)
    assert ({"a": ["b"]}, {"state": "paid"}, 7) == (refused.errors, refused.extra, refused.retry_after_seconds)


def test_refusal_that_was_told_no_more_carries_no_more() -> None:
    """Nothing is made up for the answer."""
    refused = Refusal("not_found", "there is no such order")

    assert (None, {}, None) == (refused.errors, refused.extra, refused.retry_after_seconds)


@pytest.mark.parametrize("kind", [ProviderError, ProviderUnavailable, NoVerdict], ids=lambda kind: kind.__name__)
def test_provider_error_without_a_code_has_a_blank_one(kind: type[ProviderError]) -> None:
    """Blank, so that a text can be joined from it."""
    error = kind("time-out")

    assert ("time-out", "", "") == (str(error), error.code, error.trace_id)


def test_refused_and_unreadable_callbacks_say_why() -> None:
    """As text for a person, as an attribute for a counter."""
    refused, unreadable = CallbackRefused("signature"), CallbackUnreadable("amount")

    assert ("signature", "signature", None) == (str(refused), refused.reason, refused.skew_seconds)
    assert ("amount", "amount") == (str(unreadable), unreadable.reason)


@pytest.mark.parametrize("kind", [BillerRefused, NotAdmitted], ids=lambda kind: kind.__name__)
def test_refused_bank_call_says_why(kind: type[BillerRefused] | type[NotAdmitted]) -> None:
    """By the reason that each front has its own code for."""
    refused = kind(BillerReason.NONCE)

    assert ("nonce", BillerReason.NONCE) == (str(refused), refused.reason)
    assert f"{kind.__name__}('nonce')" == repr(refused)
