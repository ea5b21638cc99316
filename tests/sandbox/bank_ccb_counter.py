"""A counter's merchant, for these tests alone: makes orders, asks the client program, checks notifies."""

import hashlib
import itertools
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.bank_ccb import BankCcbSimulator
from sandbox.bank_ccb.keys import BankCcbKeys
from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring
from sandbox.wire import Answer

NUMBER = "0199c9d1e0007000800000000000000a"
ORDER_ID = "03ETGW870VT033RXSZXUQQ5FU"
NOTIFY_URL = "https://pay.example.cn/callbacks/bank_ccb/x"
MANDATORY = ["POSID", "BRANCHID", "ORDERID", "PAYMENT", "CURCODE", "REMARK1", "REMARK2", "ACC_TYPE", "SUCCESS"]


@dataclass
class Counter:
    keyring: Keyring
    clock: SandboxClock
    simulator: BankCcbSimulator
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def public_hex(self) -> str:
        return self.keyring.path("bank_ccb_counter_public_key.hex").read_text("ascii").strip()

    @property
    def password(self) -> str:
        return self.keyring.path("bank_ccb_ebs_password.txt").read_text("ascii").strip()

    def fields(self, tx_code: str, **changes: str) -> dict[str, str]:
        """An order in the order that is sent; MAC unless it is given."""
        identity = self.keyring.of(BankCcbKeys).identity
        fields = {
            "MERCHANTID": identity.merchant_id,
            "POSID": identity.pos_id,
            "BRANCHID": identity.branch_id,
            "ORDERID": ORDER_ID,
            "PAYMENT": "380.01",
            "CURCODE": "01",
            "TXCODE": tx_code,
            "REMARK1": "",
            "REMARK2": "",
            **(_CASHIER if tx_code == "520100" else {"RETURNTYPE": "3", "TIMEOUT": "20260301110000"}),
            **changes,
        }
        return fields if "MAC" in fields else {**fields, "MAC": self.mac(fields)}

    def mac(self, fields: dict[str, str]) -> str:
        pieces = [f"{name}={value}" for name, value in fields.items()]
        position = list(fields).index("TYPE") + 1 if "TYPE" in fields else len(fields)
        pieces.insert(position, f"PUB={self.public_hex[-30:]}")
        return hashlib.md5("&".join(pieces).encode()).hexdigest()

    def get(self, path: str, **query: str) -> Answer:
        return self.simulator.answer("GET", f"{path}?{urlencode(query)}", {}, b"")

    def order(self, tx_code: str = "530550", **changes: str) -> Answer:
        return self.get("/CCBIS/ccbMain", CCB_IBSVersion="V6", **self.fields(tx_code, **changes))

    def visit(self, tx_code: str = "530550", **changes: str) -> str:
        """Order, and go on to the cashier: its token."""
        answer = self.order(tx_code, **changes)
        if tx_code == "520100":
            assert answer.status == 302, answer.body.decode("utf-8", "replace")
            return parse_qs(urlsplit(answer.headers["Location"]).query)["visit"][0]
        parts = urlsplit(members(answer)["PAYURL"])
        code = self.simulator.answer("GET", f"{parts.path}?{parts.query}", {}, b"")
        return parse_qs(urlsplit(parse_qs(f"u={members(code)['QRURL']}")["u"][0]).query)["visit"][0]

    def paid(self, tx_code: str = "530550", **changes: str) -> None:
        self.simulator.cashier(self.visit(tx_code, **changes))
        self.simulator.pay(NUMBER)
        self.clock.advance(0)

    def ask(self, tx_code: str, number: str = "", password: str = "", **info: str) -> str:
        """A question to the client program; the answer's XML."""
        identity = self.keyring.of(BankCcbKeys).identity
        head = {
            "REQUEST_SN": number or str(next(self.numbers)),
            "CUST_ID": identity.merchant_id,
            "USER_ID": identity.operator,
            "PASSWORD": password or self.password,
            "TX_CODE": tx_code,
            "LANGUAGE": "CN",
            "TX_INFO": "".join(f"<{name}>{value}</{name}>" for name, value in info.items()),
        }
        xml = "".join(f"<{name}>{value}</{name}>" for name, value in head.items())
        return self.post(f'<?xml version="1.0" encoding="GB18030" standalone="yes" ?><TX>{xml}</TX>')

    def post(self, xml: str) -> str:
        answer = self.simulator.answer("POST", "/ebs", {}, b"requestXml=" + quote(xml, encoding="gb18030").encode())
        assert answer.status == 200
        return answer.body.decode("gb18030")

    def payments(self, kind: str = "0", **info: str) -> str:
        return self.ask("5W1002", KIND=kind, **{"ORDER": ORDER_ID, **info})

    def refunds(self, kind: str = "0") -> str:
        return self.ask("5W1003", KIND=kind, ORDER=ORDER_ID)

    def refund(self, money: str = "120.01", code: str = "R1", **more: str) -> str:
        return self.ask("5W1004", MONEY=money, ORDER=ORDER_ID, REFUND_CODE=code, **more)

    def check(self, body: bytes, *, encoding: str = "utf-8", key: str = "") -> list[tuple[str, str]]:
        """The fields of a notify in the order received; `SIGN` must be the bank's over them."""
        posted = parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding=encoding)
        signed = [pair for pair in posted if pair[0] != "SIGN"]
        public = serialization.load_der_public_key(bytes.fromhex(key or self.public_hex))
        assert isinstance(public, rsa.RSAPublicKey)
        text = "&".join(f"{name}={value}" for name, value in signed).encode(encoding)
        public.verify(bytes.fromhex(dict(posted)["SIGN"]), text, padding.PKCS1v15(), hashes.MD5())
        return signed


def members(answer: Answer) -> dict[str, str]:
    return dict(re.findall(r'"([A-Z]+)": "([^"]*)"', answer.body.decode("gbk")))


def value(xml: str, name: str) -> list[str]:
    return re.findall(f"<{name}>([^<]*)</{name}>", xml)


_CASHIER = {
    "TYPE": "1",
    "GATEWAY": "",
    "CLIENTIP": "",
    "REGINFO": "",
    "PROINFO": "%u533B%u4FDD",
    "REFERER": "",
}
