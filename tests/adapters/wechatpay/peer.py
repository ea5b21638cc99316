"""WeChat's side of the wire for the tests, in its own few lines: signs, seals, and answers. Identities are invented."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from adapters.wechatpay import build
from gateway.domain.clock import Clock
from gateway.domain.provider import PaymentRef, PaymentRequest, Provider, RawCallback, RefundRequest
from gateway.domain.secret import Secret
from tests.conformance.case import WireAnswer

VECTORS: Final = Path(__file__).parent / "vectors"
CONFIG: Final[dict[str, Any]] = json.loads((VECTORS / "config.json").read_text("utf-8"))
NOW: Final = datetime.fromtimestamp(CONFIG["now"], UTC)
BASE_URL: Final = "https://api.mch.weixin.qq.com"
NONCE: Final = "593BEC0C930BF1AFEB40B4A08C8FB242"
NUMBER: Final = "0199c9d1e0007000800000000000000a"
REFUND_NUMBER: Final = "0199c9d1e0007000800000000000000b"
TRADE_NUMBER: Final = "4200002000202510096000000001"
OPENID: Final = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
NOTIFY: Final = "https://pay.example.cn/callbacks/wechatpay/main"

SERIALS: Final = {
    "a": CONFIG["platform_a_serial_no"],
    "b": CONFIG["platform_b_serial_no"],
    "public_key": CONFIG["public_key_id"],
    "unknown": CONFIG["platform_unknown_serial_no"],
}
_PRIVATE_KEY_FILES: Final = {
    "a": "platform_a_private_key.pem",
    "b": "platform_b_private_key.pem",
    "public_key": "wechatpay_pubkey_private_key.pem",
    "unknown": "platform_unknown_private_key.pem",
}


class FixedClock:
    """A clock that stands still until it is set."""

    def __init__(self, instant: datetime = NOW) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


def pem(name: str) -> str:
    return (VECTORS / name).read_text("ascii")


def vector_cases(name: str) -> list[dict[str, Any]]:
    return list(json.loads((VECTORS / f"{name}.json").read_text("utf-8"))["cases"])


def private_key(name: str) -> rsa.RSAPrivateKey:
    return cast(
        "rsa.RSAPrivateKey", serialization.load_pem_private_key(pem(_PRIVATE_KEY_FILES[name]).encode(), password=None)
    )


_PRIVATE_KEYS: Final = {name: private_key(name) for name in _PRIVATE_KEY_FILES}


# --- the account ------------------------------------------------------------------------------------------------------


def values(**changes: Any) -> dict[str, Any]:
    """Settings of the direct account that holds A, B and the public key; a change to None takes a key away."""
    table = {
        "provider": "wechatpay",
        "mchid": CONFIG["mchid"],
        "appid": CONFIG["appid"],
        "merchant_serial_no": CONFIG["merchant_serial_no"],
        "merchant_private_key": Secret(pem("merchant_private_key.pem")),
        "apiv3_key": Secret(CONFIG["apiv3_key"]),
        "public_key_id": CONFIG["public_key_id"],
        "public_key": Secret(pem("wechatpay_pubkey.pem")),
        "platform_certificates": [Secret(pem("platform_a_cert.pem")), Secret(pem("platform_b_cert.pem"))],
        **changes,
    }
    return {name: value for name, value in table.items() if value is not None}


PARTNER: Final = {
    "mode": "partner",
    "sub_mchid": CONFIG["sub_mchid"],
    "sub_appid": CONFIG["sub_appid"],
    "cashier": "sub",
}
CERTIFICATES_ONLY: Final = {"public_key_id": None, "public_key": None}
PUBLIC_KEY_ONLY: Final = {"platform_certificates": None}


def provider(clock: Clock | None = None, **changes: Any) -> Provider:
    """The built adapter, with a real transport and a fixed nonce."""
    tools = AdapterTools(clock=clock or FixedClock(), nonce=lambda: NONCE, transport=Transport())
    return build(AccountSettings("main", values(**changes)), tools)


def payment(method: str = "jsapi", **changes: Any) -> PaymentRequest:
    fields = {
        "jsapi": {"openid": OPENID},
        "mini_program": {"openid": OPENID},
        "h5": {"client_ip": "203.0.113.7", "h5_type": "Wap"},
    }
    request: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": method,
        "description": "2026年度城乡居民医保缴费",
        "created_at": NOW - timedelta(seconds=1),
        "expires_at": NOW + timedelta(hours=2),
        "notify_url": NOTIFY,
        "fields": fields.get(method, {}),
        **changes,
    }
    return PaymentRequest(**request)


def payment_ref(**changes: Any) -> PaymentRef:
    ref: dict[str, Any] = {"out_trade_no": NUMBER, "amount_fen": 38001, "method": "jsapi", "created_at": NOW, **changes}
    return PaymentRef(**ref)


def refund_request(**changes: Any) -> RefundRequest:
    request: dict[str, Any] = {
        "out_refund_no": REFUND_NUMBER,
        "out_trade_no": NUMBER,
        "amount_fen": 12001,
        "total_fen": 38001,
        "reason": "重复缴费退款",
        "method": "jsapi",
        "requested_at": NOW,
        "notify_url": NOTIFY,
        **changes,
    }
    return RefundRequest(**request)


# --- what WeChat says -------------------------------------------------------------------------------------------------


def compact(members: object) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def signature_headers(body: bytes, *, signed_at: datetime = NOW, key: str = "a") -> dict[str, str]:
    """The five headers that WeChat sets, for this body."""
    timestamp, nonce = str(int(signed_at.timestamp())), "XpJD48510Zv5B2qUZouQelqlNcxsunEL"
    text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    signature = _PRIVATE_KEYS[key].sign(text, padding.PKCS1v15(), hashes.SHA256())
    return {
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": nonce,
        "wechatpay-serial": SERIALS[key],
        "wechatpay-signature": base64.b64encode(signature).decode(),
        "wechatpay-signature-type": "WECHATPAY2-SHA256-RSA2048",
        "content-type": "application/json",
    }


def sealed(
    plain: bytes, *, apiv3_key: str = CONFIG["apiv3_key"], nonce: str = "DADmabFg9DwV", associated_data: str = "x"
) -> dict[str, str]:
    ciphertext = AESGCM(apiv3_key.encode()).encrypt(nonce.encode(), plain, associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(ciphertext).decode(),
        "associated_data": associated_data,
        "nonce": nonce,
    }


def envelope(
    resource: Mapping[str, Any], *, event: str = "TRANSACTION.SUCCESS", original_type: str = "transaction"
) -> dict[str, Any]:
    return {
        "id": "8f9cf168-c4ff-4720-a712-17c32e5e5116",
        "create_time": "2025-10-09T16:53:18+08:00",
        "resource_type": "encrypt-resource",
        "event_type": event,
        "summary": "支付成功",
        "resource": {"original_type": original_type, **resource},
    }


def callback(body: bytes, *, signed_at: datetime = NOW, received_at: datetime = NOW, key: str = "a") -> RawCallback:
    return RawCallback(
        headers=signature_headers(body, signed_at=signed_at, key=key), body=body, received_at=received_at
    )


def payment_callback(members: Mapping[str, Any] | bytes, **delivery: Any) -> RawCallback:
    plain = members if isinstance(members, bytes) else compact(members)
    return callback(compact(envelope(sealed(plain))), **delivery)


def refund_callback(members: Mapping[str, Any], **delivery: Any) -> RawCallback:
    event = f"REFUND.{members['refund_status']}"
    body = compact(envelope(sealed(compact(members)), event=event, original_type="refund"))
    return callback(body, **delivery)


def paid(**changes: Any) -> dict[str, Any]:
    """A direct merchant's payment object, paid with a coupon of one yuan."""
    return {
        "mchid": CONFIG["mchid"],
        "appid": CONFIG["appid"],
        "out_trade_no": NUMBER,
        "transaction_id": TRADE_NUMBER,
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "success_time": "2025-10-09T16:53:15+08:00",
        "payer": {"openid": OPENID},
        "amount": {"total": 38001, "payer_total": 37901, "currency": "CNY", "payer_currency": "CNY"},
        **changes,
    }


