"""The protocol's words: addresses, calls, codes, states. Source: sheet of the bank apps, section 8 (BBP/1, ours)."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.biller import BillerReason, BillState, DifferenceKind, FileState, Standing

PREFIX: Final = "/api/v1/bank/biller/"
VERSION: Final = "1.0"
DONE: Final = "000000"

RSA2: Final = "RSA2"
SM2: Final = "SM2"

SIG_DER: Final = "der"
SIG_RAW: Final = "raw"


class Call(StrEnum):
    """tran_code of each call. Source: section 8.3."""

    BILLS = "BILLQRY"
    PAY = "PAYNTF"
    PAYMENT = "PAYQRY"
    REVERSE = "PAYREV"
    FILE = "RECUPL"
    RESULT = "RECQRY"


CALL_BY_PATH: Final = MappingProxyType(
    {
        f"{PREFIX}bills/query": Call.BILLS,
        f"{PREFIX}payments/notify": Call.PAY,
        f"{PREFIX}payments/query": Call.PAYMENT,
        f"{PREFIX}payments/reverse": Call.REVERSE,
        f"{PREFIX}recon/files": Call.FILE,
        f"{PREFIX}recon/result": Call.RESULT,
    }
)

CODE_BY_REASON: Final = MappingProxyType(
    {
        BillerReason.SIGNATURE: ("A00001", "the signature does not verify"),
        BillerReason.TIMESTAMP: ("A00002", "the time stamp is missing or more than 300 seconds from ours"),
        BillerReason.NONCE: ("A00003", "the nonce is missing, malformed or was used before"),
        BillerReason.INSTITUTION: ("A00004", "the institution or its address is not known, or is not the key's owner"),
        BillerReason.KEY: ("A00005", "the key or the kind of signature is not known"),
        BillerReason.FORMAT: ("V00001", "the message or one of its fields has not the agreed form"),
        BillerReason.FIELD_MISSING: ("V00002", "a field is missing"),
        BillerReason.AMOUNT_FORM: ("V00003", "an amount is not a whole number of fen from 1 to 99999999"),
        BillerReason.CALL: ("V00004", "tran_code and address do not belong together"),
        BillerReason.NO_PERSON: ("Q10001", "未找到参保人"),
        BillerReason.NOT_IN_AREA: ("Q10002", "不属于本缴费机构的收缴地区"),
        BillerReason.NO_BILL: ("Q10003", "该年度没有缴费账单"),
        BillerReason.NOTHING_OWED: ("Q10004", "没有待缴费用"),
        BillerReason.ALREADY_PAID: ("P20001", "账单已缴费"),
        BillerReason.AMOUNT_DIFFERS: ("P20002", "缴费金额与账单不符"),
        BillerReason.BILL_CLOSED: ("P20003", "账单已关闭或已变更"),
        BillerReason.WINDOW_CLOSED: ("P20004", "缴费期已结束"),
        BillerReason.BILL_UNKNOWN: ("P20005", "账单不存在"),
        BillerReason.ORIGINAL_UNKNOWN: ("P30001", "原交易不存在"),
        BillerReason.NOT_REVERSIBLE: ("P30002", "原交易已不可冲正"),
        BillerReason.REVERSED_FIRST: ("P30003", "原交易已先被冲正"),
        BillerReason.REVERSAL_AMOUNT: ("P30004", "冲正金额与原交易不符"),
        BillerReason.KEY_REUSED: ("P40001", "the same number was used for another content"),
        BillerReason.BUSY: ("S99001", "系统繁忙，请稍后以原流水号重试"),
        BillerReason.UNDECIDED: ("S99999", "处理结果未知，请先查询"),
    }
)
"""Code and text of each reason. Source: section 8.5. Q10005 to Q10007, P90001 and S99002 are reserved and not given."""

STATUS_BY_REASON: Final = MappingProxyType(
    {
        BillerReason.SIGNATURE: 401,
        BillerReason.TIMESTAMP: 401,
        BillerReason.NONCE: 401,
        BillerReason.INSTITUTION: 401,
        BillerReason.KEY: 401,
        BillerReason.BUSY: 503,
        BillerReason.UNDECIDED: 500,
    }
)
"""Every other reason is a business answer: 200. Source: sections 8.1 and 8.5."""

BILL_STATUS: Final = MappingProxyType({BillState.UNPAID: "UNPAID", BillState.PAID: "PAID", BillState.CLOSED: "CLOSED"})
STANDING_STATUS: Final = MappingProxyType(
    {Standing.PAID: "SUCCESS", Standing.REVERSED: "REVERSED", Standing.NOT_FOUND: "NOT_FOUND"}
)
FILE_STATUS: Final = MappingProxyType(
    {
        FileState.PENDING: "PENDING",
        FileState.MATCHED: "MATCHED",
        FileState.DIFFERENT: "DIFF",
        FileState.REJECTED: "REJECTED",
        FileState.SUPERSEDED: "DIFF",
    }
)
DIFFERENCE_TYPE: Final = MappingProxyType({kind: kind.value.upper() for kind in DifferenceKind})

CHANNELS: Final = frozenset({"APP", "COUNTER", "ATM", "WECHAT", "OTHER"})
ID_TYPES: Final = MappingProxyType({"01": "resident_id"})
"""Documents by which bills are found. Source: section 8.3."""
