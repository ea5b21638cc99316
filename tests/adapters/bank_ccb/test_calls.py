"""Queries, refunds and QR codes beyond the conformance suite: KIND, several tries, refunds that look alike."""

import contextlib
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs

import pytest

from gateway.domain.provider import (
    NoVerdict,
    OperationUnsupported,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.report import ReportedRefundState, ReportedState
from tests.adapters.bank_ccb import peer
from tests.adapters.bank_ccb.case_calls import PAY_URL, PLACED, QR_TEXT, SHOWN, json_answer
from tests.conformance.case import FixedClock, WireAnswer
from tests.conformance.network import connection_refused, playing

LATE: Final = FixedClock(peer.CREATED_AT + 2 * peer.PAY_MARGIN)


def kinds_of(sent: list[Any]) -> list[str]:
    xmls = [parse_qs(request.body.decode(), encoding="gb18030")["requestXml"][0] for request in sent]
    return [xml.split("<KIND>")[1][0] if "<KIND>" in xml else "refund" for xml in xmls]


# --- queries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "early", "late"),
    [
        ("0", ReportedState.PENDING, ReportedState.FAILED),
        ("1", ReportedState.PAID, ReportedState.PAID),
        ("2", ReportedState.PENDING, ReportedState.PENDING),
        ("3", ReportedState.PAID, ReportedState.PAID),
        ("4", ReportedState.PAID, ReportedState.PAID),
        ("5", ReportedState.PENDING, ReportedState.PENDING),
        ("6", ReportedState.UNKNOWN, ReportedState.UNKNOWN),
        ("A", ReportedState.UNKNOWN, ReportedState.UNKNOWN),
    ],
)
def test_order_status_means_what_the_table_says(status: str, early: ReportedState, late: ReportedState) -> None:
    """A failed try is final only when nobody can pay any more; what is not known is unknown."""
    answers = peer.payments(peer.record(ORDER_STATUS=status)), peer.no_record()
    states = []
    for clock in (FixedClock(peer.NOW), LATE):
        with playing(*answers):
            states.append(peer.provider(clock).query(peer.ref()).report.state)

    assert [early, late] == states


@pytest.mark.parametrize(("seconds", "wanted"), [(0, ReportedState.PENDING), (1, ReportedState.FAILED)])
def test_failure_becomes_final_one_second_after_its_margin(seconds: int, wanted: ReportedState) -> None:
    """The edge: the time to pay and ten minutes."""
    clock = FixedClock(peer.CREATED_AT + peer.PAY_MARGIN + timedelta(seconds=seconds))
    with playing(peer.payments(peer.record(ORDER_STATUS="0")), peer.no_record()):
        assert wanted is peer.provider(clock).query(peer.ref()).report.state


def test_proof_of_today_ends_the_search() -> None:
    """A record that is being settled may be listed as both, and must not look like two payments."""
    with playing(peer.payments(peer.record())) as network:
        peer.provider().query(peer.ref())

    assert ["0"] == kinds_of(network.sent)


def test_payment_that_was_settled_is_found_under_the_other_kind() -> None:
    """Nothing today, paid yesterday; and a failed try of today does not hide it."""
    for first in (peer.no_record(), peer.payments(), peer.payments(peer.record(ORDER_STATUS="0"))):
        with playing(first, peer.payments(peer.record())) as network:
            report = peer.provider(LATE).query(peer.ref()).report

        assert (ReportedState.PAID, 38001) == (report.state, report.amount_fen)
        assert ["0", "1"] == kinds_of(network.sent)


def test_good_try_outweighs_failed_ones() -> None:
    """The payer tried again under the same ORDERID."""
    tries = (peer.record(ORDER_STATUS="0", PAYMENT_MONEY=""), peer.record(), peer.record(ORDER_STATUS="2"))
    with playing(peer.payments(*tries)):
        report = peer.provider().query(peer.ref()).report

    assert (ReportedState.PAID, 38001, ()) == (report.state, report.amount_fen, report.contradictions)


@pytest.mark.parametrize(
    ("records", "named"),
    [
        ((peer.record(POS_ID="061230009"),), ("POS_ID",)),
        ((peer.record(), peer.record()), ("ORDER",)),
        ((peer.record(POS_ID=""),), ()),
    ],
    ids=["other-counter", "paid-twice", "no-counter-named"],
)
def test_record_that_cannot_be_true_of_us_is_named(records: tuple[str, ...], named: tuple[str, ...]) -> None:
    """The core quarantines such a report whole."""
    with playing(peer.payments(*records)):
        assert named == peer.provider().query(peer.ref()).report.contradictions


