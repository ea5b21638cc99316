"""Alipay's side of the wire for the tests, in its own few lines. People, numbers and identities are invented."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, quote, urlsplit

import responses
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from requests import PreparedRequest

from adapters.alipay import build
from adapters.alipay.adapter import Alipay
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from gateway.domain.clock import CHINA, Clock
from gateway.domain.provider import PaymentRef, PaymentRequest, RawCallback, RefundRequest
from gateway.domain.secret import Secret

VECTORS: Final = Path(__file__).parent / "vectors"
KEYS: Final[dict[str, Any]] = json.loads((VECTORS / "keys.json").read_text("utf-8"))
NOW: Final = datetime(2026, 3, 1, 10, 20, 30, tzinfo=CHINA)
BASE_URL: Final = "https://openapi.alipay.com/gateway.do"
APP_ID: Final = KEYS["app_id"]
SELLER_ID: Final = KEYS["seller_id"]
NUMBER: Final = "0199c9d1e0007000800000000000000a"
REFUND_NUMBER: Final = "0199c9d1e0007000800000000000000b"
TRADE_NUMBER: Final = "2026030122001400001400000001"
OPEN_ID: Final = "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5"
BUYER_ID: Final = "2088002000000017"
NOTIFY: Final = "https://pay.example.cn/callbacks/alipay/main"
CONTENT_KEY: Final = "ZmVkY2JhOTg3NjU0MzIxMA=="

_PRIVATE_KEY_FILES: Final = {
    "app": "app_private_pkcs8.pem",
    "platform": "alipay_private_pkcs8.pem",
    "previous": "alipay_cert_private_pkcs8.pem",
    "certificate": "alipay_cert_private_pkcs8.pem",
    "rotated": "alipay_cert_rotated_private_pkcs8.pem",
    "rogue": "alipay_cert_rogue_private_pkcs8.pem",
}
SERIALS: Final = {
    "certificate": "ba243422803068241e1682bb899ff03b",
    "rotated": "030cb1bd6260b518eb307230f1ff9261",
}


class FixedClock:
    """A clock that stands still until it is set."""

    def __init__(self, instant: datetime = NOW) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


def pem(name: str) -> str:
    return (VECTORS / name).read_text("utf-8")


def vectors(name: str) -> list[dict[str, Any]]:
    return list(json.loads((VECTORS / f"{name}.json").read_text("utf-8")))


def private_key(name: str) -> rsa.RSAPrivateKey:
    loaded = serialization.load_pem_private_key(pem(_PRIVATE_KEY_FILES[name]).encode(), password=None)
    return cast("rsa.RSAPrivateKey", loaded)


_PRIVATE_KEYS: Final = {name: private_key(name) for name in _PRIVATE_KEY_FILES}


def public_pem(name: str) -> str:
    encoding, layout = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return _PRIVATE_KEYS[name].public_key().public_bytes(encoding, layout).decode()


def sign(text: bytes, key: str = "platform", *, digest: hashes.HashAlgorithm | None = None) -> str:
    signature = _PRIVATE_KEYS[key].sign(text, padding.PKCS1v15(), digest or hashes.SHA256())
    return base64.b64encode(signature).decode()


# --- the account ------------------------------------------------------------------------------------------------------


def values(**changes: Any) -> dict[str, Any]:
    """Settings in key mode with the present and the previous platform key; a change to None takes a key away."""
    table = {
        "provider": "alipay",
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "mode": "key",
        "app_private_key": Secret(pem("app_private_pkcs8.pem")),
        "alipay_public_key": Secret(pem("alipay_public.pem")),
        "alipay_public_key_previous": Secret(public_pem("previous")),
        **changes,
    }
    return {name: value for name, value in table.items() if value is not None}


CERTIFICATE_MODE: Final[Mapping[str, Any]] = {
    "mode": "certificate",
    "alipay_public_key": None,
    "alipay_public_key_previous": None,
    "app_cert": Secret(pem("app_cert.pem")),
    "alipay_cert": Secret(pem("alipay_cert.pem")),
    "alipay_root_cert": Secret(pem("root_bundle.pem")),
}


def tools(clock: Clock | None = None) -> AdapterTools:
    return AdapterTools(clock=clock or FixedClock(), nonce=lambda: "0" * 32, transport=Transport())


def provider(clock: Clock | None = None, /, **changes: Any) -> Alipay:
    """The built adapter with a real transport."""
    if clock is None and not changes:
        return _plain()
    return build(AccountSettings("main", values(**changes)), tools(clock))


@cache
def _plain() -> Alipay:
    """Key mode as it stands: it remembers nothing, so all tests may share it."""
    return build(AccountSettings("main", values()), tools())


FIELDS: Final[Mapping[str, Mapping[str, str]]] = {"jsapi": {"buyer_open_id": OPEN_ID}}


def payment(method: str = "qr", **changes: Any) -> PaymentRequest:
    request: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": method,
        "description": "2026年度城乡居民医保缴费",
        "created_at": NOW - timedelta(seconds=1),
        "expires_at": NOW + timedelta(hours=2),
        "notify_url": NOTIFY,
        "fields": FIELDS.get(method, {}),
        **changes,
    }
    return PaymentRequest(**request)


def ref(**changes: Any) -> PaymentRef:
    members: dict[str, Any] = {"out_trade_no": NUMBER, "amount_fen": 38001, "method": "qr", "created_at": NOW}
    return PaymentRef(**(members | changes))


def refund(**changes: Any) -> RefundRequest:
    members: dict[str, Any] = {
        "out_refund_no": REFUND_NUMBER,
        "out_trade_no": NUMBER,
        "amount_fen": 12001,
        "total_fen": 38001,
        "reason": "重复缴费退款",
        "method": "qr",
        "requested_at": NOW - timedelta(seconds=10),
        "notify_url": NOTIFY,
    }
    return RefundRequest(**(members | changes))


# --- answers ----------------------------------------------------------------------------------------------------------


def compact(members: object) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def node_name(api: str) -> str:
    return api.replace(".", "_") + "_response"


def answer_body(
    api: str,
    members: Mapping[str, Any] | str,
    *,
    key: str | None = "platform",
    node: str | None = None,
    cert_sn: str | None = None,
    charset: str = "utf-8",
) -> bytes:
    """An answer; `members` as text is put in as it stands, a key of None leaves the signature out."""
    text = members if isinstance(members, str) else compact(members)
    parts = [f'"{node or node_name(api)}":{text}']
    if cert_sn:
        parts.append(f'"alipay_cert_sn":"{cert_sn}"')
    if key is not None:
        parts.append(f'"sign":"{sign(text.encode(charset), key)}"')
    return ("{" + ",".join(parts) + "}").encode(charset)


def ok(**members: Any) -> dict[str, Any]:
    return {"code": "10000", "msg": "Success", **members}


def failed(code: str, sub_code: str = "") -> dict[str, Any]:
    told = {"code": code, "msg": "told", "sub_code": sub_code, "sub_msg": "秘密的说明文字"}
    return {name: value for name, value in told.items() if value}


def trade(**changes: Any) -> dict[str, Any]:
    """The members of a query's answer for a paid trade."""
    members = ok(
        buyer_logon_id="138****1234",
        buyer_open_id=OPEN_ID,
        out_trade_no=NUMBER,
        send_pay_date="2026-03-01 10:20:41",
        total_amount="380.01",
        trade_no=TRADE_NUMBER,
        trade_status="TRADE_SUCCESS",
    )
    return {name: value for name, value in (members | changes).items() if value is not None}


