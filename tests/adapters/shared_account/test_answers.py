"""What the platform's proven answers mean: charges, queries, revokes, reversals."""

from typing import Any, Final

import pytest

from gateway.domain.provider import (
    NoVerdict,
    Operation,
    OperationUnsupported,
    PaymentAnswer,
    ProviderAnswer,
    RequestRefused,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState
from tests.adapters.shared_account import peer
from tests.conformance.case import WireAnswer
from tests.conformance.network import playing

PENDING, PAID, CLOSED = ReportedState.PENDING, ReportedState.PAID, ReportedState.CLOSED
FAILED, UNKNOWN, NOT_FOUND = ReportedState.FAILED, ReportedState.UNKNOWN, ReportedState.NOT_FOUND

STATE_BY_ORD_STAS: Final = {
    **dict.fromkeys(("0", "1", "2", "3", "4", "5"), PENDING),
    "6": PAID,
    "7": CLOSED,
    "8": PAID,
    **dict.fromkeys(("9", "10", "11", "12", "13"), UNKNOWN),
    **dict.fromkeys(("14", "15", "16"), FAILED),
    **dict.fromkeys(("17", "25", "99", "06", "SUCCESS"), UNKNOWN),
}


def create(*replies: WireAnswer, **changes: Any) -> PaymentAnswer:
    with playing(*replies):
        return peer.provider(**changes).create(peer.payment())


def ask(reply: WireAnswer, *, trade_no: str | None = None, **changes: Any) -> ProviderReport:
    with playing(reply):
        return peer.provider(**changes).query(peer.payment_ref(provider_trade_no=trade_no)).report


def refund(reply: WireAnswer) -> ProviderReport:
    with playing(reply):
        return peer.provider().refund(peer.refund_request()).report


def ask_refund(reply: WireAnswer) -> ProviderReport:
    with playing(reply):
        return peer.provider().query_refund(peer.refund_request()).report


def refund_of(report: ProviderReport) -> RefundReport:
    assert report.refund is not None
    return report.refund


# --- the binding and the charge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bindStas": "0"}, "SA2004"),
        ({"bindStas": "2"}, "SA2013"),
        ({"bindStas": "3"}, "SA2004"),
        ({"bindStas": "7"}, "SA2004"),
        ({"bindId": "B999"}, "SA2004"),
    ],
    ids=["none", "in review", "refused", "unknown word", "another binding"],
)
def test_charge_without_the_active_binding_is_not_made(changes: dict[str, str], code: str) -> None:
    """The binding may have gone since the page was shown."""
    with playing(peer.bound(**changes)) as network, pytest.raises(RequestRefused) as caught:
        peer.provider().create(peer.payment())

    assert ["sa.bind.check"] == [peer.trans_type_of(sent) for sent in network.sent]
    assert code == caught.value.code


@pytest.mark.parametrize("data", [{}, {"bindStas": None}, {"bindStas": 1}, {"bindStas": ""}])
def test_charge_after_an_unreadable_check_is_not_made(data: dict[str, Any]) -> None:
    """No answer to the question, no charge."""
    reply = peer.answer("sa.bind.check", data)
    with playing(reply) as network, pytest.raises(NoVerdict):
        peer.provider().create(peer.payment())

    assert 1 == len(network.sent)


def test_binding_is_asked_about_before_every_charge() -> None:
    """Never from memory."""
    provider = peer.provider()
    with playing(peer.bound(), peer.charged(), peer.bound(), peer.charged()) as network:
        for _ in range(2):
            provider.create(peer.payment())

    assert ["sa.bind.check", "sa.pay.charge"] * 2 == [peer.trans_type_of(sent) for sent in network.sent]


def test_active_binding_without_its_number_is_enough() -> None:
    """bindId is optional in the answer; the platform judges the charge's own."""
    reply = peer.answer("sa.bind.check", {"bindStas": "1"})

    assert PENDING is create(reply, peer.charged()).report.state


