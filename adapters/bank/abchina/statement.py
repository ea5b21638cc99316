"""
The day's statement (对账单): records joined by `^^`, the first of them the columns' names; fields joined by `|`.

The records are read twice: once to check every one, and only then one by one for the caller, so that nothing is settled
by half a statement. The answer that carries them is signed as a whole, so that a proven one is complete.
Source: sheet section 3.3; separators, columns and the words Sale and Refund from the parsers of three public clients,
unverified. So is that 9014流水号 is what notifies and queries call iRspRef; it has the same form.
"""

import base64
import binascii
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from adapters.bank.trustpay import BANK_CHARSET
from gateway.domain.clock import CHINA
from gateway.domain.money import signed_fen_from_yuan
from gateway.domain.statement import StatementLine, StatementLineKind, StatementUnreadable

ANSWER_BYTES_MAX: Final = 32 << 20
TEXT_BYTES_MAX: Final = 64 << 20

_RECORDS: Final = "^^"
_COLUMNS: Final = "|"
_HEADER: Final = (
    "商户号|交易类型|订单编号|交易时间|交易金额|商户账号|商户动账金额|客户账号|账户类型|商户回佣手续费|商户分期手续费"
    "|会计日期|主机流水号|9014流水号|原订单号"
)
_COLUMNS_MIN: Final = _HEADER.count(_COLUMNS) + 1
_MERCHANT, _KIND, _NUMBER, _TIME, _AMOUNT, _FEE, _INSTALMENT_FEE, _REFERENCE, _ORIGINAL = 0, 1, 2, 3, 4, 9, 10, 13, 14
_KIND_BY_WORD: Final = {"Sale": StatementLineKind.PAYMENT, "Refund": StatementLineKind.REFUND}
"""Any other: OTHER."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_NUMBER_CHARACTERS_MAX: Final = 64
_FEN_E3: Final = 1000


def empty_is_certain(day: date, now: datetime) -> bool:
    """An answer without records may come before they are made; the day after next there is nothing to come."""
    return now.astimezone(CHINA).date() > day + timedelta(days=1)


def unzipped(packed: str) -> str:
    """
    The text of `ZIPDetailRecords`: GBK in gzip in base64.

    Raises:
        StatementUnreadable: None of these, cut off, or too large.
    """
    inflate = zlib.decompressobj(_GZIP)
    try:
        content = inflate.decompress(base64.b64decode(packed.encode("ascii"), validate=True), TEXT_BYTES_MAX)
        text = content.decode(BANK_CHARSET)
    except (binascii.Error, ValueError, zlib.error):
        raise StatementUnreadable("ZIPDetailRecords is no GBK text in gzip in base64") from None
    if not inflate.eof or inflate.unused_data:
        raise StatementUnreadable("ZIPDetailRecords is cut off, has something after its end, or is too large")
    return text


def read_records(text: str, merchant_id: str) -> Iterator[StatementLine]:
    """
    Check all records, then give their lines.

    Raises:
        StatementUnreadable: Other columns, another merchant, or a malformed record.
    """
    header = text.partition(_RECORDS)[0].strip()
    if not header.startswith(_HEADER):
        raise StatementUnreadable("the columns are not those that are known")
    for _ in _lines(text, merchant_id):
        pass
    return _lines(text, merchant_id)


def _lines(text: str, merchant_id: str) -> Iterator[StatementLine]:
    for line_no, record in enumerate(_records(text), start=1):
        columns = record.split(_COLUMNS)
        if len(columns) < _COLUMNS_MIN:
            raise StatementUnreadable(f"record {line_no} has {len(columns)} columns")
        if columns[_MERCHANT] != merchant_id:
            raise StatementUnreadable(f"record {line_no} is of another merchant")
        try:
            line = _line(line_no, columns)
        except ValueError:
            raise StatementUnreadable(f"record {line_no} cannot be read") from None
        yield line


def _records(text: str) -> Iterator[str]:
    """The records after the first, which names the columns; never all of them at once."""
    start = text.find(_RECORDS)
    while start >= 0:
        start += len(_RECORDS)
        end = text.find(_RECORDS, start)
        record = text[start : end if end >= 0 else None].strip()
        if record:
            yield record
        start = end


def _line(line_no: int, columns: Sequence[str]) -> StatementLine:
    kind = _KIND_BY_WORD.get(columns[_KIND], StatementLineKind.OTHER)
    amount_fen = signed_fen_from_yuan(columns[_AMOUNT])
    is_refund = kind is StatementLineKind.REFUND
    number, reference = columns[_NUMBER], columns[_REFERENCE]
    if max(len(number), len(reference), len(columns[_ORIGINAL])) > _NUMBER_CHARACTERS_MAX:
        raise ValueError("number")
    if kind is StatementLineKind.PAYMENT and amount_fen < 0:
        raise ValueError("amount")
    fees = (columns[_FEE], columns[_INSTALMENT_FEE])
    return StatementLine(
        line_no=line_no,
        kind=kind,
        occurred_at=datetime.strptime(columns[_TIME], "%Y%m%d%H%M%S").replace(tzinfo=CHINA),
        out_trade_no=columns[_ORIGINAL] if is_refund else number,
        provider_trade_no="" if is_refund else reference,
        amount_fen=abs(amount_fen) if is_refund else amount_fen,
        out_refund_no=number if is_refund else "",
        provider_refund_no=reference if is_refund else "",
        fee_fen_e3=sum(signed_fen_from_yuan(fee or "0") for fee in fees) * _FEN_E3,
        provider_status=columns[_KIND][:32],
    )
