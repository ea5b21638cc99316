"""The callbacks of the conformance case, and the reports that they and the answers must give."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.domain.clock import CHINA
from gateway.domain.provider import RawCallback
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from tests.adapters.wechatpay import peer
from tests.conformance.case import AcceptedSample, Callbacks, RefusedSample, UnreadableSample

PAID_AT: Final = datetime(2025, 10, 9, 16, 53, 15, tzinfo=CHINA)
REFUNDED_AT: Final = datetime(2025, 10, 9, 16, 53, 17, tzinfo=CHINA)
REFUND_ID: Final = "50300002000202510090000000001"


def report(source: Source, state: ReportedState, word: str, **more: Any) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=peer.NUMBER, state=state, provider_status=word, **more)


def paid_report(source: Source, **changes: Any) -> ProviderReport:
    told: dict[str, Any] = {
        "amount_fen": 38001,
        "currency": "CNY",
        "provider_trade_no": peer.TRADE_NUMBER,
        "occurred_at": PAID_AT,
    }
    return report(source, ReportedState.PAID, "SUCCESS", **{**told, **changes})


def refund_report(source: Source, word: str, state: ReportedRefundState, **changes: Any) -> ProviderReport:
    refund = RefundReport(
        out_refund_no=peer.REFUND_NUMBER,
        state=state,
        amount_fen=12001,
        provider_refund_no=REFUND_ID,
        occurred_at=changes.pop("occurred_at", None),
    )
    told = {"amount_fen": 38001, "provider_trade_no": peer.TRADE_NUMBER, "refund": refund}
    return report(source, ReportedState.PAID, word, **told, **changes)


def sign(*, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
    return peer.payment_callback(peer.paid(), signed_at=signed_at, received_at=received_at, key=key)


def probe() -> RawCallback:
    raw = peer.payment_callback(peer.paid())
    return replace(raw, headers={**raw.headers, "wechatpay-signature": "WECHATPAY/SIGNTEST/otmYZsM2LC4c"})


def abnormal() -> dict[str, Any]:
    members = peer.refunded_callback(refund_status="ABNORMAL")
    del members["success_time"]
    return members


NEWS: Final = peer.callback(peer.compact(peer.envelope(peer.sealed(b"{}"), event="MEDICAL_INSURANCE.SUCCESS")))

CALLBACKS: Final = Callbacks(
    accepted=(
        AcceptedSample(
            id="paid",
            raw=peer.payment_callback(peer.paid()),
            report=paid_report(Source.CALLBACK),
            event="TRANSACTION.SUCCESS",
        ),
        AcceptedSample(
            id="refunded",
            raw=peer.refund_callback(peer.refunded_callback()),
            report=refund_report(Source.CALLBACK, "SUCCESS", ReportedRefundState.SUCCEEDED, occurred_at=REFUNDED_AT),
            event="REFUND.SUCCESS",
        ),
        AcceptedSample(
            id="refund-abnormal",
            raw=peer.refund_callback(abnormal()),
            report=refund_report(Source.CALLBACK, "ABNORMAL", ReportedRefundState.ABNORMAL),
            event="REFUND.ABNORMAL",
        ),
        AcceptedSample(
            id="other-merchant",
            raw=peer.payment_callback(peer.paid(mchid="1900009999", transaction_id="4200002000202510096000000009")),
            report=paid_report(
                Source.CALLBACK, contradictions=("mchid",), provider_trade_no="4200002000202510096000000009"
            ),
            event="TRANSACTION.SUCCESS",
        ),
        AcceptedSample(id="other-event", raw=NEWS, report=None, event="MEDICAL_INSURANCE.SUCCESS"),
    ),
    refused=(
        RefusedSample(id="unknown-key", raw=peer.payment_callback(peer.paid(), key="unknown"), reason="unknown_key"),
        RefusedSample(
            id="ten-minutes-old",
            raw=peer.payment_callback(peer.paid(), signed_at=peer.NOW - timedelta(minutes=10)),
            reason="stale",
        ),
        RefusedSample(id="probe", raw=probe(), reason="signature"),
        RefusedSample(
            id="other-apiv3-key",
            raw=peer.callback(
                peer.compact(peer.envelope(peer.sealed(b"{}", apiv3_key=peer.CONFIG["apiv3_key_other"])))
            ),
            reason="decrypt",
        ),
    ),
    unreadable=(
        UnreadableSample(id="not-json", raw=peer.callback(b"paid!")),
        UnreadableSample(id="sealed-not-json", raw=peer.payment_callback(b"paid!")),
        UnreadableSample(id="amount-is-text", raw=peer.payment_callback(peer.paid(amount={"total": "38001"}))),
        UnreadableSample(id="no-number", raw=peer.payment_callback(peer.paid(out_trade_no=None))),
    ),
    sign=sign,
    keys=("a", "b", "public_key"),
    foreign_key="unknown",
    paid_with_amount=lambda amount_fen: peer.payment_callback(
        peer.paid(amount={"total": amount_fen, "payer_total": amount_fen, "currency": "CNY"})
    ),
    unknown_status=peer.payment_callback(peer.paid(trade_state="FLOATING")),
    signed_headers=("wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"),
    window_seconds=300,
    edge_accepted=False,
)
