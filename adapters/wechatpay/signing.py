"""Signs requests and client pay parameters, and verifies what WeChat signed. Refuses without looking at the content."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.kit.sign import sign_sha256, verify_sha256

SIGNATURE_TYPE: Final = "WECHATPAY2-SHA256-RSA2048"
SKEW_MAX: Final = timedelta(seconds=300)
"""A message this far from our clock, or farther, is refused. Source: sheet section 3, step 2."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_PRINTABLE: Final = re.compile(r"[ -~]{1,256}")


class NotAuthentic(Exception):
    """
    A message is not proven to be WeChat's, or is not fresh. The reasons are those of CallbackRefused.

    Attributes:
        reason: headers | stale | unknown_key | signature.
    """

    def __init__(self, reason: str, *, skew_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.skew_seconds = skew_seconds


def authorization(
    key: rsa.RSAPrivateKey,
    *,
    mchid: str,
    serial_no: str,
    method: str,
    target: str,
    timestamp: int,
    nonce: str,
    body: bytes,
) -> str:
    """
    The Authorization header of one request; `target` is path and query exactly as on the wire.

    Source: sheet section 2; vector `authorization.json`.
    """
    signature = sign_sha256(key, f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n")
    return (
        f'{SIGNATURE_TYPE} mchid="{mchid}",nonce_str="{nonce}",timestamp="{timestamp}",'
        f'serial_no="{serial_no}",signature="{signature}"'
    )


def verify_message(
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    find_key: Callable[[str], rsa.RSAPublicKey | None],
) -> None:
    """
    Check an answer or a callback over its raw bytes; header names in lower case. An absent type means the usual one.

    Source: sheet section 3; vectors `callbacks.json`, `responses.json`.

    Raises:
        NotAuthentic: In the sheet's order: headers, stale, unknown_key, signature.
    """
    timestamp, nonce = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
    serial, signature = headers.get("wechatpay-serial", ""), headers.get("wechatpay-signature", "")
    if _UNIX_SECONDS.fullmatch(timestamp) is None or _PRINTABLE.fullmatch(nonce) is None:
        raise NotAuthentic("headers")
    if not serial or not signature or headers.get("wechatpay-signature-type", SIGNATURE_TYPE) != SIGNATURE_TYPE:
        raise NotAuthentic("headers")
    # Not datetime.fromtimestamp: twelve digits reach past the last year that it can name.
    skew = (now - _EPOCH) - timedelta(seconds=int(timestamp))
    if abs(skew) >= SKEW_MAX:
        raise NotAuthentic("stale", skew_seconds=int(skew.total_seconds()))
    key = find_key(serial)
    if key is None:
        raise NotAuthentic("unknown_key")
    if not verify_sha256(key, f"{timestamp}\n{nonce}\n".encode("ascii") + body + b"\n", signature):
        raise NotAuthentic("signature")


def jsapi_parameters(
    key: rsa.RSAPrivateKey, *, appid: str, prepay_id: str, timestamp: int, nonce: str
) -> dict[str, str]:
    """What a 公众号 page hands to the cashier. Source: sheet section 4.4; vector `client_pay_params.json`."""
    return {"appId": appid} | mini_program_parameters(
        key, appid=appid, prepay_id=prepay_id, timestamp=timestamp, nonce=nonce
    )


def mini_program_parameters(
    key: rsa.RSAPrivateKey, *, appid: str, prepay_id: str, timestamp: int, nonce: str
) -> dict[str, str]:
    """As JSAPI, but the appid is signed without being passed. Source: as `jsapi_parameters`."""
    package = f"prepay_id={prepay_id}"
    return {
        "timeStamp": str(timestamp),
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": _sign_lines(key, appid, timestamp, nonce, package),
    }


def app_parameters(
    key: rsa.RSAPrivateKey, *, appid: str, partner_id: str, prepay_id: str, timestamp: int, nonce: str
) -> dict[str, str]:
    """What an App hands to the OpenSDK; here the bare prepay id is signed. Source: as `jsapi_parameters`."""
    return {
        "appid": appid,
        "partnerid": partner_id,
        "prepayid": prepay_id,
        "package": "Sign=WXPay",
        "noncestr": nonce,
        "timestamp": str(timestamp),
        "sign": _sign_lines(key, appid, timestamp, nonce, prepay_id),
    }


def _sign_lines(key: rsa.RSAPrivateKey, appid: str, timestamp: int, nonce: str, last: str) -> str:
    return sign_sha256(key, f"{appid}\n{timestamp}\n{nonce}\n{last}\n".encode())
