"""The adapter against the simulator, in one process: two readings of the bank's document that must agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import HttpAnswer, Transport
from adapters.newbank import build
from gateway.domain.provider import (
    CallbackRefused,
    Instruction,
    NoVerdict,
    PaymentRef,
    PaymentRequest,
    Provider,
    RawCallback,
    RefundRequest,
    RequestRefused,
    Verdict,
)
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.secret import Secret
from sandbox.clock import BEIJING, SandboxClock
from sandbox.faults import FaultBoard
from sandbox.frame import Surroundings
from sandbox.newbank.keys import NewbankKeys, load_keys, new_files
from sandbox.newbank.kind import KIND
from sandbox.newbank.simulator import NewbankSimulator

START: Final = datetime(2026, 3, 1, 10, 20, 30, tzinfo=BEIJING)
BASE_URL: Final = "http://127.0.0.1:8400/newbank"
NOTIFY: Final = "https://pay.example.test/callbacks/newbank/newbank"
NUMBER: Final = "0195500000007000800000000000000a"
REFUND_NUMBER: Final = "0195500000007000800000000000000b"
NONCE: Final = "0123456789abcdefghijABCDEFGHIJxy"


@dataclass
class Bank:
    """The simulator, the adapter that talks to it, and the callbacks that came, newest last."""

    folder: Path
    clock: SandboxClock = field(default_factory=lambda: SandboxClock(frozen_at=START))
    received: list[RawCallback] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys: NewbankKeys = load_keys(self.folder)
        self.faults = FaultBoard(self.clock)
        surroundings = Surroundings(
            provider="newbank", clock=self.clock, faults=self.faults, post=self.post, base_url=BASE_URL
        )
        self.simulator = NewbankSimulator(self.keys, surroundings)
        self.provider = self.merchant()

    def merchant(self, **changes: object) -> Provider:
        """The adapter with the account that `jiaofei init` would write, references resolved, or with other values."""
        section = KIND.configuration(self.keys, BASE_URL, self.secret_name)["accounts.newbank"]
        values = {name: self.resolved(value) for name, value in section.items()}
        tools = AdapterTools(clock=self.clock, nonce=lambda: NONCE, transport=ToSimulator(self.simulator))
        return build(AccountSettings("newbank", {**values, **changes}), tools)

    @staticmethod
    def secret_name(file: str) -> str:
        return f"file:{file}"

    def resolved(self, value: str) -> str | Secret:
        return Secret((self.folder / value[5:]).read_text()) if value.startswith("file:") else value

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Our end of the callbacks: keep it, and answer as the gateway would answer what it booked."""
        assert url.startswith(NOTIFY)
        lowered = {name.lower(): value for name, value in headers.items()}
        raw = RawCallback(headers=lowered, body=body, received_at=self.clock.now())
        self.received.append(raw)
        acknowledgement = self.provider.acknowledge(Verdict.ACCEPTED, raw)
        return acknowledgement.status, acknowledgement.body


