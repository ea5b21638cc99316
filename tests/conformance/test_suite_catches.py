"""The suite itself: each broken toy is caught by the check that is for its fault."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import pytest

from gateway.domain.provider import Operation
from tests.conformance.case import AdapterCase
from tests.conformance.checks import callbacks, outgoing, secrecy
from tests.conformance.loading import CASES, TOY, good_calls
from tests.conformance.toy import broken
from tests.conformance.toy.adapter import ToyProvider
from tests.conformance.toy.case import build

Check = Callable[[AdapterCase], None]


def every_accepted(check: Callable[..., None]) -> Check:
    """The check over each accepted sample."""

    def over_samples(case: AdapterCase) -> None:
        for sample in callbacks.of(case).accepted:
            check(case, sample)

    return over_samples


def every_unreadable(check: Callable[..., None]) -> Check:
    """The check over each unreadable sample."""

    def over_samples(case: AdapterCase) -> None:
        for sample in callbacks.of(case).unreadable:
            check(case, sample)

    return over_samples


def every_call(check: Callable[..., None], *operations: Operation) -> Check:
    """The check over each good call of the operations, with an exchange where a fault needs one."""

    def over_calls(case: AdapterCase) -> None:
        for call in good_calls(case, *operations):
            if call.exchanges:
                check(case, call)

    return over_calls


def amounts(case: AdapterCase) -> None:
    for amount_fen in callbacks.AMOUNTS_FEN:
        callbacks.check_amount(case, amount_fen)


def header_junk(case: AdapterCase) -> None:
    for value in callbacks.JUNK_VALUES.values():
        callbacks.check_header_junk(case, value)


def body_junk(case: AdapterCase) -> None:
    for body in callbacks.JUNK_BODIES.values():
        callbacks.check_body_junk(case, body)


NO_VERDICT: Final = every_call(outgoing.check_no_verdict_without_proof)
RETRY: Final = every_call(outgoing.check_retry_is_the_same, Operation.CREATE, Operation.REFUND)
EXACT_REPORT: Final = every_accepted(callbacks.check_accepted_sample)
EXACT_RESULT: Final = every_call(outgoing.check_result)
SENT_AMOUNT: Final = every_call(partial(outgoing.check_amount, amount_fen=113), Operation.CREATE)
AWKWARD_TEXT: Final = every_call(outgoing.check_awkward_description, Operation.CREATE)

CAUGHT_BY: Final[list[tuple[type[ToyProvider], Check]]] = [
    (broken.AcceptsUnsigned, callbacks.check_header_missing),
    (broken.AcceptsAnySignature, every_accepted(callbacks.check_flipped_body_bytes)),
    (broken.AcceptsAnySignature, callbacks.check_flipped_header_bytes),
    (broken.AcceptsAnySignature, header_junk),
    (broken.AcceptsAnySignature, callbacks.check_body_cut_or_grown),
    (broken.AcceptsForeignKey, callbacks.check_foreign_key),
    (broken.KnowsOnlyTheNewKey, callbacks.check_keys_in_rotation),
    (broken.VerifiesReserialisedBody, callbacks.check_body_cut_or_grown),
    (broken.ReadsBeforeItVerifies, body_junk),
    (broken.ReadsBeforeItVerifies, every_accepted(callbacks.check_flipped_body_bytes)),
    (broken.IgnoresAge, callbacks.check_freshness),
    (broken.IgnoresTheFuture, callbacks.check_freshness),
    (broken.AllowsOneSecondMore, callbacks.check_freshness),
    (broken.JudgesAgeByItsOwnClock, EXACT_REPORT),
    (broken.CrashesOnMissingHeader, callbacks.check_header_missing),
    (broken.CrashesOnUnreadable, every_unreadable(callbacks.check_unreadable_sample)),
    (broken.MapsUnknownToPaid, callbacks.check_unknown_status),
    (broken.MapsUnknownToFailed, callbacks.check_unknown_status),
    (broken.UsesFloatAmounts, amounts),
    (broken.SendsRoundedAmounts, SENT_AMOUNT),
    (broken.NewDedupKeyEachDelivery, callbacks.check_redelivery),
    (broken.CallsOutOnEachCallback, EXACT_REPORT),
    (broken.CallsOutOnEachCallback, callbacks.check_keys_in_rotation),
    (broken.LoadsItsKeyEachTime, secrecy.check_keys_loaded_once),
    (broken.CallsRequestsItself, EXACT_RESULT),
    (broken.TrustsUnsignedAnswers, NO_VERDICT),
    (broken.TrustsOldAnswers, every_call(outgoing.check_stale_answer)),
    (broken.TakesTimeOutForFailure, NO_VERDICT),
    (broken.TakesServerFaultForRefusal, NO_VERDICT),
    (broken.TakesTimeOutForUnavailable, NO_VERDICT),
    (broken.CrashesOnUnreadableAnswer, NO_VERDICT),
    (broken.StatementBelievesAnyFile, NO_VERDICT),
    (broken.NewRefundNumberEachTry, RETRY),
    (broken.NewRefundNumberEachTry, every_call(outgoing.check_wire_bytes)),
    (broken.ExpiryFromItsOwnClock, RETRY),
    (broken.TakesOrderForPayment, EXACT_RESULT),
    (broken.ReportsAnotherSource, EXACT_RESULT),
    (broken.HardWiredAddress, every_call(outgoing.check_requests_stay_at_base_url)),
    (broken.CutsTitleBlindly, AWKWARD_TEXT),
    (broken.DeclaresTooMuch, outgoing.check_capabilities_are_true),
    (broken.DeclaresTooLittle, outgoing.check_capabilities_are_true),
    (broken.UndeclaredIsAnotherError, outgoing.check_capabilities_are_true),
    (broken.AcknowledgesRefused, callbacks.check_acknowledgements),
    (broken.CrashesOnAnsweringJunk, callbacks.check_acknowledgement_of_anything),
]


def broken_case(provider_class: type[ToyProvider]) -> AdapterCase:
    """The toy's case, but it builds the broken toy."""
    return replace(CASES[TOY], build=partial(build, provider_class=provider_class))


