"""UnionPay's side of the wire for the tests, in its own few lines: signs, answers, packs. Identities are invented."""

import base64
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from adapters.unionpay import build
from adapters.unionpay.adapter import UnionpayProvider
from gateway.domain.clock import CHINA, Clock
from gateway.domain.provider import PaymentRef, PaymentRequest, RawCallback, RefundRequest
from gateway.domain.secret import Secret
from tests.conformance.case import FixedClock, WireAnswer

VECTORS: Final = Path(__file__).parent / "vectors"
KEYS: Final = VECTORS / "keys"
BASE_URL: Final = "https://gateway.unionpay.example"
FILE_URL: Final = f"{BASE_URL}/filedownload/"
MER_ID: Final = "777290058110048"
NUMBER: Final = "0199c9d1e0007000800000000000000a"
REFUND_NUMBER: Final = "0199c9d1e0007000800000000000000b"
QUERY_ID: Final = "052603011020308427862"
REFUND_QUERY_ID: Final = "052603021120307863998"
TN: Final = "823160384273011265001"
NOTIFY: Final = "https://pay.example.cn/callbacks/unionpay/main"
RETURN_URL: Final = "https://pay.example.cn/back?o=1"
CARD: Final = "6221558812340000"
NOW: Final = datetime(2026, 3, 1, 10, 20, 30, tzinfo=CHINA)
CREATED_AT: Final = datetime(2026, 3, 1, 10, 20, 29, 654321, tzinfo=CHINA)
TXN_TIME: Final = "20260301102029"
REQUESTED_AT: Final = datetime(2026, 3, 1, 10, 20, 28, tzinfo=CHINA)
REFUND_TXN_TIME: Final = "20260301102028"
PAY_MARGIN: Final = timedelta(minutes=25)
"""15 minutes to pay, and 10 until a failure is believed."""


def text(name: str) -> str:
    return (KEYS / name).read_text("utf-8")


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def private_key(name: str) -> rsa.RSAPrivateKey:
    return cast("rsa.RSAPrivateKey", serialization.load_pem_private_key(text(f"{name}.key.pem").encode(), None))


SIGNERS: Final = ("platform_sign", "platform_sign_testcn", "platform_sign_expired", "other_merchant_sign")
_KEYS: Final = {name: private_key(name) for name in (*SIGNERS, "merchant_sign", "platform_enc")}
CERT_ID: Final = str(x509.load_pem_x509_certificate(text("merchant_sign.pem").encode()).serial_number)


def key(name: str) -> rsa.RSAPrivateKey:
    return _KEYS[name]


# --- the account ------------------------------------------------------------------------------------------------------


def values(**changes: Any) -> dict[str, Any]:
    """Settings of the vectors' merchant; a change to None takes a key away."""
    table = {
        "provider": "unionpay",
        "base_url": BASE_URL,
        "file_url": FILE_URL,
        "mer_id": MER_ID,
        "sign_certificate": Secret(text("merchant_sign.pem")),
        "sign_private_key": Secret(text("merchant_sign.key.pem")),
        "root_certificates": Secret(text("root.pem")),
        "middle_certificates": Secret(text("middle.pem")),
        "encrypt_certificate": Secret(text("platform_enc.pem")),
        "term_id": "49000002",
        **changes,
    }
    return {name: value for name, value in table.items() if value is not None}


def provider(clock: Clock | None = None, **changes: Any) -> UnionpayProvider:
    """The built adapter, with a real transport."""
    tools = AdapterTools(clock=clock or FixedClock(NOW), nonce=lambda: "N" * 32, transport=Transport())
    return build(AccountSettings("main", values(**changes)), tools)


SHARED_KEY: Final[dict[str, Any]] = {
    "sign_certificate": None,
    "sign_private_key": None,
    "root_certificates": None,
    "middle_certificates": None,
    "encrypt_certificate": None,
}


