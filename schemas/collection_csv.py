"""
The CSV file of collected records: one fixed header row, one record a line, read strictly in the declared charset.

A line is a line: no cell holds a line break, so that one bad quote cannot swallow what follows.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Final

from gateway.domain.collection import SubmittedLine
from gateway.domain.money import fen_from_yuan
from schemas.collection import read_record

COLUMNS: Final[Mapping[str, str]] = {
    "agent_code": "代办编码",
    "proof_no": "凭证号",
    "collected_on": "收款日期",
    "method": "收款方式",
    "amount_yuan": "金额（元）",
    "region": "行政区划代码",
    "insured_year": "缴费年度",
    "insurance_kind": "险种",
    "name": "参保人姓名",
    "id_type": "证件类型",
    "id_number": "证件号码",
}
"""The header row is either all the names or all the titles, in this order."""

CHARSETS: Final[Mapping[str, str]] = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
}
"""What may be declared, and how it is read: GB18030 holds GBK, which holds GB 2312."""

CSV_BYTES_MAX: Final = 1 << 20
CSV_LINES_MAX: Final = 2_000
LINE_CHARACTERS_MAX: Final = 2_000

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "method": {"现金": "cash", "扫码": "scan", "转账": "transfer", "": "unstated"},
    "insurance_kind": {"城乡居民医保": "resident_medical"},
    "id_type": {"居民身份证": "resident_id", "居住证": "residence_permit", "护照": "passport", "其他": "other"},
}
_DAY: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", re.ASCII)
_YEAR: Final = re.compile(r"\d{4}", re.ASCII)
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class FileUnreadable(Exception):
    """The file as a whole is not what it must be; nothing of it is taken in. The text says why, without content."""


class TooManyLines(FileUnreadable):
    """The file has more lines than are taken in at once; split it."""


def read_csv(stream: BinaryIO, charset: str, *, lines_max: int) -> Iterator[SubmittedLine]:
    """
    Read a file line by line; `line_no` counts the file's own lines, the header being line 1.

    Args:
        charset: A key of CHARSETS.

    Raises:
        FileUnreadable: Not text in this charset, another header, or (TooManyLines) more than `lines_max` records.
    """
    text = io.TextIOWrapper(stream, encoding=CHARSETS[charset], errors="strict", newline="")
    try:
        lines = _lines(text)
        if _cells(next(lines, "").removeprefix("\ufeff")) not in (list(COLUMNS), list(COLUMNS.values())):
            raise FileUnreadable(f"the first line must be the header: {','.join(COLUMNS)}")
        records = 0
        for line_no, line in enumerate(lines, start=2):
            if not line.strip(", \t\r\n"):
                continue
            records += 1
            if records > lines_max:
                raise TooManyLines(f"the file has more than {lines_max} records")
            yield _read_line(line_no, line)
    except UnicodeDecodeError:
        raise FileUnreadable(f"the file is not {charset} text") from None
    finally:
        text.detach()


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Lines, none of them held longer than the limit and one character; a longer one is cut there."""
    while line := text.readline(LINE_CHARACTERS_MAX + 1):
        yield line
        while len(line) > LINE_CHARACTERS_MAX and not line.endswith(("\n", "\r")):
            line = text.readline(LINE_CHARACTERS_MAX + 1)


def _cells(line: str) -> list[str] | None:
    """The cells without blank ends, None when it is no line of CSV."""
    try:
        return [cell.strip() for cell in next(csv.reader([line.rstrip("\r\n")], strict=True), [])]
    except csv.Error:
        return None


def _read_line(line_no: int, line: str) -> SubmittedLine:
    cells = _cells(line) if len(line) <= LINE_CHARACTERS_MAX else None
    if cells is None or len(cells) != len(COLUMNS):
        text = f"is not a line of {len(COLUMNS)} cells"
        return SubmittedLine(line_no=line_no, record=None, errors={"line": [text]})
    row = dict(zip(COLUMNS, cells, strict=True))
    read = read_record(line_no, _members(row))
    errors = {_COLUMN_BY_FIELD.get(name, name): texts for name, texts in read.errors.items()}
    return SubmittedLine(line_no=line_no, record=read.record, errors=errors)


_COLUMN_BY_FIELD: Final = {
    "amount_fen": "amount_yuan",
    "insured.name": "name",
    "insured.id_type": "id_type",
    "insured.id_number": "id_number",
}


def _members(row: Mapping[str, str]) -> dict[str, Any]:
    """The row as the JSON interface would be sent it; what cannot be read is passed on for the schema to refuse."""
    words = {name: table.get(row[name], row[name]) for name, table in _WORDS.items()}
    return {
        "agent_code": row["agent_code"],
        "proof_no": row["proof_no"],
        "collected_on": _DAY.sub(lambda m: f"{m[1]}-{m[2]:0>2}-{m[3]:0>2}", row["collected_on"]),
        "method": words["method"],
        "amount_fen": _number(fen_from_yuan, row["amount_yuan"]),
        "region": row["region"],
        "insured_year": _number(_year, row["insured_year"]),
        "insurance_kind": words["insurance_kind"],
        "insured": {"name": row["name"], "id_type": words["id_type"], "id_number": row["id_number"]},
    }


def _number(read: Callable[[str], int], text: str) -> int | str:
    try:
        return read(text)
    except ValueError:
        return text


def _year(text: str) -> int:
    if _YEAR.fullmatch(text) is None:
        raise ValueError("not a year")
    return int(text)


def safe_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
