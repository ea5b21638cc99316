"""The platform's side of the wire, in its own few lines: seals, signs and answers. All identities are invented."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from adapters.shared_account.adapter import SharedAccountProvider
from adapters.shared_account.config import read_config
from gateway.domain.clock import Clock
from gateway.domain.order import Person, PremiumSubject
from gateway.domain.provider import PaymentRef, PaymentRequest, RawCallback, RefundRequest
from gateway.domain.secret import Secret
from tests.adapters.shared_account import sm2
from tests.conformance.case import FixedClock, WireAnswer, WireRequest

VECTORS: Final = Path(__file__).parent / "vectors"
KEYS: Final[dict[str, Any]] = json.loads((VECTORS / "keys.json").read_text("utf-8"))
APP_ID: Final[str] = KEYS["appId"]
APP_SECRET: Final[str] = KEYS["appSecret"]
USER_ID: Final = b"1234567812345678"

NOW: Final = datetime(2025, 10, 18, 1, 30, 20, tzinfo=UTC)
"""09:30:20 in Beijing."""

BASE_URL: Final = "https://ybj.example.cn/gateway"
NOTIFY: Final = "https://pay.example.cn/callbacks/shared_account/main"
NONCE: Final = "593BEC0C930BF1AFEB40B4A08C8FB242"
NUMBER: Final = "0199c9d1e0007000800000000000000a"
REFUND_NUMBER: Final = "0199c9d1e0007000800000000000000b"
WIRE_NUMBER: Final = NUMBER.upper()
WIRE_REFUND_NUMBER: Final = REFUND_NUMBER.upper()
PAY_ORD_ID: Final = "ORD3401040001"
BIND_ID: Final = "B3401040001"
PAY_AUTH_NO: Final = "AUTHEE910E9ABCBE"

# Invented, with the sequence 000 that is given to nobody; the adapter checks the check digit, so it is right.
OWNER_ID: Final = "340104198506150002"
OWNER_NAME: Final = "李建国"
MEMBER_ID: Final = "340104201809210003"
MEMBER_NAME: Final = "李小雨"

OWNER: Final = Person(name=OWNER_NAME, id_type="resident_id", id_number=OWNER_ID)
MEMBER: Final = Person(name=MEMBER_NAME, id_type="resident_id", id_number=MEMBER_ID)

PEOPLE: Final = {
    "ownerIdType": "01",
    "ownerIdNo": OWNER_ID,
    "ownerName": OWNER_NAME,
    "memberIdType": "01",
    "memberIdNo": MEMBER_ID,
    "memberName": MEMBER_NAME,
}


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def number_of(key: str) -> int:
    """A private key of the vectors: app, platform, leadzero, other."""
    return int(KEYS[key]["d_hex"], 16)


# --- the account ------------------------------------------------------------------------------------------------------


def values(**changes: Any) -> dict[str, Any]:
    """Settings of a channel that holds two platform keys; a change to None takes a setting away."""
    table = {
        "provider": "shared_account",
        "app_id": APP_ID,
        "app_secret": Secret(APP_SECRET),
        "app_private_key": Secret(KEYS["app"]["private_pkcs8_pem"]),
        "platform_public_keys": [KEYS["platform"]["public_key_base64_65"], KEYS["leadzero"]["certificate_pem"]],
        "sm2_user_id": "default",
        "base_url": BASE_URL,
        "regions": ["340104", "340124"],
        "blind_reversal": "on",
        **changes,
    }
    return {name: value for name, value in table.items() if value is not None}


def provider(clock: Clock | None = None, **changes: Any) -> SharedAccountProvider:
    """The built adapter with a real transport, a fixed nonce, and signatures that come out the same every time."""
    config = read_config(AccountSettings("main", values(**changes)))
    d, user_id = number_of("app"), APP_SECRET.encode() if changes.get("sm2_user_id") == "app_secret" else USER_ID
    envelope = replace(config.envelope, sign=lambda message: sm2.sign(d, message, user_id))
    tools = AdapterTools(clock=clock or FixedClock(NOW), nonce=lambda: NONCE, transport=Transport())
    return SharedAccountProvider(replace(config, envelope=envelope), tools)


# --- the envelope -----------------------------------------------------------------------------------------------------


def compact(members: Any) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def sm4(key: bytes, plain: bytes) -> bytes:
    fill = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()
    return encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()


def opened_sm4(sealed: bytes) -> bytes:
    decryptor = Cipher(algorithms.SM4(channel_key()), modes.ECB()).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    return padded[: -padded[-1]]


def channel_key() -> bytes:
    return sm4(APP_ID[:16].encode(), APP_SECRET.encode()).hex().upper()[:16].encode()


def as_text(value: Any) -> Any:
    """Every scalar a text, names sorted, empty members gone."""
    if isinstance(value, dict):
        kept = {name: as_text(value[name]) for name in sorted(value)}
        return {name: child for name, child in kept.items() if child not in (None, "", [])}
    if isinstance(value, list):
        return [child for child in map(as_text, value) if child not in (None, "", [])]
    return value if value is None or isinstance(value, str) else json.dumps(value)


def canonical(message: Mapping[str, Any], app_secret: str = APP_SECRET) -> bytes:
    kept = as_text({k: v for k, v in message.items() if k not in ("signData", "encData", "extra")})
    pairs = (f"{name}={value if isinstance(value, str) else compact(value)}" for name, value in kept.items())
    return ("&".join(pairs) + f"&key={app_secret}").encode()


def sealed(
    members: Mapping[str, Any],
    data: Any,
    *,
    key: str = "platform",
    user_id: bytes = USER_ID,
    app_secret: str = APP_SECRET,
) -> bytes:
    """An envelope's bytes; `data` None is left out, bytes are sealed as they are and count as {} in the signature."""
    message = {k: v for k, v in members.items() if v is not None}
    counted = {} if isinstance(data, bytes) else data
    signed = message if data is None else {**message, "data": counted}
    proof = base64.b64encode(sm2.sign(number_of(key), canonical(signed, app_secret), user_id)).decode()
    plain = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    enc_data = {} if data is None else {"encData": sm4(channel_key(), plain).hex().upper()}
    return json.dumps({**message, **enc_data, "signData": proof}, separators=(",", ":")).encode()


