"""What is decided when the answer is a refusal, unproven, or missing."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)
from tests.adapters.shared_account import peer
from tests.adapters.shared_account.test_requests import ADDITION, MEMBER, OWNER
from tests.conformance.case import WireAnswer
from tests.conformance.network import connection_refused, connection_reset, playing, read_timeout

RETRY: Final = ("SA1004", "SA1008", "SA3008", "SA5001", "SA5003")
ASK: Final = ("SA3004", "SA5002", "SA5999")
FIX: Final = ("SA1002", "SA1003", "SA1005", "SA1006", "SA3002")
FAIL: Final = (
    "SA1001",
    "SA1007",
    *(f"SA20{number:02d}" for number in range(1, 16)),
    "SA3003",
    "SA3005",
    "SA3006",
)
ERROR_BY_CODE: Final[dict[str, type[ProviderError]]] = {
    **dict.fromkeys(RETRY, ProviderUnavailable),
    **dict.fromkeys(ASK, NoVerdict),
    **dict.fromkeys(FIX, AccountMisconfigured),
    **dict.fromkeys(FAIL, RequestRefused),
}

OPERATIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "sa.pay.query": lambda p: p.query(peer.payment_ref()),
    "sa.pay.revoke": lambda p: p.refund(peer.refund_request()),
    "sa.bind.check": lambda p: p.check_binding(OWNER, MEMBER, "340104"),
    "sa.bind.list": lambda p: p.list_bindings(OWNER),
    "sa.bind.add": lambda p: p.add_binding(ADDITION),
    "sa.acct.balance": lambda p: p.read_balance(OWNER, "340104"),
}
READS: Final = ("sa.pay.query", "sa.bind.check", "sa.bind.list", "sa.acct.balance")

each_operation = pytest.mark.parametrize("trans_type", OPERATIONS)


def error_of(trans_type: str, *replies: WireAnswer | Exception) -> ProviderError:
    with playing(*replies), pytest.raises(ProviderError) as caught:
        OPERATIONS[trans_type](peer.provider())
    return caught.value


def charge_error(reply: WireAnswer | Exception) -> ProviderError:
    with playing(peer.bound(), reply), pytest.raises(ProviderError) as caught:
        peer.provider().create(peer.payment())
    return caught.value


# --- codes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "error"), ERROR_BY_CODE.items())
def test_code_of_a_charge_becomes_its_decision(code: str, error: type[ProviderError]) -> None:
    """Every code of the sheet."""
    raised = charge_error(peer.refusal("sa.pay.charge", code))

    assert (error, code) == (type(raised), raised.code)


@pytest.mark.parametrize(("code", "error"), ERROR_BY_CODE.items())
@each_operation
def test_code_of_another_operation_becomes_its_decision(trans_type: str, code: str, error: type[ProviderError]) -> None:
    """The same table for all."""
    assert error is type(error_of(trans_type, peer.refusal(trans_type, code)))


@each_operation
def test_unlisted_code_ends_only_questions(trans_type: str) -> None:
    """What may have moved money or a binding is asked about."""
    wanted = RequestRefused if trans_type in READS else NoVerdict

    assert wanted is type(error_of(trans_type, peer.refusal(trans_type, "SA4242")))


def test_unlisted_code_of_a_charge_is_no_verdict() -> None:
    """Only a documented code ends a payment."""
    assert NoVerdict is type(charge_error(peer.refusal("sa.pay.charge", "SA4242")))


@pytest.mark.parametrize("code", ["SA3001", "SA3007"])
def test_code_that_makes_no_sense_for_a_charge_is_no_verdict(code: str) -> None:
    """Not found, or revoked: ask."""
    assert NoVerdict is type(charge_error(peer.refusal("sa.pay.charge", code)))


def test_refund_of_an_unknown_payment_is_no_verdict() -> None:
    """A paid payment that the platform does not know is not settled by a code."""
    assert NoVerdict is type(error_of("sa.pay.revoke", peer.refusal("sa.pay.revoke", "SA3001")))


def test_message_of_the_platform_is_not_repeated() -> None:
    """It may name a person."""
    raised = charge_error(peer.refusal("sa.pay.charge", "SA2010"))

    shown = f"{raised!r}{raised}{vars(raised)}"
    assert peer.MEMBER_NAME not in shown
    assert peer.MEMBER_ID not in shown


def test_refusal_with_http_400_counts_when_it_is_proven() -> None:
    """The envelope is the proof, not the line above it."""
    reply = replace(peer.refusal("sa.pay.charge", "SA2001"), status=400)

    assert RequestRefused is type(charge_error(reply))


# --- no proof, no verdict ---------------------------------------------------------------------------------------------

GOOD: Final = peer.charged()


def changed(**members: Any) -> WireAnswer:
    kept = {name: value for name, value in {**json.loads(GOOD.body), **members}.items() if value is not None}
    return replace(GOOD, body=json.dumps(kept).encode())


UNPROVEN: Final[dict[str, WireAnswer | Exception]] = {
    "timeout": read_timeout(),
    "reset": connection_reset(),
    "http 500": replace(GOOD, status=500),
    "http 502 html": WireAnswer(status=502, headers={}, body=b"<html>nginx</html>"),
    "http 404 html": WireAnswer(status=404, headers={}, body=b"<html>nginx</html>"),
    "http 302": WireAnswer(status=302, headers={"Location": "https://elsewhere.invalid/"}, body=GOOD.body),
    "html": replace(GOOD, body=b"<html>maintenance</html>"),
    "empty": replace(GOOD, body=b""),
    "half": replace(GOOD, body=GOOD.body[: len(GOOD.body) // 2]),
    "too long": replace(GOOD, body=GOOD.body + b" " * 65_536),
    "unsigned": changed(signData=None),
    "another code": changed(code="SA2001", success=False),
    "data in the clear": changed(data={"ordStas": "6"}),
    "signed by us": WireAnswer(status=200, headers={}, body=peer.request_body("sa.pay.charge", peer.CHARGED)),
    "stale": peer.charged(peer.NOW - timedelta(seconds=601)),
    "from our future": peer.charged(peer.NOW + timedelta(seconds=601)),
    "of another operation": peer.answer("sa.pay.query", peer.CHARGED),
    "of another version": peer.answer("sa.pay.charge", peer.CHARGED, version="1.0.0"),
    "success denied": peer.answer("sa.pay.charge", peer.CHARGED, success=False),
    "success claimed": peer.answer("sa.pay.charge", None, code="SA2001", success=True),
    "success nonsense": peer.answer("sa.pay.charge", peer.CHARGED, success=[1]),
    "no code": peer.answer("sa.pay.charge", peer.CHARGED, code=None, success=None),
    "code is a number": peer.answer("sa.pay.charge", peer.CHARGED, code=0),
    "accepted without data": peer.answer("sa.pay.charge", None),
}


@pytest.mark.parametrize("reply", UNPROVEN.values(), ids=UNPROVEN)
def test_charge_without_proof_is_no_verdict(reply: WireAnswer | Exception) -> None:
    """The state is unknown, never failed."""
    assert NoVerdict is type(charge_error(reply))


@pytest.mark.parametrize("reply", UNPROVEN.values(), ids=UNPROVEN)
@each_operation
def test_other_operation_without_proof_is_no_verdict(trans_type: str, reply: WireAnswer | Exception) -> None:
    """Bindings and questions, too: an answer to a charge is an answer to none of them."""
    assert NoVerdict is type(error_of(trans_type, reply))


@each_operation
def test_operation_that_never_left_is_unavailable(trans_type: str) -> None:
    """Nothing was accepted, for certain."""
    assert ProviderUnavailable is type(error_of(trans_type, connection_refused()))


def test_answer_at_the_edge_of_its_window_is_fresh() -> None:
    """600 seconds, on both sides."""
    for seconds in (600, -600):
        with playing(peer.bound(), peer.charged(peer.NOW - timedelta(seconds=seconds))):
            assert "6" == peer.provider().create(peer.payment()).report.provider_status


def test_answer_in_a_narrower_window_is_stale() -> None:
    """clock_window_seconds is judged for answers, too."""
    with playing(peer.queried(peer.NOW - timedelta(seconds=61))), pytest.raises(NoVerdict, match="stale, 61 s"):
        peer.provider(clock_window_seconds=60).query(peer.payment_ref())
