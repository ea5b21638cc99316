"""ICBC's orders and refunds: what is admitted, what is signed, what pay_status says, and the faults of requests."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from sandbox.bank_icbc import BankIcbcSimulator
from sandbox.bank_icbc.faults import IcbcFault
from sandbox.bank_icbc.keys import IcbcKeys
from sandbox.clock import SandboxClock
from sandbox.faults import Fault, FaultBoard
from sandbox.frame import Surroundings
from sandbox.keyring import Keyring
from sandbox.wire import PayRefused
from tests.sandbox.bank_icbc_merchant import NUMBER, PATHS, RETURN_URL, SERIAL, BankIcbcMerchant


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


def test_order_is_asked_for_before_and_after_it_is_paid(merchant: BankIcbcMerchant, faults: FaultBoard) -> None:
    """Nobody has tried: it does not exist. Turned down: 1. Paid: 0, with number, time and amount."""
    visit = merchant.arrive()
    before = merchant.ask("query")
    turned = merchant.simulator.cancel(NUMBER)
    faults.add(IcbcFault.PAYMENT_DECLINED, times=1)
    with pytest.raises(PayRefused, match="重试"):
        merchant.simulator.pay(NUMBER)
    tried = merchant.ask("query")
    shown = merchant.simulator.cashier(visit)
    paid = merchant.simulator.pay(NUMBER)
    after = merchant.ask("query")

    assert (500020, RETURN_URL) == (before["return_code"], turned["return_url"])
    assert (0, "1", "38001") == (tried["return_code"], tried["pay_status"], tried["total_amt"])
    assert ("1", 38001, "2026年度城乡居民医保") == (shown["state"], shown["amount_fen"], shown["subject"])
    assert ("0", "0", "20260301102030") == (paid["state"], after["pay_status"], after["pay_time"])
    assert paid["provider_trade_no"] == after["order_id"]
    assert after["msg_id"] == f"m{merchant.calls:05d}"


def test_form_posted_again_leads_to_the_same_cashier(merchant: BankIcbcMerchant) -> None:
    """The browser's back button, also after paying; another amount under the number is refused."""
    visit = merchant.arrive()

    assert visit == merchant.arrive()
    assert "500021" in merchant.call("page", order_amt="1").body.decode()
    merchant.simulator.pay(NUMBER)
    assert visit == merchant.arrive()


def test_payer_cannot_pay_twice_or_too_late(merchant: BankIcbcMerchant) -> None:
    """expireTime is in seconds from the arrival."""
    merchant.arrive(expireTime="100")
    merchant.arrive(out_trade_no="B", expireTime="100")
    merchant.simulator.pay(NUMBER)
    with pytest.raises(PayRefused, match="已支付"):
        merchant.simulator.pay(NUMBER)
    merchant.clock.advance(100)
    with pytest.raises(PayRefused, match="时限"):
        merchant.simulator.pay("B")
    merchant.simulator.cancel("B")

    assert 500020 == merchant.ask("query", out_trade_no="B")["return_code"]
    with pytest.raises(PayRefused):
        merchant.simulator.pay("C")


@pytest.mark.parametrize(
    ("kind", "common", "changes", "code"),
    [
        ("query", {"app_id": "1"}, {}, 400011),
        ("query", {"timestamp": "2026-03-01 10:04:30"}, {}, 400011),
        ("query", {"timestamp": "now"}, {}, 400011),
        ("query", {"charset": "latin-1"}, {}, 400011),
        ("query", {"msg_id": "x" * 41}, {}, 400011),
        ("query", {"biz_content": "[]"}, {}, 400011),
        ("query", {"sign_type": "CA"}, {}, 400017),
        ("query", {}, {"mer_id": "999900000002"}, 400011),
        ("query", {}, {"deal_flag": "1"}, 400011),
        ("query", {}, {"out_trade_no": ""}, 400011),
        ("query", {}, {"out_trade_no": "a" * 36}, 400011),
        ("refund", {}, {"ret_total_amt": "120.01"}, 400011),
        ("refund", {}, {"trnsc_ccy": "156"}, 400011),
    ],
)
def test_request_that_is_not_right_is_refused_and_signed(
    merchant: BankIcbcMerchant, kind: str, common: dict[str, str], changes: dict[str, str], code: int
) -> None:
    """By one code for each kind of fault."""
    answer = merchant.call(kind, common, **changes)
    merchant.sealed = False  # before its content is read nobody knows that a request is encrypted

    assert code == merchant.read(answer)["return_code"]


def test_request_signed_by_another_or_over_another_path_is_refused(merchant: BankIcbcMerchant) -> None:
    """The path is a part of it; and a parameter in the wrong place is no parameter."""
    params = merchant.params("query", {}, {})
    elsewhere = merchant.post("refund_query", params)
    changed = merchant.post("query", {**params, "msg_id": "other"})
    page = merchant.params("page", {}, {})
    target = PATHS["page"]
    in_form = merchant.simulator.answer("POST", target, {}, b"&".join(f"{k}={v}".encode() for k, v in page.items()))
    merchant.sealed = False

    assert [400017] * 2 == [merchant.read(answer)["return_code"] for answer in (elsewhere, changed)]
    assert "400011" in in_form.body.decode()
    assert 404 == merchant.simulator.answer("GET", PATHS["query"], {}, b"").status


