"""What a bank is told: every outcome's exact members, every reason's code, signed."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from adapters.bank.bbp.answers import masked
from adapters.bank.bbp.tables import CODE_BY_REASON
from adapters.kit.sm import find_sm2
from adapters.kit.sm_der import signature_from_der
from adapters.kit.sm_keys import Sm2PublicKey
from gateway.domain.biller import (
    Bill,
    BillerOutcome,
    BillerReason,
    BillPage,
    BillState,
    DayResult,
    DifferenceKind,
    FileReceipt,
    FileState,
    PaymentReceipt,
    PaymentStanding,
    ReversalReceipt,
    Standing,
    ToldDifference,
)
from gateway.domain.secret import Secret
from tests.adapters.bank_bbp import peer
from tests.adapters.bank_bbp.test_front import PAY
from tests.adapters.shared_account import sm2

AT = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
"""Already the 22nd in Beijing."""

BILL = Bill(
    bill_no=peer.BILL_NO,
    name="测试人",
    region="341200",
    insured_year=2027,
    insurance_kind="resident_medical",
    amount_fen=38001,
    state=BillState.UNPAID,
    opened_at=AT,
    expires_at=AT,
    reason=None,
    version="0a1b2c3d",
)
TOLD = {
    "bill_no": peer.BILL_NO,
    "name_masked": "**人",
    "area_code": "341200",
    "area_name": "阜阳市",
    "year": "2027",
    "insutype": "390",
    "amount": 38001,
    "status": "UNPAID",
    "start_date": "20261122",
    "due_date": "20261122",
    "can_pay": True,
    "reason_code": "",
    "version": "0a1b2c3d",
}


def told(outcome: BillerOutcome, **settings: Any) -> Any:
    front = peer.front(**settings)
    admitted = front.admit(peer.request("payments/notify", peer.envelope("PAYNTF", PAY)))
    return front.answer(admitted, outcome, answer_no="a" * 32)


OUTCOMES: list[tuple[BillerOutcome, dict[str, Any]]] = [
    (BillPage(total=3, bills=(BILL,)), {"total_num": 3, "bills": [TOLD]}),
    (
        PaymentReceipt(order_id="ord_1", bill_no="1", receipt_no="r1", accepted_at=AT, is_duplicate=True),
        {"order_no": "ord_1", "bill_no": "1", "receipt_no": "r1", "accept_date": "20261122", "duplicate": True},
    ),
    (
        PaymentStanding(standing=Standing.PAID, order_id="ord_1", receipt_no="r1", amount_fen=38001, accepted_at=AT),
        {"status": "SUCCESS", "order_no": "ord_1", "receipt_no": "r1", "amount": 38001, "accept_date": "20261122"},
    ),
    (
        PaymentStanding(standing=Standing.NOT_FOUND),
        {"status": "NOT_FOUND", "order_no": "", "receipt_no": "", "amount": None, "accept_date": ""},
    ),
    (
        ReversalReceipt(standing=Standing.REVERSED, order_id="ord_1"),
        {"order_no": "ord_1", "reversed": True, "status": "REVERSED"},
    ),
    (
        ReversalReceipt(standing=Standing.NOT_FOUND, order_id=None),
        {"order_no": "", "reversed": True, "status": "NOT_FOUND"},
    ),
    (FileReceipt(file_id="bdf_1", state=FileState.REJECTED), {"recon_no": "bdf_1", "status": "REJECTED"}),
    (
        DayResult(
            state=FileState.DIFFERENT,
            matched=7,
            differences=(
                ToldDifference(bank_seq="S1", kind=DifferenceKind.LONG, bank_amount_fen=5, our_amount_fen=None),
            ),
        ),
        {
            "status": "DIFF",
            "matched_count": 7,
            "diffs": [{"bank_seq": "S1", "type": "LONG", "bank_amount": 5, "our_amount": None}],
        },
    ),
]


@pytest.mark.parametrize(("outcome", "body"), OUTCOMES, ids=[type(outcome).__name__ for outcome, _ in OUTCOMES])
def test_outcome_is_told_exactly(outcome: BillerOutcome, body: dict[str, Any]) -> None:
    """Signed, with the request's head repeated."""
    answer = told(outcome)

    assert (answer.status, answer.code) == (200, "000000")
    assert peer.checked(answer) == {
        "head": {
            "version": "1.0",
            "inst_id": peer.INST,
            "tran_code": "PAYNTF",
            "tran_date": "20261121",
            "tran_time": "100101",
            "tran_seq": "ABC340202611210000000101",
            "ret_code": "000000",
            "ret_msg": "",
            "resp_seq": "a" * 32,
            "resp_time": "20261121100101",
        },
        "body": body,
    }
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


CODES = {
    BillerReason.SIGNATURE: ("A00001", 401),
    BillerReason.TIMESTAMP: ("A00002", 401),
    BillerReason.NONCE: ("A00003", 401),
    BillerReason.INSTITUTION: ("A00004", 401),
    BillerReason.KEY: ("A00005", 401),
    BillerReason.FORMAT: ("V00001", 200),
    BillerReason.FIELD_MISSING: ("V00002", 200),
    BillerReason.AMOUNT_FORM: ("V00003", 200),
    BillerReason.CALL: ("V00004", 200),
    BillerReason.NO_PERSON: ("Q10001", 200),
    BillerReason.NOT_IN_AREA: ("Q10002", 200),
    BillerReason.NO_BILL: ("Q10003", 200),
    BillerReason.NOTHING_OWED: ("Q10004", 200),
    BillerReason.ALREADY_PAID: ("P20001", 200),
    BillerReason.AMOUNT_DIFFERS: ("P20002", 200),
    BillerReason.BILL_CLOSED: ("P20003", 200),
    BillerReason.WINDOW_CLOSED: ("P20004", 200),
    BillerReason.BILL_UNKNOWN: ("P20005", 200),
    BillerReason.ORIGINAL_UNKNOWN: ("P30001", 200),
    BillerReason.NOT_REVERSIBLE: ("P30002", 200),
    BillerReason.REVERSED_FIRST: ("P30003", 200),
    BillerReason.REVERSAL_AMOUNT: ("P30004", 200),
    BillerReason.KEY_REUSED: ("P40001", 200),
    BillerReason.BUSY: ("S99001", 503),
    BillerReason.UNDECIDED: ("S99999", 500),
}


