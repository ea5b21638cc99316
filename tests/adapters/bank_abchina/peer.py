"""The bank's side of the wire for the tests, in its own few lines: signs, answers, notifies. All is invented."""

import base64
import gzip
import json
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.bank.abchina import build
from adapters.bank.abchina.adapter import AbchinaProvider
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from gateway.domain.clock import CHINA, Clock
from gateway.domain.provider import PaymentRef, PaymentRequest, RawCallback, RefundRequest
from gateway.domain.secret import Secret
from tests.conformance.case import FixedClock, WireAnswer

VECTORS: Final = Path(__file__).parent / "vectors"
KEYS: Final = VECTORS / "keys"
BASE_URL: Final = "https://pay.abchina.example"
REQUEST_URL: Final = f"{BASE_URL}/ebus/trustpay/ReceiveMerchantTrxReqServlet"
MERCHANT: Final = "103880000000001"
NUMBER: Final = "0199c9d1e0007000800000000000000a"
REFUND_NUMBER: Final = "0199c9d1e0007000800000000000000b"
REFERENCE: Final = "8A0000000008"
REFUND_REFERENCE: Final = "8A0000000015"
NOTIFY: Final = "https://pay.example.cn/callbacks/bank_abchina/main"
RESULT_URL: Final = "https://pay.example.cn/done?from=abc"
CASHIER_URL: Final = "https://pay.abchina.example/ebus/go?TOKEN=00000000000000000000000000000001"
PAYER_IP: Final = "203.0.113.77"
DESCRIPTION: Final = "2026年度医保缴费"
NOW: Final = datetime(2026, 3, 1, 10, 20, 30, tzinfo=CHINA)
CREATED_AT: Final = datetime(2026, 3, 1, 10, 20, 29, 654321, tzinfo=CHINA)
EXPIRES_AT: Final = datetime(2026, 3, 1, 10, 50, 29, tzinfo=CHINA)
REQUESTED_AT: Final = datetime(2026, 3, 1, 10, 20, 28, tzinfo=CHINA)
PAID_AT: Final = datetime(2026, 3, 1, 10, 19, 45, tzinfo=CHINA)
DAY: Final = date(2026, 2, 28)
HEADER: Final = (
    "商户号|交易类型|订单编号|交易时间|交易金额|商户账号|商户动账金额|客户账号|账户类型|商户回佣手续费|商户分期手续费"
    "|会计日期|主机流水号|9014流水号|原订单号"
)


def text(name: str) -> str:
    return (KEYS / name).read_text("utf-8")


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    return cast("rsa.RSAPrivateKey", serialization.load_pem_private_key(text(f"{name}_private.pem").encode(), None))


def signature(content: bytes, signer: str) -> str:
    return base64.b64encode(private_key(signer).sign(content, padding.PKCS1v15(), hashes.SHA1())).decode("ascii")


# --- what we send -----------------------------------------------------------------------------------------------------


def request_body(fields: Mapping[str, Any]) -> bytes:
    """The envelope of a request, byte for byte."""
    merchant = f'"Merchant":{{"ECMerchantType":"EBUS","MerchantID":"{MERCHANT}"}}'
    request = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    message = f'{{"Version":"V3.0.0","Format":"JSON",{merchant},"TrxRequest":{request}}}'
    proof = signature(message.encode(), "abc_merchant")
    return f'{{"Message":{message},"Signature-Algorithm":"SHA1withRSA","Signature":"{proof}"}}'.encode()


def payment(method: str = "h5", **changes: Any) -> PaymentRequest:
    members: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": method,
        "description": DESCRIPTION,
        "created_at": CREATED_AT,
        "expires_at": EXPIRES_AT,
        "notify_url": NOTIFY,
        "fields": {"buyer_ip": PAYER_IP},
    }
    return PaymentRequest(**members | changes)


def ref(**changes: Any) -> PaymentRef:
    members: dict[str, Any] = {"out_trade_no": NUMBER, "amount_fen": 38001, "method": "h5", "created_at": CREATED_AT}
    return PaymentRef(**members | changes)


def refund(**changes: Any) -> RefundRequest:
    members: dict[str, Any] = {
        "out_refund_no": REFUND_NUMBER,
        "out_trade_no": NUMBER,
        "amount_fen": 12001,
        "total_fen": 38001,
        "reason": "参保地变更",
        "method": "h5",
        "requested_at": REQUESTED_AT,
        "notify_url": NOTIFY,
        "provider_trade_no": REFERENCE,
    }
    return RefundRequest(**members | changes)


# --- answers ----------------------------------------------------------------------------------------------------------


def message(fields: Mapping[str, Any], *, merchant: str = MERCHANT) -> str:
    """A Message of the bank, blanks in it on purpose: the raw text is what is signed."""
    whole = {
        "Version": "V3.0.0",
        "Format": "JSON",
        "Common": {"Channel": "EBUS"},
        "Merchant": {"ECMerchantType": "EBUS", "MerchantID": merchant},
        "TrxResponse": {name: value for name, value in fields.items() if value is not None},
    }
    return json.dumps(whole, ensure_ascii=False)


def answer(fields: Mapping[str, Any], *, signer: str = "abc_bank", merchant: str = MERCHANT) -> WireAnswer:
    said = message({"ReturnCode": "0000", "ErrorMessage": "交易成功", **fields}, merchant=merchant)
    proof = signature(said.encode("gbk"), signer)
    body = f'\r\n{{"MSG":{{"Message":{said},"Signature-Algorithm":"SHA1withRSA","Signature":"{proof}"}}}}\r\n'
    return WireAnswer(status=200, headers={"Content-Type": "text/html;charset=GBK"}, body=body.encode("gbk"))


