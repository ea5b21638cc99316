"""One peer's process of P14: the same bytes to them and to us, A B A B, processor seconds of one call as JSON."""

import base64
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.alipay.certificates import FixedKeys
from adapters.alipay.notify import open_notice
from adapters.alipay.signing import sign_request
from adapters.wechatpay.sealing import open_sealed
from adapters.wechatpay.signing import authorization, verify_message
from bench.ground import (
    ACCOUNT,
    APIV3_KEY,
    APPID,
    MCHID,
    MERCHANT_SERIAL,
    PUBLIC_KEY_ID,
    Keys,
    open_keys,
    public_pem,
    settings_for,
)
from bench.serve import PEERS
from bench.wechat import paid_callback
from gateway.domain.provider import RawCallback
from gateway.domain.strict_json import parse_strict_json_object

Act = Callable[[], object]
Pair = tuple[Act, Act]

_TEXT: Final = b'{"appid":"wx0000000000000a01","mchid":"1999900001","out_trade_no":"0123456789abcdef"}'
_BIZ_CONTENT: Final = '{"out_trade_no":"0123456789abcdef","total_amount":"380.01","subject":"城乡居民医保"}'
_REQUEST: Final = {
    "app_id": "2099000000000001",
    "method": "alipay.trade.app.pay",
    "format": "JSON",
    "charset": "utf-8",
    "sign_type": "RSA2",
    "timestamp": "2026-03-01 10:20:30",
    "version": "1.0",
    "notify_url": "https://pay.bench.test/callbacks/alipay/city",
    "biz_content": _BIZ_CONTENT,
}
_NOTICE: Final = {
    "app_id": "2099000000000001",
    "auth_app_id": "2099000000000001",
    "buyer_id": "2088000000000009",
    "buyer_pay_amount": "380.01",
    "charset": "utf-8",
    "gmt_create": "2026-03-01 10:20:29",
    "gmt_payment": "2026-03-01 10:20:30",
    "invoice_amount": "380.01",
    "notify_id": "2026030100222102030000000000000001",
    "notify_time": "2026-03-01 10:20:31",
    "notify_type": "trade_status_sync",
    "out_trade_no": "0123456789abcdef",
    "receipt_amount": "380.01",
    "seller_id": "2088999900000001",
    "subject": "城乡居民医保",
    "total_amount": "380.01",
    "trade_no": "2026030122001400000000000001",
    "trade_status": "TRADE_SUCCESS",
    "version": "1.0",
}


