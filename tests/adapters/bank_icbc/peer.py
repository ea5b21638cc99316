"""ICBC's side of the wire for the tests, in its own few lines: signs, seals, answers. Identities are invented."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from adapters.bank.icbc import build
from adapters.bank.icbc.adapter import IcbcProvider
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from gateway.domain.clock import CHINA, Clock
from gateway.domain.provider import PaymentRef, PaymentRequest, RawCallback, RefundRequest
from gateway.domain.secret import Secret
from tests.conformance.case import FixedClock, WireAnswer

VECTORS: Final = Path(__file__).parent / "vectors"
KEYS: Final = VECTORS / "keys"
BASE_URL: Final = "https://gw.icbc.example"
APP_ID: Final = "10000000000004000001"
MER_ID: Final = "020001020001"
CONTRACT: Final = "0200010200010201"
NUMBER: Final = "0199c9d1e0007000800000000000000a"
REFUND_NUMBER: Final = "0199c9d1e0007000800000000000000b"
ORDER_ID: Final = "020000000000000011"
REFUND_ID: Final = "020000000000000099"
MSG_ID: Final = "n01001"
NONCE: Final = "N" * 32
SIGNED_PATH: Final = "/callbacks/bank_icbc/main"
NOTIFY: Final = f"https://pay.example.cn{SIGNED_PATH}"
RETURN_URL: Final = "https://pay.example.cn/back?o=1&p=2"
OPEN_ID: Final = "oUSDOusdsdISLSDlskdf"
CARD: Final = "621226****0001"
NOW: Final = datetime(2026, 11, 21, 10, 1, 0, tzinfo=CHINA)
CREATED_AT: Final = datetime(2026, 11, 21, 10, 0, 58, 654321, tzinfo=CHINA)
PAID_AT: Final = datetime(2026, 11, 21, 10, 2, 0, tzinfo=CHINA)
REFUNDED_AT: Final = datetime(2026, 11, 21, 10, 9, 5, tzinfo=CHINA)
OVER: Final = CREATED_AT + timedelta(minutes=70)
"""Twice the 30 minutes to pay, and 10 until a failure is believed."""

BANK: Final = "icbc_gateway_private"
BANK_PREVIOUS: Final = "icbc_gateway_previous_private"
APP: Final = "icbc_app_private"


def text(name: str) -> str:
    return (KEYS / name).read_text("utf-8")


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def _key(name: str) -> rsa.RSAPrivateKey:
    return cast("rsa.RSAPrivateKey", serialization.load_pem_private_key(text(f"{name}.pem").encode(), None))


_KEYS: Final = {name: _key(name) for name in (BANK, BANK_PREVIOUS, APP)}
AES_KEY: Final = base64.b64decode(text("icbc_aes_key.b64"))


# --- the account ------------------------------------------------------------------------------------------------------


def values(**changes: Any) -> dict[str, Any]:
    """Settings of the vectors' merchant; a change to None takes a key away."""
    table = {
        "provider": "bank_icbc",
        "base_url": BASE_URL,
        "app_id": APP_ID,
        "mer_id": MER_ID,
        "mer_prtcl_no": CONTRACT,
        "app_private_key": Secret(text("icbc_app_private.pem")),
        "gateway_public_key": Secret(text("icbc_gateway_public.pem")),
        "gateway_public_key_previous": Secret(text("icbc_gateway_previous_public.pem")),
        "shop_appid": "wx0000000000000001",
        **changes,
    }
    return {name: value for name, value in table.items() if value is not None}


def provider(clock: Clock | None = None, **changes: Any) -> IcbcProvider:
    """The built adapter, with a real transport."""
    tools = AdapterTools(clock=clock or FixedClock(NOW), nonce=lambda: NONCE, transport=Transport())
    return build(AccountSettings("main", values(**changes)), tools)


def encrypting(**changes: Any) -> dict[str, Any]:
    """The change that switches content encryption on."""
    return {"encrypt_key": Secret(text("icbc_aes_key.b64")), **changes}


def payment(**changes: Any) -> PaymentRequest:
    request: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": "showpay",
        "description": "2026年度医保缴费",
        "created_at": CREATED_AT,
        "expires_at": NOW + timedelta(hours=2),
        "notify_url": NOTIFY,
        "fields": {"return_url": RETURN_URL, "open_id": OPEN_ID},
        **changes,
    }
    return PaymentRequest(**request)


def ref(**changes: Any) -> PaymentRef:
    question: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": "showpay",
        "created_at": CREATED_AT,
        **changes,
    }
    return PaymentRef(**question)


def refund_request(**changes: Any) -> RefundRequest:
    request: dict[str, Any] = {
        "out_refund_no": REFUND_NUMBER,
        "out_trade_no": NUMBER,
        "amount_fen": 12001,
        "total_fen": 38001,
        "reason": "重复缴费",
        "method": "showpay",
        "requested_at": NOW,
        "notify_url": NOTIFY,
        "provider_trade_no": ORDER_ID,
        **changes,
    }
    return RefundRequest(**request)


# --- signing and sealing ----------------------------------------------------------------------------------------------


def signature(content: bytes, signer: str = BANK, *, digest: str = "sha1") -> str:
    algorithm = hashes.SHA1() if digest == "sha1" else hashes.SHA256()
    return base64.b64encode(_KEYS[signer].sign(content, padding.PKCS1v15(), algorithm)).decode()


