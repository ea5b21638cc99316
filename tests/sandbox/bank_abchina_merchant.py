"""A merchant of the Agricultural Bank, for these tests alone: signs requests, trusts what a pinned key proves."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.bank_abchina import BankAbchinaSimulator
from sandbox.bank_abchina.keys import BankAbchinaKeys
from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring
from sandbox.wire import Answer
from tests.sandbox.merchants import NOTIFY_URL

NUMBER = "FY202600000001"
REFUND = "RF202600000001"
PATH = "/ebus/trustpay/ReceiveMerchantTrxReqServlet"
PAGE = b"<URL>https://front.example/paid</URL>\n<HTML></HTML>"


@dataclass
class BankAbchinaMerchant:
    keyring: Keyring
    clock: SandboxClock
    simulator: BankAbchinaSimulator
    wrapped: bool = False

    @property
    def keys(self) -> BankAbchinaKeys:
        return self.keyring.of(BankAbchinaKeys)

    def order(self, number: str = NUMBER, **changes: Any) -> dict[str, Any]:
        """A PayReq of 380.01 yuan that can be paid for half an hour."""
        order = {
            "PayTypeID": "ImmediatePay",
            "OrderDate": "2026/03/01",
            "OrderTime": "10:20:30",
            "orderTimeoutDate": moment(self.clock.now() + timedelta(minutes=30)),
            "OrderNo": number,
            "CurrencyCode": "156",
            "OrderAmount": "380.01",
            "OrderDesc": "城乡居民医保2026年度",
        }
        request = {"TrxType": "PayReq", "PaymentLinkType": "2", "NotifyType": "1", "ResultNotifyURL": NOTIFY_URL}
        return request | {"Order": order | changes}

    def query(self, number: str = NUMBER, kind: str = "ImmediatePay") -> dict[str, Any]:
        """The order that a query finds; empty for none."""
        said = self.ask({"TrxType": "Query", "PayTypeID": kind, "OrderNo": number, "QueryDetail": "true"})
        assert said["ReturnCode"] == "0000"
        return dict(json.loads(base64.b64decode(said["Order"]).decode("gbk"))) if said["Order"] else {}

    def refund(self, amount: str, no: str = REFUND, number: str = NUMBER) -> str:
        """The ReturnCode."""
        return str(
            self.ask({"TrxType": "Refund", "OrderNo": number, "NewOrderNo": no, "TrxAmount": amount})["ReturnCode"]
        )

    def settle(self, day: str, zipped: str = "0") -> dict[str, Any]:
        return self.ask({"TrxType": "Settle", "SettleDate": day, "ZIP": zipped})

    def paid(self, number: str = NUMBER) -> str:
        """Order and pay; returns the bank's number."""
        assert self.ask(self.order(number))["ReturnCode"] == "0000"
        return str(self.simulator.pay(number)["provider_trade_no"])

    def envelope(self, request: dict[str, Any], merchant_id: str = "", **changes: str) -> bytes:
        merchant = {"ECMerchantType": "EBUS", "MerchantID": merchant_id or self.keys.identity.merchant_id}
        message = {"Version": "V3.0.0", "Format": "JSON", "Merchant": merchant, "TrxRequest": request}
        text = changes.get("text") or json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        key = self.keys.merchant_private_key
        proof = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA1())).decode()
        proof = changes.get("signature", proof)
        bare = f'{{"Message":{text},"Signature-Algorithm":"SHA1withRSA","Signature":"{proof}"}}'
        return (f'{{"MSG":{bare}}}' if self.wrapped else bare).encode()

    def call(self, body: bytes, path: str = PATH) -> Answer:
        return self.simulator.answer("POST", path, {"Content-Type": "text/xml"}, body)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The verified TrxResponse."""
        return self.read(self.call(self.envelope(request)))

    def read(self, answer: Answer) -> dict[str, Any]:
        """
        The proven TrxResponse of an answer.

        Raises:
            InvalidSignature: It is unsigned, or not signed by a pinned key.
        """
        text = answer.body[answer.body.index(b'{"MSG') :].decode("gbk")
        head, tail = '{"MSG":{"Message":', ',"Signature-Algorithm":"SHA1withRSA","Signature":"'
        message, found, rest = text.removeprefix(head).partition(tail)
        if not found:
            raise InvalidSignature
        self.check(message.encode("gbk"), rest.removesuffix('"}}'))
        response: dict[str, Any] = json.loads(message)["TrxResponse"]
        return response

    def notice(self, body: bytes, charset: str = "gb2312") -> dict[str, str]:
        """A notice's elements, verified over the text between its tags in this charset."""
        (name, msg), *more = parse_qsl(body.decode("ascii"), strict_parsing=True)
        assert (name, more) == ("MSG", [])
        document = base64.b64decode(msg.replace(" ", "+"), validate=True).decode("gbk")
        inner = document.partition("<Message>")[2].partition("</Message>")[0]
        self.check(inner.encode(charset, "replace"), document.partition("<Signature>")[2].partition("</Signature>")[0])
        inside = inner.partition("<TrxResponse>")[2].partition("</TrxResponse>")[0]
        return {piece.partition(">")[0]: piece.partition(">")[2].partition("<")[0] for piece in _elements(inside)}

    def check(self, content: bytes, signature: str) -> None:
        """
        Try the certificates that the configuration pins.

        Raises:
            InvalidSignature: None of them.
        """
        pinned = self.keyring.path("bank_abchina_bank_certificates.pem").read_bytes()
        proof = base64.b64decode(signature, validate=True)
        for certificate in x509.load_pem_x509_certificates(pinned):
            key = certificate.public_key()
            assert isinstance(key, rsa.RSAPublicKey)
            try:
                key.verify(proof, content, padding.PKCS1v15(), hashes.SHA1())
            except InvalidSignature:
                continue
            return
        raise InvalidSignature


def _elements(inside: str) -> list[str]:
    return [piece for piece in inside.split("<")[1:] if not piece.startswith("/")]


def moment(at: datetime) -> str:
    return f"{at:%Y%m%d%H%M%S}"
