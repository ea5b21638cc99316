"""ICBC's notifies: signed over the registered path, and repeated until the merchant's app signs that it has them."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from sandbox.bank_icbc import BankIcbcSimulator
from sandbox.bank_icbc.faults import IcbcFault
from sandbox.bank_icbc.keys import IcbcKeys
from sandbox.bank_icbc.notices import OTHER_PATH, RETRY_SECONDS
from sandbox.clock import SandboxClock
from sandbox.faults import Fault, FaultBoard
from sandbox.frame import Surroundings
from sandbox.keyring import Keyring
from tests.sandbox.bank_icbc_merchant import NOTIFY_URL, NUMBER, BankIcbcMerchant
from tests.sandbox.merchants import Inbox


@pytest.fixture(params=["RSA2", "RSA", "sealed"])
def merchant(
    request: pytest.FixtureRequest,
    keyring: Keyring,
    clock: SandboxClock,
    surroundings: Callable[[str], Surroundings],
) -> BankIcbcMerchant:
    simulator = BankIcbcSimulator(keyring.of(IcbcKeys), surroundings("bank_icbc"))
    sign_type = "RSA2" if request.param == "sealed" else request.param
    return BankIcbcMerchant(keyring, clock, simulator, sign_type=sign_type, sealed=request.param == "sealed")


def deliveries(merchant: BankIcbcMerchant) -> list[bool]:
    return [delivery["accepted"] for delivery in merchant.simulator.deliveries()]


def test_notify_says_what_was_paid_over_the_registered_path(merchant: BankIcbcMerchant, inbox: Inbox) -> None:
    """With the prefix that a proxy may cut before it reaches anybody."""
    paid = merchant.paid()
    merchant.clock.advance(0)
    url, _, body = inbox.received[0]
    members = merchant.notice(body)

    assert NOTIFY_URL == url
    assert ("0", NUMBER, "38001", paid["provider_trade_no"], "a&b=c") == tuple(
        members[name] for name in ("return_code", "out_trade_no", "total_amt", "order_id", "attach")
    )
    with pytest.raises(InvalidSignature):
        merchant.notice(body, path="/callbacks/x")


def test_signed_answer_stops_the_repetitions(merchant: BankIcbcMerchant, inbox: Inbox) -> None:
    """The second delivery carries the same msg_id."""
    merchant.paid()
    merchant.clock.advance(0)
    members = merchant.notice(inbox.received[0][2])
    inbox.default = (200, merchant.answer_to(members))
    merchant.clock.advance(86_400)

    assert [False, True] == deliveries(merchant)
    assert members == merchant.notice(inbox.received[1][2])


WORTHLESS: dict[str, Callable[[BankIcbcMerchant, dict[str, Any]], tuple[int, bytes]]] = {
    "success": lambda merchant, members: (200, b"success"),
    "empty": lambda merchant, members: (200, b""),
    "unsigned": lambda merchant, members: (
        200,
        merchant.answer_to(members).partition(b',"sign":')[0] + b"}",
    ),
    "flipped": lambda merchant, members: (200, merchant.answer_to(members).replace(b'"sign":"', b'"sign":"AAAA', 1)),
    "other-sign-type": lambda merchant, members: (
        200,
        merchant.answer_to(members).replace(f'"{merchant.sign_type}"'.encode(), b'"SM2"'),
    ),
    "refused": lambda merchant, members: (200, merchant.answer_to(members, return_code=-12345)),
    "other-msg-id": lambda merchant, members: (200, merchant.answer_to(members, msg_id="n1")),
    "other-status": lambda merchant, members: (500, merchant.answer_to(members)),
    "not-json": lambda merchant, members: (200, b'{,"sign":"AAAA"}'),
    "not-utf8": lambda merchant, members: (200, b"\xff"),
}


@pytest.mark.parametrize("name", WORTHLESS)
def test_other_answers_make_the_bank_repeat(merchant: BankIcbcMerchant, inbox: Inbox, name: str) -> None:
    """Unsigned, badly signed, a refusal, another notify's: until the schedule is over."""
    merchant.paid()
    merchant.clock.advance(0)
    members = merchant.notice(inbox.received[0][2])
    inbox.default = WORTHLESS[name](merchant, members)
    merchant.clock.advance(86_400)

    assert [False] * (1 + len(RETRY_SECONDS)) == deliveries(merchant)


def test_merchant_who_wants_no_notify_gets_none(merchant: BankIcbcMerchant, inbox: Inbox) -> None:
    """notify_type AG."""
    merchant.paid(notify_type="AG")
    merchant.clock.advance(86_400)

    assert [] == inbox.received


@pytest.mark.parametrize(
    "fault", [Fault.CALLBACK_WRONG_KEY, Fault.CALLBACK_BAD_SIGNATURE, IcbcFault.CALLBACK_OTHER_PATH]
)
def test_spoilt_notify_is_not_genuine(
    merchant: BankIcbcMerchant, inbox: Inbox, faults: FaultBoard, fault: Fault | IcbcFault
) -> None:
    """The next one is."""
    faults.add(fault, times=1)
    merchant.paid()
    merchant.clock.advance(RETRY_SECONDS[0])
    with pytest.raises(InvalidSignature):
        merchant.notice(inbox.received[0][2])

    assert merchant.notice(inbox.received[1][2])
    if fault is IcbcFault.CALLBACK_OTHER_PATH:
        assert merchant.notice(inbox.received[0][2], path=OTHER_PATH)


def test_amount_and_charset_can_differ(merchant: BankIcbcMerchant, inbox: Inbox, faults: FaultBoard) -> None:
    """Genuine both."""
    faults.add(Fault.CALLBACK_AMOUNT_DIFFERS, times=1)
    merchant.paid(attach="城乡居民")
    merchant.clock.advance(0)
    faults.add(Fault.GBK_BODY, times=1)
    merchant.clock.advance(RETRY_SECONDS[0])

    assert "38002" == merchant.notice(inbox.received[0][2])["total_amt"]
    assert "城乡居民" == merchant.notice(inbox.received[1][2], codec="gbk")["attach"]
    assert inbox.received[1][1]["Content-Type"].endswith("charset=GBK")
