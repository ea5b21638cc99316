"""An application at the shared account's platform, for these tests alone: seals requests, opens answers, callbacks."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import gmssl_pyx
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring
from sandbox.shared_account.simulator import SharedAccountSimulator
from sandbox.wire import Answer
from tests.sandbox.merchants import NOTIFY_URL

Json = dict[str, Any]
NUMBER = "HF202603010000000001"
OWNER = {"ownerIdType": "01", "ownerIdNo": "340104198506150002", "ownerName": "李建国"}
MEMBER = {"memberIdType": "01", "memberIdNo": "340104201809210003", "memberName": "李小雨"}
OTHER = {"memberIdType": "01", "memberIdNo": "340104202203010001", "memberName": "李小禾"}
REGION = {"insuplcAdmdvs": "340104"}
UNSIGNED = ("signData", "encData", "extra")


class Untrusted(Exception):
    """A message that is not the platform's."""


def pem_body(content: bytes) -> bytes:
    return base64.b64decode(b"".join(content.splitlines()[1:-1]))


def flat(value: Any) -> Any:
    """Sorted, all scalars as text, empty texts left out."""
    if isinstance(value, dict):
        return {name: flat(value[name]) for name in sorted(value) if value[name] != ""}
    if isinstance(value, list):
        return [flat(member) for member in value]
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def signed_text(message: Json, secret: str) -> bytes:
    parts = []
    for name in sorted(set(message) - set(UNSIGNED)):
        value = flat(message[name])
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        parts.append(f"{name}={text}")
    return "&".join([*parts, f"key={secret}"]).encode()


def raw_of(der: bytes) -> bytes:
    r_end = 4 + der[3]
    numbers = der[4:r_end], der[r_end + 2 :]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in numbers)


def der_of(raw: bytes) -> bytes:
    parts = b""
    for half in (raw[:32], raw[32:]):
        number = half.lstrip(b"\0")
        number = b"\0" + number if number[0] > 127 else number
        parts += bytes([2, len(number)]) + number
    return bytes([48, len(parts)]) + parts


@dataclass
class Channel:
    keyring: Keyring
    clock: SandboxClock
    simulator: SharedAccountSimulator
    prefix: str = ""
    user_id: bytes = b"1234567812345678"
    der: bool = False
    counter: int = 0
    secret: str = field(init=False, repr=False)
    app_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.secret = self.keyring.path("shared_account_app_secret.txt").read_text()
        self.app_id = json.loads(self.keyring.path("shared_account_identity.json").read_text())["app_id"]

    # --- the envelope -------------------------------------------------------------------------------------------------

    def crypt(self, content: bytes, *, back: bool = False) -> bytes:
        first = Cipher(SM4(self.app_id[:16].encode()), modes.ECB()).encryptor()
        key = first.update(self.secret.encode() + bytes([16]) * 16).hex().upper()[:16].encode()
        cipher = Cipher(SM4(key), modes.ECB())
        if back:
            plain = cipher.decryptor().update(content)
            return plain[: -plain[-1]]
        gap = 16 - len(content) % 16
        return cipher.encryptor().update(content + bytes([gap]) * gap)

    def sealed(self, trans_type: str, data: Json, **changes: Any) -> Json:
        """A signed request; `changes` are members of the envelope, altered before signing."""
        message: Json = {
            "appId": self.app_id,
            "version": "2.0.1",
            "transType": trans_type,
            "encType": "SM4",
            "signType": "SM2",
            "timestamp": str(int(self.clock.now().timestamp() * 1000)),
            "data": data,
        } | changes
        der = pem_body(self.keyring.path("shared_account_app_private_key.pem").read_bytes())
        private_key, public_key = der[36:68], der[-64:]
        signature = gmssl_pyx.sm2_sign(private_key, public_key, signed_text(message, self.secret), self.user_id)
        message["signData"] = base64.b64encode(signature if self.der else raw_of(signature)).decode()
        message["encData"] = self.crypt(json.dumps(message.pop("data"), ensure_ascii=False).encode()).hex().upper()
        return message

    def opened(self, body: bytes) -> Json:
        """Verified with the public key a merchant would configure; data in the clear."""
        message: Json = json.loads(body)
        if "encData" in message:
            message["data"] = json.loads(self.crypt(bytes.fromhex(message["encData"]), back=True))
        signature = base64.b64decode(message["signData"], validate=True)
        if not self.der and len(signature) != 64:
            raise Untrusted("not 64 bytes")
        public_key = pem_body(self.keyring.path("shared_account_platform_public_key.pem").read_bytes())[-64:]
        form = signature if self.der else der_of(signature)
        if not gmssl_pyx.sm2_verify(public_key, signed_text(message, self.secret), form, self.user_id):
            raise Untrusted("signature")
        return message

    def post(self, trans_type: str, message: Json) -> Answer:
        path = f"{self.prefix}/{trans_type.replace('.', '/')}"
        return self.simulator.answer("POST", path, {}, json.dumps(message, ensure_ascii=False).encode())

    def call(self, trans_type: str, data: Json) -> Answer:
        return self.post(trans_type, self.sealed(trans_type, data))

    def ask(self, trans_type: str, data: Json) -> Json:
        """The data of an accepted request."""
        message = self.opened(self.call(trans_type, data).body)
        assert (message["code"], message["success"], message["transType"]) == ("0", True, trans_type), message["code"]
        return dict(message["data"])

    def code(self, trans_type: str, data: Json) -> str:
        return str(self.opened(self.call(trans_type, data).body)["code"])

    # --- operations ---------------------------------------------------------------------------------------------------

    def unique(self, letter: str) -> str:
        self.counter += 1
        return f"{letter}{self.counter:012d}"

    def bind_data(self, member: Json = MEMBER, **changes: Any) -> Json:
        more = {"relCode": "03", "phone": "13800000000", "noticeAgreed": "1", "reqSn": self.unique("R")}
        return OWNER | member | more | changes

    def bind(self, member: Json = MEMBER) -> str:
        return str(self.ask("sa.bind.add", self.bind_data(member))["bindId"])

    def charge_data(self, bind_id: str, number: str = NUMBER, member: Json = MEMBER, **changes: Any) -> Json:
        return (
            {"outTradeNo": number, "bindId": bind_id, "insuYear": "2026", "insutype": "390", "amt": "380.01"}
            | {"payAuthNo": self.unique("AUTH"), "notifyUrl": NOTIFY_URL, "reqSn": self.unique("R")}
            | (OWNER | member | REGION | changes)
        )

    def charge(self, number: str = NUMBER, **changes: Any) -> Json:
        """Bind and charge; the answer's data."""
        return self.ask("sa.pay.charge", self.charge_data(self.bind(), number, **changes))

    def query(self, number: str = NUMBER) -> Json:
        return self.ask("sa.pay.query", {"outTradeNo": number})

    def revoke_data(self, paid: Json, **changes: Any) -> Json:
        numbers = {name: paid[name] for name in ("outTradeNo", "payOrdId")}
        return numbers | {"revokeSn": self.unique("V"), "amt": "380.01", "reason": "重复缴费"} | changes

    def balance(self) -> str:
        return str(self.ask("sa.acct.balance", OWNER | REGION)["balc"])
