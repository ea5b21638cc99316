"""The bank as a client: it signs, proves answers, and follows the bank rule to the letter."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from sandbox.bank_biller.keys import BankBillerKeys
from sandbox.bank_biller.simulator import BankBillerSimulator, money_goes_back
from sandbox.bank_biller.transfers import Held, Transfer, day_file
from sandbox.clock import SandboxClock
from sandbox.frame import Surroundings
from sandbox.keyring import Keyring
from sandbox.wire import PayRefused, SandboxFull

BILL = {"bill_no": "b1", "amount": 38001, "status": "UNPAID", "can_pay": True, "name_masked": "*三", "year": "2026"}


class FakeGateway:
    """
    Checks each request as the hand-over document says, and answers what it is told, signed.

    Attributes:
        codes: ret_code of the next payments; then 000000.
        standing: What a query for a payment says.
    """

    def __init__(self, keys: BankBillerKeys) -> None:
        self.keys = keys
        self.codes: list[str] = []
        self.standing = "NOT_FOUND"
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.nonces: list[str] = []
        self.proves = True

    def exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        path = "/" + url.split("/", 3)[3]
        text = f"POST\n{path}\n{headers['X-Bank-Timestamp']}\n{headers['X-Bank-Nonce']}\n".encode() + body + b"\n"
        signer = self.keys.bank if headers["X-Bank-Key-Id"] == self.keys.identity.key_id else self.keys.renewed
        signature = base64.b64decode(headers["X-Bank-Signature"])
        signer.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        said = json.loads(body)
        self.calls.append((said["head"]["tran_code"], said["body"]))
        self.nonces.append(headers["X-Bank-Nonce"])
        return self._answer(said["head"]["tran_code"])

    def _answer(self, tran_code: str) -> tuple[int, Mapping[str, str], bytes]:
        code = self.codes.pop(0) if tran_code == "PAYNTF" and self.codes else "000000"
        if code == "lost":
            raise TimeoutError("lost")
        content = {
            "BILLQRY": {"total_num": 1, "bills": [BILL]},
            "PAYNTF": {"receipt_no": "r1"},
            "PAYQRY": {"status": self.standing, "receipt_no": "r1"},
        }.get(tran_code, {})
        raw = json.dumps({"head": {"ret_code": code, "ret_msg": ""}, "body": content}).encode()
        key = self.keys.gateway if self.proves else self.keys.bank
        signature = key.sign(b"1\n2\n" + raw + b"\n", padding.PKCS1v15(), hashes.SHA256())
        signed = {
            "x-bank-timestamp": "1",
            "x-bank-nonce": "2",
            "x-bank-signature": base64.b64encode(signature).decode(),
        }
        return 200, signed, raw

    def payments(self) -> int:
        return sum(tran_code == "PAYNTF" for tran_code, _ in self.calls)


@pytest.fixture
def gateway(keyring: Keyring) -> FakeGateway:
    return FakeGateway(keyring.of(BankBillerKeys))


@pytest.fixture
def bank(gateway: FakeGateway, surroundings: Callable[[str], Surroundings]) -> BankBillerSimulator:
    return BankBillerSimulator(gateway.keys, surroundings("bank_biller"), exchange=gateway.exchange)


def _paid(bank: BankBillerSimulator) -> Any:
    bank.find_bills("110101199001010013", year="2026")
    return bank.pay_bill("b1")


@pytest.mark.parametrize(
    ("code", "goes_back"),
    [
        ("A00003", True),
        ("V00003", True),
        ("P20001", True),
        ("P20005", True),
        ("P30003", True),
        ("P30001", False),
        ("P40001", False),
        ("P90001", False),
        ("S99999", False),
        ("S99001", False),
        ("000000", False),
        ("", False),
    ],
)
def test_money_goes_back_on_a_definite_failure_alone(code: str, *, goes_back: bool) -> None:
    assert money_goes_back(code) == goes_back


@pytest.mark.parametrize(
    ("code", "held"),
    [("000000", "PAID"), ("P20001", "RETURNED"), ("P40001", "STUCK"), ("S99999", "UNKNOWN"), ("lost", "UNKNOWN")],
)
def test_payment_is_held_by_what_was_answered(
    bank: BankBillerSimulator, gateway: FakeGateway, code: str, held: str
) -> None:
    gateway.codes = [code]

    assert _paid(bank)["state"] == held


def test_unknown_payment_is_asked_about_and_told_again_under_a_new_nonce(
    bank: BankBillerSimulator, gateway: FakeGateway, clock: SandboxClock
) -> None:
    """Same serial, other nonce."""
    gateway.codes = ["lost"]
    _paid(bank)
    clock.advance(5)
    sent = [body for tran_code, body in gateway.calls if tran_code == "PAYNTF"]

    assert bank.orders()[0]["state"] == "PAID"
    assert sent[0] == sent[1]
    assert len(set(gateway.nonces)) == len(gateway.nonces)


def test_unknown_payment_that_is_known_there_is_not_told_again(
    bank: BankBillerSimulator, gateway: FakeGateway, clock: SandboxClock
) -> None:
    gateway.codes, gateway.standing = ["S99999"], "SUCCESS"
    _paid(bank)
    clock.advance(5)

    assert (bank.orders()[0]["state"], gateway.payments()) == ("PAID", 1)


def test_payment_that_stays_unknown_is_left_to_the_days_file(
    bank: BankBillerSimulator, gateway: FakeGateway, clock: SandboxClock
) -> None:
    """Three looks, no reversal, and the money stays in the file."""
    gateway.codes, gateway.standing = ["S99999"], "PROCESSING"
    _paid(bank)
    clock.advance(3600)

    assert [tran_code for tran_code, _ in gateway.calls if tran_code in ("PAYQRY", "PAYREV")] == ["PAYQRY"] * 3
    bank.upload_day()
    assert gateway.calls[-1][1]["net_amount"] == 38001


def test_later_message_that_is_turned_away_says_nothing_of_the_payment(
    bank: BankBillerSimulator, gateway: FakeGateway, clock: SandboxClock
) -> None:
    """The first may have been taken: the money stays where it is until a query or the file tells."""
    gateway.codes = ["lost", "A00002"]
    _paid(bank)
    clock.advance(5)
    assert bank.orders()[0]["state"] == "UNKNOWN"
    gateway.standing = "SUCCESS"
    clock.advance(5)

    assert bank.orders()[0]["state"] == "PAID"


def test_busy_gateway_gets_the_same_payment_later(
    bank: BankBillerSimulator, gateway: FakeGateway, clock: SandboxClock
) -> None:
    gateway.codes = ["S99001", "S99001"]
    _paid(bank)
    clock.advance(60)

    assert (bank.orders()[0]["state"], gateway.payments()) == ("PAID", 3)


def test_answer_that_is_not_the_gateways_proves_nothing(bank: BankBillerSimulator, gateway: FakeGateway) -> None:
    """A definite failure from somebody else must not give the payer the money back."""
    bank.find_bills("110101199001010013", year="2026")
    gateway.proves, gateway.codes = False, ["P20001"]

    assert bank.pay_bill("b1")["state"] == "UNKNOWN"


def test_bill_that_was_never_found_cannot_be_paid(bank: BankBillerSimulator) -> None:
    with pytest.raises(PayRefused):
        bank.pay("b1")
    with pytest.raises(PayRefused):
        bank.send("1")


def test_books_hold_no_more_than_their_limit(bank: BankBillerSimulator) -> None:
    for _ in range(5):
        _paid(bank)
    with pytest.raises(SandboxFull):
        _paid(bank)


def test_renewed_key_signs_after_the_rotation(bank: BankBillerSimulator, gateway: FakeGateway) -> None:
    assert bank.rotate_certificate() == gateway.keys.identity.renewed_key_id
    assert _paid(bank)["state"] == "PAID"


def test_day_file_nets_reversals_and_leaves_out_what_went_back(clock: SandboxClock) -> None:
    now = clock.now()
    made = [
        Transfer(serial=f"S{n}", way="bbp", bill_no="b", amount_fen=100 + n, paid_at=now, held=held)
        for n, held in enumerate((Held.PAID, Held.RETURNED, Held.UNKNOWN, Held.REVERSED))
    ]
    made[3].reversal_serial = "R3"
    content, lines, net_fen = day_file(made)

    assert (lines, net_fen) == (4, 202)
    assert content.decode().split("\n")[:5] == [
        "4|202|3|305|1|103",
        f"{now:%Y%m%d}|S0|{now:%H%M%S}|b||100|P|APP|",
        f"{now:%Y%m%d}|S2|{now:%H%M%S}|b||102|P|APP|",
        f"{now:%Y%m%d}|S3|{now:%H%M%S}|b||103|P|APP|",
        f"{now:%Y%m%d}|R3|{now:%H%M%S}|b||103|R|APP|S3",
    ]