@pytest.mark.parametrize("ord_stas", STATE_BY_ORD_STAS)
def test_charge_is_pending_at_most(ord_stas: str) -> None:
    """Taken is not paid, and failed is asked about."""
    report = create(peer.bound(), peer.charged(ordStas=ord_stas)).report

    taken = {"0", "1", "2", "3", "4", "5", "6"}
    assert (PENDING if ord_stas in taken else UNKNOWN) is report.state
    assert ord_stas == report.provider_status


def test_charge_of_a_part_says_so() -> None:
    """Whole amount or nothing: the core sees another amount than the order's."""
    assert 38000 == create(peer.bound(), peer.charged(psnAcctPay="380.00")).report.amount_fen


@pytest.mark.parametrize(
    "changes",
    [
        {"outTradeNo": peer.WIRE_REFUND_NUMBER},
        {"outTradeNo": peer.NUMBER},
        {"outTradeNo": None},
        {"ordStas": None},
        {"ordStas": 6},
        {"psnAcctPay": "380.010"},
        {"psnAcctPay": "-380.01"},
        {"psnAcctPay": "3e2"},
        {"payOrdId": "x" * 65},
    ],
)
def test_charge_answer_that_is_not_about_ours_is_no_verdict(changes: dict[str, Any]) -> None:
    """A signature does not name the request."""
    with pytest.raises(NoVerdict):
        create(peer.bound(), peer.charged(**changes))


# --- queries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ord_stas", "state"), STATE_BY_ORD_STAS.items())
def test_query_reads_every_ord_stas_by_the_table(ord_stas: str, state: ReportedState) -> None:
    """A word we do not know is unknown."""
    assert state is ask(peer.queried(ordStas=ord_stas)).state


def test_region_may_map_its_own_words() -> None:
    """Settled candidates, in a region that states what they mean."""
    assert PAID is ask(peer.queried(ordStas="4"), ord_stas_map={"4": "paid"}).state
    assert PAID is ask(peer.queried(ordStas="21"), ord_stas_map={"21": "paid"}).state
    assert PENDING is ask(peer.queried(ordStas="4"), ord_stas_map={"5": "paid"}).state


@pytest.mark.parametrize("part", ["380.00", "380.02", "0.00", None])
def test_payment_paid_in_part_contradicts_itself(part: str | None) -> None:
    """Paid only if psnAcctPay is the amount."""
    report = ask(peer.queried(psnAcctPay=part))

    assert (("psnAcctPay",), 38001) == (report.contradictions, report.amount_fen)


def test_payment_under_another_number_of_theirs_contradicts_itself() -> None:
    """Both numbers are asked for, and must agree."""
    assert ("payOrdId",) == ask(peer.queried(), trade_no="ORD999").contradictions
    assert () == ask(peer.queried(), trade_no=peer.PAY_ORD_ID).contradictions


@pytest.mark.parametrize(
    "changes",
    [
        {"amt": None},
        {"amt": "380"},
        {"amt": "100000000.01"},
        {"ordStas": None},
        {"outTradeNo": peer.WIRE_REFUND_NUMBER},
    ],
)
def test_query_answer_that_cannot_be_read_is_no_verdict(changes: dict[str, Any]) -> None:
    """Paid without an amount is not paid."""
    with pytest.raises(NoVerdict):
        ask(peer.queried(**changes))


@pytest.mark.parametrize("time", ["20251318093015", "2025101809301", "", "yesterday", 20251018093015])
def test_payment_with_an_unreadable_time_is_paid_all_the_same(time: object) -> None:
    """A time we cannot read is a time unsaid."""
    report = ask(peer.queried(payTime=time))

    assert (PAID, None) == (report.state, report.occurred_at)


# --- refunds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("SUCC", ReportedRefundState.SUCCEEDED),
        ("FAIL", ReportedRefundState.FAILED),
        ("EXP", ReportedRefundState.UNKNOWN),
        ("succ", ReportedRefundState.UNKNOWN),
        ("DONE", ReportedRefundState.UNKNOWN),
    ],
)
def test_revoke_answer_is_read_by_the_table(word: str, state: ReportedRefundState) -> None:
    """A word we do not know is unknown."""
    reply = peer.answer("sa.pay.revoke", {"revokeSn": peer.WIRE_REFUND_NUMBER, "refStatus": word})

    assert (state, peer.REFUND_NUMBER) == (refund_of(refund(reply)).state, refund_of(refund(reply)).out_refund_no)