def string_of(path: str, fields: Mapping[str, str]) -> bytes:
    parts = [f"{name}={fields[name]}" for name in sorted(fields) if fields[name] and name != "sign"]
    return f"{path}?{'&'.join(parts)}".encode(codec_of(fields))


def codec_of(fields: Mapping[str, str]) -> str:
    return "gbk" if fields.get("charset") == "GBK" else "utf-8"


def sealed(plain: str) -> str:
    raw = plain.encode()
    count = 16 - len(raw) % 16
    encryptor = Cipher(algorithms.AES(AES_KEY), modes.CBC(bytes(16))).encryptor()
    return base64.b64encode(encryptor.update(raw + bytes([count]) * count) + encryptor.finalize()).decode()


def unsealed(ciphertext: str) -> str:
    decryptor = Cipher(algorithms.AES(AES_KEY), modes.CBC(bytes(16))).decryptor()
    raw = decryptor.update(base64.b64decode(ciphertext)) + decryptor.finalize()
    return raw[: -raw[-1]].decode()


def compact(members: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in members.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def request_params(path: str, content: Mapping[str, str], *, sign_type: str = "RSA2", **more: str) -> dict[str, str]:
    """The parameters that we are to send now for this content."""
    params = {
        "app_id": APP_ID,
        "msg_id": NONCE,
        "format": "json",
        "charset": "UTF-8",
        "sign_type": sign_type,
        "timestamp": "2026-11-21 10:01:00",
        "biz_content": compact(content),
        **more,
    }
    digest = "sha256" if sign_type == "RSA2" else "sha1"
    return {**params, "sign": signature(string_of(path, params), APP, digest=digest)}


# --- what ICBC says ---------------------------------------------------------------------------------------------------


def answer_body(content: str, signer: str = BANK) -> bytes:
    """An answer around the raw text of response_biz_content."""
    return f'{{"response_biz_content":{content},"sign":"{signature(content.encode(), signer)}"}}'.encode()


def answer(members: Mapping[str, Any], signer: str = BANK) -> WireAnswer:
    return WireAnswer(
        status=200,
        headers={"Content-Type": "application/json;charset=UTF-8"},
        body=answer_body(compact(members), signer),
    )


def found(**changes: Any) -> dict[str, Any]:
    """An answer to a query about a paid payment."""
    return {
        "return_code": 0,
        "return_msg": "交易成功",
        "msg_id": NONCE,
        "pay_status": "0",
        "mer_id": MER_ID,
        "card_no": CARD,
        "total_amt": "38001",
        "payment_amt": "37001",
        "out_trade_no": NUMBER,
        "order_id": ORDER_ID,
        "pay_time": "20261121100200",
        **changes,
    }


def taken(**changes: Any) -> dict[str, Any]:
    """An answer to a refund."""
    return {
        "return_code": "0",
        "return_msg": "成功",
        "msg_id": NONCE,
        "out_trade_no": NUMBER,
        "outtrx_serial_no": REFUND_NUMBER,
        "intrx_serial_no": REFUND_ID,
        "reject_amt": "12001",
        "real_reject_amt": "12001",
        **changes,
    }


def refunded(**changes: Any) -> dict[str, Any]:
    """An answer to a query about a refund."""
    return taken(pay_status="0", refund_time="2026-11-21 10:09:05", **changes)


def paid(**changes: Any) -> dict[str, Any]:
    """The content of a notify about a paid payment."""
    return {
        "return_code": "0",
        "return_msg": "success",
        "msg_id": MSG_ID,
        "mer_id": MER_ID,
        "cust_id": "",
        "card_no": CARD,
        "total_amt": "38001",
        "payment_amt": "37001",
        "out_trade_no": NUMBER,
        "order_id": ORDER_ID,
        "pay_time": "20261121100200",
        "attach": "a+b&c=d/e%20",
        "pay_type": "5",
        **changes,
    }


def notify_fields(
    members: Mapping[str, Any] | str,
    *,
    signer: str = BANK,
    path: str = SIGNED_PATH,
    digest: str = "sha1",
    **changes: str | None,
) -> dict[str, str]:
    """The posted fields of a notify; a change to None takes a field away."""
    whole: dict[str, str | None] = {
        "from": "icbc-api",
        "api": path,
        "app_id": APP_ID,
        "charset": "utf-8",
        "format": "json",
        "timestamp": "2026-11-21 10:02:01",
        "biz_content": members if isinstance(members, str) else compact(members),
        "sign_type": "RSA",
        **changes,
    }
    fields = {name: value for name, value in whole.items() if value is not None}
    return {**fields, "sign": signature(string_of(path, fields), signer, digest=digest)}


def callback(body: bytes | Mapping[str, str], received_at: datetime = NOW) -> RawCallback:
    return RawCallback(
        headers={"content-type": "application/x-www-form-urlencoded; charset=UTF-8"},
        body=body if isinstance(body, bytes) else urlencode(body, encoding=codec_of(body)).encode(),
        received_at=received_at,
    )


def notify(members: Mapping[str, Any] | str, received_at: datetime = NOW, **how: Any) -> RawCallback:
    return callback(notify_fields(members, **how), received_at)


def acknowledgement_body(content: str, sign_type: str = "RSA2") -> bytes:
    """The signed answer to a notify around the raw text of its response_biz_content."""
    signed = f'"response_biz_content":{content},"sign_type":"{sign_type}"'
    digest = "sha256" if sign_type == "RSA2" else "sha1"
    return f'{{{signed},"sign":"{signature(signed.encode(), APP, digest=digest)}"}}'.encode()
