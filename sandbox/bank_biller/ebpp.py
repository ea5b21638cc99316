"""The Agricultural Bank's EBPP from the bank's side. Source: docs/providers/bank_abchina_ebpp.md."""

import base64
import re
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from sandbox.bank_biller.bbp import AnswerUnproven
from sandbox.bank_biller.keys import BankBillerKeys
from sandbox.money import fen_of, yuan_of
from sandbox.wire import Json

PATH: Final = "/api/v1/bank/ebpp/"
HEADERS: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_PADDING: Final = padding.PKCS1v15()
_SHA1: Final = hashes.SHA1()  # noqa: S303  prescribed by the bank
_BLOCK: Final = re.compile(r"<BillData>(.*?)</BillData>", re.DOTALL)
_STATUS: Final = {"1": "UNPAID", "2": "PAID"}


def question(keys: BankBillerKeys, number: str, name: str, year: str) -> bytes:
    """A posted question for unpaid bills."""
    data = (
        f"<Biller><BillerNo>{keys.identity.merchant_id}</BillerNo></Biller><Conditions>"
        f"<BillerBillTypeName>城乡居民医保</BillerBillTypeName><PayerValue1>{number}</PayerValue1>"
        f"<PayerValue2>{name}</PayerValue2><PayStatus>1</PayStatus>"
        f"<VerifyDomain><VerifyName1>{year}</VerifyName1></VerifyDomain></Conditions>"
    )
    coded = base64.b64encode(data.encode("gbk")).decode()
    document = _signed(keys, f"<MessageType>QRequest</MessageType><EBPPData>{coded}</EBPPData>")
    return urlencode({"MSG": document.decode("gbk")}).encode()


def payment(keys: BankBillerKeys, serial: str, bill_no: str, amount_fen: int, paid_at: datetime) -> bytes:
    """A posted notice of a payment; the same one for every try."""
    inner = (
        f"<Merchant><MerchantID>{keys.identity.merchant_id}</MerchantID></Merchant><TrxResponse>"
        "<ReturnCode>0000</ReturnCode><ErrorMessage>交易成功</ErrorMessage><TrxType>EBPPPay</TrxType>"
        f"<OrderNo>{serial}</OrderNo><ProductID>{bill_no}</ProductID><Amount>{yuan_of(amount_fen)}</Amount>"
        f"<BatchNo>000001</BatchNo><HostDate>{paid_at:%Y/%m/%d}</HostDate><HostTime>{paid_at:%H:%M:%S}</HostTime>"
        "<MerchantRemarks></MerchantRemarks><PayType>PAY01</PayType></TrxResponse>"
    )
    return urlencode({"MSG": base64.b64encode(_signed(keys, inner)).decode()}).encode()


def bills(keys: BankBillerKeys, body: bytes) -> list[Json]:
    """
    The bills of an answer, proven over its UTF-8 bytes.

    Raises:
        AnswerUnproven: Not signed by the merchant, or not as agreed.
    """
    try:
        text = base64.b64decode(body, validate=True).decode("gbk")
        content, signature = _between(text, "Message"), _between(text, "Signature")
        keys.ebpp_merchant.public_key().verify(base64.b64decode(signature), content.encode(), _PADDING, _SHA1)
        return [_bill(block) for block in _BLOCK.findall(content) if block]
    except (InvalidSignature, ValueError) as exc:
        raise AnswerUnproven(type(exc).__name__) from None


def _bill(block: str) -> Json:
    return {
        "bill_no": _between(block, "BillNo"),
        "amount": fen_of(_between(block, "Amount")),
        "status": _STATUS.get(_between(block, "Status"), "CLOSED"),
        "name_masked": _between(block, "PayerValue2"),
        "year": _between(block, "VerifyName1"),
        "can_pay": _between(block, "Status") == "1",
    }


def _between(text: str, name: str) -> str:
    start, end = text.index(f"<{name}>") + len(name) + 2, text.index(f"</{name}>")
    return text[start:end]


def _signed(keys: BankBillerKeys, inner: str) -> bytes:
    signature = base64.b64encode(keys.ebpp_bank.sign(inner.encode("gb2312"), _PADDING, _SHA1)).decode()
    return (
        f'<?xml version="1.0" encoding="gb2312"?><Message>{inner}</Message>'
        f"<Signature-Algorithm>SHA1withRSA</Signature-Algorithm><Signature>{signature}</Signature>"
    ).encode("gbk")