@pytest.mark.parametrize(
    "answer",
    [
        peer.payments(peer.record(ORDER="JM20260100000001")),
        peer.payments(peer.record(), peer.record(ORDER="JM20260100000001")),
        peer.payments(peer.record(PAYMENT_MONEY="")),
        peer.payments(peer.record(PAYMENT_MONEY="380,01")),
        peer.payments(peer.record(PAYMENT_MONEY="1000000000.01")),
        peer.payments(peer.record(REFUND_MONEY="-1.00")),
        peer.payments(peer.record(ORDER_STATUS="")),
        peer.payments(peer.record(ORDER_STATUS="0"), pages="2"),
        peer.payments(peer.record(), REQUEST_SN="1000000000000001"),
        peer.payments(peer.record(), CUST_ID="105000073990002"),
        peer.payments(peer.record(), TX_CODE="5W1003"),
        peer.payments(peer.record(), RETURN_CODE="000000</RETURN_CODE><RETURN_CODE>000000"),
        peer.payments(peer.record(), code="YDCA0291X"),
        peer.payments(peer.record(), code=""),
        WireAnswer(status=200, headers={}, body=b"<TX></TX></TX>"),
    ],
    ids=[
        *("another-order", "another-order-too", "no-amount", "amount-malformed", "amount-too-large"),
        *("refunded-malformed", "no-status", "second-page", "another-question", "another-merchant"),
        *("another-call", "code-twice", "error-code", "no-code", "two-roots"),
    ],
)
def test_answer_that_does_not_fit_the_question_is_no_verdict(answer: WireAnswer) -> None:
    """Whatever it says beside that."""
    with playing(answer), pytest.raises(NoVerdict):
        peer.provider(LATE).query(peer.ref())


@pytest.mark.parametrize("text", ["20260301102145", "20260301 102145", "2026-03-01 10:21:45", "2026/03/01 10:21:45.0"])
def test_time_of_payment_is_read_or_left_unsaid(text: str) -> None:
    """Its form is not documented: 14 digits are a time, anything else is none."""
    with playing(peer.payments(peer.record(TRAN_DATE=text))):
        said = peer.provider().query(peer.ref()).report.occurred_at

    assert (None if text.endswith(".0") else peer.PAID_AT) == said


def test_codes_of_no_record_can_be_set() -> None:
    """A branch may have its own; then the usual one is an error like any other."""
    provider = peer.provider(no_record_codes=["YDCA0291NONE"])
    unknown = peer.payments(code="YDCA0291NONE")
    with playing(unknown, unknown):
        assert ReportedState.NOT_FOUND is provider.query(peer.ref()).report.state
    with playing(peer.no_record()), pytest.raises(NoVerdict):
        provider.query(peer.ref())


# --- refunds ----------------------------------------------------------------------------------------------------------


def asked_refund(*answers: WireAnswer, **changes: Any) -> Any:
    with playing(*answers):
        return peer.provider().query_refund(peer.refund(**changes)).report


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("0", ReportedRefundState.FAILED),
        ("1", ReportedRefundState.SUCCEEDED),
        ("2", ReportedRefundState.SUBMITTED),
        ("5", ReportedRefundState.SUBMITTED),
        ("3", ReportedRefundState.UNKNOWN),
        ("Z", ReportedRefundState.UNKNOWN),
    ],
)
def test_refund_status_means_what_the_table_says(status: str, state: ReportedRefundState) -> None:
    """What is not known is unknown."""
    report = asked_refund(peer.refunds(peer.refund_record(STATUS=status)), peer.no_record())

    assert state is report.refund.state


def test_refund_that_the_bank_knows_is_not_submitted_again() -> None:
    """Whatever became of it."""
    for status in "0125":
        with playing(peer.refunds(peer.refund_record(STATUS=status)), peer.no_record()) as network:
            report = peer.provider().refund(peer.refund()).report

        assert report.refund is not None
        assert ReportedRefundState.NOT_FOUND is not report.refund.state
        assert "refund" not in kinds_of(network.sent)


def test_refund_is_submitted_when_both_kinds_know_nothing_of_it() -> None:
    """Another refund of the same order, by its own code, is another one."""
    other = peer.refund_record(REFUND_CODE="ANOTHERCODE0001")
    with playing(peer.refunds(other), peer.refunds(other), peer.refund_taken()) as network:
        peer.provider().refund(peer.refund())

    assert ["0", "1", "refund"] == kinds_of(network.sent)


