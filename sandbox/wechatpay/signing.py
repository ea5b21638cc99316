"""
Signatures of 微信支付 (WeChat Pay) APIv3, written from the sheet: check requests, sign answers and callbacks.

Source of every rule: sheet wechatpay.md sections 2, 3 and 6.2.
"""

import base64
import binascii
import os
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SCHEME: Final = "WECHATPAY2-SHA256-RSA2048"
CLOCK_SKEW_SECONDS: Final = 300
NONCE_LENGTH_MAX: Final = 32
SIGNED_PARAMETERS: Final = frozenset({"mchid", "nonce_str", "timestamp", "serial_no", "signature"})

_PARAMETER: Final = re.compile(r'([a-z_]+)="([^"]*)"')
_ALPHANUMERIC: Final = string.ascii_letters + string.digits
_AEAD_NONCE_LENGTH: Final = 12


class SignRefused(Exception):
    """The request is not signed as it must be; the message says at which point, for the error answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """One key the provider signs with, under the name it shows in Wechatpay-Serial."""

    serial: str
    private_key: rsa.RSAPrivateKey = field(repr=False)

    def headers(self, body: bytes, now: datetime) -> dict[str, str]:
        """The five headers of a signed answer or callback, fresh at this instant."""
        timestamp, nonce = str(int(now.timestamp())), alphanumeric(NONCE_LENGTH_MAX)
        text = b"%s\n%s\n%s\n" % (timestamp.encode(), nonce.encode(), body)
        return {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": self.serial,
            "Wechatpay-Signature": base64.b64encode(
                self.private_key.sign(text, padding.PKCS1v15(), hashes.SHA256())
            ).decode("ascii"),
            "Wechatpay-Signature-Type": SCHEME,
        }


def check_request(
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    mchid: str,
    serial: str,
    key: rsa.RSAPublicKey,
) -> None:
    """
    Check Authorization over the exact bytes on the wire: method, path with query, body.

    Raises:
        SignRefused: Missing or malformed, another merchant or serial, a clock 5 minutes off, or a wrong signature.
    """
    parameters = _authorization(headers.get("authorization", ""))
    if parameters["mchid"] != mchid:
        raise SignRefused("商户号不存在")
    if parameters["serial_no"].upper() != serial:
        raise SignRefused("商户证书序列号有误")
    if not 1 <= len(parameters["nonce_str"]) <= NONCE_LENGTH_MAX:
        raise SignRefused("nonce_str 长度有误")
    timestamp = parameters["timestamp"]
    if not (timestamp.isascii() and timestamp.isdigit() and abs(now.timestamp() - int(timestamp)) < CLOCK_SKEW_SECONDS):
        raise SignRefused("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
    head = f"{method}\n{path}\n{timestamp}\n{parameters['nonce_str']}\n".encode()
    try:
        signature = base64.b64decode(parameters["signature"], validate=True)
        key.verify(signature, head + body + b"\n", padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, InvalidSignature) as exc:
        raise SignRefused("签名错误，请检查后再试") from exc


def sealed(apiv3_key: bytes, plaintext: bytes, associated: str) -> dict[str, str]:
    """Encrypt with AES-256-GCM under the APIv3 key, as `resource` and `encrypt_certificate` carry it."""
    nonce = alphanumeric(_AEAD_NONCE_LENGTH)
    ciphertext = AESGCM(apiv3_key).encrypt(nonce.encode("ascii"), plaintext, associated.encode("utf-8"))
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(ciphertext).decode("ascii"),
        "associated_data": associated,
        "nonce": nonce,
    }


def alphanumeric(length: int) -> str:
    """Random text of [0-9A-Za-z]."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))


def spoilt(signature: str) -> str:
    """Another signature of the same length: still base64, never valid."""
    return base64.b64encode(os.urandom(len(base64.b64decode(signature)))).decode("ascii")


def _authorization(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    pairs = [_PARAMETER.fullmatch(part.strip()) for part in rest.split(",")]
    parameters = {match[1]: match[2] for match in pairs if match is not None}
    if scheme != SCHEME or len(pairs) != len(parameters) or parameters.keys() != SIGNED_PARAMETERS:
        raise SignRefused("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
    return parameters
