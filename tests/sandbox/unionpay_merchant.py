"""A UnionPay merchant, for these tests alone: signs requests, trusts only what chain and name prove."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring
from sandbox.unionpay import UnionpaySimulator
from sandbox.unionpay.keys import UnionpayKeys
from sandbox.wire import Answer
from tests.sandbox.merchants import NOTIFY_URL

NUMBER = "FY202600000001"
FRONT_URL = "https://pay.example.cn/back"
PLACES = {
    "front": ("frontTransReq.do", "01", "01", "000201"),
    "app": ("appTransReq.do", "01", "01", "000201"),
    "qr": ("backTransReq.do", "01", "07", "000000"),
    "refund": ("backTransReq.do", "04", "00", "000201"),
    "undo": ("backTransReq.do", "31", "00", "000201"),
    "query": ("queryTrans.do", "00", "00", "000201"),
    "keys": ("backTransReq.do", "95", "00", "000000"),
}


class Untrusted(Exception):
    """A message that is not UnionPay's."""


def hashed(fields: dict[str, str], codec: str) -> bytes:
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "signature")
    return hashlib.sha256(text.encode(codec)).hexdigest().encode()


def moment(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S")


@dataclass
class UnionpayMerchant:
    keyring: Keyring
    clock: SandboxClock
    simulator: UnionpaySimulator
    prefix: str = ""
    encoding: str = "UTF-8"

    @property
    def keys(self) -> UnionpayKeys:
        return self.keyring.of(UnionpayKeys)

    def fields(self, kind: str, **changes: str) -> dict[str, str]:
        """A signed request; an empty value takes a field away."""
        _, txn_type, txn_sub_type, biz_type = PLACES[kind]
        fields = {
            "version": "5.1.0",
            "encoding": self.encoding,
            "signMethod": "01",
            "certId": str(self.keys.merchant_certificate.serial_number),
            "merId": self.keys.identity.mer_id,
            "accessType": "0",
            "txnType": txn_type,
            "txnSubType": txn_sub_type,
            "bizType": biz_type,
            "orderId": NUMBER,
            "txnTime": moment(self.clock.now()),
        } | (_MORE[kind])
        fields = {name: value for name, value in (fields | changes).items() if value}
        return fields | ({} if "signature" in fields else {"signature": self.sign(fields)})

    def sign(self, fields: dict[str, str]) -> str:
        signed = hashed(fields, "gbk" if fields.get("encoding", "").upper() == "GBK" else "utf-8")
        key = self.keys.merchant_private_key
        return base64.b64encode(key.sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()

    def post(self, kind: str, fields: dict[str, str]) -> Answer:
        codec = "gbk" if fields.get("encoding", "").upper() == "GBK" else "utf-8"
        path = f"{self.prefix}/gateway/api/{PLACES[kind][0]}"
        return self.simulator.answer("POST", path, {}, urlencode(fields, encoding=codec).encode())

    def call(self, kind: str, **changes: str) -> Answer:
        return self.post(kind, self.fields(kind, **changes))

    def ask(self, kind: str, **changes: str) -> dict[str, str]:
        """The verified fields of the answer."""
        return self.read(self.call(kind, **changes))

    def read(self, answer: Answer, codec: str = "") -> dict[str, str]:
        codec = codec or ("gbk" if self.encoding.upper() == "GBK" else "utf-8")
        fields = dict(part.split("=", 1) for part in answer.body.decode(codec).split("&"))
        self.check(fields, codec)
        return fields

    def order(self, kind: str = "qr", order_id: str = NUMBER, **changes: str) -> str:
        """Order and return the txnTime."""
        answer = self.call(kind, orderId=order_id, **changes)
        assert answer.status == (302 if kind == "front" else 200)
        assert kind == "front" or self.read(answer)["respCode"] == "00"
        return moment(self.clock.now())

    def paid(self, order_id: str = NUMBER, kind: str = "qr", **changes: str) -> str:
        """Order and pay; returns the queryId."""
        self.order(kind, order_id, **changes)
        return str(self.simulator.pay(order_id)["provider_trade_no"])

    def refund(self, order_id: str, query_id: str, amount_fen: int, kind: str = "refund") -> dict[str, str]:
        return self.ask(kind, orderId=order_id, origQryId=query_id, txnAmt=str(amount_fen))

    def file(self, settle_date: str) -> dict[str, str]:
        fields = self.fields("query", txnType="76", txnSubType="01", bizType="000000", orderId="", signature="-")
        del fields["signature"]
        fields |= {"settleDate": settle_date, "fileType": "00"}
        body = urlencode(fields | {"signature": self.sign(fields)}).encode()
        return self.read(self.simulator.answer("POST", f"{self.prefix}/filedownload/", {}, body))

    def notice(self, body: bytes, codec: str = "utf-8") -> dict[str, str]:
        """A notice's fields, read in its encoding and verified."""
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding=codec))
        self.check(fields, codec)
        return fields

    def check(self, fields: dict[str, str], codec: str = "utf-8") -> None:
        """Root, middle, name, signature; the two anchors are read from the files a merchant would configure."""
        leaf = x509.load_pem_x509_certificate(fields["signPubKeyCert"].encode())
        middle, root = (
            x509.load_pem_x509_certificate(self.keyring.path(f"unionpay_{name}_certificate.pem").read_bytes())
            for name in ("middle", "root")
        )
        leaf.verify_directly_issued_by(middle)
        middle.verify_directly_issued_by(root)
        name = str(leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        if name.split("@")[2] != "中国银联股份有限公司":
            raise Untrusted(name)
        key = leaf.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        signature = base64.b64decode(fields["signature"], validate=True)
        key.verify(signature, hashed(fields, codec), padding.PKCS1v15(), hashes.SHA256())

    def in_minutes(self, minutes: int) -> str:
        return moment(self.clock.now() + timedelta(minutes=minutes))


_BACK = {"txnAmt": "38001", "channelType": "07", "backUrl": NOTIFY_URL}
_PAY = _BACK | {"currencyCode": "156", "channelType": "08"}
_MORE = {
    "front": _PAY | {"frontUrl": FRONT_URL, "riskRateInfo": "{commodityName=2026年度城乡居民医保缴费}"},
    "app": _PAY,
    "qr": _PAY | {"termId": "49000002"},
    "refund": _BACK,
    "undo": _BACK,
    "query": {},
    "keys": {"certType": "01"},
}
