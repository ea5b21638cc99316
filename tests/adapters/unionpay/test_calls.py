"""Orders, questions and refunds: what goes on the wire, and that only a proven answer to this question is believed."""

import base64
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import padding

from adapters.unionpay.adapter import UnionpayProvider
from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    InstructionKind,
    NoVerdict,
    Operation,
    OperationUnsupported,
    ProviderAnswer,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.secret import Secret
from tests.adapters.unionpay import peer
from tests.conformance import network
from tests.conformance.case import FixedClock, WireAnswer
from tests.conformance.network import playing

PROVIDER: Final = peer.provider()


def sent_by(act: Callable[[], object], *answers: Any) -> dict[str, str]:
    """The fields of the one request that an act sends."""
    with playing(*answers) as net:
        act()
    (request,) = net.sent
    return dict(parse_qsl(request.body.decode(), strict_parsing=True))


def form_of(provider: UnionpayProvider = PROVIDER, **changes: Any) -> dict[str, str]:
    """The fields that the payer's browser posts."""
    instruction = provider.create(peer.payment(**changes)).instruction
    assert InstructionKind.FORM is instruction.kind
    return dict(instruction.payload["fields"])


# --- orders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "instant"),
    [
        ("UTC", datetime(2026, 3, 1, 2, 20, 29, 999999, tzinfo=UTC)),
        ("Beijing", datetime(2026, 3, 1, 10, 20, 29, tzinfo=CHINA)),
        ("New Year in UTC", datetime(2025, 12, 31, 16, 0, 0, tzinfo=UTC)),
    ],
)
def test_txn_time_is_the_stored_creation_in_beijing_time(zone: str, instant: datetime) -> None:
    """Order and question give one identity, whatever zone and fraction the store keeps."""
    order = form_of(created_at=instant)
    with playing(network.read_timeout()) as net, pytest.raises(NoVerdict):
        PROVIDER.query(peer.ref(created_at=instant))
    question = dict(parse_qsl(net.sent[0].body.decode()))

    wanted = "20260101000000" if zone.startswith("New") else "20260301102029"
    assert (wanted, wanted) == (order["txnTime"], question["txnTime"])


@pytest.mark.parametrize(
    ("expires", "minutes", "wanted"),
    [(timedelta(hours=2), None, "20260301103529"), (timedelta(minutes=5), None, "20260301102530"),
     (timedelta(hours=2), 30, "20260301105029")],
    ids=["setting", "order-ends-first", "longer"],
)  # fmt: skip
def test_pay_timeout_is_the_earlier_of_order_and_setting(expires: timedelta, minutes: int | None, wanted: str) -> None:
    """So that a query knows from the creation alone when nobody can pay any more."""
    provider = peer.provider(pay_minutes=minutes)

    assert wanted == form_of(provider, expires_at=peer.NOW + expires)["payTimeout"]


def test_form_takes_the_accounts_return_page_unless_told_otherwise() -> None:
    """`return_url` is required only where the account has none."""
    provider = peer.provider(front_url="https://pay.example.cn/result")

    assert "https://pay.example.cn/result" == form_of(provider, fields={})["frontUrl"]
    assert peer.RETURN_URL == form_of(provider)["frontUrl"]
    assert [True, False] == [each.methods["wap"].fields["return_url"].required for each in (PROVIDER, provider)]


def test_card_number_goes_sealed_and_locked() -> None:
    """Nobody but UnionPay reads it; the certificate's serial goes with it."""
    form = form_of(fields={"return_url": peer.RETURN_URL, "acc_no": peer.CARD})
    opened = peer.key("platform_enc").decrypt(base64.b64decode(form["accNo"]), padding.PKCS1v15())

    assert peer.CARD == opened.decode()
    assert ("{cardNumberLock=1}", peer.vector("sensitive")["encryptCertId"]) == (
        form["reserved"],
        form["encryptCertId"],
    )


def test_account_without_encryption_certificate_takes_no_card_number() -> None:
    """No card number ever touches it."""
    provider = peer.provider(encrypt_certificate=None)

    assert "acc_no" not in provider.methods["wap"].fields
    assert "accNo" not in form_of(provider, fields={"return_url": peer.RETURN_URL, "acc_no": peer.CARD})