@pytest.mark.parametrize(
    ("provider_class", "check"),
    CAUGHT_BY,
    ids=[f"{number}-{toy.__name__}" for number, (toy, _) in enumerate(CAUGHT_BY)],
)
def test_broken_toy_is_caught(provider_class: type[ToyProvider], check: Check) -> None:
    """The check fails on the broken toy, and passes on the sound one."""
    check(CASES[TOY])

    with pytest.raises(Exception):  # noqa: B017, PT011  # failed assertion or the toy's own crash: both fail a test
        check(broken_case(provider_class))


@pytest.mark.parametrize(
    "provider_class",
    [
        broken.ShowsItsKey,
        broken.LogsItsKey,
        broken.PrintsItsKey,
        broken.ShowsRequestInError,
        broken.ShowsRequestInCause,
    ],
)
def test_leaking_toy_is_caught(
    provider_class: type[ToyProvider], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A canary is found in reprs, logs, output, messages and causes."""
    caplog.set_level("DEBUG")
    case = broken_case(provider_class)
    shown = [*secrecy.shown_by_callbacks(case), *secrecy.shown_by_calls(case)]

    with pytest.raises(AssertionError, match="canary"):
        secrecy.check_canaries(case, iter(shown), lambda: "".join((caplog.text, *capfd.readouterr())))


def test_toy_with_its_own_socket_is_caught(sockets_opened: list[str]) -> None:
    """A connection beside the one door is seen even when its failure is swallowed."""
    EXACT_REPORT(broken_case(broken.OpensItsOwnSocket))

    assert sockets_opened
    sockets_opened.clear()


def test_every_broken_toy_is_tried() -> None:
    """No broken toy stands by unused."""
    tried = {toy.__name__ for toy, _check in CAUGHT_BY}
    leaking = {"ShowsItsKey", "LogsItsKey", "PrintsItsKey", "ShowsRequestInError", "ShowsRequestInCause"}
    made = {
        name
        for name, toy in vars(broken).items()
        if isinstance(toy, type) and issubclass(toy, ToyProvider) and toy is not ToyProvider
    }

    assert made == tried | leaking | {"OpensItsOwnSocket"}