def placed(**changes: Any) -> dict[str, Any]:
    return {"TrxType": "PayReq", "OrderNo": NUMBER, "PaymentURL": CASHIER_URL, **changes}


def packed(order: Mapping[str, Any]) -> str:
    plain = json.dumps({name: value for name, value in order.items() if value is not None}, ensure_ascii=False)
    return base64.b64encode(plain.encode("gbk")).decode("ascii")


def found(status: str = "04", **changes: Any) -> dict[str, Any]:
    order = {
        "PayTypeID": "ImmediatePay",
        "OrderNo": NUMBER,
        "OrderDate": "2026/03/01",
        "OrderTime": "10:20:29",
        "OrderAmount": "380.01",
        "Status": status,
    }
    return {"TrxType": "Query", "Order": packed(order | changes)}


def refund_found(status: str = "04", **changes: Any) -> dict[str, Any]:
    order = {
        "PayTypeID": "Refund",
        "OrderNo": REFUND_NUMBER,
        "OrderDate": "2026/03/01",
        "OrderTime": "10:20:28",
        "RefundAmount": "120.01",
        "Status": status,
        "iRspRef": REFUND_REFERENCE,
    }
    return {"TrxType": "Query", "Order": packed(order | changes)}


def absent() -> dict[str, Any]:
    return {"TrxType": "Query", "Order": ""}


def refund_taken(**changes: Any) -> dict[str, Any]:
    return {
        "TrxType": "Refund",
        "OrderNo": NUMBER,
        "NewOrderNo": REFUND_NUMBER,
        "TrxAmount": "120.01",
        "BatchNo": "000123",
        "VoucherNo": "000456",
        "HostDate": "2026/03/01",
        "HostTime": "10:20:31",
        "iRspRef": REFUND_REFERENCE,
        **changes,
    }


def record(kind: str, number: str, amount: str, *, original: str = "", moment: str = "20260228102145") -> str:
    return (
        f"{MERCHANT}|{kind}|{number}|{moment}|{amount}|999900000000001|{amount}|6228480000000000017|401|0.38|0.00"
        f"|20260228|182365429|BQECEP01105259325994|{original}"
    )


def zipped(records: str) -> str:
    return base64.b64encode(gzip.compress(records.encode("gbk"), mtime=0)).decode("ascii")


def settled(*records: str, header: str = HEADER, **changes: Any) -> dict[str, Any]:
    joined = "^^".join((header, *records))
    return {"TrxType": "Settle", "SettleDate": "2026/02/28", "ZIPDetailRecords": zipped(joined), **changes}


# --- notifies ---------------------------------------------------------------------------------------------------------


def notify_inner(**changes: str | None) -> str:
    """The text between the Message tags; None leaves an element out."""
    fields: dict[str, str | None] = {
        "ReturnCode": "0000",
        "ErrorMessage": "交易成功",
        "TrxType": "PayResult",
        "OrderNo": NUMBER,
        "Amount": "380.01",
        "BatchNo": "000001",
        "VoucherNo": "000001",
        "HostDate": "2026/03/01",
        "HostTime": "10:19:45",
        "MerchantRemarks": "城乡居民医保",
        "PayType": "EP001",
        "NotifyType": "1",
        "iRspRef": REFERENCE,
    }
    merchant = changes.pop("MerchantID", MERCHANT)
    shown = "".join(f"<{name}>{value}</{name}>" for name, value in (fields | changes).items() if value is not None)
    ours = f"<MerchantID>{merchant}</MerchantID>" if merchant is not None else ""
    return f"<Merchant><ECMerchantType>EBUS</ECMerchantType>{ours}</Merchant><TrxResponse>{shown}</TrxResponse>"


def notify_document(inner: str, *, signer: str = "abc_bank", charset: str = "gb2312") -> bytes:
    proof = signature(inner.encode(charset, "replace"), signer)
    signed = f"<Message>{inner}</Message><Signature-Algorithm>SHA1withRSA</Signature-Algorithm>"
    return f"<MSG>{signed}<Signature>{proof}</Signature></MSG>".encode("gbk")


def form(document: bytes) -> bytes:
    return urlencode({"MSG": base64.b64encode(document).decode("ascii")}).encode("ascii")


def callback(body: bytes, received_at: datetime = NOW) -> RawCallback:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return RawCallback(headers=headers, body=body, received_at=received_at)


def notified(received_at: datetime = NOW, *, signer: str = "abc_bank", **changes: str | None) -> RawCallback:
    return callback(form(notify_document(notify_inner(**changes), signer=signer)), received_at)


# --- the adapter before its tests -------------------------------------------------------------------------------------


def settings(**changes: Any) -> dict[str, Any]:
    """One account's settings; None leaves a key out."""
    values: dict[str, Any] = {
        "base_url": BASE_URL,
        "merchant_id": MERCHANT,
        "sign_private_key": Secret(text("abc_merchant_private.pem")),
        "bank_certificates": Secret(text("abc_bank_cert.pem")),
        "result_url": RESULT_URL,
    }
    return {key: value for key, value in (values | changes).items() if value is not None}


def provider(clock: Clock | None = None, **changes: Any) -> AbchinaProvider:
    tools = AdapterTools(clock=clock or FixedClock(NOW), nonce=lambda: "0" * 32, transport=Transport())
    return build(AccountSettings("main", settings(**changes)), tools)