_ANYWHERE: Final = re.compile(r".*")
Reply = bytes | Exception | tuple[int, bytes]


class Wire:
    """The gateway, scripted: one reply for each call in turn. Keeps what was asked."""

    def __init__(self, mock: responses.RequestsMock, replies: tuple[Reply, ...]) -> None:
        self.sent: list[PreparedRequest] = []
        self._replies = list(replies)
        for method in ("GET", "POST"):
            mock.add_callback(method, _ANYWHERE, callback=self._answer)

    def _answer(self, request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        self.sent.append(request)
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        status, body = reply if isinstance(reply, tuple) else (200, reply)
        return status, {"trace_id": "0ad1348f17723316"}, body

    def parameters(self, index: int = 0) -> dict[str, str]:
        """Every parameter of a call, from the URL and the form body."""
        request = self.sent[index]
        return query_of(str(request.url)) | dict(parse_qsl(_text(request.body), keep_blank_values=True))

    def content(self, index: int = 0) -> dict[str, Any]:
        return dict(json.loads(self.parameters(index)["biz_content"]))

    def apis(self) -> list[str]:
        return [query_of(str(request.url)).get("method", "") for request in self.sent]


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else (body or "")


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


class replies(AbstractContextManager[Wire]):  # noqa: N801 - reads as a phrase: with replies(body) as wire
    """Answer the calls of the block by these replies."""

    def __init__(self, *scripted: Reply) -> None:
        self._scripted = scripted
        self._mock = responses.RequestsMock(assert_all_requests_are_fired=False)

    def __enter__(self) -> Wire:
        self._mock.__enter__()
        return Wire(self._mock, self._scripted)

    def __exit__(self, *details: Any) -> None:
        self._mock.__exit__(*details)


# --- notifications ----------------------------------------------------------------------------------------------------


def paid(**changes: Any) -> dict[str, str]:
    """The fields of a notification that a payment was made; a change to None takes a field away."""
    fields = {
        "app_id": APP_ID,
        "auth_app_id": APP_ID,
        "buyer_id": BUYER_ID,
        "buyer_logon_id": "138****1234",
        "buyer_pay_amount": "380.01",
        "charset": "utf-8",
        "fund_bill_list": '[{"amount":"380.01","fundChannel":"ALIPAYACCOUNT"}]',
        "gmt_create": "2026-03-01 10:20:35",
        "gmt_payment": "2026-03-01 10:20:41",
        "notify_id": "2026030100222102035000001400000001",
        "notify_time": "2026-03-01 10:20:42",
        "notify_type": "trade_status_sync",
        "out_trade_no": NUMBER,
        "seller_id": SELLER_ID,
        "subject": "2026年度城乡居民医保缴费",
        "total_amount": "380.01",
        "trade_no": TRADE_NUMBER,
        "trade_status": "TRADE_SUCCESS",
        "version": "1.0",
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def notify_body(
    fields: Mapping[str, str],
    *,
    key: str = "platform",
    charset: str = "utf-8",
    keep_sign_type: bool = False,
    unsigned: tuple[str, ...] = (),
    sign_type: str = "RSA2",
    signer: Callable[[bytes], str] | None = None,
) -> bytes:
    """A notification as it is posted, signed over its decoded values."""
    kept = {name: value for name, value in fields.items() if name not in unsigned}
    signed = kept | ({"sign_type": sign_type} if keep_sign_type else {})
    text = "&".join(f"{name}={signed[name]}" for name in sorted(signed)).encode(charset, "surrogatepass")
    signature = signer(text) if signer else sign(text, key)
    sent = {**fields, "sign_type": sign_type, "sign": signature}
    return "&".join(
        f"{name}={quote(value.encode(charset, 'surrogatepass'), safe='')}" for name, value in sent.items()
    ).encode()


def callback(body: bytes, *, received_at: datetime = NOW, content_type: str = "text/html") -> RawCallback:
    return RawCallback(headers={"content-type": content_type}, body=body, received_at=received_at)


def notice(fields: Mapping[str, str], **how: Any) -> RawCallback:
    return callback(notify_body(fields, **how))
