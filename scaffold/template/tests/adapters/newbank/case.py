"""
newbank before the conformance suite: its callbacks, its words, its settings.

Fact to replace: each sample by what the bank sends, a true capture where there is one (source: section on notices).
"""

import json
from datetime import datetime, timedelta

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from adapters.newbank import build
from gateway.domain.clock import Clock
from gateway.domain.provider import Acknowledgement, Provider, RawCallback, Verdict
from gateway.domain.report import ReportedRefundState, Source
from gateway.domain.secret import Secret
from tests.adapters.newbank.case_calls import calls
from tests.adapters.newbank.peer import (
    BASE_URL,
    MERCHANT_NO,
    NONCE,
    NOW,
    PAID_AT,
    PAYMENT,
    VECTORS,
    middle_of,
    notice,
    paid_notice,
    payment_report,
    public_text,
    refund_notice,
    refund_report,
)
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


# --- callbacks --------------------------------------------------------------------------------------------------------


def sign(*, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
    return notice(paid_notice(), signed_at=signed_at, received_at=received_at, key=key)


def callbacks() -> Callbacks:
    other_merchant = payment_report(Source.CALLBACK, contradictions=("merchant_no",))
    refunded = refund_report(Source.CALLBACK, ReportedRefundState.SUCCEEDED, "DONE", occurred_at=PAID_AT)
    return Callbacks(
        accepted=(
            AcceptedSample(
                id="paid", raw=notice(paid_notice()), report=payment_report(Source.CALLBACK), event="payment"
            ),
            AcceptedSample(id="refunded", raw=notice(refund_notice()), report=refunded, event="refund"),
            AcceptedSample(
                id="of-another-merchant",
                raw=notice(paid_notice(notice_id="n-0003", merchant_no="999900000000003")),
                report=other_merchant,
                event="payment",
            ),
            AcceptedSample(id="news", raw=notice({"notice_id": "n-0004", "event": "news"}), report=None, event="news"),
        ),
        refused=(
            RefusedSample(id="foreign-key", raw=notice(paid_notice(), key="newbank-foreign"), reason="unknown_key"),
            RefusedSample(id="hour-old", raw=notice(paid_notice(), signed_at=NOW - timedelta(hours=1)), reason="stale"),
        ),
        unreadable=(
            UnreadableSample(id="not-json", raw=notice(b"paid!")),
            UnreadableSample(id="amount-is-a-number", raw=notice(paid_notice(amount=380.01))),
            UnreadableSample(id="amount-in-words", raw=notice(paid_notice(amount="3.8e2"))),
            UnreadableSample(id="no-such-moment", raw=notice(paid_notice(pay_time="20260231102025"))),
            UnreadableSample(id="no-number", raw=notice({"notice_id": "n-0005", "event": "payment"})),
            UnreadableSample(id="notice-without-id", raw=notice({"event": "payment", **PAYMENT})),
        ),
        sign=sign,
        keys=("newbank-2025", "newbank-2026"),
        foreign_key="newbank-foreign",
        paid_with_amount=lambda fen: notice(paid_notice(amount=f"{fen // 100}.{fen % 100:02d}")),
        unknown_status=notice(paid_notice(trade_state="FLOATING")),
        signed_headers=("bank-timestamp", "bank-nonce", "bank-key-id", "bank-signature"),
        window_seconds=300,
    )


# --- the case ---------------------------------------------------------------------------------------------------------


def content_of(sent: WireRequest) -> dict[str, str]:
    return dict(json.loads(sent.body))


def amount_fen(sent: WireRequest) -> int:
    whole, cents = content_of(sent)["amount"].split(".")
    assert len(cents) == 2
    return int(whole) * 100 + int(cents)


def unsigned(good: WireAnswer) -> WireAnswer:
    kept = {name: value for name, value in good.headers.items() if name != "bank-signature"}
    return WireAnswer(status=good.status, headers=kept, body=good.body)


def settings() -> AccountSettings:
    """The account as the configuration has it, references resolved."""
    values = {
        "provider": "newbank",
        "base_url": BASE_URL,
        "merchant_no": MERCHANT_NO,
        "key_id": "newbank-merchant-1",
        "private_key": Secret((VECTORS / "merchant_private_key.pem").read_text()),
        "bank_key_id": "newbank-2026",
        "bank_public_key": Secret(public_text("bank_new")),
        "bank_key_id_previous": "newbank-2025",
        "bank_public_key_previous": Secret(public_text("bank_old")),
    }
    return AccountSettings("main", values)


def built(clock: Clock) -> Provider:
    return build(settings(), AdapterTools(clock=clock, nonce=lambda: NONCE, transport=Transport()))


def acknowledgement(status: int, word: str) -> Acknowledgement:
    return Acknowledgement(status=status, body=f'{{"code":"{word}"}}'.encode(), content_type="application/json")


def case() -> AdapterCase:
    return AdapterCase(
        name="newbank",
        now=NOW,
        build=built,
        base_url=BASE_URL,
        callbacks=callbacks(),
        acknowledgements={
            Verdict.ACCEPTED: acknowledgement(200, "SUCCESS"),
            Verdict.IGNORED: acknowledgement(200, "SUCCESS"),
            Verdict.QUARANTINED: acknowledgement(200, "SUCCESS"),
            Verdict.ORPHAN: acknowledgement(503, "FAIL"),
            Verdict.REFUSED: acknowledgement(400, "FAIL"),
            Verdict.UNSTORED: acknowledgement(503, "FAIL"),
        },
        outgoing=Outgoing(
            calls=calls(),
            unsigned=unsigned,
            business=lambda sent: (sent.method, sent.url, content_of(sent)),
            number=lambda sent: content_of(sent).get("out_refund_no") or content_of(sent)["out_trade_no"],
            amount_fen=amount_fen,
        ),
        canaries=(middle_of("merchant"),),
    )
