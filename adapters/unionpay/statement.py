"""
Settlement files (对账文件): base64 of zlib of a ZIP of GBK texts in fixed columns, read line by line in bounded memory.

A file is read twice: once to check every line, and only then line by line for the caller, so that nothing is settled by
half a file. The answer that carries it is signed as a whole, so a proven file is complete.
Source: sheet section 11; vector recon.json.
"""

import base64
import binascii
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Final

from adapters.unionpay.wire import TXN_PAYMENT, TXN_REFUND, TXN_UNDO
from gateway.domain.clock import CHINA
from gateway.domain.statement import StatementLine, StatementLineKind, StatementUnreadable

ANSWER_BYTES_MAX: Final = 48 << 20
"""The whole answer, held in memory; so is the ZIP in it."""
ZIP_BYTES_MAX: Final = 64 << 20
TEXT_BYTES_MAX: Final = 1 << 30
"""A text that unpacks to more is refused; unpacked bytes are never held but by the line."""

_MEMBERS_MAX: Final = 16
_RATIO_MAX: Final = 200
_RATIO_FREE_BYTES: Final = 1 << 20
_FEN_E3: Final = 1000

_KIND_BY_TXN_TYPE: Final = {
    TXN_PAYMENT: StatementLineKind.PAYMENT,
    TXN_REFUND: StatementLineKind.REFUND,
    TXN_UNDO: StatementLineKind.REFUND,
}
"""By column 20, never by the letters of column 1. Others: OTHER."""

_FEN: Final = re.compile(r"[0-9]{12}")
_SIGNED_FEN: Final = re.compile(r"([CD ])([0-9]{12})")
_TIME: Final = re.compile(r"[0-9]{10}")
_NUMBER: Final = re.compile(r"[0-9A-Za-z_-]{0,32}")
_FEE_SIGN: Final = {"D": 1, "C": -1, " ": 1}
"""D: the merchant is charged; C: it gets the fee back (unverified)."""

Columns = Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Which file: whose, and of which clearing day (23:00 to 23:00, named by the day it ends in)."""

    day: date
    mer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """
    A text's fixed columns: bytes, one space between them.

    Attributes:
        starts: Where each column begins.
        wanted: The columns that are read, by their number in the sheet, with their place in the line.
    """

    line_bytes: int
    starts: tuple[int, ...]
    wanted: Mapping[int, slice]

    def columns(self, line: bytes) -> dict[int, str]:
        """
        Slice bytes and decode the wanted columns alone: a name in another one may be cut within a character.

        Raises:
            ValueError: No space between two columns, or a wanted one that is not ASCII.
        """
        if any(line[start - 1] != _SPACE for start in self.starts[1:]):
            raise ValueError("columns")
        return {number: line[place].decode("ascii") for number, place in self.wanted.items()}


def _layout(widths: Sequence[int], wanted: Sequence[int]) -> _Layout:
    starts = [0, *accumulate(width + 1 for width in widths)]
    places = {number: slice(starts[number - 1], starts[number - 1] + widths[number - 1]) for number in wanted}
    return _Layout(line_bytes=starts[-1] - 1, starts=tuple(starts[:-1]), wanted=places)


_SPACE: Final = ord(" ")
_ZM: Final = _layout(
    widths=(
        *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2),
        *(6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
    ),
    wanted=(1, 5, 7, 10, 12, 16, 20, 27, 28, 41),
)
_ZME: Final = _layout(
    widths=(3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135), wanted=(1, 5, 7)
)


def empty_is_certain(day: date, now: datetime) -> bool:
    """UnionPay says "no file" both before it is made and for an empty day; the day after next it is the latter."""
    return now.astimezone(CHINA).date() > day + timedelta(days=1)


def read_file(file_content: str, bill: Bill) -> Iterator[StatementLine]:
    """
    Check a file as a whole, then give its lines: those of the ordinary text (ZM), then those of the disputes (ZME).

    Raises:
        StatementUnreadable: Not the three layers, too large, of another merchant or day, or a malformed line.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(_unpacked(file_content)))
        members = _members(archive, bill)
        for _ in _lines(archive, members, bill):
            pass
    except StatementUnreadable:
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, struct.error) as exc:
        raise StatementUnreadable(f"the file is no readable ZIP: {type(exc).__name__}") from None
    except ValueError:
        raise StatementUnreadable("the file is no readable ZIP") from None
    return _lines(archive, members, bill)