def test_already_revoked_does_not_say_by_whom() -> None:
    """The query will."""
    assert ReportedRefundState.UNKNOWN is refund_of(refund(peer.refusal("sa.pay.revoke", "SA3007"))).state


@pytest.mark.parametrize(
    "data",
    [{}, {"refStatus": "SUCC"}, {"refStatus": "SUCC", "revokeSn": "V0001"}, {"revokeSn": peer.WIRE_REFUND_NUMBER}],
)
def test_revoke_answer_about_another_is_no_verdict(data: dict[str, str]) -> None:
    """Nor one without a word."""
    with pytest.raises(NoVerdict):
        refund(peer.answer("sa.pay.revoke", data))


@pytest.mark.parametrize(
    ("changes", "state", "total"),
    [
        ({"ordStas": "8", "revokeSn": peer.WIRE_REFUND_NUMBER}, ReportedRefundState.SUCCEEDED, 38001),
        ({"ordStas": "8"}, ReportedRefundState.SUCCEEDED, 38001),
        ({"ordStas": "8", "revokeSn": "V0001"}, ReportedRefundState.FAILED, 38001),
        ({"ordStas": "6"}, ReportedRefundState.NOT_FOUND, None),
        ({"ordStas": "6", "revokeSn": peer.WIRE_REFUND_NUMBER}, ReportedRefundState.UNKNOWN, None),
        ({"ordStas": "11"}, ReportedRefundState.UNKNOWN, None),
        ({"ordStas": "99"}, ReportedRefundState.UNKNOWN, None),
    ],
    ids=["ours", "unnamed", "another's", "not heard of", "named but paid", "refunding", "unknown"],
)
def test_refund_query_reads_the_payment(changes: dict[str, str], state: ReportedRefundState, total: int | None) -> None:
    """A payment is revoked whole and once; the total tells of it whoever did it."""
    report = ask_refund(peer.queried(**changes))

    assert (state, total) == (refund_of(report).state, report.refunded_total_fen)
    assert peer.REFUND_NUMBER == refund_of(report).out_refund_no


def test_refund_of_an_unknown_payment_is_not_found() -> None:
    """Nothing was revoked there."""
    report = ask_refund(peer.refusal("sa.pay.query", "SA3001"))

    assert (UNKNOWN, ReportedRefundState.NOT_FOUND) == (report.state, refund_of(report).state)


def test_revoked_payment_under_no_number_tells_the_total_alone() -> None:
    """Somebody revoked it at the office."""
    report = ask(peer.queried(ordStas="8"))

    assert (PAID, None, 38001) == (report.state, report.refund, report.refunded_total_fen)


# --- reversals --------------------------------------------------------------------------------------------------------


def test_close_without_blind_reversal_is_unsupported() -> None:
    """An unpaid charge ends at its expireTime."""
    provider = peer.provider(blind_reversal="off")
    with playing() as network, pytest.raises(OperationUnsupported):
        provider.close(peer.payment_ref())

    assert network.sent == []
    assert Operation.CLOSE not in provider.capabilities


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (peer.answer("sa.pay.revoke", {"refStatus": "SUCC"}), UNKNOWN),
        (peer.refusal("sa.pay.revoke", "SA3007"), UNKNOWN),
        (peer.refusal("sa.pay.revoke", "SA3001"), NOT_FOUND),
    ],
    ids=["taken", "already", "not found"],
)
def test_reversal_proves_nothing_by_itself(reply: WireAnswer, state: ReportedState) -> None:
    """The caller asks again before it believes."""
    with playing(reply):
        answer = peer.provider().close(peer.payment_ref())

    assert isinstance(answer, ProviderAnswer)
    assert state is answer.report.state