def payment(method: str = "wap", **changes: Any) -> PaymentRequest:
    request: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": method,
        "description": "2026年度医保缴费",
        "created_at": CREATED_AT,
        "expires_at": NOW + timedelta(hours=2),
        "notify_url": NOTIFY,
        "fields": {"return_url": RETURN_URL} if method in {"wap", "pc"} else {},
        **changes,
    }
    return PaymentRequest(**request)


def ref(**changes: Any) -> PaymentRef:
    asked: dict[str, Any] = {
        "out_trade_no": NUMBER,
        "amount_fen": 38001,
        "method": "wap",
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
        "reason": "重复缴费退款",
        "method": "wap",
        "requested_at": REQUESTED_AT,
        "notify_url": NOTIFY,
        "provider_trade_no": QUERY_ID,
        **changes,
    }
    return RefundRequest(**asked)


# --- signing ----------------------------------------------------------------------------------------------------------


def canonical(fields: Mapping[str, str]) -> bytes:
    joined = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "signature")
    return joined.encode("gbk" if fields.get("encoding") == "GBK" else "utf-8")


def signature(fields: Mapping[str, str], signer: str) -> str:
    hexed = hashlib.sha256(canonical(fields)).hexdigest().encode()
    return base64.b64encode(_KEYS[signer].sign(hexed, padding.PKCS1v15(), hashes.SHA256())).decode()