@pytest.mark.parametrize("reason", BillerReason)
def test_reason_has_its_code(reason: BillerReason) -> None:
    """So the citizen's money goes back exactly when it should. Source: sheet section 8.5."""
    answer = told(reason)
    members = peer.checked(answer)

    assert (answer.code, answer.status) == CODES[reason]
    assert (members["head"]["ret_code"], members["body"]) == (CODES[reason][0], {})
    assert members["head"]["ret_msg"]


def test_every_reason_of_the_core_has_a_code() -> None:
    assert set(CODE_BY_REASON) == set(BillerReason)


@pytest.mark.parametrize("reason", [BillerReason.SIGNATURE, BillerReason.NONCE, BillerReason.INSTITUTION])
def test_call_that_is_turned_away_is_told_why_in_a_signed_answer(reason: BillerReason) -> None:
    """Nothing of an unproven request is repeated."""
    request = peer.request("payments/notify", b'{"head":{"tran_seq":"canary"}}')
    answer = peer.front().turn_away(request, reason, answer_no="a" * 32)

    assert answer.status == 401
    assert b"canary" not in answer.body
    assert peer.checked(answer)["head"]["inst_id"] == peer.INST


def test_stranger_is_told_a_code_and_nothing_else() -> None:
    """Our signature is not for everybody, nor the names of our institutions."""
    request = peer.request("payments/notify", b"{}", inst="PSB340")
    answer = peer.front().turn_away(request, BillerReason.INSTITUTION, answer_no="a" * 32)

    assert set(answer.headers) == {"Content-Type"}
    assert json.loads(answer.body)["head"]["ret_code"] == "A00004"
    assert peer.INST.encode() not in answer.body


def test_answer_with_a_changed_byte_does_not_verify() -> None:
    """The bank can tell a definite failure from a forged one."""
    answer = told(BillerReason.ALREADY_PAID)
    forged = type(answer)(
        status=answer.status, headers=answer.headers, body=answer.body.replace(b"P20001", b"000000"), code=""
    )
    with pytest.raises(InvalidSignature):
        peer.checked(forged)


def test_head_of_a_broken_message_is_repeated_as_far_as_it_is_text() -> None:
    front = peer.front()
    body = peer.envelope("PAYNTF", {}, tran_seq=7, tran_date="x" * 200)
    answer = front.answer(front.admit(peer.request("payments/notify", body)), BillerReason.FORMAT, answer_no="a" * 32)
    head = peer.checked(answer)["head"]

    assert ("tran_seq" in head, head["tran_date"], head["tran_code"]) == (False, "x" * 64, "PAYNTF")


def test_signed_nonsense_is_answered_too() -> None:
    front = peer.front()
    answer = front.answer(front.admit(peer.request("payments/notify", b"\xff")), BillerReason.FORMAT, answer_no="1")

    assert peer.checked(answer)["head"]["ret_code"] == "V00001"


@pytest.mark.parametrize("sig_format", ["der", "raw"])
def test_answers_can_be_signed_with_sm2(sig_format: str) -> None:
    """For a bank that verifies 国密 alone."""
    key = Secret(f"{peer.GATEWAY_SM2:064x}")
    answer = told(BillerReason.NO_BILL, sign_type="SM2", signing_key=key, sm2_sig=sig_format, bank_sm2_keys=None)
    headers = answer.headers
    text = f"{headers['X-Bank-Timestamp']}\n{headers['X-Bank-Nonce']}\n".encode() + answer.body + b"\n"
    proof = base64.b64decode(headers["X-Bank-Signature"])
    raw = proof if sig_format == "raw" else signature_from_der(proof)
    public = Sm2PublicKey(point=sm2.public_point(peer.GATEWAY_SM2))

    assert headers["X-Bank-Sign-Type"] == "SM2"
    assert find_sm2("gmalg").verify(public, text, peer.SM2_USER, raw)


@pytest.mark.parametrize(("name", "shown"), [("张三", "*三"), ("欧阳小明", "***明"), ("三", "*"), ("", "")])
def test_names_are_masked(name: str, shown: str) -> None:
    """A payer recognises their own; nobody learns another's."""
    assert masked(name) == shown


def test_closed_bill_says_why() -> None:
    closed = type(BILL)(
        **{name: getattr(BILL, name) for name in BILL.__dataclass_fields__}
        | {
            "state": BillState.CLOSED,
            "reason": BillerReason.WINDOW_CLOSED,
            "insurance_kind": "pension",
            "region": "340100",
        }
    )
    (bill,) = peer.checked(told(BillPage(total=1, bills=(closed,))))["body"]["bills"]

    assert (bill["status"], bill["can_pay"], bill["reason_code"]) == ("CLOSED", False, "P20004")
    assert (bill["insutype"], bill["area_name"]) == ("", "")
