"""Alipay's case for the conformance suite. It signs with the peer's own few lines; all identities are invented."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from adapters.alipay.adapter import Alipay
from gateway.domain.clock import CHINA, Clock
from gateway.domain.provider import (
    Acknowledgement,
    RawCallback,
    Verdict,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.secret import Secret
from tests.adapters.alipay import peer
from tests.adapters.alipay.case_calls import CREATES, NOW, OTHERS, PAID_AT, report
from tests.adapters.alipay.case_wire import AUTH_TOKEN
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


PAID: Final = report(
    Source.CALLBACK,
    ReportedState.PAID,
    "TRADE_SUCCESS",
    amount_fen=38001,
    provider_trade_no=peer.TRADE_NUMBER,
    occurred_at=PAID_AT,
)
REFUNDED: Final = report(
    Source.CALLBACK,
    ReportedState.PAID,
    "TRADE_CLOSED",
    amount_fen=38001,
    provider_trade_no=peer.TRADE_NUMBER,
    occurred_at=PAID_AT,
    refund=RefundReport(
        out_refund_no=peer.REFUND_NUMBER,
        state=ReportedRefundState.SUCCEEDED,
        occurred_at=datetime(2026, 3, 1, 11, 0, tzinfo=CHINA),
    ),
    refunded_total_fen=38001,
)
CLOSED: Final = report(
    Source.CALLBACK,
    ReportedState.CLOSED,
    "TRADE_CLOSED",
    amount_fen=38001,
    provider_trade_no=peer.TRADE_NUMBER,
    occurred_at=datetime(2026, 3, 1, 10, 50, 36, tzinfo=CHINA),
)
REFUND_FIELDS: Final = {
    "trade_status": "TRADE_CLOSED",
    "refund_fee": "380.01",
    "gmt_refund": "2026-03-01 11:00:00.456",
    "out_biz_no": peer.REFUND_NUMBER,
}


def delivered(fields: dict[str, str], received_at: datetime = NOW, **how: Any) -> RawCallback:
    body = peer.notify_body(fields, **how)
    return peer.callback(body, received_at=received_at, content_type="application/x-www-form-urlencoded; charset=utf-8")


def sign(*, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
    sent_at = signed_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    return delivered(peer.paid(notify_time=sent_at), received_at, key=key)


def paid_with_amount(amount_fen: int) -> RawCallback:
    return delivered(peer.paid(total_amount=f"{amount_fen // 100}.{amount_fen % 100:02d}"))


def accepted(name: str, fields: dict[str, str], told: ProviderReport | None, event: str, **how: Any) -> AcceptedSample:
    return AcceptedSample(id=name, raw=delivered(fields, **how), report=told, event=event)


CALLBACKS: Final = Callbacks(
    accepted=(
        accepted("paid", peer.paid(), PAID, "TRADE_SUCCESS"),
        accepted("refunded", peer.paid(**REFUND_FIELDS), REFUNDED, "TRADE_CLOSED"),
        accepted(
            "closed",
            peer.paid(trade_status="TRADE_CLOSED", gmt_payment=None, gmt_close="2026-03-01 10:50:36"),
            CLOSED,
            "TRADE_CLOSED",
        ),
        accepted(
            "paid-gbk",
            peer.paid(charset="GBK", total_amount="0.01", subject="居民医保"),
            report(
                Source.CALLBACK,
                ReportedState.PAID,
                "TRADE_SUCCESS",
                amount_fen=1,
                provider_trade_no=peer.TRADE_NUMBER,
                occurred_at=PAID_AT,
            ),
            "TRADE_SUCCESS",
            charset="gb18030",
        ),
        accepted(
            "not-a-trade",
            {"notify_type": "servicemarket_order_notify", "app_id": peer.APP_ID, "notify_id": "n1"},
            None,
            "servicemarket_order_notify",
            keep_sign_type=True,
        ),
    ),
    refused=(
        RefusedSample(id="own-key", raw=delivered(peer.paid(), key="app"), reason="signature"),
        RefusedSample(
            id="field-twice",
            raw=peer.callback(peer.notify_body(peer.paid()) + b"&total_amount=0.01"),
            reason="malformed",
        ),
    ),
    unreadable=(
        UnreadableSample(id="amount-malformed", raw=delivered(peer.paid(total_amount="NaN"))),
        UnreadableSample(id="no-number", raw=delivered(peer.paid(out_trade_no=None))),
        UnreadableSample(id="no-kind", raw=delivered(peer.paid(notify_type=None))),
    ),
    sign=sign,
    keys=("previous", "platform"),
    foreign_key="rogue",
    paid_with_amount=paid_with_amount,
    unknown_status=delivered(peer.paid(trade_status="TRADE_FLOATING")),
    signed_form_fields=("app_id", "notify_type", "out_trade_no", "seller_id", "sign", "total_amount", "trade_status"),
    signs_decoded_values=True,
)


# --- outgoing calls ---------------------------------------------------------------------------------------------------


def parameters_of(sent: WireRequest) -> dict[str, str]:
    """Everything that a request says, whether in its address, its form or its one string."""
    return dict(parse_qsl(urlsplit(sent.url).query)) | dict(parse_qsl(sent.body.decode()))


def business(sent: WireRequest) -> object:
    return {name: value for name, value in parameters_of(sent).items() if name not in {"timestamp", "sign"}}


def content_of(sent: WireRequest) -> dict[str, Any]:
    return dict(json.loads(parameters_of(sent)["biz_content"]))


def number(sent: WireRequest) -> str:
    content = content_of(sent)
    return str(content.get("out_request_no") or content["out_trade_no"])


def amount_fen(sent: WireRequest) -> int:
    content = content_of(sent)
    whole, cents = str(content.get("refund_amount") or content["total_amount"]).split(".")
    assert len(cents) == 2
    return int(whole) * 100 + int(cents)


def unsigned(good: WireAnswer) -> WireAnswer:
    return WireAnswer(status=good.status, headers=good.headers, body=good.body.split(b',"sign"')[0] + b"}")


# --- the case ---------------------------------------------------------------------------------------------------------

SETTINGS: Final = {"app_auth_token": Secret(AUTH_TOKEN), "auth_app_id": peer.APP_ID}


def build(clock: Clock) -> Alipay:
    return peer.provider(clock, **SETTINGS)


def acknowledgement(verdict: Verdict) -> Acknowledgement:
    done = verdict in {Verdict.ACCEPTED, Verdict.IGNORED}
    return Acknowledgement(
        status=503 if verdict is Verdict.UNSTORED else 200,
        body=b"success" if done else b"fail",
        content_type="text/plain; charset=utf-8",
    )


def case() -> AdapterCase:
    middle_of_the_key = peer.pem("app_private_pkcs8.pem").splitlines()[12]
    assert base64.b64decode(middle_of_the_key)
    return AdapterCase(
        name="alipay",
        now=NOW.astimezone(UTC),
        build=build,
        base_url=peer.BASE_URL,
        callbacks=CALLBACKS,
        acknowledgements={verdict: acknowledgement(verdict) for verdict in Verdict},
        outgoing=Outgoing(
            calls=CREATES + OTHERS, unsigned=unsigned, business=business, number=number, amount_fen=amount_fen
        ),
        canaries=(middle_of_the_key, AUTH_TOKEN, peer.OPEN_ID, peer.BUYER_ID, "138****1234", "秘密的说明文字"),
    )