def present(fields: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


def signed(fields: Mapping[str, str | None], signer: str = "platform_sign") -> dict[str, str]:
    """A message of the platform, with its certificate as UnionPay writes it: CRLF, nothing after the end."""
    pem = "\r\n".join(text(f"{signer}.pem").strip().splitlines())
    whole = {"version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", "signPubKeyCert": pem, **present(fields)}
    return {**whole, "signature": signature(whole, signer)}


def request_body(fields: Mapping[str, str]) -> bytes:
    """What we send: signed with the merchant's key, percent-encoded."""
    whole = {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "certId": CERT_ID,
        "merId": MER_ID,
        "accessType": "0",
        **fields,
    }
    return urlencode(sorted({**whole, "signature": signature(whole, "merchant_sign")}.items())).encode()


def answer_body(fields: Mapping[str, str | None], signer: str = "platform_sign") -> bytes:
    """A synchronous answer: not percent-encoded."""
    whole = signed(fields, signer)
    joined = "&".join(f"{name}={value}" for name, value in whole.items())
    return joined.encode("gbk" if whole["encoding"] == "GBK" else "utf-8")


def answer(fields: Mapping[str, str | None], signer: str = "platform_sign") -> WireAnswer:
    return WireAnswer(
        status=200,
        headers={"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"},
        body=answer_body(fields, signer),
    )


def notify_body(fields: Mapping[str, str | None], signer: str = "platform_sign") -> bytes:
    whole = signed(fields, signer)
    return urlencode(whole, encoding="gbk" if whole["encoding"] == "GBK" else "utf-8").encode()


def callback(body: bytes, received_at: datetime = NOW) -> RawCallback:
    return RawCallback(
        headers={"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}, body=body, received_at=received_at
    )


# --- what UnionPay says -----------------------------------------------------------------------------------------------

PARTIES: Final = {"accessType": "0", "bizType": "000201", "merId": MER_ID}


def paid(**changes: str | None) -> dict[str, str | None]:
    """Fields of a notify about a paid payment."""
    return {
        **PARTIES,
        "currencyCode": "156",
        "orderId": NUMBER,
        "queryId": QUERY_ID,
        "reqReserved": NUMBER,
        "respCode": "00",
        "respMsg": "成功[0000000]",
        "settleAmt": "38001",
        "settleCurrencyCode": "156",
        "settleDate": "0301",
        "traceNo": "786274",
        "traceTime": "0301102145",
        "txnAmt": "38001",
        "txnSubType": "01",
        "txnTime": TXN_TIME,
        "txnType": "01",
        **changes,
    }


PAID_AT: Final = datetime(2026, 3, 1, 10, 21, 45, tzinfo=CHINA)


def refunded(**changes: str | None) -> dict[str, str | None]:
    """Fields of a notify about a finished refund."""
    return paid(
        orderId=REFUND_NUMBER,
        queryId=REFUND_QUERY_ID,
        origQryId=QUERY_ID,
        settleAmt="12001",
        traceTime="0301102201",
        txnAmt="12001",
        txnSubType="00",
        txnTime=REFUND_TXN_TIME,
        txnType="04",
        **changes,
    )


REFUNDED_AT: Final = datetime(2026, 3, 1, 10, 22, 1, tzinfo=CHINA)


def found(notify: Mapping[str, str | None], code: str = "00", **changes: str | None) -> dict[str, str | None]:
    """The query's answer about what a notify would tell."""
    return {**notify, "respCode": "00", "origRespCode": code, "origRespMsg": f"text[{code}00000]", **changes}


def absent(number: str = NUMBER, txn_time: str = TXN_TIME, **changes: str | None) -> dict[str, str | None]:
    return {
        **PARTIES,
        "txnType": "00",
        "txnSubType": "00",
        "orderId": number,
        "txnTime": txn_time,
        "respCode": "34",
        "respMsg": "查无此交易[2600000]",
        **changes,
    }


def taken(**changes: str | None) -> dict[str, str | None]:
    """The answer to an order."""
    return {
        **PARTIES,
        "txnType": "01",
        "txnSubType": "01",
        "orderId": NUMBER,
        "txnTime": TXN_TIME,
        "respCode": "00",
        "respMsg": "成功[0000000]",
        **changes,
    }


def refund_taken(**changes: str | None) -> dict[str, str | None]:
    """The answer to a refund."""
    return taken(
        txnType="04",
        txnSubType="00",
        orderId=REFUND_NUMBER,
        txnTime=REFUND_TXN_TIME,
        origQryId=QUERY_ID,
        queryId=REFUND_QUERY_ID,
        txnAmt="12001",
        **changes,
    )


# --- settlement files -------------------------------------------------------------------------------------------------

ZM_WIDTHS: Final[tuple[int, ...]] = tuple(vector("recon")["zm_column_widths"])
ZME_WIDTHS: Final = (3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135)
DAY: Final = date(2026, 2, 28)


def row(columns: Mapping[int, str], widths: Sequence[int] = ZM_WIDTHS) -> bytes:
    cells = [columns.get(number, "").encode("gbk").ljust(width) for number, width in enumerate(widths, start=1)]
    assert [len(cell) for cell in cells] == list(widths)
    return b" ".join(cells) + b"\r\n"


ZM_PAYMENT: Final = {
    1: "S56",
    5: "0228102145",
    7: "000000038001",
    10: QUERY_ID,
    12: NUMBER,
    16: "D000000000228",
    20: "01",
    28: MER_ID,
    31: "合肥市医保中心",
    33: "C000000037773",
}
ZM_REFUND: Final = {
    **ZM_PAYMENT,
    1: "S30",
    5: "0228112201",
    7: "000000012001",
    10: REFUND_QUERY_ID,
    12: REFUND_NUMBER,
    16: "C000000000072",
    20: "04",
    27: QUERY_ID,
    41: NUMBER,
}


def zipped(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member, compression)
    return content.getvalue()


def packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


def zm_name(kind: str = "ZM", day: date = DAY, mer_id: str = MER_ID) -> str:
    return f"INN{day:%y%m%d}88{kind}_{mer_id}"


def file_content(*rows: bytes, disputes: bytes = b"") -> str:
    return packed(zipped({zm_name(): b"".join(rows), zm_name("ZME"): disputes}))


def file_answer(content: str, **changes: str | None) -> dict[str, str | None]:
    return {
        **PARTIES,
        "bizType": "000000",
        "txnType": "76",
        "txnSubType": "01",
        "txnTime": "20260301102030",
        "settleDate": "0228",
        "fileType": "00",
        "fileName": f"{MER_ID}_20260228.zip",
        "fileContent": content,
        "respCode": "00",
        "respMsg": "成功[0000000]",
        **changes,
    }
