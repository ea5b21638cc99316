"""What stands on the wire for each operation in both modes, and what the answers become."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from adapters.kit.keys import load_rsa_private_key
from tests.adapters.wechatpay import peer
from tests.adapters.wechatpay.peer import signed
from tests.conformance.case import WireAnswer
from tests.conformance.network import playing

ORDER = (
    '"description":"2026年度城乡居民医保缴费","out_trade_no":"0199c9d1e0007000800000000000000a",'
    '"time_expire":"2025-10-09T18:53:20+08:00","notify_url":"https://pay.example.cn/callbacks/wechatpay/main",'
    '"amount":{"total":38001,"currency":"CNY"}'
)
DIRECT = '{"appid":"wx2421b1c4370ec43b","mchid":"1900000109",' + ORDER
PARTNER = (
    '{"sp_appid":"wx2421b1c4370ec43b","sp_mchid":"1900000109","sub_appid":"wxd678efh567hg6787",'
    '"sub_mchid":"1900000871",' + ORDER
)
SCENE = ',"scene_info":{"payer_client_ip":"203.0.113.7","h5_info":{"type":"Wap"}}}'
OPENID = f',"payer":{{"openid":"{peer.OPENID}"}}}}'
SUB_OPENID = f',"payer":{{"sub_openid":"{peer.OPENID}"}}}}'
REFUND = (
    '"out_trade_no":"0199c9d1e0007000800000000000000a","out_refund_no":"0199c9d1e0007000800000000000000b",'
    '"reason":"重复缴费退款","notify_url":"https://pay.example.cn/callbacks/wechatpay/main",'
    '"amount":{"refund":12001,"total":38001,"currency":"CNY"}}'
)
PAY = "/v3/pay/transactions"
PAY_PARTNER = "/v3/pay/partner/transactions"
BY_NUMBER = f"out-trade-no/{peer.NUMBER}"
BY_PARTNER = "sp_mchid=1900000109&sub_mchid=1900000871"
PREPAY = {"prepay_id": "wx201410272009395522657a690389285100"}
H5_URL = {"h5_url": "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx20&package=1"}
CODE_URL = {"code_url": "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}


# id, partner?, operation, argument, method, path, body, answer
WIRE: list[tuple[str, bool, str, Any, str, str, str, WireAnswer]] = [
    ("jsapi", False, "create", peer.payment("jsapi"), "POST", f"{PAY}/jsapi", DIRECT + OPENID, signed(PREPAY)),
    ("mini", False, "create", peer.payment("mini_program"), "POST", f"{PAY}/jsapi", DIRECT + OPENID, signed(PREPAY)),
    ("app", False, "create", peer.payment("app"), "POST", f"{PAY}/app", DIRECT + "}", signed(PREPAY)),
    ("h5", False, "create", peer.payment("h5"), "POST", f"{PAY}/h5", DIRECT + SCENE, signed(H5_URL)),
    ("native", False, "create", peer.payment("native"), "POST", f"{PAY}/native", DIRECT + "}", signed(CODE_URL)),
    (
        "jsapi",
        True,
        "create",
        peer.payment("jsapi"),
        "POST",
        f"{PAY_PARTNER}/jsapi",
        PARTNER + SUB_OPENID,
        signed(PREPAY),
    ),
    (
        "mini",
        True,
        "create",
        peer.payment("mini_program"),
        "POST",
        f"{PAY_PARTNER}/jsapi",
        PARTNER + SUB_OPENID,
        signed(PREPAY),
    ),
    ("app", True, "create", peer.payment("app"), "POST", f"{PAY_PARTNER}/app", PARTNER + "}", signed(PREPAY)),
    ("h5", True, "create", peer.payment("h5"), "POST", f"{PAY_PARTNER}/h5", PARTNER + SCENE, signed(H5_URL)),
    (
        "native",
        True,
        "create",
        peer.payment("native"),
        "POST",
        f"{PAY_PARTNER}/native",
        PARTNER + "}",
        signed(CODE_URL),
    ),
    (
        "query",
        False,
        "query",
        peer.payment_ref(),
        "GET",
        f"{PAY}/{BY_NUMBER}?mchid=1900000109",
        "",
        signed(peer.paid()),
    ),
    (
        "query",
        True,
        "query",
        peer.payment_ref(),
        "GET",
        f"{PAY_PARTNER}/{BY_NUMBER}?{BY_PARTNER}",
        "",
        signed(peer.paid_to_partner()),
    ),
    (
        "close",
        False,
        "close",
        peer.payment_ref(),
        "POST",
        f"{PAY}/{BY_NUMBER}/close",
        '{"mchid":"1900000109"}',
        signed(None, 204),
    ),
    (
        "close",
        True,
        "close",
        peer.payment_ref(),
        "POST",
        f"{PAY_PARTNER}/{BY_NUMBER}/close",
        '{"sp_mchid":"1900000109","sub_mchid":"1900000871"}',
        signed(None, 204),
    ),
    (
        "refund",
        False,
        "refund",
        peer.refund_request(),
        "POST",
        "/v3/refund/domestic/refunds",
        "{" + REFUND,
        signed(peer.refund_object()),
    ),
    (
        "refund",
        True,
        "refund",
        peer.refund_request(),
        "POST",
        "/v3/refund/domestic/refunds",
        '{"sub_mchid":"1900000871",' + REFUND,
        signed(peer.refund_object()),
    ),
    (
        "query-refund",
        False,
        "query_refund",
        peer.refund_request(),
        "GET",
        f"/v3/refund/domestic/refunds/{peer.REFUND_NUMBER}",
        "",
        signed(peer.refund_object()),
    ),
    (
        "query-refund",
        True,
        "query_refund",
        peer.refund_request(),
        "GET",
        f"/v3/refund/domestic/refunds/{peer.REFUND_NUMBER}?sub_mchid=1900000871",
        "",
        signed(peer.refund_object()),
    ),
]


@pytest.mark.parametrize(
    ("partner", "operation", "argument", "method", "path", "body", "answer"),
    [pytest.param(*row[1:], id=f"{row[0]}-{'partner' if row[1] else 'direct'}") for row in WIRE],
)
def test_operation_sends_exactly_these_bytes(
    *, partner: bool, operation: str, argument: Any, method: str, path: str, body: str, answer: WireAnswer
) -> None:
    """Method, address and body are known beforehand, and the header signs just them for the paying merchant."""
    provider = peer.provider(**(peer.PARTNER if partner else {}))
    with playing(answer) as network:
        getattr(provider, operation)(argument)

    (sent,) = network.sent
    assert (method, peer.BASE_URL + path, body.encode()) == (sent.method, sent.url, sent.body)
    assert peer.CONFIG["public_key_id"] == sent.headers["wechatpay-serial"]
    assert sent.headers["accept"] == "application/json"
    assert ("application/json" if body else None) == sent.headers.get("content-type")
    _check_signature(sent.headers["authorization"], f"{method}\n{path}\n1760000000\n{peer.NONCE}\n{body}\n")


def _check_signature(header: str, text: str) -> None:
    import base64

    kind, rest = header.split(" ", 1)
    told = {name: value.strip('"') for name, value in (part.split("=", 1) for part in rest.split(","))}
    key = load_rsa_private_key(peer.pem("merchant_private_key.pem")).public_key()
    key.verify(base64.b64decode(told.pop("signature")), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert kind == "WECHATPAY2-SHA256-RSA2048"
    assert told == {
        "mchid": "1900000109",
        "nonce_str": peer.NONCE,
        "timestamp": "1760000000",
        "serial_no": peer.CONFIG["merchant_serial_no"],
    }


def test_certificate_only_account_sends_no_serial_header() -> None:
    """The header asks for the public key's signature; who has none must not ask."""
    with playing(signed(peer.paid())) as network:
        peer.provider(**peer.CERTIFICATES_ONLY).query(peer.payment_ref())

    assert "wechatpay-serial" not in network.sent[0].headers


def test_query_number_with_pipe_travels_and_is_signed_encoded() -> None:
    """Old numbers may have a pipe."""
    with playing(signed(peer.paid(out_trade_no="FY|2026_01*a"))) as network:
        peer.provider().query(peer.payment_ref(out_trade_no="FY|2026_01*a"))

    path = f"{PAY}/out-trade-no/FY%7C2026_01*a?mchid=1900000109"
    assert peer.BASE_URL + path == network.sent[0].url
    _check_signature(network.sent[0].headers["authorization"], f"GET\n{path}\n1760000000\n{peer.NONCE}\n\n")