def _wechatpayv3(keys: Keys) -> Iterator[tuple[str, Pair]]:
    from wechatpayv3 import WeChatPay, WeChatPayType

    from adapters.kit.base import AdapterTools
    from adapters.kit.config import AccountSettings
    from adapters.kit.http import Transport
    from adapters.wechatpay import build
    from gateway.domain.clock import SystemClock

    signed = b"POST\n/v3/pay/transactions/jsapi\n1772331630\n0123456789abcdef\n" + _TEXT + b"\n"

    def bare() -> str:
        return base64.b64encode(keys.merchant.sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()

    def our_authorization() -> str:
        return authorization(
            keys.merchant,
            mchid=MCHID,
            serial_no=MERCHANT_SERIAL,
            method="POST",
            target="/v3/pay/transactions/jsapi",
            timestamp=1772331630,
            nonce="0123456789abcdef",
            body=_TEXT,
        )

    yield "sign", (our_authorization, bare)
    tools = AdapterTools(clock=SystemClock(), nonce=lambda: "0" * 32, transport=Transport())
    provider = build(AccountSettings(ACCOUNT, settings_for(keys, "sqlite:///unused").accounts[ACCOUNT].values), tools)
    pay = WeChatPay(
        wechatpay_type=WeChatPayType.JSAPI,
        mchid=MCHID,
        private_key=keys.merchant_pem,
        cert_serial_no=MERCHANT_SERIAL,
        appid=APPID,
        apiv3_key=APIV3_KEY.decode(),
        public_key=keys.platform_public_pem,
        public_key_id=PUBLIC_KEY_ID,
    )
    message = paid_callback(keys.platform, "0123456789abcdef0123456789abcdef", 38001)
    lowered = {name.lower(): value for name, value in message.headers.items()}
    raw = RawCallback(headers=lowered, body=message.body, received_at=datetime.now(UTC))
    theirs = pay.callback(message.headers, message.body)
    report = provider.parse_callback(raw).report
    if not theirs or report is None or theirs["resource"]["out_trade_no"] != report.out_trade_no:
        raise RuntimeError("the two sides do not read the same callback")
    find_key = {PUBLIC_KEY_ID: keys.platform.public_key()}.get
    ciphers = (AESGCM(APIV3_KEY),)

    def our_opening() -> dict[str, Any]:
        """What their `callback` does: verify, open, two JSON documents."""
        verify_message(raw.headers, raw.body, now=raw.received_at, find_key=find_key)
        return parse_strict_json_object(open_sealed(ciphers, parse_strict_json_object(raw.body)["resource"]))

    def their_opening() -> Any:
        return pay.callback(message.headers, message.body)

    yield "callback", (our_opening, their_opening)
    yield "report", (lambda: provider.parse_callback(raw), their_opening)


def _notice(keys: Keys) -> tuple[dict[str, str], bytes]:
    """A notification's fields and its form body, signed as Alipay signs."""
    text = "&".join(f"{name}={_NOTICE[name]}" for name in sorted(_NOTICE))
    signature = base64.b64encode(keys.alipay.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    fields = {**_NOTICE, "sign_type": "RSA2", "sign": signature}
    return fields, "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items()).encode()


def _our_notify(keys: Keys, body: bytes) -> Act:
    fixed = FixedKeys(keys=(keys.alipay.public_key(),))
    if open_notice(body, fixed).fields["trade_no"] != _NOTICE["trade_no"]:
        raise RuntimeError("our own reading went wrong")
    return lambda: open_notice(body, fixed)


def _our_sign(keys: Keys) -> Act:
    return lambda: sign_request(keys.app, _REQUEST)


def _community(keys: Keys) -> Iterator[tuple[str, Pair]]:
    """python-alipay-sdk; a fresh AliPay is not counted: it may be kept."""
    from alipay import AliPay

    alipay = AliPay(
        appid=_REQUEST["app_id"],
        app_notify_url=None,
        app_private_key_string=_pkcs1(keys),
        alipay_public_key_string=public_pem(keys.alipay),
        sign_type="RSA2",
    )
    yield "sign", (_our_sign(keys), lambda: alipay.sign_data(dict(_REQUEST)))
    fields, body = _notice(keys)

    def verify() -> bool:
        values = _parsed(body)
        good: bool = alipay.verify(values, values.pop("sign"))
        return good

    if not verify():
        raise RuntimeError(f"the peer does not verify {sorted(fields)}")
    yield "notify", (_our_notify(keys, body), verify)


def _vendor(keys: Keys) -> Iterator[tuple[str, Pair]]:
    """alipay-sdk-python: keys are texts, parsed anew in every call; there is no other way in."""
    from alipay.aop.api.util.SignatureUtils import get_sign_content, sign_with_rsa2, verify_with_rsa

    private = "".join(line for line in _pkcs1(keys).splitlines() if "-----" not in line)
    public = "".join(line for line in public_pem(keys.alipay).splitlines() if "-----" not in line)
    yield "sign", (_our_sign(keys), lambda: sign_with_rsa2(private, get_sign_content(_REQUEST), "utf-8"))
    _, body = _notice(keys)

    def verify() -> bool:
        values = _parsed(body)
        signature = values.pop("sign")
        values.pop("sign_type")
        good: bool = verify_with_rsa(public, get_sign_content(values).encode(), signature)
        return good

    if not verify():
        raise RuntimeError("the peer does not verify")
    yield "notify", (_our_notify(keys, body), verify)


def _parsed(body: bytes) -> dict[str, str]:
    """The form as Flask would hand it to a peer's user; our own reading of it is inside our figure too."""
    from urllib.parse import parse_qsl

    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def _pkcs1(keys: Keys) -> str:
    return keys.app.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


_PEERS: Final = {"wechatpayv3": _wechatpayv3, "python-alipay-sdk": _community, "alipay-sdk-python": _vendor}


def _seconds(act: Act, count: int) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(count):
        act()
    return (time.process_time() - began) / count


def main() -> None:
    """Arguments: peer, folder of keys, pairs, calls."""
    peer, folder, pairs, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    sys.path.append(str(PEERS / peer))  # behind our own: both sides use one cryptography
    figures: dict[str, tuple[list[float], list[float]]] = {}
    for what, (ours, theirs) in _PEERS[peer](open_keys(folder)):
        _seconds(ours, 3)
        _seconds(theirs, 3)
        found = [(_seconds(ours, count), _seconds(theirs, count)) for _ in range(pairs)]
        figures[what] = ([one for one, _ in found], [other for _, other in found])
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