def _unpacked(file_content: str) -> bytes:
    try:
        packed = base64.b64decode(file_content.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise StatementUnreadable("fileContent is not base64") from None
    inflate = zlib.decompressobj()
    content = inflate.decompress(packed, ZIP_BYTES_MAX)
    if not inflate.eof or inflate.unused_data:
        raise StatementUnreadable("fileContent is cut off, has something after its end, or is too large")
    return content


def _members(archive: zipfile.ZipFile, bill: Bill) -> list[tuple[zipfile.ZipInfo, _Layout]]:
    """The texts we read, by exact name: a name is never used as a path."""
    infos = archive.infolist()
    if len(infos) > _MEMBERS_MAX or any(_is_bomb(info) for info in infos):
        raise StatementUnreadable("the ZIP holds too much")
    ordinary = _named(infos, bill, "ZM")
    if len(ordinary) != 1:
        raise StatementUnreadable("the ZIP does not hold exactly one ZM text of this merchant and day")
    return [(ordinary[0], _ZM), *((info, _ZME) for info in _named(infos, bill, "ZME"))]


def _named(infos: list[zipfile.ZipInfo], bill: Bill, kind: str) -> list[zipfile.ZipInfo]:
    pattern = re.compile(rf"INN{bill.day:%y%m%d}[0-9]{{2}}{kind}_{re.escape(bill.mer_id)}")
    return [info for info in infos if pattern.fullmatch(info.filename)]


def _is_bomb(info: zipfile.ZipInfo) -> bool:
    allowed = _RATIO_MAX * info.compress_size + _RATIO_FREE_BYTES
    return info.file_size > min(allowed, TEXT_BYTES_MAX)


def _lines(
    archive: zipfile.ZipFile, members: list[tuple[zipfile.ZipInfo, _Layout]], bill: Bill
) -> Iterator[StatementLine]:
    line_no = 0
    for info, layout in members:
        for line in _text_lines(archive, info, layout):
            line_no += 1
            try:
                columns = layout.columns(line)
                yield _ordinary(line_no, columns, bill) if layout is _ZM else _dispute(line_no, columns, bill)
            except ValueError:
                raise StatementUnreadable(f"line {line_no} cannot be read") from None


def _text_lines(archive: zipfile.ZipFile, info: zipfile.ZipInfo, layout: _Layout) -> Iterator[bytes]:
    """Lines of exactly the layout's length. zipfile reads no more than the size that was judged by `_is_bomb`."""
    longest = layout.line_bytes + len(b"\r\n")
    with archive.open(info) as file:
        while raw := file.readline(longest):
            line = raw.rstrip(b"\r\n")
            if len(line) != layout.line_bytes:
                raise StatementUnreadable(f"a line has {len(line)} bytes instead of {layout.line_bytes}")
            yield line


def _ordinary(line_no: int, columns: Columns, bill: Bill) -> StatementLine:
    if columns[28].strip() != bill.mer_id:
        raise StatementUnreadable(f"line {line_no} is of another merchant")
    kind = _KIND_BY_TXN_TYPE.get(columns[20], StatementLineKind.OTHER)
    is_refund = kind is StatementLineKind.REFUND
    number, query_id = _number(columns[12]), _number(columns[10])
    return StatementLine(
        line_no=line_no,
        kind=kind,
        occurred_at=_instant(columns[5], bill.day),
        out_trade_no=_number(columns[41]) if is_refund else number,
        provider_trade_no=_number(columns[27]) if is_refund else query_id,
        amount_fen=_fen(columns[7]),
        out_refund_no=number if is_refund else "",
        provider_refund_no=query_id if is_refund else "",
        fee_fen_e3=_fee_fen_e3(columns[16]),
        provider_status=columns[1].strip(),
    )


def _dispute(line_no: int, columns: Columns, bill: Bill) -> StatementLine:
    """Columns 1 to 8 are those of ZM; what the others hold is unverified, so that no number is taken from them."""
    return StatementLine(
        line_no=line_no,
        kind=StatementLineKind.OTHER,
        occurred_at=_instant(columns[5], bill.day),
        out_trade_no="",
        provider_trade_no="",
        amount_fen=_fen(columns[7]),
        provider_status=columns[1].strip(),
    )


def _number(text: str) -> str:
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped) is None:
        raise ValueError("number")
    return stripped


def _fen(text: str) -> int:
    if _FEN.fullmatch(text) is None:
        raise ValueError("amount")
    return int(text)


def _fee_fen_e3(text: str) -> int:
    match = _SIGNED_FEN.fullmatch(text)
    if match is None:
        raise ValueError("fee")
    return _FEE_SIGN[match[1]] * int(match[2]) * _FEN_E3


def _instant(text: str, day: date) -> datetime:
    """MMDDhhmmss; the year is the clearing day's, or the one before it for a December line of a January file."""
    if _TIME.fullmatch(text) is None:
        raise ValueError("time")
    year = day.year - 1 if text[:2] > day.strftime("%m") else day.year
    return datetime.strptime(f"{year}{text}", "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
