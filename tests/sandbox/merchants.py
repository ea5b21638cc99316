"""A merchant of each provider, written for these tests alone: signs requests, checks answers and callbacks."""

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.alipay import AlipaySimulator
from sandbox.alipay.keys import AlipayKeys
from sandbox.certificates import certificate_sn, root_certificate_sn
from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring
from sandbox.wechatpay import WechatpaySimulator
from sandbox.wechatpay.keys import WechatpayKeys
from sandbox.wire import Answer

Json = dict[str, Any]
NONCE = "593BEC0C930BF1AFEB40B4A08C8FB242"
NOTIFY_URL = "https://pay.example.cn/callbacks/x"


def verify(key: rsa.RSAPublicKey, signature: str, signed: bytes) -> None:
    key.verify(base64.b64decode(signature, validate=True), signed, padding.PKCS1v15(), hashes.SHA256())


def public_key_file(keyring: Keyring, name: str) -> rsa.RSAPublicKey:
    content = keyring.path(name).read_bytes()
    if b"CERTIFICATE" in content:
        key = x509.load_pem_x509_certificate(content).public_key()
    else:
        key = serialization.load_pem_public_key(content)
    assert isinstance(key, rsa.RSAPublicKey)
    return key


@dataclass
class Inbox:
    """Where callbacks arrive; answers from `answers` in turn, then with `default`."""

    default: tuple[int, bytes] = (200, b"success")
    answers: list[tuple[int, bytes] | OSError] = field(default_factory=list)
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    clock: SandboxClock | None = None

    def post(self, url: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        self.received.append((url, dict(headers), body))
        if self.clock is not None:
            self.times.append(self.clock.now())
        answer = self.answers.pop(0) if self.answers else self.default
        if isinstance(answer, OSError):
            raise answer
        return answer


@dataclass
class WechatpayMerchant:
    keyring: Keyring
    clock: SandboxClock
    simulator: WechatpaySimulator
    prefix: str = ""

    @property
    def keys(self) -> WechatpayKeys:
        return self.keyring.of(WechatpayKeys)

    def call(self, method: str, path: str, content: Json | None = None, *, serial: str = "", **spoil: str) -> Answer:
        path = self.prefix + path
        body = b"" if content is None else json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        headers = self.headers(method, path, body, **spoil)
        if serial:
            headers["Wechatpay-Serial"] = serial
        return self.simulator.answer(method, path, headers, body)

    def headers(self, method: str, path: str, body: bytes, **spoil: str) -> dict[str, str]:
        identity = self.keys.identity
        named = {
            "mchid": identity.mchid,
            "nonce_str": NONCE,
            "timestamp": str(int(self.clock.now().timestamp())),
            "serial_no": identity.merchant_serial,
        } | spoil
        head = f"{method}\n{path}\n{named['timestamp']}\n{named['nonce_str']}\n".encode()
        key = self.keys.merchant_private_key
        signature = base64.b64encode(key.sign(head + body + b"\n", padding.PKCS1v15(), hashes.SHA256())).decode()
        parameters = ",".join(f'{name}="{value}"' for name, value in {"signature": signature, **named}.items())
        return {
            "Authorization": f"WECHATPAY2-SHA256-RSA2048 {parameters}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "sandbox-tests",
        }

    def order(self, out_trade_no: str = "FY202600000001", **changes: Any) -> Json:
        identity = self.keys.identity
        return {
            "appid": identity.appid,
            "mchid": identity.mchid,
            "description": "2026年度城乡居民医保缴费",
            "out_trade_no": out_trade_no,
            "notify_url": NOTIFY_URL,
            "amount": {"total": 38001, "currency": "CNY"},
            "attach": "341202,2026",
            "payer": {"openid": "oSANDBOXpayer0000000000000001"},
        } | changes

    def partner_order(self, out_trade_no: str = "FY202600000002", **changes: Any) -> Json:
        identity = self.keys.identity
        return {
            "sp_appid": identity.appid,
            "sp_mchid": identity.mchid,
            "sub_mchid": identity.sub_mchids[0],
            "sub_appid": identity.sub_appid,
            "description": "2026年度城乡居民医保缴费",
            "out_trade_no": out_trade_no,
            "notify_url": NOTIFY_URL,
            "amount": {"total": 42001, "currency": "CNY"},
            "attach": "城乡居民医保|阜阳",
            "payer": {"sp_openid": "oSANDBOXsp01", "sub_openid": "oSANDBOXsub01"},
            "scene_info": {"payer_client_ip": "203.0.113.9", "device_id": "hall-03"},
        } | changes

    def refund(self, out_trade_no: str, out_refund_no: str, refund_fen: int, total_fen: int, **more: Any) -> Json:
        amount = {"refund": refund_fen, "total": total_fen, "currency": "CNY"}
        return {"out_trade_no": out_trade_no, "out_refund_no": out_refund_no, "amount": amount} | more

    def create(self, kind: str = "jsapi", **changes: Any) -> Answer:
        return self.call("POST", f"/v3/pay/transactions/{kind}", self.order(**changes))

    def paid(self, out_trade_no: str = "FY202600000001", **changes: Any) -> None:
        assert self.create(out_trade_no=out_trade_no, **changes).status == 200
        self.simulator.pay(out_trade_no)

    def query(self, out_trade_no: str = "FY202600000001") -> Answer:
        mchid = self.keys.identity.mchid
        return self.call("GET", f"/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={mchid}")

    def close(self, out_trade_no: str = "FY202600000001") -> Answer:
        content = {"mchid": self.keys.identity.mchid}
        return self.call("POST", f"/v3/pay/transactions/out-trade-no/{out_trade_no}/close", content)

    def check(self, headers: dict[str, str], body: bytes, key_file: str = "wechatpay_platform_certificate.pem") -> None:
        signed = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode() + body + b"\n"
        verify(public_key_file(self.keyring, key_file), headers["Wechatpay-Signature"], signed)

    def opened(self, body: bytes) -> Json:
        resource = json.loads(body)["resource"]
        return dict(json.loads(unsealed(self.keys.apiv3_key, resource)))


def unsealed(apiv3_key: bytes, resource: Json) -> bytes:
    return AESGCM(apiv3_key).decrypt(
        resource["nonce"].encode(), base64.b64decode(resource["ciphertext"]), resource["associated_data"].encode()
    )


@dataclass
class AlipayMerchant:
    keyring: Keyring
    clock: SandboxClock
    simulator: AlipaySimulator
    path: str = "/gateway.do"
    cert_mode: bool = False

    @property
    def keys(self) -> AlipayKeys:
        return self.keyring.of(AlipayKeys)

    def fields(self, method: str, biz: Json, **more: str) -> dict[str, str]:
        fields = {
            "app_id": self.keys.identity.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": self.clock.now().strftime("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            "biz_content": json.dumps(biz, ensure_ascii=False),
        } | more
        if self.cert_mode:
            fields["app_cert_sn"] = certificate_sn(self.keys.app_certificate)
            fields["alipay_root_cert_sn"] = root_certificate_sn(self.keys.roots)
        return fields | {"sign": self.sign(fields)}

    def sign(self, fields: dict[str, str]) -> str:
        text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name] != "")
        key = self.keys.app_private_key
        return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()

    def call(self, method: str, biz: Json, **more: str) -> Answer:
        """A server call: public parameters in the query, biz_content in the form."""
        fields = self.fields(method, biz, **more)
        content = urlencode({"biz_content": fields.pop("biz_content")}).encode()
        return self.simulator.answer("POST", f"{self.path}?{urlencode(fields)}", {}, content)

    def node(self, method: str, biz: Json, **more: str) -> Json:
        """The verified node of the answer."""
        return self.read(method, self.call(method, biz, **more))

    def read(self, method: str, answer: Answer, codec: str = "utf-8") -> Json:
        name = method.replace(".", "_") + "_response"
        envelope = json.loads(answer.body.decode(codec))
        text = answer.body.decode(codec)
        mark = ',"alipay_cert_sn":"' if self.cert_mode else ',"sign":"'
        node = text[text.index(":") + 1 : text.rindex(mark)]
        file = "alipay_platform_certificate.pem" if self.cert_mode else "alipay_public_key.pem"
        verify(public_key_file(self.keyring, file), envelope["sign"], node.encode(codec))
        return dict(envelope[name])

    def order(self, out_trade_no: str = "FY20260301000001", **changes: Any) -> Json:
        return {
            "out_trade_no": out_trade_no,
            "total_amount": "380.01",
            "subject": "2026年度城乡居民医保缴费",
        } | changes

    def page(self, method: str = "page", out_trade_no: str = "FY20260301000001", **changes: Any) -> Answer:
        """The payer's browser opens the payment URL."""
        codes = {"page": "FAST_INSTANT_TRADE_PAY", "wap": "QUICK_WAP_WAY", "app": "QUICK_MSECURITY_PAY"}
        biz = self.order(out_trade_no, product_code=codes[method], **changes)
        urls = {"notify_url": NOTIFY_URL, "return_url": "https://pay.example.cn/back"}
        fields = self.fields(f"alipay.trade.{method}.pay", biz, **urls)
        if method == "app":
            return self.simulator.answer("POST", self.path, {}, urlencode(fields).encode())
        return self.simulator.answer("GET", f"{self.path}?{urlencode(fields)}", {}, b"")

    def paid(self, out_trade_no: str = "FY20260301000001", **changes: Any) -> None:
        assert self.page(out_trade_no=out_trade_no, **changes).status == 302
        self.simulator.pay(out_trade_no)

    def query(self, out_trade_no: str = "FY20260301000001") -> Json:
        return self.node("alipay.trade.query", {"out_trade_no": out_trade_no})

    def notice(self, body: bytes, codec: str = "utf-8") -> dict[str, str]:
        """A notify's fields, read in its charset and verified."""
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding=codec))
        self.check_notice(fields, codec)
        return fields

    def check_notice(self, fields: dict[str, str], codec: str = "utf-8") -> None:
        kept = sorted(name for name in fields if name not in {"sign", "sign_type"})
        text = "&".join(f"{name}={fields[name]}" for name in kept)
        file = "alipay_platform_certificate.pem" if self.cert_mode else "alipay_public_key.pem"
        verify(public_key_file(self.keyring, file), fields["sign"], text.encode(codec))


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
