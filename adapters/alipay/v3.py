"""
Signatures of the v3 (REST) interface, as pure functions.

The adapter's own calls are v2: the products that open a cashier are signed the v2 way in any case. These helpers are
for REST products beside it, and for asking a second way (POST /v3/alipay/trade/query); no operation uses them.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.kit.sign import sign_sha256, verify_sha256

SCHEME: Final = "ALIPAY-SHA256withRSA"


def auth_text(*, app_id: str, nonce: str, timestamp_ms: int, app_cert_sn: str = "") -> str:
    """
    Build the auth string; it is signed as it stands.

    Source: vendor SDK nodejs 4.14.0 (curl), go-pay alipay/v3; vector v3.json.
    """
    certificate = f",app_cert_sn={app_cert_sn}" if app_cert_sn else ""
    return f"app_id={app_id}{certificate},nonce={nonce},timestamp={timestamp_ms}"


def request_text(*, auth: str, http_method: str, target: str, body: str, app_auth_token: str = "") -> str:
    """
    Build the text that a v3 request signs; every line ends with a line feed.

    Args:
        target: Path and query exactly as sent.
        body: "" for a request without one.
    """
    lines = [auth, http_method, target, body] + ([app_auth_token] if app_auth_token else [])
    return "".join(f"{line}\n" for line in lines)


def authorization(key: rsa.RSAPrivateKey, *, auth: str, text: str) -> str:
    """The `authorization` header for an auth string and the text made from it."""
    return f"{SCHEME} {auth},sign={sign_sha256(key, text.encode('utf-8'))}"


def answer_is_authentic(key: rsa.RSAPublicKey, headers: Mapping[str, str], body: bytes) -> bool:
    """
    True when the answer is Alipay's own over its timestamp, nonce and raw body; a missing header makes it False.

    Args:
        headers: Names in lower case.
    """
    stamp, nonce = headers.get("alipay-timestamp", ""), headers.get("alipay-nonce", "")
    signature = headers.get("alipay-signature", "")
    if not (stamp and nonce and signature):
        return False
    try:
        text = stamp.encode("ascii") + b"\n" + nonce.encode("ascii") + b"\n" + body + b"\n"
    except UnicodeEncodeError:
        return False
    return verify_sha256(key, text, signature)