def test_payments_are_asked_about_as_unionpay_advises() -> None:
    """Sheet section 7: 5, 10, 30, 60 and 120 minutes after the payment was made."""
    for method in PROVIDER.methods.values():
        assert [5, 10, 30, 60, 120] == [seconds // 60 for seconds in itertools.accumulate(method.query_pauses)]


def test_account_without_terminal_number_offers_no_qr() -> None:
    """But still asks about those it made before."""
    provider = peer.provider(term_id=None)

    assert {"wap", "pc", "app"} == set(provider.methods)
    with pytest.raises(OperationUnsupported):
        provider.create(peer.payment("qr"))
    question = sent_by(lambda: provider.query(peer.ref(method="qr")), peer.answer(peer.absent()))
    assert "000000" == question["bizType"]


@pytest.mark.parametrize(
    ("description", "order_desc", "commodity"),
    [
        ("", None, "{commodityName=缴费}"),
        ("&={}[]", None, "{commodityName=缴费}"),
        ("a&b={c}", "a b c", "{commodityName=a b c}"),
        ("医" * 80, "医" * 10, "{commodityName=" + "医" * 64 + "}"),
        ("😀缴费\x00\n2026", "缴费 2026", "{commodityName=缴费 2026}"),
    ],
    ids=["empty", "forbidden-alone", "forbidden", "long", "emoji"],
)
def test_description_is_cleaned_and_cut(description: str, order_desc: str | None, commodity: str) -> None:
    """No sign of the wire's own forms, no half character."""
    form = form_of(description=description)

    assert (order_desc, commodity) == (form.get("orderDesc"), form["riskRateInfo"])


@pytest.mark.parametrize("amount_fen", [0, -1, 10_000_000_001])
def test_amount_outside_the_limits_is_refused_unsent(amount_fen: int) -> None:
    """Nothing is sent."""
    with playing() as net, pytest.raises(RequestRefused):
        PROVIDER.create(peer.payment(amount_fen=amount_fen))
    assert [] == net.sent


PARTIES: Final[dict[str, tuple[dict[str, Any], dict[str, str]]]] = {
    "acquirer": (
        {"access_type": "1", "acq_ins_code": "48021000", "mer_cat_code": "9399", "mer_name": "测试", "mer_abbr": "测"},
        {"accessType": "1", "acqInsCode": "48021000", "merCatCode": "9399", "merName": "测试", "merAbbr": "测"},
    ),
    "platform": (
        {"access_type": "2", "sub_mer_id": "SUB01", "sub_mer_name": "测试二级", "sub_mer_abbr": "二级"},
        {"accessType": "2", "subMerId": "SUB01", "subMerName": "测试二级", "subMerAbbr": "二级"},
    ),
}


@pytest.mark.parametrize(("changes", "wanted"), PARTIES.values(), ids=PARTIES)
def test_other_kinds_of_access_name_their_parties(changes: dict[str, Any], wanted: dict[str, str]) -> None:
    """Acquirer and platform merchants."""
    form = form_of(peer.provider(**changes))

    assert wanted == {name: form[name] for name in wanted}


def test_acquirer_gets_no_statement_here() -> None:
    """Its files come by another way, and "no file" would say nothing."""
    provider = peer.provider(**PARTIES["acquirer"][0])

    assert Operation.FETCH_STATEMENT not in provider.capabilities


@pytest.mark.parametrize(("environment", "mode"), [("production", "00"), ("test", "01")])
def test_app_is_told_the_mode_of_its_environment(environment: str, mode: str) -> None:
    """For the control; 云闪付's page script takes the tn alone."""
    with playing(peer.answer(peer.taken(tn=peer.TN))):
        answer = peer.provider(environment=environment).create(peer.payment("app"))

    assert {"tn": peer.TN, "mode": mode} == answer.instruction.payload


def test_acceptance_with_a_defect_is_an_acceptance() -> None:
    """A6: taken, and to be reconciled."""
    with playing(peer.answer(peer.taken(tn=peer.TN, respCode="A6"))):
        assert ReportedState.PENDING is PROVIDER.create(peer.payment("app")).report.state


# --- answers ----------------------------------------------------------------------------------------------------------

OTHER: Final = "0199c9d1e0007000800000000000000c"
NOT_OURS: Final[dict[str, tuple[Callable[[], object], dict[str, str | None]]]] = {
    "create-number": (lambda: PROVIDER.create(peer.payment("app")), peer.taken(tn=peer.TN, orderId=OTHER)),
    "create-time": (lambda: PROVIDER.create(peer.payment("app")), peer.taken(tn=peer.TN, txnTime="20260301102030")),
    "create-merchant": (lambda: PROVIDER.create(peer.payment("app")), peer.taken(tn=peer.TN, merId="7" * 15)),
    "create-no-tn": (lambda: PROVIDER.create(peer.payment("app")), peer.taken()),
    "create-blank-tn": (lambda: PROVIDER.create(peer.payment("app")), peer.taken(tn="  ")),
    "create-no-code": (lambda: PROVIDER.create(peer.payment("qr")), peer.taken(tn=peer.TN)),
    "create-no-respcode": (lambda: PROVIDER.create(peer.payment("app")), peer.taken(tn=peer.TN, respCode=None)),
    "create-odd-respcode": (lambda: PROVIDER.create(peer.payment("app")), peer.taken(tn=peer.TN, respCode="000")),
    "query-number": (lambda: PROVIDER.query(peer.ref()), peer.found(peer.paid(orderId=OTHER))),
    "query-time": (lambda: PROVIDER.query(peer.ref()), peer.found(peer.paid(txnTime="20260301102030"))),
    "query-absent-number": (lambda: PROVIDER.query(peer.ref()), peer.absent(OTHER)),
    "query-no-verdict": (lambda: PROVIDER.query(peer.ref()), peer.paid()),
    "query-no-amount": (lambda: PROVIDER.query(peer.ref()), peer.found(peer.paid(txnAmt=None))),
    "refund-number": (lambda: PROVIDER.refund(peer.refund()), {**peer.refund_taken(), "orderId": OTHER}),
    "refund-original": (lambda: PROVIDER.refund(peer.refund()), {**peer.refund_taken(), "origQryId": "1"}),
    "refund-query-number": (
        lambda: PROVIDER.query_refund(peer.refund()),
        {**peer.found(peer.refunded()), "orderId": OTHER},
    ),
    "refund-query-no-verdict": (lambda: PROVIDER.query_refund(peer.refund()), peer.refunded()),
}  # fmt: skip


@pytest.mark.parametrize(("act", "answered"), NOT_OURS.values(), ids=NOT_OURS)
def test_proven_answer_to_another_question_is_no_verdict(
    act: Callable[[], object], answered: dict[str, str | None]
) -> None:
    """A signature does not name the question."""
    with playing(peer.answer(answered)), pytest.raises(NoVerdict):
        act()


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [({"merId": "777290058110097"}, ("merId",)), ({"txnType": "04"}, ("txnType",)), ({"txnType": "00"}, ())],
    ids=["merchant", "type", "echoed-type"],
)
def test_answer_about_our_number_and_another_party_contradicts(
    changes: dict[str, str | None], wrong: tuple[str, ...]
) -> None:
    """It is kept as evidence and quarantined."""
    with playing(peer.answer(peer.found(peer.paid(**changes)))):
        assert wrong == PROVIDER.query(peer.ref()).report.contradictions