class ToSimulator(Transport):
    """The one door, opened to the simulator instead of a network."""

    def __init__(self, simulator: NewbankSimulator) -> None:
        super().__init__()
        self._simulator = simulator

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        answer_bytes_max: int = 1 << 20,
    ) -> HttpAnswer:
        answer = self._simulator.answer(method, url.removeprefix("http://127.0.0.1:8400"), headers, body or b"")
        if answer.lost:
            raise NoVerdict("no whole answer")
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return HttpAnswer(status=answer.status, headers=lowered, content=answer.body)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fresh keys of both sides: slow to make, so made once."""
    made = tmp_path_factory.mktemp("newbank")
    for name, content in new_files().items():
        (made / name).write_bytes(content)
    return made


@pytest.fixture
def bank(folder: Path) -> Bank:
    return Bank(folder=folder)


def payment(method: str = "qr") -> PaymentRequest:
    return PaymentRequest(
        out_trade_no=NUMBER,
        amount_fen=38001,
        method=method,
        description="2026年度城乡居民医保缴费",
        created_at=START,
        expires_at=START + timedelta(minutes=30),
        notify_url=NOTIFY,
    )


REF: Final = PaymentRef(out_trade_no=NUMBER, amount_fen=38001, method="qr", created_at=START)


def refund_of(amount_fen: int) -> RefundRequest:
    return RefundRequest(
        out_refund_no=REFUND_NUMBER,
        out_trade_no=NUMBER,
        amount_fen=amount_fen,
        total_fen=38001,
        reason="多缴",
        method="qr",
        requested_at=START,
        notify_url=f"{NOTIFY}/refunds",
    )


def paid(bank: Bank) -> RawCallback:
    """Order, pay, and the callback that came of it."""
    bank.provider.create(payment())
    bank.simulator.pay(NUMBER)
    bank.clock.advance(1)
    return bank.received[-1]


@pytest.mark.parametrize("method", ["qr", "h5"])
def test_order_paid_by_the_payer_is_told_queried_and_refunded(bank: Bank, method: str) -> None:
    """create → pay → callback → query → refund → refund callback → refund query."""
    bank.provider.create(payment(method))
    assert bank.provider.query(REF).report.state is ReportedState.PENDING
    bank.simulator.pay(NUMBER)
    bank.clock.advance(1)
    told = bank.provider.parse_callback(bank.received[-1]).report
    asked = bank.provider.query(REF).report
    taken = bank.provider.refund(refund_of(12001)).report
    bank.clock.advance(60)
    refund_told = bank.provider.parse_callback(bank.received[-1]).report
    refund_asked = bank.provider.query_refund(refund_of(12001)).report

    assert told is not None
    assert refund_told is not None
    assert {(ReportedState.PAID, 38001)} == {(told.state, told.amount_fen), (asked.state, asked.amount_fen)}
    assert [ReportedRefundState.SUBMITTED, ReportedRefundState.SUCCEEDED, ReportedRefundState.SUCCEEDED] == [
        report.refund.state for report in (taken, refund_told, refund_asked) if report.refund
    ]
    assert [True, True] == [delivery["accepted"] for delivery in bank.simulator.deliveries()]
    assert [12001] == [entry["amount_fen"] for entry in bank.simulator.books()["refunds"]]


def test_order_created_again_gives_the_same_instruction(bank: Bank) -> None:
    """A resume is a retry in the bank's eyes."""
    first, again = (bank.provider.create(payment()).instruction for _ in range(2))

    assert isinstance(first, Instruction)
    assert first == again
    assert 1 == len(bank.simulator.orders())


def test_closed_order_is_closed_and_cannot_be_paid(bank: Bank) -> None:
    """Asked again, the bank says the same."""
    bank.provider.create(payment())
    bank.provider.close(REF)

    assert bank.provider.query(REF).report.state is ReportedState.CLOSED
    with pytest.raises(RequestRefused):
        bank.provider.create(payment())


def test_close_of_a_paid_order_concludes_nothing(bank: Bank) -> None:
    """The payer was faster: a query tells."""
    paid(bank)

    with pytest.raises(NoVerdict):
        bank.provider.close(REF)
    assert bank.provider.query(REF).report.state is ReportedState.PAID


def test_number_that_the_bank_does_not_know_is_not_found(bank: Bank) -> None:
    """Neither closed nor failed."""
    assert bank.provider.query(REF).report.state is ReportedState.NOT_FOUND
    paid(bank)
    report = bank.provider.query_refund(refund_of(1)).report
    assert report.refund is not None
    assert report.refund.state is ReportedRefundState.NOT_FOUND


@pytest.mark.parametrize("fault", ["timeout_after_commit", "html_answer", "half_json", "answer_bad_signature"])
def test_refund_without_a_proven_answer_is_made_once(bank: Bank, fault: str) -> None:
    """Nothing is concluded, and the same number again is the same refund."""
    paid(bank)
    bank.faults.add(fault, operation="refund", times=1)
    with pytest.raises(NoVerdict):
        bank.provider.refund(refund_of(12001))

    bank.provider.refund(refund_of(12001))

    assert [12001] == [entry["amount_fen"] for entry in bank.simulator.books()["refunds"]]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("callback_wrong_key", "signature"),
        ("callback_bad_signature", "signature"),
        ("callback_wrong_serial", "unknown_key"),
    ],
)
def test_callback_of_a_forger_is_refused(bank: Bank, fault: str, reason: str) -> None:
    """Whatever it says."""
    bank.faults.add(fault, operation="payment_callback", times=1)
    raw = paid(bank)

    with pytest.raises(CallbackRefused) as raised:
        bank.provider.parse_callback(raw)
    assert reason == raised.value.reason


def test_request_signed_with_another_key_is_refused(bank: Bank) -> None:
    """The simulator checks what we sign."""
    stranger = bank.merchant(private_key=bank.resolved("file:newbank_stranger_private_key.pem"))

    with pytest.raises(RequestRefused):
        stranger.create(payment())
    assert [] == bank.simulator.orders()
