"""The callbacks of the conformance case, and the reports that they must give."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.domain.clock import CHINA
from gateway.domain.money import yuan_from_fen
from gateway.domain.provider import RawCallback
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from tests.adapters.shared_account import peer
from tests.conformance.case import AcceptedSample, Callbacks, RefusedSample, UnreadableSample

PAID_AT: Final = datetime(2025, 10, 18, 9, 30, 15, tzinfo=CHINA)
REVOKED_AT: Final = datetime(2025, 10, 18, 10, 0, 0, tzinfo=CHINA)


def report(source: Source, state: ReportedState, word: str, **more: Any) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=peer.NUMBER, state=state, provider_status=word, **more)


def paid_report(source: Source, **changes: Any) -> ProviderReport:
    told: dict[str, Any] = {
        "amount_fen": 38001,
        "currency": "CNY",
        "provider_trade_no": peer.PAY_ORD_ID,
        "occurred_at": PAID_AT,
    }
    return report(source, ReportedState.PAID, "6", **{**told, **changes})


def revoked_report(source: Source, **changes: Any) -> ProviderReport:
    refund = RefundReport(
        out_refund_no=peer.REFUND_NUMBER,
        state=ReportedRefundState.SUCCEEDED,
        amount_fen=38001,
        occurred_at=REVOKED_AT,
    )
    told = {"occurred_at": None, "refund": refund, "refunded_total_fen": 38001, **changes}
    return replace(paid_report(source, **told), provider_status="8")


def sign(*, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
    return peer.callback(peer.paid(), signed_at=signed_at, received_at=received_at, key=key)


def changed(**members: Any) -> RawCallback:
    """A genuine callback of which members of the envelope were changed after signing; None takes one away."""
    raw = peer.callback(peer.paid())
    body = {**json.loads(raw.body), **members}
    return replace(raw, body=json.dumps({k: v for k, v in body.items() if v is not None}).encode())


CALLBACKS: Final = Callbacks(
    accepted=(
        AcceptedSample(
            id="paid",
            raw=peer.callback(peer.paid(receiptNo="P0001", memo="家庭共济缴费")),
            report=paid_report(Source.CALLBACK),
            event="sa.pay.notify 02",
        ),
        AcceptedSample(
            id="revoked",
            raw=peer.callback(peer.revoked()),
            report=revoked_report(Source.CALLBACK),
            event="sa.pay.notify 03",
        ),
        AcceptedSample(
            id="revoked-not-yet",
            raw=peer.callback(peer.revoked(ordStas="11")),
            report=report(
                Source.CALLBACK,
                ReportedState.PAID,
                "11",
                amount_fen=38001,
                currency="CNY",
                provider_trade_no=peer.PAY_ORD_ID,
                refund=RefundReport(
                    out_refund_no=peer.REFUND_NUMBER, state=ReportedRefundState.UNKNOWN, amount_fen=38001
                ),
            ),
            event="sa.pay.notify 03",
        ),
        AcceptedSample(
            id="revoked-by-another",
            raw=peer.callback(peer.revoked(revokeSn="V0001")),
            report=revoked_report(
                Source.CALLBACK,
                refund=RefundReport(
                    out_refund_no="V0001",
                    state=ReportedRefundState.SUCCEEDED,
                    amount_fen=38001,
                    occurred_at=REVOKED_AT,
                ),
            ),
            event="sa.pay.notify 03",
        ),
        AcceptedSample(
            id="still-processing",
            raw=peer.callback(peer.paid(ordStas="1", psnAcctPay=None, tradeTime=None)),
            report=report(Source.CALLBACK, ReportedState.PENDING, "1", provider_trade_no=peer.PAY_ORD_ID),
            event="sa.pay.notify 02",
        ),
        AcceptedSample(
            id="failed-is-asked-about",
            raw=peer.callback(peer.paid(ordStas="14", psnAcctPay=None, tradeTime=None)),
            report=report(Source.CALLBACK, ReportedState.UNKNOWN, "14", provider_trade_no=peer.PAY_ORD_ID),
            event="sa.pay.notify 02",
        ),
        AcceptedSample(id="other-call", raw=peer.callback({"callType": "07"}), report=None, event="sa.pay.notify 07"),
    ),
    refused=(
        RefusedSample(id="unknown-key", raw=peer.callback(peer.paid(), key="other"), reason="signature"),
        RefusedSample(id="our-own-key", raw=peer.callback(peer.paid(), key="app"), reason="signature"),
        RefusedSample(
            id="eleven-minutes-old",
            raw=peer.callback(peer.paid(), signed_at=peer.NOW - timedelta(minutes=11)),
            reason="stale",
        ),
        RefusedSample(
            id="another-channel",
            raw=peer.callback(peer.paid(), appId="F81122B486CD19A8CF841411CCAF0F57"),
            reason="unknown_key",
        ),
        RefusedSample(id="downgraded", raw=peer.callback(peer.paid(), signType="SM3"), reason="malformed"),
        RefusedSample(id="no-time", raw=peer.callback(peer.paid(), timestamp=None), reason="malformed"),
        RefusedSample(id="unsigned", raw=changed(signData=None), reason="signature"),
        RefusedSample(id="unsealed", raw=changed(encData=None), reason="malformed"),
        RefusedSample(id="in-the-clear", raw=changed(data=peer.paid()), reason="malformed"),
        RefusedSample(id="wrong-padding", raw=changed(encData="00" * 16), reason="decrypt"),
    ),
    unreadable=(
        UnreadableSample(id="another-operation", raw=peer.callback(peer.CHARGED, trans_type="sa.pay.charge")),
        UnreadableSample(id="another-version", raw=peer.callback(peer.paid(), version="1.0.0")),
        UnreadableSample(id="no-call-type", raw=peer.callback(peer.paid(callType=None))),
        UnreadableSample(id="no-number", raw=peer.callback(peer.paid(outTradeNo=None))),
        UnreadableSample(id="amount-of-one-decimal", raw=peer.callback(peer.paid(psnAcctPay="380.0"))),
        UnreadableSample(id="paid-without-amount", raw=peer.callback(peer.paid(psnAcctPay=None))),
        UnreadableSample(id="revoked-without-amount", raw=peer.callback(peer.revoked(psnAcctPay=None))),
    ),
    sign=sign,
    keys=("platform", "leadzero"),
    foreign_key="other",
    paid_with_amount=lambda amount_fen: peer.callback(peer.paid(psnAcctPay=yuan_from_fen(amount_fen))),
    unknown_status=peer.callback(peer.paid(ordStas="99")),
    signs_parsed_members=True,
    window_seconds=600,
)
