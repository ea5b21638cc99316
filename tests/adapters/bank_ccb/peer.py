"""The bank's side of the wire for the tests, in its own few lines: signs, answers. All identities are invented."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote_plus, urlencode
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.bank.ccb import build
from adapters.bank.ccb.adapter import CcbProvider
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from gateway.domain.clock import CHINA, Clock
from gateway.domain.provider import PaymentRef, PaymentRequest, RawCallback, RefundRequest
from gateway.domain.secret import Secret
from tests.conformance.case import FixedClock, WireAnswer

VECTORS: Final = Path(__file__).parent / "vectors"
KEYS: Final = VECTORS / "keys"

BANK: Final = "https://ccb.example"
BASE_URL: Final = f"{BANK}/CCBIS/ccbMain"
EBS_URL: Final = f"{BANK}/ebs"
MERCHANT_ID: Final = "105000073990001"
POS_ID: Final = "061230001"
BRANCH_ID: Final = "340000000"
OPERATOR: Final = "105000073990001-001"
PASSWORD: Final = "pa<&>ss-canary"
THIRD_APP: Final = "comccbpay105000073990001jiaofei"
PAYER_NAME: Final = "试验缴费人"
ACCOUNT: Final = "621700****1234"
CLIENT_IP: Final = "203.0.113.77"
NONCE: Final = "N" * 32

NUMBER: Final = "0199c9d1e0007000800000000000000a"
ORDER_ID: Final = "03ETGW870VT033RXSZXUQQ5FU"
REFUND_NUMBER: Final = "0199c9d1e0007000800000000000000b"
NOTIFY: Final = "https://pay.example.cn/callbacks/bank_ccb/main"

NOW: Final = datetime(2026, 3, 1, 10, 20, 30, tzinfo=CHINA)
CREATED_AT: Final = datetime(2026, 3, 1, 10, 20, 29, 654321, tzinfo=CHINA)
PAID_AT: Final = datetime(2026, 3, 1, 10, 21, 45, tzinfo=CHINA)
REFUNDED_AT: Final = datetime(2026, 3, 2, 11, 22, 1, tzinfo=CHINA)
PAY_MARGIN: Final = timedelta(minutes=40)
"""30 minutes to pay, and 10 until a failure is believed."""

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def text(name: str) -> str:
    return (KEYS / name).read_text("ascii")


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def private_key(name: str) -> rsa.RSAPrivateKey:
    return cast("rsa.RSAPrivateKey", serialization.load_pem_private_key(text(f"{name}_private.pem").encode(), None))


_SIGNERS: Final = {name: private_key(name) for name in ("ccb_merchant", "ccb_next", "ccb_other")}
PUB: Final = text("ccb_merchant_public.hex").strip()[-30:]


def base36(number: int, length: int) -> str:
    """Independent of the adapter's own: by powers instead of remainders."""
    return "".join(DIGITS[number // 36**place % 36] for place in reversed(range(length)))


REFUND_CODE: Final = base36(int(hashlib.sha256(REFUND_NUMBER.encode()).hexdigest(), 16) % 36**15, 15)
REQUEST_SN: Final = str(10**15 + int(hashlib.sha256(NONCE.encode()).hexdigest(), 16) % (9 * 10**15))


# --- the account ------------------------------------------------------------------------------------------------------


def values(**changes: Any) -> dict[str, Any]:
    """Settings of the vectors' counter; a change to None takes a key away."""
    table = {
        "provider": "bank_ccb",
        "base_url": BASE_URL,
        "merchant_id": MERCHANT_ID,
        "pos_id": POS_ID,
        "branch_id": BRANCH_ID,
        "public_key": Secret(text("ccb_merchant_public.hex")),
        "ebs_address": EBS_URL,
        "ebs_operator": OPERATOR,
        "ebs_password": Secret(PASSWORD),
        "gateway": "0",
        "referer": "pay.example.cn",
        "third_app_info": THIRD_APP,
        "refund_refusal_codes": ["YDCA0291REFUSED"],
        **changes,
    }
    return {name: value for name, value in table.items() if value is not None}


def provider(clock: Clock | None = None, transport: Transport | None = None, **changes: Any) -> CcbProvider:
    """The built adapter, with a real transport."""
    tools = AdapterTools(clock=clock or FixedClock(NOW), nonce=lambda: NONCE, transport=transport or Transport())
    return build(AccountSettings("main", values(**changes)), tools)


def payment(method: str = "h5", **changes: Any) -> PaymentRequest:
    request: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": method,
        "description": "2026年度医保缴费",
        "created_at": CREATED_AT,
        "expires_at": NOW + timedelta(hours=2),
        "notify_url": NOTIFY,
        "fields": {"client_ip": CLIENT_IP} if method in {"h5", "app"} else {},
        **changes,
    }
    return PaymentRequest(**request)


def ref(**changes: Any) -> PaymentRef:
    asked: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": "h5",
        "created_at": CREATED_AT,
        **changes,
    }
    return PaymentRef(**asked)


