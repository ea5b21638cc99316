"""BBP/1 from the bank's side: signs requests, proves answers. Source: docs/providers/bank_bbp.md."""

import base64
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.bank_biller.keys import BankBillerKeys
from sandbox.wire import Json, folded

PREFIX: Final = "/api/v1/bank/biller/"
PATHS: Final = {
    "BILLQRY": "bills/query",
    "PAYNTF": "payments/notify",
    "PAYQRY": "payments/query",
    "PAYREV": "payments/reverse",
    "RECUPL": "recon/files",
    "RECQRY": "recon/result",
}
_PADDING: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()


class AnswerUnproven(Exception):
    """No answer that the bank may believe: what became of the call is unknown."""


def message(keys: BankBillerKeys, tran_code: str, body: Json, now: datetime, serial: int) -> bytes:
    """The request's JSON."""
    head = {
        "version": "1.0",
        "inst_id": keys.identity.inst_id,
        "tran_code": tran_code,
        "tran_date": f"{now:%Y%m%d}",
        "tran_time": f"{now:%H%M%S}",
        "tran_seq": f"{keys.identity.inst_id}{now:%Y%m%d}{serial:010}",
    }
    return json.dumps({"head": head, "body": body}, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(keys: BankBillerKeys, path: str, body: bytes, now: datetime, *, renewed: bool) -> dict[str, str]:
    """What proves a request; each has a nonce of its own, a retry too."""
    nonce, timestamp = secrets.token_hex(16), str(int(now.timestamp()))
    key, key_id = (keys.renewed, keys.identity.renewed_key_id) if renewed else (keys.bank, keys.identity.key_id)
    text = f"POST\n{path}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
    return {
        "Content-Type": "application/json; charset=utf-8",
        "X-Bank-Inst": keys.identity.inst_id,
        "X-Bank-Key-Id": key_id,
        "X-Bank-Timestamp": timestamp,
        "X-Bank-Nonce": nonce,
        "X-Bank-Sign-Type": "RSA2",
        "X-Bank-Signature": base64.b64encode(key.sign(text, _PADDING, _SHA256)).decode(),
    }


def proven(keys: BankBillerKeys, headers: Mapping[str, str], body: bytes) -> Json:
    """
    An answer's members.

    Raises:
        AnswerUnproven: Not signed by the gateway, or not JSON.
    """
    lower = folded(headers)
    public: rsa.RSAPublicKey = keys.gateway.public_key()
    text = f"{lower.get('x-bank-timestamp', '')}\n{lower.get('x-bank-nonce', '')}\n".encode() + body + b"\n"
    try:
        public.verify(base64.b64decode(lower.get("x-bank-signature", "")), text, _PADDING, _SHA256)
        members: Any = json.loads(body)
    except (InvalidSignature, ValueError) as exc:
        raise AnswerUnproven(type(exc).__name__) from None
    if not isinstance(members, dict) or not isinstance(members.get("head"), dict):
        raise AnswerUnproven("no head")
    return members
