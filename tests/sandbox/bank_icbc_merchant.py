"""An ICBC merchant, for these tests alone: signs requests, checks answers and notifies, answers them."""

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from sandbox.bank_icbc import BankIcbcSimulator
from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring
from sandbox.wire import Answer

Json = dict[str, Any]
NUMBER = "FY202600000001"
SERIAL = "FY202600000001R1"
NOTIFY_URL = "https://pay.example.cn/jf/callbacks/x"
RETURN_URL = "https://pay.example.cn/back"
ONLINE = "cardbusiness/aggregatepay/b2c/online"
PATHS = {
    "page": f"/ui/{ONLINE}/ui/consumepurchaseshowpay/V1",
    "query": f"/api/{ONLINE}/orderqry/V1",
    "refund": f"/api/{ONLINE}/merrefund/V1",
    "refund_query": f"/api/{ONLINE}/refundqry/V1",
}
IN_FORM = {"biz_content"}
ME = {"mer_id": "999900000001", "icbc_appid": "19999999999999000001", "mer_prtcl_no": "9999000000010201"}
CONTENTS: dict[str, dict[str, str]] = {
    "page": {
        "order_amt": "38001",
        "notify_url": NOTIFY_URL,
        "return_url": RETURN_URL,
        "body": "2026年度城乡居民医保",
        "expireTime": "1800",
        "attach": "a&b=c",
    },
    "query": {"deal_flag": "0"},
    "refund": {"outtrx_serial_no": SERIAL, "ret_total_amt": "12001", "trnsc_ccy": "001"},
    "refund_query": {"outtrx_serial_no": SERIAL},
}


def joined(path: str, fields: dict[str, str]) -> str:
    return f"{path}?" + "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name])


@dataclass
class BankIcbcMerchant:
    keyring: Keyring
    clock: SandboxClock
    simulator: BankIcbcSimulator
    prefix: str = ""
    sign_type: str = "RSA2"
    sealed: bool = False
    calls: int = 0

    @property
    def digest(self) -> hashes.HashAlgorithm:
        return hashes.SHA256() if self.sign_type == "RSA2" else hashes.SHA1()

    def key(self, name: str) -> rsa.RSAPrivateKey:
        content = self.keyring.path(f"bank_icbc_{name}_private_key.pem").read_bytes()
        key = serialization.load_pem_private_key(content, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key

    def sign(self, text: str) -> str:
        return base64.b64encode(self.key("app").sign(text.encode(), padding.PKCS1v15(), self.digest)).decode()

    def check(self, text: bytes, signature: str) -> None:
        """With the file that the configuration names, and SHA-1."""
        key = serialization.load_pem_public_key(self.keyring.path("bank_icbc_gateway_public_key.pem").read_bytes())
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(base64.b64decode(signature, validate=True), text, padding.PKCS1v15(), hashes.SHA1())

    def _cipher(self) -> Cipher[modes.CBC]:
        key = base64.b64decode(self.keyring.path("bank_icbc_content_key.txt").read_bytes())
        return Cipher(algorithms.AES(key), modes.CBC(bytes(16)))

    def seal(self, text: str) -> str:
        padder, encryptor = PKCS7(128).padder(), self._cipher().encryptor()
        padded = padder.update(text.encode()) + padder.finalize()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def unseal(self, text: str) -> str:
        unpadder, decryptor = PKCS7(128).unpadder(), self._cipher().decryptor()
        padded = decryptor.update(base64.b64decode(text)) + decryptor.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()

    # --- requests ---

    def params(self, kind: str, changes: dict[str, str], common: dict[str, str]) -> dict[str, str]:
        """Signed parameters; an empty change takes a member or parameter away."""
        self.calls += 1
        content = {**ME, "out_trade_no": NUMBER, **CONTENTS[kind], **changes}
        text = json.dumps({name: value for name, value in content.items() if value}, ensure_ascii=False)
        params = {
            "app_id": ME["icbc_appid"],
            "msg_id": f"m{self.calls:05d}",
            "format": "json",
            "charset": "UTF-8",
            "sign_type": self.sign_type,
            "timestamp": self.clock.now().strftime("%Y-%m-%d %H:%M:%S"),
            "encrypt_type": "AES" if self.sealed else "",
            "biz_content": self.seal(text) if self.sealed else text,
            **common,
        }
        params = {name: value for name, value in params.items() if value}
        return {"sign": self.sign(joined(self.prefix + PATHS[kind], params))} | params

    def post(self, kind: str, params: dict[str, str]) -> Answer:
        in_url = {name: value for name, value in params.items() if kind == "page" and name not in IN_FORM}
        body = urlencode({name: value for name, value in params.items() if name not in in_url}).encode()
        target = self.prefix + PATHS[kind] + (f"?{urlencode(in_url)}" if in_url else "")
        return self.simulator.answer("POST", target, {}, body)

    def call(self, kind: str, common: dict[str, str] | None = None, **changes: str) -> Answer:
        return self.post(kind, self.params(kind, changes, common or {}))

    def ask(self, kind: str, common: dict[str, str] | None = None, **changes: str) -> Json:
        """The verified members of the answer."""
        return self.read(self.call(kind, common, **changes))

    def read(self, answer: Answer) -> Json:
        assert answer.status == 200
        text = answer.body.decode()
        content, signature = text.removeprefix('{"response_biz_content":').rsplit(',"sign":"', 1)
        self.check(content.encode(), signature.removesuffix('"}'))
        members: Json = json.loads(content) if not self.sealed else json.loads(self.unseal(json.loads(content)))
        return members

    def arrive(self, **changes: str) -> str:
        """Post the form as the browser; returns the visit's token."""
        answer = self.call("page", None, **changes)
        assert answer.status == 302, answer.body.decode()
        return parse_qs(urlsplit(answer.headers["Location"]).query)["visit"][0]

    def paid(self, **changes: str) -> Json:
        """Order and pay."""
        self.arrive(**changes)
        return self.simulator.pay(changes.get("out_trade_no", NUMBER))

    # --- notifies ---

    def notice(self, body: bytes, path: str = urlsplit(NOTIFY_URL).path, codec: str = "utf-8") -> Json:
        """A notify's members, verified over the registered path."""
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding=codec))
        signature = fields.pop("sign")
        self.check(joined(path, fields).encode(codec), signature)
        text = fields["biz_content"]
        members: Json = json.loads(self.unseal(text) if fields.get("encrypt_type") == "AES" else text)
        return members

    def answer_to(self, members: Json, **changes: Any) -> bytes:
        """Our signed answer to a notify."""
        content = json.dumps({"return_code": 0, "return_msg": "success.", "msg_id": members["msg_id"], **changes})
        content = f'"{self.seal(content)}"' if self.sealed else content
        signed = f'"response_biz_content":{content},"sign_type":"{self.sign_type}"'
        return f'{{{signed},"sign":"{self.sign(signed)}"}}'.encode()