@pytest.mark.parametrize(
    ("left", "sent"), [(29, ["0", "1"]), (30, ["0", "1"]), (31, ["0", "1", "refund"])], ids=["too-late", "edge", "time"]
)
def test_refund_is_submitted_only_while_no_other_worker_can_be_at_it(left: int, sent: list[str]) -> None:
    """What the bank did not know when it was asked may have been submitted since, and the bank may pay out twice."""
    asked = peer.refund(submit_until=peer.NOW + timedelta(seconds=left))
    answers = [peer.no_record(), peer.no_record(), peer.refund_taken()][: len(sent)]
    with playing(*answers) as network, contextlib.suppress(ProviderUnavailable):
        peer.provider().refund(asked)

    assert sent == kinds_of(network.sent)


def test_refund_that_comes_too_late_is_certainly_not_accepted() -> None:
    """So that it is tried again, by whoever has the task then."""
    with playing(peer.no_record(), peer.no_record()), pytest.raises(ProviderUnavailable):
        peer.provider().refund(peer.refund(submit_until=peer.NOW))


def test_refund_is_not_submitted_beside_a_record_that_could_be_it() -> None:
    """Without a code, of the same amount: to send it could be to pay twice."""
    nameless = peer.refunds(peer.refund_record(REFUND_CODE=""))
    with playing(nameless, nameless) as network:
        report = peer.provider().refund(peer.refund()).report

    assert report.refund is not None
    assert ReportedRefundState.UNKNOWN is report.refund.state
    assert ["0", "1"] == kinds_of(network.sent)


@pytest.mark.parametrize(
    "changes", [{"REFUNDEMENT_AMOUNT": "120.00"}, {"STATUS": "0"}], ids=["another-amount", "failed"]
)
def test_record_without_a_code_that_cannot_be_the_refund_is_left_out(changes: dict[str, str]) -> None:
    """Made elsewhere, or without effect."""
    nameless = peer.refunds(peer.refund_record(REFUND_CODE="", **changes))

    assert ReportedRefundState.NOT_FOUND is asked_refund(nameless, nameless).refund.state


def test_record_without_a_code_of_the_whole_payment_is_the_refund() -> None:
    """There can be but one."""
    nameless = peer.refunds(peer.refund_record(REFUND_CODE="", REFUNDEMENT_AMOUNT="380.01"))
    report = asked_refund(nameless, amount_fen=38001)

    assert (ReportedRefundState.SUCCEEDED, 38001) == (report.refund.state, report.refund.amount_fen)


def test_refund_that_was_paid_out_twice_is_told_with_the_sum() -> None:
    """The core compares it with ours and quarantines the report."""
    report = asked_refund(peer.refunds(peer.refund_record(), peer.refund_record()))

    assert 24002 == report.refund.amount_fen


def test_refund_record_may_name_its_amount_in_the_other_field() -> None:
    """REFUND_MONEY where REFUNDEMENT_AMOUNT is blank."""
    record = peer.refund_record(REFUNDEMENT_AMOUNT="", REFUND_MONEY="120.01")

    assert 12001 == asked_refund(peer.refunds(record)).refund.amount_fen


@pytest.mark.parametrize(
    "answer",
    [
        peer.refund_taken(ORDER_NUM="JM20260100000001"),
        peer.refund_taken(AMOUNT="120.00"),
        peer.refund_taken(AMOUNT=""),
        peer.refund_taken("YDCA02910001"),
    ],
    ids=["another-order", "another-amount", "no-amount", "no-record"],
)
def test_answer_to_a_refund_that_is_about_something_else_is_no_verdict(answer: WireAnswer) -> None:
    """The money may be on its way."""
    with playing(peer.no_record(), peer.no_record(), answer), pytest.raises(NoVerdict):
        peer.provider().refund(peer.refund())


def test_refusal_is_final_only_by_a_configured_code() -> None:
    """No code is documented as final."""
    refused = peer.refund_taken("YDCA0291REFUSED")
    with playing(peer.no_record(), peer.no_record(), refused), pytest.raises(RequestRefused):
        peer.provider().refund(peer.refund())
    with playing(peer.no_record(), peer.no_record(), refused), pytest.raises(NoVerdict):
        peer.provider(refund_refusal_codes=None).refund(peer.refund())


# --- orders -----------------------------------------------------------------------------------------------------------


def fetched(first: WireAnswer, *rest: Any) -> Any:
    with playing(first, *rest):
        return peer.provider().create(peer.payment("qr")).instruction.payload


