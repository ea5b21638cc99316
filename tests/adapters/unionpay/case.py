"""UnionPay before the conformance suite: a merchant in the test environment. All names and numbers are invented."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from adapters.unionpay.adapter import UnionpayProvider
from gateway.domain.clock import Clock
from gateway.domain.provider import Acknowledgement, RawCallback, Verdict
from gateway.domain.report import ReportedRefundState, ReportedState, Source
from gateway.domain.secret import Secret
from tests.adapters.unionpay import peer
from tests.adapters.unionpay.case_calls import CALLS, payment_report, refund_report
from tests.conformance.case import (
    AcceptedSample,
    AdapterCase,
    Callbacks,
    Outgoing,
    RefusedSample,
    UnreadableSample,
    WireAnswer,
    WireRequest,
)

KEYS: Final = ("platform_sign_testcn", "platform_sign")
PLAIN: Final = "text/plain; charset=utf-8"

# --- callbacks --------------------------------------------------------------------------------------------------------

PAID: Final = payment_report(
    Source.CALLBACK,
    ReportedState.PAID,
    "00",
    amount_fen=38001,
    currency="CNY",
    provider_trade_no=peer.QUERY_ID,
    occurred_at=peer.PAID_AT,
)


def delivered(fields: dict[str, str | None], received_at: datetime = peer.NOW, **how: Any) -> RawCallback:
    return peer.callback(peer.notify_body(fields, **how), received_at)


def sign(*, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
    return delivered(peer.paid(), received_at, signer=key)


def paid_with_amount(amount_fen: int) -> RawCallback:
    return delivered(peer.paid(txnAmt=str(amount_fen), settleAmt="1"))


CALLBACKS: Final = Callbacks(
    accepted=(
        AcceptedSample(id="paid", raw=delivered(peer.paid()), report=PAID, event="txnType 01"),
        AcceptedSample(
            id="paid-with-a-defect",
            raw=delivered(peer.paid(respCode="A6")),
            report=payment_report(
                Source.CALLBACK,
                ReportedState.PAID,
                "A6",
                amount_fen=38001,
                currency="CNY",
                provider_trade_no=peer.QUERY_ID,
                occurred_at=peer.PAID_AT,
            ),
            event="txnType 01",
        ),
        AcceptedSample(
            id="paid-gbk",
            raw=delivered(peer.paid(encoding="GBK", txnAmt="1")),
            report=payment_report(
                Source.CALLBACK,
                ReportedState.PAID,
                "00",
                amount_fen=1,
                currency="CNY",
                provider_trade_no=peer.QUERY_ID,
                occurred_at=peer.PAID_AT,
            ),
            event="txnType 01",
        ),
        AcceptedSample(
            id="refunded",
            raw=delivered(peer.refunded()),
            report=refund_report(
                Source.CALLBACK, ReportedRefundState.SUCCEEDED, "00", occurred_at=peer.REFUNDED_AT, currency="CNY"
            ),
            event="txnType 04",
        ),
        AcceptedSample(
            id="refund-failed",
            raw=delivered(peer.refunded(respCode="36")),
            report=refund_report(Source.CALLBACK, ReportedRefundState.FAILED, "36", currency="CNY"),
            event="txnType 04",
        ),
        AcceptedSample(id="another-product", raw=delivered(peer.paid(txnType="72")), report=None, event="txnType 72"),
    ),
    refused=(
        RefusedSample(
            id="other-merchant", raw=delivered(peer.paid(), signer="other_merchant_sign"), reason="unknown_key"
        ),
        RefusedSample(id="expired", raw=delivered(peer.paid(), signer="platform_sign_expired"), reason="unknown_key"),
        RefusedSample(id="shared-key-method", raw=delivered(peer.paid(signMethod="11")), reason="signature"),
        RefusedSample(id="older-version", raw=delivered(peer.paid(version="5.0.0")), reason="signature"),
        RefusedSample(
            id="field-twice",
            raw=peer.callback(peer.notify_body(peer.paid()) + b"&txnAmt=1"),
            reason="malformed",
        ),
    ),
    unreadable=(
        UnreadableSample(id="amount-malformed", raw=delivered(peer.paid(txnAmt="380.01"))),
        UnreadableSample(id="amount-missing", raw=delivered(peer.paid(txnAmt=None))),
        UnreadableSample(id="no-number", raw=delivered(peer.paid(orderId=None))),
        UnreadableSample(id="no-kind", raw=delivered(peer.paid(txnType=None))),
    ),
    sign=sign,
    keys=KEYS,
    foreign_key="other_merchant_sign",
    paid_with_amount=paid_with_amount,
    unknown_status=delivered(peer.paid(respCode="ZZ")),
    signed_form_fields=(
        "encoding",
        "merId",
        "orderId",
        "respCode",
        "signMethod",
        "signPubKeyCert",
        "signature",
        "txnAmt",
        "txnTime",
        "txnType",
        "version",
    ),
    signs_decoded_values=True,
)


# --- outgoing calls ---------------------------------------------------------------------------------------------------


def fields_of(sent: WireRequest) -> dict[str, str]:
    return dict(parse_qsl(sent.body.decode(), strict_parsing=True))


def business(sent: WireRequest) -> object:
    return {name: value for name, value in fields_of(sent).items() if name != "signature"}


def unsigned(good: WireAnswer) -> WireAnswer:
    body, _, _ = good.body.partition(b"&signature=")
    assert body != good.body
    return WireAnswer(status=good.status, headers=good.headers, body=body)


# --- the case ---------------------------------------------------------------------------------------------------------


def build(clock: Clock) -> UnionpayProvider:
    known = "".join(peer.text(f"{name}.pem") for name in KEYS)
    return peer.provider(clock, environment="test", platform_certificates=Secret(known))


def acknowledgement(status: int, body: bytes) -> Acknowledgement:
    return Acknowledgement(status=status, body=body, content_type=PLAIN)


ACKNOWLEDGEMENTS: Final = {
    Verdict.ACCEPTED: acknowledgement(200, b"ok"),
    Verdict.IGNORED: acknowledgement(200, b"ok"),
    Verdict.QUARANTINED: acknowledgement(200, b"ok"),
    Verdict.ORPHAN: acknowledgement(503, b"later"),
    Verdict.REFUSED: acknowledgement(400, b"refused"),
    Verdict.UNSTORED: acknowledgement(503, b"later"),
}


def case() -> AdapterCase:
    middle_of_the_key = peer.text("merchant_sign.key.pem").splitlines()[12]
    assert base64.b64decode(middle_of_the_key)
    return AdapterCase(
        name="unionpay",
        now=peer.NOW.astimezone(UTC),
        build=build,
        base_url=peer.BASE_URL,
        callbacks=CALLBACKS,
        acknowledgements=ACKNOWLEDGEMENTS,
        outgoing=Outgoing(
            calls=CALLS,
            unsigned=unsigned,
            business=business,
            number=lambda sent: fields_of(sent)["orderId"],
            amount_fen=lambda sent: int(fields_of(sent)["txnAmt"]),
        ),
        canaries=(middle_of_the_key, peer.CARD, "622609******0048", "2026年度医保缴费"),
        later=timedelta(minutes=7),
    )
