"""The bank's side in the tests' own code: signs requests, checks answers. Every identity is invented."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from adapters.bank.bbp import build
from adapters.bank.bbp.adapter import BbpInstitution
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from gateway.domain.biller_front import BillerAnswer, BillerRequest
from gateway.domain.secret import Secret
from tests.adapters.shared_account import sm2
from tests.conformance.case import FixedClock

HERE: Final = Path(__file__).parent
VECTORS: Final = HERE / "vectors"
KEYS: Final = HERE / "keys"
SM2_USER: Final = b"1234567812345678"
NOW: Final = datetime.fromtimestamp(1795226461, UTC)
"""The vectors' time stamp: 2026-11-21 10:01:01 in Beijing."""

PREFIX: Final = "/api/v1/bank/biller/"
INST: Final = "ABC340"
BILLER: Final = "YB340000"
OUR_KEY_ID: Final = "JF-2026"
OUR_NONCE: Final = "n" * 32
GATEWAY_SM2: Final = 0x5A1D9B1E0F3C2B7A6948D2C3E1F0A9B8C7D6E5F4031221304F5E6D7C8B9A0B1C
BILL_NO: Final = "019a0000000070008000000000000001"


def key_file(name: str) -> str:
    folder = KEYS if (KEYS / name).is_file() else VECTORS
    return (folder / name).read_text()


def sm2_private(name: str = "biller_bank_sm2_private.pem") -> int:
    """The number in SEC1 inside PKCS#8, which `cryptography` does not read for this curve."""
    der = base64.b64decode("".join(key_file(name).split("\n")[1:-2]))
    place = der.index(b"\x02\x01\x01\x04\x20") + 5
    return int.from_bytes(der[place : place + 32])


def settings(**changes: Any) -> dict[str, Any]:
    """A whole account; None leaves a key out."""
    members: dict[str, Any] = {
        "inst_id": INST,
        "billers": {BILLER: ["340100", "341200"], "YB340300": ["340300"]},
        "bank_keys": {
            "ABC340-rsa2": Secret(key_file("biller_bank_rsa_public.pem")),
            "ABC340-new": Secret(key_file("bank_new_rsa_public.pem")),
        },
        "bank_sm2_keys": {"ABC340-sm2": Secret(key_file("biller_bank_sm2_public.pem"))},
        "signing_key": Secret(key_file("gateway_rsa_private.pem")),
        "signing_key_id": OUR_KEY_ID,
        "area_names": {"341200": "阜阳市"},
    }
    return {key: value for key, value in (members | changes).items() if value is not None}


def front(now: datetime = NOW, **changes: Any) -> BbpInstitution:
    tools = AdapterTools(clock=FixedClock(now), nonce=lambda: OUR_NONCE, transport=Transport())
    built = build(AccountSettings("rural", settings(**changes)), tools)
    assert isinstance(built, BbpInstitution)
    return built


# --- the bank signs ---------------------------------------------------------------------------------------------------


def rsa_sign(private_pem: str, text: bytes) -> str:
    key: Any = serialization.load_pem_private_key(private_pem.encode(), None)
    return base64.b64encode(key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()


def sm2_sign(number: int, text: bytes, *, raw: bool = False) -> str:
    signature = sm2.sign(number, text, SM2_USER)
    if raw:
        return base64.b64encode(signature).decode()
    parts = b"".join(_integer(signature[at : at + 32]) for at in (0, 32))
    return base64.b64encode(bytes([0x30, len(parts)]) + parts).decode()


def _integer(number: bytes) -> bytes:
    number = number.lstrip(b"\0")
    number = b"\0" + number if number[0] >= 0x80 else number
    return bytes([2, len(number)]) + number


SIGNERS: Final = {
    "ABC340-rsa2": ("RSA2", lambda text: rsa_sign(key_file("biller_bank_rsa_private.pem"), text)),
    "ABC340-new": ("RSA2", lambda text: rsa_sign(key_file("bank_new_rsa_private.pem"), text)),
    "ABC340-sm2": ("SM2", lambda text: sm2_sign(sm2_private(), text)),
    "foreign": ("RSA2", lambda text: rsa_sign(key_file("foreign_rsa_private.pem"), text)),
}


def request(
    path: str,
    body: bytes,
    *,
    key: str = "ABC340-rsa2",
    key_id: str | None = None,
    inst: str = INST,
    at: datetime = NOW,
    received_at: datetime | None = None,
    nonce: str = "f" * 32,
    sign_type: str | None = None,
) -> BillerRequest:
    """A signed request to {PREFIX}{path}."""
    kind, sign = SIGNERS[key]
    timestamp = str(int(at.timestamp()))
    text = f"POST\n{PREFIX}{path}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
    headers = {
        "content-type": "application/json; charset=utf-8",
        "x-bank-inst": inst,
        "x-bank-key-id": key_id or key,
        "x-bank-timestamp": timestamp,
        "x-bank-nonce": nonce,
        "x-bank-sign-type": sign_type or kind,
        "x-bank-signature": sign(text),
    }
    return BillerRequest(path=PREFIX + path, headers=headers, body=body, received_at=received_at or at)


def envelope(tran_code: str, body: Any, **head: Any) -> bytes:
    members = {
        "version": "1.0",
        "inst_id": INST,
        "tran_code": tran_code,
        "tran_date": "20261121",
        "tran_time": "100101",
        "tran_seq": "ABC340202611210000000101",
    } | head
    kept = {name: value for name, value in members.items() if value is not None}
    return json.dumps({"head": kept, "body": body}, ensure_ascii=False, separators=(",", ":")).encode()


def checked(answer: BillerAnswer, *, public_pem: str | None = None) -> dict[str, Any]:
    """The answer's members, once its signature is found good by the bank's own look."""
    headers = answer.headers
    assert (headers["X-Bank-Inst"], headers["X-Bank-Key-Id"]) == (INST, OUR_KEY_ID)
    text = f"{headers['X-Bank-Timestamp']}\n{headers['X-Bank-Nonce']}\n".encode() + answer.body + b"\n"
    key: Any = serialization.load_pem_public_key((public_pem or key_file("gateway_rsa_public.pem")).encode())
    key.verify(base64.b64decode(headers["X-Bank-Signature"]), text, padding.PKCS1v15(), hashes.SHA256())
    members = json.loads(answer.body)
    assert isinstance(members, dict)
    return members