@pytest.mark.parametrize("text", ["true", True], ids=["text", "boolean"])
def test_code_is_fetched_in_two_steps(text: str | bool) -> None:
    """The code's text is unescaped once."""
    first = json_answer(
        f'{{"SUCCESS":{str(text).lower() if text is True else chr(34) + str(text) + chr(34)},"PAYURL":"{PAY_URL}"}}'
    )

    assert {"text": QR_TEXT} == fetched(first, SHOWN)


@pytest.mark.parametrize(
    "pay_url",
    [
        "https://elsewhere.example/CCBIS/QR",
        "http://ibsbjstar.ccb.com.cn/CCBIS/QR",
        "https://ibsbjstar.ccb.com.cn.elsewhere.example/",
        "https://notccb.com.cn/",
        "https://ccb.example@elsewhere.example/",
        "https://[",
        "file:///etc/passwd",
        "",
    ],
)
def test_second_step_goes_to_the_bank_or_nowhere(pay_url: str) -> None:
    """An answer that nobody signed does not choose whom we call."""
    with playing(json_answer(f'{{"SUCCESS":"true","PAYURL":"{pay_url}"}}')) as network, pytest.raises(NoVerdict):
        peer.provider().create(peer.payment("qr"))

    assert 1 == len(network.sent)


def test_second_step_may_go_to_another_host_of_the_bank() -> None:
    """Over TLS."""
    first = json_answer('{"SUCCESS":"true","PAYURL":"https://ch5.dcep.ccb.com/CCBIS/QR?NO=1"}')

    assert {"text": QR_TEXT} == fetched(first, SHOWN)


def test_unreachable_second_step_leaves_the_order_without_verdict() -> None:
    """The order itself did arrive: "not sent" would be a lie."""
    with pytest.raises(NoVerdict):
        fetched(PLACED, connection_refused())


@pytest.mark.parametrize("code", ["", "javascript:alert(1)", "https://x y", "%00"])
def test_code_that_is_no_address_is_no_verdict(code: str) -> None:
    """Nothing is drawn."""
    with pytest.raises(NoVerdict):
        fetched(PLACED, json_answer(f'{{"SUCCESS":"true","QRURL":"{code}"}}'))


def test_error_names_the_banks_code_and_not_its_text() -> None:
    """In GBK, as it comes."""
    with pytest.raises(NoVerdict) as raised:
        fetched(json_answer('{"SUCCESS":"false","ERRCODE":"0130Z110C014","ERRMSG":"商户试验"}'))

    assert ("0130Z110C014", True) == (raised.value.code, "试验" not in str(raised.value))


def test_timeout_of_the_cashier_is_sent_where_it_is_switched_on() -> None:
    """Its place in the MAC is unverified, so that it is left out by default."""
    plain = peer.provider().create(peer.payment()).instruction
    timed = peer.provider(h5_timeout="yes").create(peer.payment()).instruction

    assert "TIMEOUT" not in plain.payload["url"]
    assert plain.expires_at is None
    assert "&TIMEOUT=20260301105029&MAC=" in timed.payload["url"]
    assert peer.CREATED_AT + timedelta(minutes=30) == timed.expires_at


def test_order_ends_with_the_earlier_of_both_limits() -> None:
    """The order's own end, or the counter's time to pay."""
    end = peer.CREATED_AT + timedelta(minutes=5)
    with playing(PLACED, SHOWN) as network:
        answer = peer.provider().create(peer.payment("qr", expires_at=end))

    assert end == answer.instruction.expires_at
    assert "TIMEOUT=20260301102529" in network.sent[0].url


def test_app_is_offered_only_with_a_way_back() -> None:
    """Without THIRDAPPINFO the payer would be left in the bank's app."""
    provider = peer.provider(third_app_info=None)

    assert {"h5", "qr"} == set(provider.methods)
    with pytest.raises(OperationUnsupported):
        provider.create(peer.payment("app"))


@pytest.mark.parametrize("amount_fen", [0, -1, 10_000_000_001])
def test_amount_outside_the_limits_is_refused(amount_fen: int) -> None:
    """Before anything is made of it."""
    with pytest.raises(RequestRefused):
        peer.provider().create(peer.payment(amount_fen=amount_fen))


@pytest.mark.parametrize("name", ["query", "query_refund", "refund"])
def test_unreachable_client_program_is_unavailable(name: str) -> None:
    """Nothing was asked."""
    provider = peer.provider()
    argument = peer.ref() if name == "query" else peer.refund()
    with playing(connection_refused()), pytest.raises(ProviderUnavailable):
        getattr(provider, name)(argument)
