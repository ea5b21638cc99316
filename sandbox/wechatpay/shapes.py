"""
What a request body may contain, as a table, and the check against it.

Unknown keys, `null`, wrong types and characters outside the Basic Multilingual Plane are PARAM_ERROR, as live.
Source: sheet wechatpay.md sections 1, 4.2 and 4.7.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.wire import Json, RequestRefused

PARAM_ERROR_TAIL: Final = 268435461
UNKNOWN_KEY_TAIL: Final = 270924358
_BMP_MAX: Final = 0xFFFF


class Refusal(RequestRefused):
    """
    An error answer: HTTP code, error code, message; `tail` is the internal number at the end of Request-ID.

    Source: sheet wechatpay.md section 5.
    """

    def __init__(self, status: int, code: str, message: str, *, tail: int = PARAM_ERROR_TAIL, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.tail = tail
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One key of a body: its JSON type, whether it must be there, its limits, and what is inside."""

    kind: type = str
    required: bool = False
    longest: int = 0
    least: int = 0
    pattern: re.Pattern[str] | None = None
    inside: "Mapping[str, Rule] | None" = None


NUMBER_PATTERN: Final = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
REFUND_NUMBER_PATTERN: Final = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
URL_PATTERN: Final = re.compile(r"https?://[^\s?#]+")

_AMOUNT: Final = {
    "total": Rule(kind=int, required=True, least=1),
    "currency": Rule(pattern=re.compile("CNY")),
}
_SCENE: Final = {
    "payer_client_ip": Rule(required=True, longest=45),
    "device_id": Rule(longest=32),
    "store_info": Rule(kind=dict),
    "h5_info": Rule(
        kind=dict,
        inside={
            "type": Rule(required=True),
            "app_name": Rule(longest=64),
            "app_url": Rule(longest=128),
            "bundle_id": Rule(longest=128),
            "package_name": Rule(longest=128),
        },
    ),
}
_ORDER: Final = {
    "description": Rule(required=True, longest=127),
    "out_trade_no": Rule(required=True, pattern=NUMBER_PATTERN),
    "time_expire": Rule(longest=64),
    "attach": Rule(longest=128),
    "notify_url": Rule(required=True, longest=255, pattern=URL_PATTERN),
    "goods_tag": Rule(longest=32),
    "limit_pay": Rule(kind=list),
    "support_fapiao": Rule(kind=bool),
    "amount": Rule(kind=dict, required=True, inside=_AMOUNT),
    "detail": Rule(kind=dict),
    "scene_info": Rule(kind=dict, inside=_SCENE),
    "settle_info": Rule(kind=dict, inside={"profit_sharing": Rule(kind=bool), "subsidy_amount": Rule(kind=int)}),
}
DIRECT_ORDER: Final = {
    "appid": Rule(required=True, longest=32),
    "mchid": Rule(required=True, longest=32),
    "payer": Rule(kind=dict, inside={"openid": Rule(required=True, longest=128)}),
    **_ORDER,
}
PARTNER_ORDER: Final = {
    "sp_appid": Rule(required=True, longest=32),
    "sp_mchid": Rule(required=True, longest=32),
    "sub_mchid": Rule(required=True, longest=32),
    "sub_appid": Rule(longest=32),
    "payer": Rule(kind=dict, inside={"sp_openid": Rule(longest=128), "sub_openid": Rule(longest=128)}),
    **_ORDER,
}
DIRECT_CLOSE: Final = {"mchid": Rule(required=True)}
PARTNER_CLOSE: Final = {"sp_mchid": Rule(required=True), "sub_mchid": Rule(required=True)}
REFUND: Final = {
    "sub_mchid": Rule(longest=32),
    "transaction_id": Rule(longest=32),
    "out_trade_no": Rule(longest=32),
    "out_refund_no": Rule(required=True, pattern=REFUND_NUMBER_PATTERN),
    "reason": Rule(longest=80),
    "notify_url": Rule(longest=256, pattern=URL_PATTERN),
    "funds_account": Rule(pattern=re.compile("AVAILABLE")),
    "amount": Rule(
        kind=dict,
        required=True,
        inside={
            "refund": Rule(kind=int, required=True, least=1),
            "total": Rule(kind=int, required=True, least=1),
            "currency": Rule(required=True, pattern=re.compile("CNY")),
            "from": Rule(kind=list),
        },
    ),
    "goods_detail": Rule(kind=list),
}


def check_shape(body: Json, rules: Mapping[str, Rule], *, at: str = "") -> None:
    """
    Check a JSON object against its table, inner objects included.

    Raises:
        Refusal: PARAM_ERROR that names the first key at fault.
    """
    for name in sorted(body.keys() - rules.keys()):
        raise _wrong(f"{at}/{name}", "存在未定义的参数", tail=UNKNOWN_KEY_TAIL)
    for name, rule in rules.items():
        if name in body:
            _check_value(body[name], rule, at=f"{at}/{name}")
        elif rule.required:
            raise _wrong(f"{at}/{name}", "缺少必填参数")


def _check_value(value: Any, rule: Rule, *, at: str) -> None:
    if type(value) is not rule.kind:
        raise _wrong(at, "参数类型错误")
    if isinstance(value, str):
        _check_text(value, rule, at=at)
    if isinstance(value, int) and value < rule.least:
        raise _wrong(at, "参数小于下限")
    if isinstance(value, dict) and rule.inside is not None:
        check_shape(value, rule.inside, at=at)


def _check_text(value: str, rule: Rule, *, at: str) -> None:
    if rule.required and not value:
        raise _wrong(at, "参数不能为空")
    if rule.longest and len(value) > rule.longest:
        raise _wrong(at, "参数超过长度上限")
    if any(ord(character) > _BMP_MAX for character in value):
        raise _wrong(at, "含有不支持的字符")
    if rule.pattern is not None and rule.pattern.fullmatch(value) is None:
        raise _wrong(at, "参数格式错误")


def _wrong(at: str, message: str, *, tail: int = PARAM_ERROR_TAIL) -> Refusal:
    return Refusal(400, "PARAM_ERROR", f"参数错误：{message}", tail=tail, field=at)