def outer(trans_type: str, at: datetime, **changes: Any) -> dict[str, Any]:
    """The members of an envelope around what is sealed; a change to None takes a member away."""
    return {
        "appId": APP_ID,
        "encType": "SM4",
        "signType": "SM2",
        "timestamp": str(int(at.timestamp() * 1000)),
        "version": "2.0.1",
        "transType": trans_type,
        **changes,
    }


def answer(trans_type: str, data: Any, at: datetime = NOW, **changes: Any) -> WireAnswer:
    """A good answer, HTTP 200."""
    told = {"code": "0", "message": "成功", "success": True, **changes}
    return WireAnswer(
        status=200, headers={"Content-Type": "application/json"}, body=sealed(outer(trans_type, at, **told), data)
    )


def refusal(trans_type: str, code: str, at: datetime = NOW) -> WireAnswer:
    """A proven refusal without data; its text names a person, as real ones do."""
    return answer(trans_type, None, at, code=code, message=f"{MEMBER_NAME}({MEMBER_ID})不能缴费", success=False)


def request_body(trans_type: str, data: Mapping[str, Any], at: datetime = NOW) -> bytes:
    """What the adapter must send, byte for byte."""
    message = outer(trans_type, at)
    proof = base64.b64encode(sm2.sign(number_of("app"), canonical({**message, "data": data}), USER_ID)).decode()
    enc_data = sm4(channel_key(), compact(data).encode()).hex().upper()
    return compact({**message, "encData": enc_data, "signData": proof}).encode()


def data_of(sent: WireRequest) -> dict[str, Any]:
    """The business object of a request."""
    found = json.loads(opened_sm4(bytes.fromhex(json.loads(sent.body)["encData"])))
    assert isinstance(found, dict)
    return found


def trans_type_of(sent: WireRequest) -> str:
    return str(json.loads(sent.body)["transType"])


# --- callbacks --------------------------------------------------------------------------------------------------------


