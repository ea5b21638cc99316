"""WeChat's side: callbacks and answers as it signs them, with a few lines of our own."""

import base64
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.ground import ACCOUNT, APIV3_KEY, APPID, MCHID, PUBLIC_KEY_ID

CALLBACK_PATH = f"/callbacks/wechatpay/{ACCOUNT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A signed message; header names as WeChat writes them."""

    headers: Mapping[str, str]
    body: bytes

    def request(self, path: str = CALLBACK_PATH) -> bytes:
        """The bytes of the HTTP/1.1 request that delivers it."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return (
            f"POST {path} HTTP/1.1\r\nHost: pay.bench.test\r\n{head}Content-Length: {len(self.body)}\r\n\r\n".encode()
            + self.body
        )

    def environ(self) -> dict[str, str]:
        """The headers as WSGI has them, but for the content type."""
        return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}


def signed_headers(key: rsa.RSAPrivateKey, body: bytes) -> dict[str, str]:
    """The headers of a callback or an answer, fresh now."""
    timestamp, nonce = str(int(time.time())), os.urandom(16).hex()
    signature = key.sign(f"{timestamp}\n{nonce}\n".encode() + body + b"\n", padding.PKCS1v15(), hashes.SHA256())
    return {
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": PUBLIC_KEY_ID,
        "Wechatpay-Signature": base64.b64encode(signature).decode(),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
        "Wechatpay-Timestamp": timestamp,
        "Content-Type": "application/json",
        "User-Agent": "Mozilla/4.0",
        "Accept": "*/*",
    }


def paid_callback(key: rsa.RSAPrivateKey, out_trade_no: str, amount_fen: int) -> Message:
    """The first delivery of "this payment is paid"."""
    paid = {
        "mchid": MCHID,
        "appid": APPID,
        "out_trade_no": out_trade_no,
        "transaction_id": f"42000{int(out_trade_no[-22:], 16) % 10**23:023d}",
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "attach": "",
        "success_time": "2026-03-01T10:20:30+08:00",
        "payer": {"openid": "oBench-not-a-person-0000000a"},
        "amount": {
            "total": amount_fen,
            "payer_total": amount_fen,
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }
    nonce = os.urandom(6).hex().encode()
    sealed = AESGCM(APIV3_KEY).encrypt(nonce, json.dumps(paid, ensure_ascii=False).encode(), b"transaction")
    envelope = {
        "id": f"{out_trade_no[:8]}-0000-5000-8000-{out_trade_no[-12:]}",
        "create_time": "2026-03-01T10:20:31+08:00",
        "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS",
        "summary": "支付成功",
        "resource": {
            "original_type": "transaction",
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": base64.b64encode(sealed).decode(),
            "associated_data": "transaction",
            "nonce": nonce.decode(),
        },
    }
    body = json.dumps(envelope, ensure_ascii=False).encode()
    return Message(headers=signed_headers(key, body), body=body)


def spoilt(message: Message) -> Message:
    """The same message with a signature that is well-formed and wrong."""
    signature = base64.b64decode(message.headers["Wechatpay-Signature"])
    wrong = base64.b64encode(signature[:-1] + bytes([signature[-1] ^ 1])).decode()
    return Message(headers={**message.headers, "Wechatpay-Signature": wrong}, body=message.body)