def test_refund_of_another_amount_is_told_as_it_was_said() -> None:
    """The core compares it with its own."""
    with playing(peer.answer({**peer.refund_taken(), "txnAmt": "12002"})):
        refund = PROVIDER.refund(peer.refund()).report.refund

    assert refund is not None
    assert (12002, ReportedRefundState.SUBMITTED) == (refund.amount_fen, refund.state)


def test_unproven_refusal_is_no_verdict_but_is_named() -> None:
    """A gateway that cannot verify us may answer unsigned; the operator sees its code, the state does not move."""
    body = b"encoding=UTF-8&respCode=11&respMsg=x&signMethod=01&version=5.1.0"
    with playing(WireAnswer(status=200, headers={}, body=body)), pytest.raises(NoVerdict, match="it says 11"):
        PROVIDER.create(peer.payment("app"))


FAULTS: Final = {
    "read-timeout": network.read_timeout,
    "reset": network.connection_reset,
    "500": lambda: WireAnswer(status=500, headers={}, body=peer.answer_body(peer.found(peer.paid()))),
    "302": lambda: WireAnswer(status=302, headers={"Location": "https://elsewhere.example/"}, body=b""),
    "html": lambda: WireAnswer(status=200, headers={}, body=b"<html>&encoding=UTF-8</html>"),
    "empty": lambda: WireAnswer(status=200, headers={}, body=b""),
    "half": lambda: WireAnswer(status=200, headers={}, body=peer.answer_body(peer.found(peer.paid()))[:900]),
    "twice": lambda: WireAnswer(status=200, headers={}, body=peer.answer_body(peer.found(peer.paid())) + b"&txnAmt=1"),
    "forged-method": lambda: peer.answer(peer.found(peer.paid(signMethod="11"))),
    "older-version": lambda: peer.answer(peer.found(peer.paid(version="5.0.0"))),
    "other-merchant": lambda: peer.answer(peer.found(peer.paid()), "other_merchant_sign"),
    "expired": lambda: peer.answer(peer.found(peer.paid()), "platform_sign_expired"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("operation", ["query", "query_refund", "refund", "create"])
def test_fault_gives_no_verdict(operation: str, fault: Callable[[], Any]) -> None:
    """Whatever the operation: the state is unknown."""
    arguments = {"query": peer.ref(), "create": peer.payment("app")}
    with playing(fault()), pytest.raises(NoVerdict):
        getattr(PROVIDER, operation)(arguments.get(operation, peer.refund()))


def test_unreachable_gateway_is_unavailable() -> None:
    """Nothing was sent, for certain."""
    with playing(network.connection_refused()), pytest.raises(ProviderUnavailable):
        PROVIDER.query(peer.ref())


# --- refunds and undo -------------------------------------------------------------------------------------------------


def test_refund_without_unionpays_number_is_refused_unsent() -> None:
    """origQryId names the payment; without it nothing can be asked for."""
    with playing() as net, pytest.raises(RequestRefused):
        PROVIDER.refund(peer.refund(provider_trade_no=None))
    assert [] == net.sent


def test_refund_of_a_qr_payment_keeps_its_product() -> None:
    """bizType and channel of the original."""
    fields = sent_by(lambda: PROVIDER.refund(peer.refund(method="qr")), peer.answer(peer.refund_taken()))

    assert ("000000", "08", "04") == (fields["bizType"], fields["channelType"], fields["txnType"])


WHOLE: Final = peer.refund(amount_fen=38001)


def undo(provider: UnionpayProvider, paid_at: datetime = peer.PAID_AT, **changes: Any) -> ProviderAnswer:
    return provider.undo(peer.refund(**{"amount_fen": 38001, **changes}), paid_at=paid_at)


def test_undo_sends_a_whole_reversal_under_its_own_number() -> None:
    """txnType 31; followed like a refund."""
    answered = {**peer.refund_taken(), "txnType": "31", "txnAmt": "38001"}
    fields = sent_by(lambda: undo(PROVIDER), peer.answer(answered))

    assert ("31", "00", "38001", peer.QUERY_ID) == (
        fields["txnType"],
        fields["txnSubType"],
        fields["txnAmt"],
        fields["origQryId"],
    )
    with playing(peer.answer(peer.found({**peer.refunded(), "txnType": "31", "txnAmt": "38001"}))):
        report = PROVIDER.query_refund(WHOLE).report
    assert (report.refund is not None, ()) == (True, report.contradictions)


@pytest.mark.parametrize(
    ("paid_at", "now", "allowed"),
    [
        (datetime(2026, 2, 28, 23, 0, 0, tzinfo=CHINA), peer.NOW, True),
        (datetime(2026, 2, 28, 22, 59, 59, tzinfo=CHINA), peer.NOW, False),
        (peer.PAID_AT, datetime(2026, 3, 1, 22, 59, 59, tzinfo=CHINA), True),
        (peer.PAID_AT, datetime(2026, 3, 1, 23, 0, 0, tzinfo=CHINA), False),
    ],
    ids=["first-second", "second-before", "last-second", "second-after"],
)
def test_undo_is_for_the_same_clearing_day_alone(paid_at: datetime, now: datetime, *, allowed: bool) -> None:
    """23:00 to 23:00, Beijing time."""
    provider = peer.provider(FixedClock(now))
    with playing(peer.answer({**peer.refund_taken(), "txnType": "31"})) as net:
        if allowed:
            undo(provider, paid_at)
        else:
            with pytest.raises(RequestRefused):
                undo(provider, paid_at)
    assert int(allowed) == len(net.sent)


def test_undo_of_a_part_is_refused_unsent() -> None:
    """Whole or not at all."""
    with playing() as net, pytest.raises(RequestRefused):
        undo(PROVIDER, amount_fen=38000)
    assert [] == net.sent


def test_close_is_not_offered() -> None:
    """UnionPay has no such operation."""
    assert Operation.CLOSE not in PROVIDER.capabilities
    with pytest.raises(OperationUnsupported):
        PROVIDER.close(peer.ref())


# --- the app control --------------------------------------------------------------------------------------------------


def test_app_result_is_read_with_the_configured_key_alone() -> None:
    """A hint: which payment to ask about."""
    sample = peer.vector("app_result")[0]["json_text"]
    provider = peer.provider(app_result_key=Secret(peer.text("platform_sign.pem")))

    assert ("823160384273011265001", "success") == provider.read_app_result(sample)
    with pytest.raises(ValueError, match="app_result_key"):
        PROVIDER.read_app_result(sample)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sign":1,"data":"x"}', '{"sign":"é","data":"a=1"}', "x" * 5000])
def test_app_result_junk_is_refused(text: str) -> None:
    """Whatever the app was given."""
    provider = peer.provider(app_result_key=Secret(peer.text("platform_sign.pem")))
    with pytest.raises(ValueError, match=r".+"):
        provider.read_app_result(text)