def paid_to_partner(**changes: Any) -> dict[str, Any]:
    members = paid(
        sp_mchid=CONFIG["mchid"],
        sub_mchid=CONFIG["sub_mchid"],
        sp_appid=CONFIG["appid"],
        sub_appid=CONFIG["sub_appid"],
        payer={"sub_openid": OPENID},
    )
    del members["mchid"], members["appid"]
    return {**members, **changes}


def refunded_callback(**changes: Any) -> dict[str, Any]:
    return {
        "mchid": CONFIG["mchid"],
        "transaction_id": TRADE_NUMBER,
        "out_trade_no": NUMBER,
        "refund_id": "50300002000202510090000000001",
        "out_refund_no": REFUND_NUMBER,
        "refund_status": "SUCCESS",
        "success_time": "2025-10-09T16:53:17+08:00",
        "user_received_account": "招商银行信用卡0403",
        "amount": {"total": 38001, "refund": 12001, "payer_total": 37901, "payer_refund": 11969},
        **changes,
    }


def refund_object(**changes: Any) -> dict[str, Any]:
    return {
        "refund_id": "50300002000202510090000000001",
        "out_refund_no": REFUND_NUMBER,
        "transaction_id": TRADE_NUMBER,
        "out_trade_no": NUMBER,
        "channel": "ORIGINAL",
        "user_received_account": "招商银行信用卡0403",
        "create_time": "2025-10-09T16:53:17+08:00",
        "status": "PROCESSING",
        "amount": {"total": 38001, "refund": 12001, "payer_total": 37901, "payer_refund": 11969, "currency": "CNY"},
        **changes,
    }


def certificates_answer(*names: str, key: str = "a", signed_at: datetime = NOW) -> tuple[bytes, dict[str, str]]:
    """Body and headers of GET /v3/certificates listing these certificates."""
    listed = [
        {
            "serial_no": SERIALS[name],
            "effective_time": CONFIG[f"platform_{name}_effective_time"],
            "expire_time": CONFIG[f"platform_{name}_expire_time"],
            "encrypt_certificate": sealed(pem(f"platform_{name}_cert.pem").encode(), associated_data="certificate"),
        }
        for name in names
    ]
    body = compact({"data": listed})
    return body, signature_headers(body, signed_at=signed_at, key=key)


def signed(members: Any, status: int = 200, **how: Any) -> WireAnswer:
    body = b"" if members is None else compact(members)
    return WireAnswer(status=status, headers=signature_headers(body, **how), body=body)


def error(status: int, code: str) -> WireAnswer:
    body = compact({"code": code, "message": "参数错误"})
    headers = {"Content-Type": "application/json; charset=utf-8", "Request-ID": "08F5B8C2-0"}
    return WireAnswer(status=status, headers=headers, body=body)
