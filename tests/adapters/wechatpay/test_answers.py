"""What the answers of each operation become."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.clock import CHINA
from gateway.domain.provider import InstructionKind, NoVerdict, Operation, OperationUnsupported
from gateway.domain.report import ReportedRefundState, ReportedState, Source
from gateway.domain.statement import StatementKind
from tests.adapters.wechatpay import peer
from tests.adapters.wechatpay.peer import error, signed
from tests.adapters.wechatpay.test_requests import CODE_URL, H5_URL, PAY, PREPAY
from tests.conformance.network import playing

# --- create -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "answer", "kind", "payload", "life"),
    [
        ("h5", H5_URL, InstructionKind.REDIRECT, {"url": H5_URL["h5_url"]}, timedelta(minutes=5)),
        ("native", CODE_URL, InstructionKind.QR_TEXT, {"text": CODE_URL["code_url"]}, timedelta(hours=2)),
    ],
    ids=["h5", "native"],
)
def test_create_gives_the_methods_instruction(
    method: str, answer: Any, kind: InstructionKind, payload: Any, life: timedelta
) -> None:
    """The handle and how long it lives; accepting an order is not payment."""
    with playing(signed(answer)):
        made = peer.provider().create(peer.payment(method))

    assert (kind, payload, peer.NOW + life) == (
        made.instruction.kind,
        made.instruction.payload,
        made.instruction.expires_at,
    )
    assert (made.report.state, made.report.source) == (ReportedState.PENDING, Source.ANSWER)


def test_create_for_sp_cashier_sends_sp_openid_and_signs_sp_appid() -> None:
    """The service provider's own page opens the cashier with the service provider's appid."""
    with playing(signed(PREPAY)) as network:
        made = peer.provider(**{**peer.PARTNER, "cashier": "sp"}).create(peer.payment("jsapi"))

    assert json.loads(network.sent[0].body)["payer"] == {"sp_openid": peer.OPENID}
    assert made.instruction.payload["appId"] == "wx2421b1c4370ec43b"


@pytest.mark.parametrize(
    ("description", "wanted"),
    [
        ("缴" * 127, "缴" * 127),
        ("缴" * 128, "缴" * 127),
        ("😀𠮷医保\x00\n\ud800缴费", "医保缴费"),
        ("😀", "缴费"),
    ],
    ids=["127", "128", "four-bytes-and-control", "nothing-left"],
)
def test_create_cleans_and_cuts_the_description(description: str, wanted: str) -> None:
    """WeChat takes 127 characters of at most three bytes."""
    with playing(signed(PREPAY)) as network:
        peer.provider().create(peer.payment(description=description))

    assert wanted == json.loads(network.sent[0].body)["description"]


@pytest.mark.parametrize(
    "members",
    [{}, {"prepay_id": ""}, {"prepay_id": 7}, {"prepay_id": None}, {"prepay_id": "a b"}, {"prepay_id": "x" * 129}],
    ids=["absent", "empty", "number", "null", "blank", "long"],
)
def test_create_answer_without_handle_gives_no_verdict(members: Any) -> None:
    """The order may stand although we cannot use the answer."""
    with playing(signed(members)), pytest.raises(NoVerdict):
        peer.provider().create(peer.payment())


def test_create_with_unknown_method_is_unsupported_and_silent() -> None:
    """付款码 has no APIv3."""
    with playing() as network, pytest.raises(OperationUnsupported):
        peer.provider().create(peer.payment("barcode"))

    assert network.sent == []


# --- query ------------------------------------------------------------------------------------------------------------


def test_query_falls_back_to_the_provider_number() -> None:
    """When our number is not known there, theirs is asked."""
    with playing(error(404, "ORDER_NOT_EXIST"), signed(peer.paid())) as network:
        report = peer.provider().query(peer.payment_ref(provider_trade_no=peer.TRADE_NUMBER)).report

    assert f"{peer.BASE_URL}{PAY}/id/{peer.TRADE_NUMBER}?mchid=1900000109" == network.sent[1].url
    assert ReportedState.PAID is report.state


@pytest.mark.parametrize("code", ["ORDER_NOT_EXIST", "ORDERNOTEXIST", "TRADE_NOT_EXIST"])
@pytest.mark.parametrize("number", [None, peer.TRADE_NUMBER], ids=["ours", "both"])
def test_query_for_an_unknown_order_reports_not_found(code: str, number: str | None) -> None:
    """Not found is a report: neither failed nor closed."""
    with playing(*[error(404, code)] * (2 if number else 1)):
        report = peer.provider().query(peer.payment_ref(provider_trade_no=number)).report

    assert (report.state, report.out_trade_no, report.source) == (ReportedState.NOT_FOUND, peer.NUMBER, Source.QUERY)


def test_query_reports_the_orders_total_and_time() -> None:
    """amount.total is what we asked for; payer_total is less by the coupon."""
    with playing(signed(peer.paid())):
        report = peer.provider().query(peer.payment_ref()).report

    assert (
        report.amount_fen,
        report.currency,
        report.provider_trade_no,
        report.contradictions,
    ) == (38001, "CNY", peer.TRADE_NUMBER, ())
    assert datetime(2025, 10, 9, 16, 53, 15, tzinfo=CHINA) == report.occurred_at


@pytest.mark.parametrize(
    ("trade_state", "wanted"),
    [
        ("NOTPAY", ReportedState.PENDING),
        ("USERPAYING", ReportedState.PENDING),
        ("ACCEPT", ReportedState.PENDING),
        ("SUCCESS", ReportedState.PAID),
        ("REFUND", ReportedState.PAID),
        ("CLOSED", ReportedState.CLOSED),
        ("REVOKED", ReportedState.CLOSED),
        ("PAYERROR", ReportedState.FAILED),
        ("FLOATING", ReportedState.UNKNOWN),
    ],
)
def test_query_maps_each_trade_state(trade_state: str, wanted: ReportedState) -> None:
    """Every documented word, and one that is not."""
    with playing(signed(peer.paid(trade_state=trade_state))):
        report = peer.provider().query(peer.payment_ref()).report

    assert (wanted, trade_state) == (report.state, report.provider_status)


def test_query_of_an_unpaid_order_reads_leniently() -> None:
    """Unpaid orders lack most members."""
    members = {name: peer.paid()[name] for name in ("mchid", "appid", "out_trade_no")} | {"trade_state": "NOTPAY"}
    with playing(signed(members)):
        report = peer.provider().query(peer.payment_ref()).report

    assert (report.state, report.amount_fen, report.occurred_at) == (ReportedState.PENDING, None, None)


def test_query_answer_about_another_order_gives_no_verdict() -> None:
    """A good signature does not say which question it answers."""
    with playing(signed(peer.paid(out_trade_no="f" * 32))), pytest.raises(NoVerdict):
        peer.provider().query(peer.payment_ref())


# --- close, refund ----------------------------------------------------------------------------------------------------


def test_close_answered_204_proves_nothing() -> None:
    """The payer may still pay, and foreign numbers are answered so, too."""
    with playing(signed(None, 204)):
        report = peer.provider().close(peer.payment_ref()).report

    assert (report.state, report.provider_status, report.source) == (ReportedState.UNKNOWN, "HTTP 204", Source.ANSWER)


def test_close_of_an_unknown_order_reports_not_found() -> None:
    """It never reached WeChat, as far as an unsigned error can say."""
    with playing(error(404, "ORDER_NOT_EXIST")):
        assert ReportedState.NOT_FOUND is peer.provider().close(peer.payment_ref()).report.state


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("PROCESSING", ReportedRefundState.SUBMITTED),
        ("SUCCESS", ReportedRefundState.SUCCEEDED),
        ("CLOSED", ReportedRefundState.FAILED),
        ("ABNORMAL", ReportedRefundState.ABNORMAL),
        ("FLOATING", ReportedRefundState.UNKNOWN),
    ],
)
@pytest.mark.parametrize("operation", ["refund", "query_refund"])
def test_refund_maps_each_status(operation: str, status: str, wanted: ReportedRefundState) -> None:
    """Accepted is not refunded; the payment itself had been paid."""
    with playing(signed(peer.refund_object(status=status))):
        report = getattr(peer.provider(), operation)(peer.refund_request()).report

    assert report.refund is not None
    assert (wanted, 12001, peer.REFUND_NUMBER) == (
        report.refund.state,
        report.refund.amount_fen,
        report.refund.out_refund_no,
    )
    assert (report.state, report.amount_fen) == (ReportedState.PAID, 38001)


def test_refund_repeats_its_bytes_when_the_provider_number_became_known() -> None:
    """A retry with another parameter is refused by WeChat, so the number learnt meanwhile is not used."""
    with playing(signed(peer.refund_object()), signed(peer.refund_object())) as network:
        provider = peer.provider()
        provider.refund(peer.refund_request())
        provider.refund(peer.refund_request(provider_trade_no=peer.TRADE_NUMBER))

    assert network.sent[0].body == network.sent[1].body


@pytest.mark.parametrize("change", ["out_refund_no", "out_trade_no"])
def test_refund_answer_about_another_number_gives_no_verdict(change: str) -> None:
    """Another refund's success is not ours."""
    with playing(signed(peer.refund_object(**{change: "f" * 32}))), pytest.raises(NoVerdict):
        peer.provider().refund(peer.refund_request())