def paid(**changes: Any) -> dict[str, Any]:
    told = {
        "notifyId": "N8931FE5B3A4A0FA",
        "callType": "02",
        "outTradeNo": WIRE_NUMBER,
        "payOrdId": PAY_ORD_ID,
        "ordStas": "6",
        "psnAcctPay": "380.01",
        "tradeTime": "20251018093015",
        **changes,
    }
    return {name: value for name, value in told.items() if value is not None}


def revoked(**changes: Any) -> dict[str, Any]:
    told = {"callType": "03", "ordStas": "8", "revokeSn": WIRE_REFUND_NUMBER, "tradeTime": "20251018100000"}
    return paid(**{**told, **changes})


def callback(
    data: Any,
    *,
    signed_at: datetime = NOW,
    received_at: datetime | None = None,
    key: str = "platform",
    trans_type: str = "sa.pay.notify",
    **changes: Any,
) -> RawCallback:
    body = sealed(outer(trans_type, signed_at, **changes), data, key=key)
    return RawCallback(headers={"content-type": "application/json"}, body=body, received_at=received_at or NOW)


# --- arguments --------------------------------------------------------------------------------------------------------


def payment(**changes: Any) -> PaymentRequest:
    request: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": "charge",
        "description": "2026年度城乡居民医保缴费",
        "created_at": NOW,
        "expires_at": datetime(2025, 10, 18, 3, 30, 20, tzinfo=UTC),
        "notify_url": NOTIFY,
        "fields": fields(),
        "subject": subject(),
        **changes,
    }
    return PaymentRequest(**request)


def fields(**changes: str) -> dict[str, str]:
    return {
        "bind_id": BIND_ID,
        "owner_id_number": OWNER_ID,
        "owner_name": OWNER_NAME,
        "pay_auth_no": PAY_AUTH_NO,
        **changes,
    }


def subject(**changes: Any) -> PremiumSubject:
    """The order's premium."""
    told: dict[str, Any] = {
        "region": "340104",
        "insured_year": 2026,
        "insurance_kind": "resident_medical",
        "insured": MEMBER,
        **changes,
    }
    return PremiumSubject(**told)


CHECK_DATA: Final = {**PEOPLE, "insuplcAdmdvs": "340104"}
CHARGE_DATA: Final = {
    "outTradeNo": WIRE_NUMBER,
    "bindId": BIND_ID,
    **PEOPLE,
    "insuplcAdmdvs": "340104",
    "insuYear": "2026",
    "insutype": "390",
    "amt": "380.01",
    "payAuthNo": PAY_AUTH_NO,
    "notifyUrl": NOTIFY,
    "expireTime": "20251018113020",
    "reqSn": NONCE,
}
CHARGED: Final = {
    "outTradeNo": WIRE_NUMBER,
    "payOrdId": PAY_ORD_ID,
    "ordStas": "6",
    "psnAcctPay": "380.01",
    "payTime": "20251018093015",
}
BOUND: Final = {"bindStas": "1", "bindId": BIND_ID, "relCode": "03", "effTime": "20250901"}


def bound(at: datetime = NOW, **changes: Any) -> WireAnswer:
    return answer("sa.bind.check", {**BOUND, **changes}, at)


def charged(at: datetime = NOW, **changes: Any) -> WireAnswer:
    return answer("sa.pay.charge", {**CHARGED, **changes}, at)


def queried(at: datetime = NOW, **changes: Any) -> WireAnswer:
    told = {**CHARGED, "amt": "380.01", **changes}
    return answer("sa.pay.query", {name: value for name, value in told.items() if value is not None}, at)


def payment_ref(**changes: Any) -> PaymentRef:
    told: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": "charge",
        "created_at": NOW,
        **changes,
    }
    return PaymentRef(**told)


def refund_request(**changes: Any) -> RefundRequest:
    told: dict[str, Any] = {
        "out_refund_no": REFUND_NUMBER,
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "total_fen": 38001,
        "reason": "重复缴费退款",
        "method": "charge",
        "requested_at": NOW,
        "notify_url": NOTIFY,
        "provider_trade_no": PAY_ORD_ID,
        **changes,
    }
    return RefundRequest(**told)
