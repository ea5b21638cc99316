"""
The bank's side of the wire for the tests: its keys, signatures and messages, written without the adapter's code.

Merchant, payer and numbers are invented.
Fact to replace: header names, signed texts, and the messages by the document's examples (source: sections on
signatures, on notices and on refunds).
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.domain.provider import RawCallback
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source

VECTORS: Final = Path(__file__).parent / "vectors"
NOW: Final = datetime(2026, 3, 1, 2, 20, 30, tzinfo=UTC)
BASE_URL: Final = "https://newbank.invalid/api"
MERCHANT_NO: Final = "999900000000002"
NONCE: Final = "0123456789abcdefghijABCDEFGHIJxy"
BANK_NONCE: Final = "fedcba9876543210fedcba9876543210"
NUMBER: Final = "0195500000007000800000000000000a"
REFUND_NUMBER: Final = "0195500000007000800000000000000b"
KEY_FILES: Final = {
    "newbank-2025": "bank_old",
    "newbank-2026": "bank_new",
    "newbank-foreign": "stranger",
}
"""The bank's names of its keys; the last is one that the account does not hold."""

PAID_AT: Final = datetime(2026, 3, 1, 2, 20, 25, tzinfo=UTC)
PAYMENT: Final = {
    "merchant_no": MERCHANT_NO,
    "out_trade_no": NUMBER,
    "trade_state": "PAID",
    "amount": "380.01",
    "trade_no": "202603010000000001",
    "pay_time": "20260301102025",
}
REFUND: Final = {
    "merchant_no": MERCHANT_NO,
    "out_trade_no": NUMBER,
    "out_refund_no": REFUND_NUMBER,
    "refund_no": "202603010000000002",
    "refund_state": "DONE",
    "amount": "120.01",
    "refund_time": "20260301102025",
}


# --- the bank's side of the wire --------------------------------------------------------------------------------------


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    """A key of the vectors."""
    content = (VECTORS / f"{name}_private_key.pem").read_bytes()
    key = serialization.load_pem_private_key(content, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def signature(key: str, signed: bytes) -> str:
    return base64.b64encode(private_key(key).sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()


def public_text(name: str) -> str:
    return (
        private_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def middle_of(name: str) -> str:
    """A line from the middle of a private key's base64."""
    lines = (VECTORS / f"{name}_private_key.pem").read_text().splitlines()
    return lines[len(lines) // 2]


def compact(content: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(content), ensure_ascii=False, separators=(",", ":")).encode()


def bank_headers(body: bytes, signed_at: datetime, key: str) -> dict[str, str]:
    """The headers of an answer or a notice."""
    timestamp = str(int(signed_at.timestamp()))
    return {
        "bank-timestamp": timestamp,
        "bank-nonce": BANK_NONCE,
        "bank-key-id": key,
        "bank-signature": signature(KEY_FILES[key], f"{timestamp}\n{BANK_NONCE}\n".encode() + body + b"\n"),
    }


def notice(
    content: Mapping[str, Any] | bytes,
    *,
    signed_at: datetime = NOW,
    received_at: datetime = NOW,
    key: str = "newbank-2026",
) -> RawCallback:
    body = content if isinstance(content, bytes) else compact(content)
    return RawCallback(headers=bank_headers(body, signed_at, key), body=body, received_at=received_at)


def paid_notice(**changes: Any) -> dict[str, Any]:
    return {"notice_id": "n-0001", "event": "payment", **PAYMENT, **changes}


def refund_notice(**changes: Any) -> dict[str, Any]:
    return {"notice_id": "n-0002", "event": "refund", **REFUND, **changes}


# --- reports ----------------------------------------------------------------------------------------------------------


def payment_report(source: Source, **changes: Any) -> ProviderReport:
    told: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "state": ReportedState.PAID,
        "provider_status": "PAID",
        "amount_fen": 38001,
        "currency": "CNY",
        "provider_trade_no": "202603010000000001",
        "occurred_at": PAID_AT,
    }
    return ProviderReport(source=source, **(told | changes))


def refund_report(source: Source, state: ReportedRefundState, word: str, **changes: Any) -> ProviderReport:
    told: dict[str, Any] = {"amount_fen": 12001, "provider_refund_no": "202603010000000002"}
    return ProviderReport(
        source=source,
        out_trade_no=NUMBER,
        state=ReportedState.PAID,
        provider_status=word,
        refund=RefundReport(out_refund_no=REFUND_NUMBER, state=state, **(told | changes)),
    )