def refund(**changes: Any) -> RefundRequest:
    asked: dict[str, Any] = {
        "out_refund_no": REFUND_NUMBER,
        "out_trade_no": NUMBER,
        "amount_fen": 12001,
        "total_fen": 38001,
        "reason": "重复缴费",
        "method": "h5",
        "requested_at": NOW,
        "notify_url": NOTIFY,
        **changes,
    }
    return RefundRequest(**asked)


# --- callbacks --------------------------------------------------------------------------------------------------------

Fields = Mapping[str, str | None]


def paid(**changes: str | None) -> dict[str, str]:
    """The fields of a server notify in the order that is signed; a change to None leaves one out."""
    fields = {
        "POSID": POS_ID,
        "BRANCHID": BRANCH_ID,
        "ORDERID": ORDER_ID,
        "PAYMENT": "380.01",
        "CURCODE": "01",
        "REMARK1": "BH1",
        "REMARK2": "2026",
        "ACC_TYPE": "12",
        "SUCCESS": "Y",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def sign(fields: Mapping[str, str], signer: str = "ccb_merchant", encoding: str = "utf-8") -> str:
    joined = "&".join(f"{name}={value}" for name, value in fields.items())
    return _SIGNERS[signer].sign(joined.encode(encoding), padding.PKCS1v15(), hashes.MD5()).hex()


def form(posted: Sequence[tuple[str, str]], encoding: str = "utf-8") -> bytes:
    return urlencode(posted, encoding=encoding).encode("ascii")


def callback(body: bytes, received_at: datetime = NOW) -> RawCallback:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return RawCallback(headers=headers, body=body, received_at=received_at)


def notify(received_at: datetime = NOW, *, signer: str = "ccb_merchant", **changes: str | None) -> RawCallback:
    fields = paid(**changes)
    return callback(form([*fields.items(), ("SIGN", sign(fields, signer))]), received_at)


# --- the client program -----------------------------------------------------------------------------------------------


def question(tx_code: str, info: Mapping[str, str], after: str = "") -> bytes:
    """The XML of a request, GB18030."""
    head = {
        "REQUEST_SN": REQUEST_SN,
        "CUST_ID": MERCHANT_ID,
        "USER_ID": OPERATOR,
        "PASSWORD": escape(PASSWORD),
        "TX_CODE": tx_code,
        "LANGUAGE": "CN",
        "TX_INFO": "".join(f"<{name}>{value}</{name}>" for name, value in info.items()),
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in head.items())
    return f'<?xml version="1.0" encoding="GB18030" standalone="yes" ?><TX>{inner}{after}</TX>'.encode("gb18030")


def posted(xml: bytes) -> bytes:
    return b"requestXml=" + quote_plus(xml).encode()


def answer_xml(tx_code: str, info: str, code: str = "000000", **changes: str) -> bytes:
    head = {
        "REQUEST_SN": REQUEST_SN,
        "CUST_ID": MERCHANT_ID,
        "TX_CODE": tx_code,
        "RETURN_CODE": code,
        "RETURN_MSG": "" if code == "000000" else "流水记录不存在",
        "LANGUAGE": "CN",
        **changes,
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in head.items())
    document = f'<?xml version="1.0" encoding="GB18030" standalone="yes" ?>\n<TX>{inner}<TX_INFO>{info}</TX_INFO></TX>'
    return document.encode("gb18030")


def answered(body: bytes) -> WireAnswer:
    return WireAnswer(status=200, headers={"Content-Type": "text/xml"}, body=body)


def record(**changes: str) -> str:
    """One LIST of 5W1002."""
    fields = {
        "TRAN_DATE": "20260301 102145",
        "ACC_DATE": "20260301",
        "ORDER": ORDER_ID,
        "ACCOUNT": ACCOUNT,
        "ACC_NAME": PAYER_NAME,
        "PAYMENT_MONEY": "380.01",
        "REFUND_MONEY": "0.00",
        "POS_ID": POS_ID,
        "REM1": "",
        "REM2": "",
        "ORDER_STATUS": "1",
        **changes,
    }
    return _element("LIST", fields)


def refund_record(**changes: str) -> str:
    """One LIST of 5W1003."""
    fields = {
        "TRAN_DATE": "20260301 102145",
        "REFUND_DATE": "2026-03-02 11:22:01",
        "ORDER_NUMBER": ORDER_ID,
        "REFUND_ACCOUNT": ACCOUNT,
        "PAY_AMOUNT": "380.01",
        "REFUNDEMENT_AMOUNT": "120.01",
        "POS_CODE": POS_ID,
        "USERID": OPERATOR,
        "STATUS": "1",
        "REFUND_CODE": REFUND_CODE,
        **changes,
    }
    return _element("LIST", fields)


def payments(*records: str, pages: str = "1", **head: str) -> WireAnswer:
    info = f"<CUR_PAGE>1</CUR_PAGE><PAGE_COUNT>{pages}</PAGE_COUNT>{''.join(records)}<NOTICE></NOTICE>"
    return answered(answer_xml("5W1002", info, **head))


def refunds(*records: str, pages: str = "1", **head: str) -> WireAnswer:
    info = f"<TPAGE>{pages}</TPAGE><CUR_PAGE>1</CUR_PAGE>{''.join(records)}<NOTICE></NOTICE>"
    return answered(answer_xml("5W1003", info, **head))


def no_record() -> WireAnswer:
    """As it was seen of the bank: without CUST_ID, TX_CODE and TX_INFO."""
    document = (
        f'<?xml version="1.0" encoding="GB18030"?>\n<TX>\t<REQUEST_SN>{REQUEST_SN}</REQUEST_SN>\t '
        "<RETURN_CODE>YDCA02910001</RETURN_CODE>\t<RETURN_MSG>流水记录不存在</RETURN_MSG></TX>"
    )
    return answered(document.encode("gb18030"))


def refund_taken(code: str = "000000", **changes: str) -> WireAnswer:
    fields = {
        "ORDER_NUM": ORDER_ID,
        "PAY_AMOUNT": "380.01",
        "AMOUNT": "120.01",
        "REM1": "",
        "REM2": "",
        **changes,
    }
    return answered(answer_xml("5W1004", "".join(_element(name, value) for name, value in fields.items()), code))


def _element(name: str, inner: str | Mapping[str, str]) -> str:
    if isinstance(inner, str):
        return f"<{name}>{inner}</{name}>"
    return f"<{name}>{''.join(_element(child, value) for child, value in inner.items())}</{name}>"


def decoded(case: Mapping[str, Any]) -> bytes:
    return base64.b64decode(case["body_gb18030_base64"])
