"""The bank's side in the tests' own code: asks, tells of payments, checks answers. Every identity is invented."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from adapters.bank.abchina_ebpp import build
from adapters.bank.abchina_ebpp.adapter import EbppInstitution
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from gateway.domain.biller_front import BillerRequest
from gateway.domain.secret import Secret
from tests.conformance.case import FixedClock

VECTORS: Final = Path(__file__).parent / "vectors"
KEYS: Final = VECTORS / "keys"
NOW: Final = datetime(2026, 11, 21, 2, 1, 1, tzinfo=UTC)
MERCHANT: Final = "103880000000001"
ACCOUNT: Final = "abc_app"
PATH: Final = f"/api/v1/bank/ebpp/{ACCOUNT}"
RESULT_URL: Final = "https://pay.example.cn/done"
BILL_NO: Final = "019a0000000070008000000000000001"


def key_file(name: str) -> str:
    return (KEYS / name).read_text()


def settings(**changes: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "merchant_id": MERCHANT,
        "billers": {MERCHANT: ["340100", "341200"]},
        "sign_private_key": Secret(key_file("abc_merchant_private.pem")),
        "bank_certificates": Secret(key_file("abc_bank_cert.pem")),
        "result_url": RESULT_URL,
        "area_names": {"341200": "阜阳市"},
    }
    return {key: value for key, value in (members | changes).items() if value is not None}


def front(**changes: Any) -> EbppInstitution:
    tools = AdapterTools(clock=FixedClock(NOW), nonce=lambda: "n" * 32, transport=Transport())
    built = build(AccountSettings(ACCOUNT, settings(**changes)), tools)
    assert isinstance(built, EbppInstitution)
    return built


def sign(content: bytes, name: str = "abc_bank_private.pem") -> str:
    key: Any = serialization.load_pem_private_key(key_file(name).encode(), None)
    return base64.b64encode(key.sign(content, padding.PKCS1v15(), hashes.SHA1())).decode()


def document(inner: str, *, signer: str = "abc_bank_private.pem") -> bytes:
    signature = sign(inner.encode("gb2312", "replace"), signer)
    text = (
        f'<?xml version="1.0" encoding="gb2312"?><Message>{inner}</Message>'
        f"<Signature-Algorithm>SHA1withRSA</Signature-Algorithm><Signature>{signature}</Signature>"
    )
    return text.encode("gbk")


def posted(msg: bytes) -> BillerRequest:
    body = b"MSG=" + quote(msg, safe="").encode()
    return BillerRequest(path=PATH, headers={}, body=body, received_at=NOW)


def asked(*, number: str = "341200199001010001", name: str = "", status: str = "1", **changes: str) -> BillerRequest:
    members = {"BillerNo": MERCHANT, "year": "2027", "kind": "QRequest"} | changes
    data = (
        f"<Biller><BillerNo>{members['BillerNo']}</BillerNo></Biller><Conditions>"
        f"<BillerBillTypeName>城乡居民医保</BillerBillTypeName><PayerValue1>{number}</PayerValue1>"
        f"<PayerValue2>{name}</PayerValue2><PayStatus>{status}</PayStatus>"
        f"<VerifyDomain><VerifyName1>{members['year']}</VerifyName1></VerifyDomain></Conditions>"
    )
    coded = base64.b64encode(data.encode("gbk")).decode()
    return posted(document(f"<MessageType>{members['kind']}</MessageType><EBPPData>{coded}</EBPPData>"))


def payment_inner(**changes: str) -> str:
    members = {
        "ReturnCode": "0000",
        "ErrorMessage": "交易成功",
        "TrxType": "EBPPPay",
        "OrderNo": "EBPP20261121000001",
        "ProductID": BILL_NO,
        "Amount": "380.01",
        "BatchNo": "000001",
        "HostDate": "2026/11/21",
        "HostTime": "10:01:01",
        "MerchantRemarks": "",
        "PayType": "PAY01",
    } | changes
    merchant = members.pop("MerchantID", MERCHANT)
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    return f"<Merchant><MerchantID>{merchant}</MerchantID></Merchant><TrxResponse>{fields}</TrxResponse>"


def told(*, signer: str = "abc_bank_private.pem", **changes: str) -> BillerRequest:
    return posted(base64.b64encode(document(payment_inner(**changes), signer=signer)))


def opened(body: bytes) -> str:
    """The answer's EBppData text, its signature checked over UTF-8 as the vendor's SDK does."""
    text = base64.b64decode(body).decode("gbk")
    content = text.partition("<Message>")[2].partition("</Message>")[0]
    signature = text.partition("<Signature>")[2].partition("</Signature>")[0]
    key: Any = serialization.load_pem_public_key(key_file("abc_merchant_public.pem").encode())
    key.verify(base64.b64decode(signature), content.encode(), padding.PKCS1v15(), hashes.SHA1())
    return content


def vectors() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((VECTORS / "abc_ebpp.json").read_text())["cases"]
    return cases