def test_refund_query_for_an_unknown_refund_reports_not_found() -> None:
    """Not accepted so far; of the payment it says nothing."""
    with playing(error(404, "RESOURCE_NOT_EXISTS")):
        report = peer.provider().query_refund(peer.refund_request()).report

    assert report.refund is not None
    assert (report.refund.state, report.refund.out_refund_no) == (ReportedRefundState.NOT_FOUND, peer.REFUND_NUMBER)
    assert ReportedState.UNKNOWN is report.state


def test_refund_without_a_reason_leaves_the_member_out() -> None:
    """WeChat refuses empty and null members."""
    with playing(signed(peer.refund_object())) as network:
        peer.provider().refund(peer.refund_request(reason="😀"))

    assert "reason" not in json.loads(network.sent[0].body)


# --- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("partner", "kind", "path"),
    [
        (False, StatementKind.TRADES, "tradebill?bill_date=2025-10-08&bill_type=ALL&tar_type=GZIP"),
        (True, StatementKind.TRADES, "tradebill?bill_date=2025-10-08&bill_type=ALL&tar_type=GZIP&sub_mchid=1900000871"),
        (False, StatementKind.FUNDS, "fundflowbill?bill_date=2025-10-08&account_type=BASIC&tar_type=GZIP"),
        (True, StatementKind.FUNDS, "fundflowbill?bill_date=2025-10-08&account_type=BASIC&tar_type=GZIP"),
    ],
    ids=["trades-direct", "trades-partner", "funds-direct", "funds-partner"],
)
def test_statement_asks_for_the_days_bill(*, partner: bool, kind: StatementKind, path: str) -> None:
    """One day, everything, packed."""
    with playing(error(400, "NO_STATEMENT_EXIST")) as network:
        lines = list(
            peer.provider(**(peer.PARTNER if partner else {})).fetch_statement(
                datetime(2025, 10, 8, tzinfo=UTC).date(), kind
            )
        )

    assert ([], f"{peer.BASE_URL}/v3/bill/{path}") == (lines, network.sent[0].url)


def test_capabilities_are_all_operations() -> None:
    """Nothing is left out."""
    assert frozenset(Operation) == peer.provider().capabilities
