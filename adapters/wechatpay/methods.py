"""The ways to pay that WeChat offers, what each needs from the front end, and how each hands its cashier over."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from adapters.wechatpay.config import Config
from adapters.wechatpay.signing import app_parameters, jsapi_parameters, mini_program_parameters
from gateway.domain.provider import Instruction, InstructionKind, Method, MethodField

_OPENID: Final = MethodField(
    required=True,
    pattern=r"[0-9A-Za-z_-]{1,128}",
    description="Payer's openid under the cashier's appid",
    personal=True,
)
_CLIENT_IP: Final = MethodField(
    required=True, pattern=r"[0-9A-Fa-f:.]{2,45}", description="Payer's own IPv4 or IPv6 address", personal=True
)
_H5_TYPE: Final = MethodField(required=True, pattern=r"iOS|Android|Wap", description="Where the page runs")

METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        method.name: method
        for method in (
            Method(
                name="jsapi",
                title="微信内网页支付",
                instruction=InstructionKind.SDK_PARAMS,
                fields=MappingProxyType({"openid": _OPENID}),
            ),
            Method(
                name="mini_program",
                title="微信小程序支付",
                instruction=InstructionKind.SDK_PARAMS,
                fields=MappingProxyType({"openid": _OPENID}),
            ),
            Method(
                name="h5",
                title="微信 H5 支付",
                instruction=InstructionKind.REDIRECT,
                fields=MappingProxyType({"client_ip": _CLIENT_IP, "h5_type": _H5_TYPE}),
            ),
            Method(name="native", title="微信扫码支付", instruction=InstructionKind.QR_TEXT),
            Method(name="app", title="微信 App 支付", instruction=InstructionKind.SDK_PARAMS),
        )
    }
)
"""Source: sheet sections 4.1, 4.2; the values of h5_type unverified."""


def read_instruction(
    config: Config, method: str, members: Mapping[str, Any], *, now: datetime, nonce: str
) -> Instruction:
    """
    Turn the order's answer into what the front end needs.

    Source: sheet sections 4.3, 4.4; vector `client_pay_params.json`.

    Raises:
        ValueError: The answer lacks the method's handle.
    """
    handle = _HANDLE_BY_METHOD[method]
    text = members.get(handle.member)
    if not isinstance(text, str) or re.fullmatch(handle.pattern, text) is None:
        raise ValueError(handle.member)
    return Instruction(
        kind=METHODS[method].instruction,
        payload=handle.payload(config, text, int(now.timestamp()), nonce),
        expires_at=now + handle.life,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Handle:
    """
    What an order's answer gives.

    Attributes:
        member: Its name in the answer.
        life: How long it can be used.
        payload: Makes the instruction's payload of it, given Unix time and nonce.
    """

    member: str
    pattern: str
    life: timedelta
    payload: Callable[[Config, str, int, str], Mapping[str, Any]]


def _jsapi_payload(config: Config, prepay_id: str, timestamp: int, nonce: str) -> Mapping[str, Any]:
    key, appid = config.merchant_private_key, config.cashier_appid
    return jsapi_parameters(key, appid=appid, prepay_id=prepay_id, timestamp=timestamp, nonce=nonce)


def _mini_program_payload(config: Config, prepay_id: str, timestamp: int, nonce: str) -> Mapping[str, Any]:
    key, appid = config.merchant_private_key, config.cashier_appid
    return mini_program_parameters(key, appid=appid, prepay_id=prepay_id, timestamp=timestamp, nonce=nonce)


def _app_payload(config: Config, prepay_id: str, timestamp: int, nonce: str) -> Mapping[str, Any]:
    """The partner's partnerid is the sub merchant's number (unverified); it is not signed."""
    return app_parameters(
        config.merchant_private_key,
        appid=config.cashier_appid,
        partner_id=config.sub_mchid if config.partner else config.mchid,
        prepay_id=prepay_id,
        timestamp=timestamp,
        nonce=nonce,
    )


def _redirect_payload(_config: Config, url: str, _timestamp: int, _nonce: str) -> Mapping[str, Any]:
    return {"url": url}


def _qr_payload(_config: Config, text: str, _timestamp: int, _nonce: str) -> Mapping[str, Any]:
    return {"text": text}


_PREPAY_ID: Final = r"[!-~]{1,128}"
_TWO_HOURS: Final = timedelta(hours=2)
_HANDLE_BY_METHOD: Final = {
    "jsapi": _Handle(member="prepay_id", pattern=_PREPAY_ID, life=_TWO_HOURS, payload=_jsapi_payload),
    "mini_program": _Handle(member="prepay_id", pattern=_PREPAY_ID, life=_TWO_HOURS, payload=_mini_program_payload),
    "app": _Handle(member="prepay_id", pattern=_PREPAY_ID, life=_TWO_HOURS, payload=_app_payload),
    "h5": _Handle(
        member="h5_url", pattern=r"https?://[!-~]{1,2000}", life=timedelta(minutes=5), payload=_redirect_payload
    ),
    "native": _Handle(member="code_url", pattern=r"[!-~]{1,2000}", life=_TWO_HOURS, payload=_qr_payload),
}