def test_msg_id_is_good_for_one_call(merchant: BankIcbcMerchant) -> None:
    """A repeated request is a new call."""
    params = merchant.params("query", {}, {})
    merchant.post("query", params)
    again = merchant.post("query", params)
    merchant.sealed = False

    assert "msg_id" in merchant.read(again)["return_msg"]


def test_refund_is_under_way_then_done_and_the_same_number_is_the_same_refund(merchant: BankIcbcMerchant) -> None:
    """In parts, up to the whole; a used number with another amount is refused."""
    merchant.paid()
    taken, again = merchant.ask("refund"), merchant.ask("refund")
    under_way = merchant.ask("refund_query")
    merchant.clock.advance(10)
    done = merchant.ask("refund_query")

    assert (0, "12001", SERIAL) == (taken["return_code"], taken["reject_amt"], taken["outtrx_serial_no"])
    assert taken["intrx_serial_no"] == again["intrx_serial_no"]
    assert ("2", "0", "2026-03-01 10:20:40") == (under_way["pay_status"], done["pay_status"], done["refund_time"])
    assert 500025 == merchant.ask("refund", ret_total_amt="1")["return_code"]
    assert 500024 == merchant.ask("refund", outtrx_serial_no="R2", ret_total_amt="26001")["return_code"]
    assert 0 == merchant.ask("refund", outtrx_serial_no="R2", ret_total_amt="26000")["return_code"]
    books = merchant.simulator.books()
    assert [12001, 26000] == [refund["amount_fen"] for refund in books["refunds"]]
    assert [38001] == [payment["amount_fen"] for payment in books["payments"]]


def test_refund_of_what_is_not_paid_or_not_known_is_refused(merchant: BankIcbcMerchant) -> None:
    """And a query of it finds nothing."""
    merchant.arrive()

    assert 500023 == merchant.ask("refund")["return_code"]
    assert 500020 == merchant.ask("refund", out_trade_no="B")["return_code"]
    merchant.simulator.pay(NUMBER)
    assert 500020 == merchant.ask("refund_query")["return_code"]


# --- faults -----------------------------------------------------------------------------------------------------------


def test_negative_code_says_nothing_of_what_was_done(merchant: BankIcbcMerchant, faults: FaultBoard) -> None:
    """Before the commit nothing happened, after it everything; the answer is the same."""
    merchant.paid()
    faults.add(IcbcFault.NEGATIVE_CODE_BEFORE_COMMIT, operation="refund", times=1)
    before, nothing = merchant.ask("refund"), merchant.ask("refund_query")
    faults.add(IcbcFault.NEGATIVE_CODE_AFTER_COMMIT, operation="refund", times=1)
    after, something = merchant.ask("refund"), merchant.ask("refund_query")

    assert (-12345, -12345) == (before["return_code"], after["return_code"])
    assert (500020, 0) == (nothing["return_code"], something["return_code"])


def test_refund_can_fail(merchant: BankIcbcMerchant, faults: FaultBoard) -> None:
    """Its amount can then be refunded by another number."""
    merchant.paid()
    faults.add(IcbcFault.REFUND_FAILED, times=1)
    merchant.ask("refund", ret_total_amt="38001")
    merchant.clock.advance(10)

    assert "1" == merchant.ask("refund_query")["pay_status"]
    assert 0 == merchant.ask("refund", outtrx_serial_no="R2", ret_total_amt="38001")["return_code"]


@pytest.mark.parametrize(
    ("fault", "shows"),
    [
        (Fault.ERROR_5XX_AFTER_COMMIT, lambda answer: answer.status == 500),
        (Fault.HTML_ANSWER, lambda answer: answer.body.startswith(b"<html>")),
        (Fault.TIMEOUT_AFTER_COMMIT, lambda answer: answer.lost),
    ],
)
def test_common_faults_strike(merchant: BankIcbcMerchant, faults: FaultBoard, fault: Fault, shows: Any) -> None:
    """As at every provider."""
    merchant.paid()
    faults.add(fault, provider="bank_icbc", operation="query", times=1)

    assert shows(merchant.call("query"))
    assert "0" == merchant.ask("query")["pay_status"]


def test_limited_request_is_a_system_error(merchant: BankIcbcMerchant, faults: FaultBoard) -> None:
    """Which says nothing of what was done."""
    merchant.paid()
    faults.add(Fault.RATE_LIMITED, provider="bank_icbc", operation="query", times=1)

    assert [-12345, 0] == [merchant.ask("query")["return_code"] for _ in range(2)]


def test_answer_with_a_bad_signature_proves_nothing(merchant: BankIcbcMerchant, faults: FaultBoard) -> None:
    """Everything else of it is as it should be."""
    merchant.paid()
    faults.add(Fault.ANSWER_BAD_SIGNATURE, times=1)
    with pytest.raises(InvalidSignature):
        merchant.ask("query")


def test_order_can_stay_unknown_though_it_is_paid(merchant: BankIcbcMerchant, faults: FaultBoard) -> None:
    """The lost order (掉单)."""
    merchant.paid()
    faults.add(Fault.NOT_FOUND_THEN_PAID, times=1)

    assert [500020, 0] == [merchant.ask("query")["return_code"] for _ in range(2)]


def test_sandbox_that_is_full_takes_no_more(merchant: BankIcbcMerchant) -> None:
    """It says so on the page."""
    for number in range(5):
        merchant.arrive(out_trade_no=f"N{number}")

    assert "500098" in merchant.call("page", out_trade_no="N6").body.decode()
    assert 5 == len(merchant.simulator.orders())
