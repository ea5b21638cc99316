"""The texts that Alipay (支付宝) v2 signs, and the check of a signature. RSA2 alone: SHA-1 is never accepted."""

from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.kit.sign import sign_sha256, verify_sha256

SIGN_TYPE: Final = "RSA2"


def request_text(parameters: Mapping[str, str]) -> str:
    """
    Build the text that a request signs: `name=value` joined by `&`, names in code point order, values as they are.

    `sign` and empty values are left out; `sign_type` stays in.
    Source: vendor SDKs nodejs 4.14.0, python 3.7.1411, php v2 (getSignContent); vector requests.json.
    """
    return "&".join(f"{name}={value}" for name, value in sorted(parameters.items()) if value != "" and name != "sign")


def notify_text(fields: Mapping[str, bytes], *, without: Iterable[str]) -> bytes:
    """
    Build the bytes that a notification (异步通知) signs, from values decoded exactly once.

    Empty values stay in as `name=`; the names in `without` are left out.
    Source: vendor SDK nodejs 4.14.0 (checkNotifySignV2); vectors notifies.json and genuine.json.
    """
    dropped = frozenset(without)
    return b"&".join(name.encode("ascii") + b"=" + fields[name] for name in sorted(fields) if name not in dropped)


def sign_request(key: rsa.RSAPrivateKey, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that are sent: the non-empty ones and their `sign`."""
    sent = {name: value for name, value in parameters.items() if value != ""}
    return sent | {"sign": sign_sha256(key, request_text(sent).encode("utf-8"))}


def signed_by_any(keys: Iterable[rsa.RSAPublicKey], text: bytes, signature: str) -> bool:
    """True when one of the keys made this signature over these bytes."""
    return any(verify_sha256(key, text, signature) for key in keys)
