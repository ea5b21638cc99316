"""
The gate of gateway.do: read the parameters in their charset, check the public ones and the signature, read biz_content.

Source: sheet alipay.md sections 1, 1.1, 1.2 and 6.
"""

import html
import json
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sandbox.alipay.signing import CODECS, form_pairs, genuine, request_text
from sandbox.alipay.trades import PAGE_METHODS, Refusal, invalid_argument
from sandbox.alipay.world import Call, World
from sandbox.certificates import certificate_sn, root_certificate_sn
from sandbox.clock import BEIJING
from sandbox.wire import Json

TIMESTAMP_SKEW: Final = timedelta(hours=1)
"""Live tolerance unknown; this one catches a machine that writes UTC. Page orders may be opened later: not checked."""

_REQUIRED: Final = (
    ("app_id", "isv.missing-app-id", "缺少AppID参数"),
    ("method", "isv.missing-method", "缺少方法名参数"),
    ("sign", "isv.missing-signature", "缺少签名参数"),
    ("sign_type", "isv.missing-signature-type", "缺少签名类型参数"),
    ("timestamp", "isv.missing-timestamp", "缺少时间戳参数"),
    ("version", "isv.missing-version", "缺少版本参数"),
)
_FALLBACK_CODEC: Final = "gb18030"


def request_fields(path: str, body: bytes) -> tuple[dict[str, str], str]:
    """
    Every parameter of query and body, and the charset they were read in.

    A charset that stands only in the body of a server call is not seen in time: the body is read as GBK, as live.

    Raises:
        Refusal: An unknown charset, undecodable bytes, or a parameter given twice.
    """
    query = urlsplit(path).query
    form = body.decode("latin-1")
    named = _raw_value(query, "charset")
    late = _raw_value(form, "charset")
    in_time = named or (late if not query else "")
    charset = named or late or "GBK"
    codec = CODECS.get((in_time or _FALLBACK_CODEC).lower())
    if codec is None or charset.lower() not in CODECS:
        raise invalid_argument("isv.invalid-charset", "编码参数有误", node=False, signed=False)
    try:
        errors = "strict" if in_time else "replace"
        pairs = form_pairs(query, codec, errors) + form_pairs(form, codec, errors)
    except ValueError as exc:
        raise invalid_argument("isv.invalid-parameter", "参数编码有误", node=False, signed=False) from exc
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise invalid_argument("isv.invalid-parameter", "参数重复", node=False, signed=False)
    return fields, charset


def admit(world: World, fields: dict[str, str], charset: str, known_methods: frozenset[str]) -> Call:
    """
    Check the public parameters and the signature; nothing of biz_content is believed before.

    Raises:
        Refusal: 40001 or 40002, with the sub_code that says which.
    """
    for name, sub_code, message in _REQUIRED:
        if not fields.get(name):
            raise Refusal("40001", "Missing Required Arguments", sub_code, message, node=False, signed=False)
    if fields["app_id"] != world.keys.identity.app_id:
        raise invalid_argument("isv.invalid-app-id", "无效的AppID参数", node=False, signed=False)
    if fields["method"] not in known_methods:
        raise invalid_argument("isv.invalid-method", "不存在的方法名", node=False, signed=False)
    if fields["sign_type"] != "RSA2":
        raise invalid_argument("isv.invalid-signature-type", "无效的签名类型", node=False)
    _check_certificates(world, fields)
    codec = CODECS[charset.lower()]
    if not genuine(fields, world.keys.app_private_key.public_key(), codec):
        raise invalid_argument("isv.invalid-signature", _signature_message(fields), node=False)
    _check_public(world, fields)
    return Call(method=fields["method"], fields=fields, biz=_biz_content(fields), charset=charset)


def _check_certificates(world: World, fields: dict[str, str]) -> None:
    if "app_cert_sn" not in fields and "alipay_root_cert_sn" not in fields:
        return
    if fields.get("app_cert_sn") != certificate_sn(world.keys.app_certificate):
        raise invalid_argument("isv.app-cert-not-exist", "应用证书不存在", node=False)
    if fields.get("alipay_root_cert_sn") != root_certificate_sn(world.keys.roots):
        raise invalid_argument("isv.invalid-alipay-root-cert-sn", "支付宝根证书SN有误", node=False)


def _check_public(world: World, fields: dict[str, str]) -> None:
    if fields["version"] != "1.0" or fields.get("format", "JSON").upper() != "JSON":
        raise invalid_argument("isv.invalid-parameter", "version 或 format 参数有误")
    if fields.get("app_auth_token", "") not in {"", world.keys.identity.app_auth_token}:
        raise Refusal("20001", "Insufficient Token Permissions", "aop.invalid-app-auth-token", "无效的应用授权令牌")
    if "encrypt_type" in fields:
        raise invalid_argument("isv.invalid-encrypt-type", "沙箱不支持内容加密")
    for name in ("notify_url", "return_url"):
        if fields.get(name) and not fields[name].startswith(("http://", "https://")):
            raise invalid_argument("isv.invalid-parameter", f"{name} 参数有误")
    try:
        written = datetime.strptime(fields["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError as exc:
        raise invalid_argument("isv.invalid-timestamp", "非法的时间戳参数") from exc
    if fields["method"] not in PAGE_METHODS and abs(world.clock.now() - written) > TIMESTAMP_SKEW:
        raise invalid_argument("isv.invalid-timestamp", "非法的时间戳参数")


def _biz_content(fields: dict[str, str]) -> Json:
    """The JSON object, numbers kept as they were written."""
    try:
        biz = json.loads(fields.get("biz_content") or "{}", parse_float=str, parse_int=str)
    except ValueError as exc:
        raise invalid_argument("isv.invalid-parameter", "biz_content 不是合法的JSON") from exc
    if not isinstance(biz, dict):
        raise invalid_argument("isv.invalid-parameter", "biz_content 不是JSON对象")
    return biz


def _signature_message(fields: dict[str, str]) -> str:
    """The string the gateway built is shown, HTML-escaped, so that the caller can compare."""
    built = html.escape(request_text(fields), quote=False)
    return (
        "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配，请确认charset参数放在了URL查询字符串中，"
        f"网关生成的验签字符串为：{built}"
    )


def _raw_value(text: str, name: str) -> str:
    found = [value for key, value in form_pairs(text, "latin-1") if key == name]
    return found[0] if found else ""
