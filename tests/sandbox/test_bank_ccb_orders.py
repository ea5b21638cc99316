"""CCB's pages and its client program, as the counter's merchant sees them."""

import pytest

from sandbox.bank_ccb.faults import BankCcbFault
from sandbox.faults import Fault, FaultBoard
from sandbox.wire import PayRefused
from tests.sandbox.bank_ccb_counter import NUMBER, ORDER_ID, Counter, members, value
from tests.sandbox.merchants import Inbox


@pytest.mark.parametrize("tx_code", ["520100", "530550"])
def test_order_leads_to_its_cashier_and_is_paid_there(counter: Counter, tx_code: str) -> None:
    """By redirect, or by a code in two steps; the gateway's own number names it."""
    shown = counter.simulator.cashier(counter.visit(tx_code))

    assert (NUMBER, ORDER_ID, 38001, "UNPAID") == tuple(
        shown[name] for name in ("out_trade_no", "order_id", "amount_fen", "state")
    )
    assert ("医保" if tx_code == "520100" else "建行订单") == shown["subject"]
    assert "PAID" == counter.simulator.pay(NUMBER)["state"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MAC": "0" * 32}, "SANDBOX0009"),
        ({"PUB": "x"}, "SANDBOX0001"),
        ({"PAYMENT": "38001"}, "SANDBOX0001"),
        ({"PAYMENT": "0.00"}, "SANDBOX0004"),
        ({"ORDERID": "A" * 31}, "SANDBOX0001"),
        ({"POSID": "099999002"}, "SANDBOX0002"),
        ({"RETURNTYPE": "1"}, "SANDBOX0001"),
        ({"TIMEOUT": "20260301102030"}, "SANDBOX0007"),
        ({"TIMEOUT": "20269999999999"}, "SANDBOX0001"),
        ({"EXTRA": "x"}, "SANDBOX0001"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_order_that_does_not_fit_is_refused(counter: Counter, changes: dict[str, str], code: str) -> None:
    """Without success, and with a code."""
    answer = members(counter.order(**changes))

    assert ("false", code) == (answer["SUCCESS"], answer["ERRCODE"])
    assert counter.simulator.orders() == []


def test_mac_without_pub_in_the_middle_is_refused(counter: Counter) -> None:
    """The browser sees a page."""
    fields = counter.fields("520100")
    wrong = counter.mac({name: text for name, text in fields.items() if name not in ("TYPE", "MAC")} | {"TYPE": "1"})
    answer = counter.order("520100", MAC=wrong)

    assert (200, True) == (answer.status, "SANDBOX0009" in answer.body.decode())


def test_same_order_again_is_the_same_and_another_amount_is_refused(counter: Counter) -> None:
    """A number is used once."""
    assert counter.visit() == counter.visit()
    assert "SANDBOX0008" == members(counter.order(PAYMENT="380.02"))["ERRCODE"]
    assert 1 == len(counter.simulator.orders())


def test_order_ends_with_its_timeout(counter: Counter) -> None:
    """One without a TIMEOUT does not."""
    counter.visit(TIMEOUT="20260301102130")
    counter.clock.advance(60)
    with pytest.raises(PayRefused):
        counter.simulator.pay(NUMBER)

    assert "EXPIRED" == counter.simulator.orders()[0]["state"]


def test_order_is_paid_once(counter: Counter) -> None:
    """The second payer is turned away."""
    counter.paid()
    with pytest.raises(PayRefused):
        counter.simulator.pay(NUMBER)

    assert 1 == len(counter.simulator.books()["payments"])


# --- the client program -----------------------------------------------------------------------------------------------


def test_payment_is_unsettled_on_its_day_and_settled_after_it(counter: Counter) -> None:
    """Under one KIND at a time."""
    counter.visit()
    assert ["YDCA02910001"] * 2 == [value(counter.payments(kind), "RETURN_CODE")[0] for kind in "01"]
    counter.paid()
    today = [value(counter.payments(kind), "ORDER_STATUS") for kind in "01"]
    counter.clock.advance(86_400)
    later = [value(counter.payments(kind), "ORDER_STATUS") for kind in "01"]

    assert ([["1"], []], [[], ["1"]]) == (today, later)


def test_kinds_can_be_mixed_up(counter: Counter, faults: FaultBoard) -> None:
    """Today's payment among the settled ones."""
    faults.add(BankCcbFault.KIND_MIXED_UP, operation="query")
    counter.paid()

    assert [[], ["1"]] == [value(counter.payments(kind), "ORDER_STATUS") for kind in "01"]


def test_answer_repeats_the_question_and_an_error_only_its_number(counter: Counter) -> None:
    """As was seen of the bank."""
    counter.paid()
    good, bad = counter.ask("5W1002", "77", KIND="0", ORDER=ORDER_ID), counter.ask("5W1002", "78", KIND="1", ORDER="X")

    assert (["77"], ["5W1002"], ["试验缴费人"]) == tuple(
        value(good, name) for name in ("REQUEST_SN", "TX_CODE", "ACC_NAME")
    )
    assert (["78"], [], ["流水记录不存在"]) == tuple(
        value(bad, name) for name in ("REQUEST_SN", "TX_CODE", "RETURN_MSG")
    )


def test_client_program_refuses_strangers_and_used_numbers(counter: Counter) -> None:
    """A REQUEST_SN is good once."""
    counter.paid()
    asked = {"KIND": "0", "ORDER": ORDER_ID}
    answers = [
        counter.ask("5W1002", "1", **asked),
        counter.ask("5W1002", "1", **asked),
        counter.ask("5W1002", password="wrong", **asked),
        counter.ask("5W9999", **asked),
        counter.post('<!DOCTYPE TX [<!ENTITY a "b">]><TX>&a;</TX>'),
        counter.post("<TX>"),
    ]

    assert ["000000", "SANDBOX0003", "SANDBOX0002", "SANDBOX0001", "SANDBOX0001", "SANDBOX0001"] == [
        value(answer, "RETURN_CODE")[0] for answer in answers
    ]


def test_refund_waits_and_is_done(counter: Counter) -> None:
    """5W1003 tells it by its code, 5W1002 counts it when it is done."""
    counter.paid()
    taken = counter.refund()
    waiting = counter.refunds(), counter.payments()
    counter.clock.advance(10)
    done = counter.refunds(), counter.payments()

    assert (["000000"], [ORDER_ID], ["120.01"]) == tuple(
        value(taken, name) for name in ("RETURN_CODE", "ORDER_NUM", "AMOUNT")
    )
    assert (["2"], ["0.00"], ["1"]) == (
        value(waiting[0], "STATUS"),
        value(waiting[1], "REFUND_MONEY"),
        value(waiting[1], "ORDER_STATUS"),
    )
    assert (["1"], ["R1"], ["120.01"], ["3"]) == (
        value(done[0], "STATUS"),
        value(done[0], "REFUND_CODE"),
        value(done[1], "REFUND_MONEY"),
        value(done[1], "ORDER_STATUS"),
    )


def test_refund_code_does_not_protect(counter: Counter) -> None:
    """The worst that the bank might do: whoever sends twice pays twice."""
    counter.paid()
    counter.refund()
    counter.refund()

    assert 2 == len(counter.simulator.books()["refunds"])


@pytest.mark.parametrize(
    ("money", "days", "code"),
    [("380.02", 0, "SANDBOX0005"), ("0.00", 0, "SANDBOX0004"), ("1", 0, "SANDBOX0004"), ("1.00", 366, "SANDBOX0011")],
)
def test_refund_that_cannot_be_is_refused(counter: Counter, money: str, days: int, code: str) -> None:
    """Too much, no amount, too late."""
    counter.paid()
    counter.clock.advance(days * 86_400)

    assert [code] == value(counter.refund(money), "RETURN_CODE")
    assert [] == counter.simulator.books()["refunds"]


def test_refund_can_be_refused_and_its_code_hidden(counter: Counter, faults: FaultBoard) -> None:
    """Nothing is done; and an older interface does not tell whose refund it was."""
    counter.paid()
    faults.add(BankCcbFault.REFUND_REFUSED, times=1)
    faults.add(BankCcbFault.REFUND_CODE_HIDDEN, operation="refund_query")
    refused, taken = counter.refund(), counter.refund()

    assert (["SANDBOX0010"], ["000000"]) == (value(refused, "RETURN_CODE"), value(taken, "RETURN_CODE"))
    assert [""] == value(counter.refunds(), "REFUND_CODE")


# --- the payer's tries ------------------------------------------------------------------------------------------------


def test_failed_try_is_told_and_another_one_can_succeed(counter: Counter, faults: FaultBoard, inbox: Inbox) -> None:
    """Both are records of one order."""
    faults.add(BankCcbFault.TRY_FAILS, times=1)
    counter.visit()
    with pytest.raises(PayRefused):
        counter.simulator.pay(NUMBER)
    counter.clock.advance(1)
    counter.simulator.pay(NUMBER)
    counter.clock.advance(0)

    assert ["N", "Y"] == [dict(counter.check(body))["SUCCESS"] for _, _, body in inbox.received]
    assert ["0", "1"] == value(counter.payments(), "ORDER_STATUS")


def test_payment_can_wait_for_the_bank(counter: Counter, faults: FaultBoard, inbox: Inbox) -> None:
    """待银行确认: no notify, and nobody can pay again meanwhile."""
    faults.add(BankCcbFault.WAITS_FOR_BANK, times=1, seconds=60)
    counter.paid()
    waiting = value(counter.payments(), "ORDER_STATUS")
    with pytest.raises(PayRefused):
        counter.simulator.pay(NUMBER)
    assert [] == inbox.received
    counter.clock.advance(60)

    assert (["2"], ["1"]) == (waiting, value(counter.payments(), "ORDER_STATUS"))
    assert 1 == len(inbox.received)


# --- common faults ----------------------------------------------------------------------------------------------------


def test_faults_strike_before_and_after_the_commit(counter: Counter, faults: FaultBoard) -> None:
    """Lost, halved, replaced, or the bank's own word for too much."""
    counter.paid()
    faults.add(Fault.HALF_JSON, operation="query", times=1)
    faults.add(Fault.RATE_LIMITED, operation="create", times=1)
    faults.add(Fault.ERROR_5XX_AFTER_COMMIT, operation="page", times=1)
    faults.add(Fault.TIMEOUT_AFTER_COMMIT, operation="page", times=1)

    assert not counter.payments().endswith("</TX>")
    assert "SANDBOX0006" == members(counter.order())["ERRCODE"]
    assert [500, 0, 302] == [counter.order("520100", ORDERID="WEB0001").status for _ in range(3)]
    assert 2 == len(counter.simulator.orders())


def test_paid_order_can_be_unknown_for_a_while(counter: Counter, faults: FaultBoard) -> None:
    """not_found_then_paid, for both KINDs."""
    counter.paid()
    faults.add(Fault.NOT_FOUND_THEN_PAID, operation="query")
    early = [value(counter.payments(kind), "RETURN_CODE")[0] for kind in "01"]
    counter.clock.advance(60)

    assert ["YDCA02910001"] * 2 == early
    assert ["1"] == value(counter.payments(), "ORDER_STATUS")


def test_answer_can_be_in_gbk(counter: Counter, faults: FaultBoard) -> None:
    """Under its own name; the texts are the same."""
    counter.paid()
    faults.add(Fault.GBK_BODY, operation="query")
    answer = counter.payments()

    assert answer.startswith('<?xml version="1.0" encoding="GBK"')
    assert ["试验缴费人"] == value(answer, "ACC_NAME")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/ebs"), ("POST", "/CCBIS/QR"), ("GET", "/"), ("PUT", "/CCBIS/ccbMain")]
)
def test_other_addresses_are_not_there(counter: Counter, method: str, path: str) -> None:
    """404."""
    assert 404 == counter.simulator.answer(method, path, {}, b"").status


def test_full_sandbox_takes_no_more_orders(counter: Counter) -> None:
    """It says that it is busy."""
    for number in range(5):
        counter.order(ORDERID=f"FULL{number}")

    assert "SANDBOX0006" == members(counter.order(ORDERID="FULL5"))["ERRCODE"]
