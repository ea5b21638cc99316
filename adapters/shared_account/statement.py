"""Reads a day's statement of one region. A file that does not check in every part gives no line at all."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from adapters.kit.sm import same_digest, sm3
from adapters.shared_account.wire import our_number, read_instant, read_yuan, wire_day
from gateway.domain.clock import CHINA
from gateway.domain.statement import StatementLine, StatementLineKind, StatementUnreadable

ANSWER_BYTES_MAX: Final = 64 << 20
"""The general limit of 65 536 bytes would end a region's file at about 280 payments a day; this one is ours."""

_FORMAT: Final = "SA1"
_KIND_BY_LETTER: Final = {"P": StatementLineKind.PAYMENT, "R": StatementLineKind.REFUND}
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_OUT_TRADE_NO: Final = re.compile(r"[A-Z0-9]{8,32}")
_THEIR_NUMBER: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_HEADER_MEMBERS: Final = 6
_ROW_MEMBERS: Final = 8
_TRAILER_MEMBERS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """Whose, and of which day, a file must say that it is."""

    app_id: str
    day: date
    region: str


def is_ready(day: date, hour: int, now: datetime) -> bool:
    """From this hour of the next day on. Source: sheet section 4.8."""
    return now >= datetime.combine(day + timedelta(days=1), time(hour), CHINA)


def read_file(answer: Mapping[str, Any], wanted: FileName, *, lines_before: int) -> list[StatementLine]:
    """
    Check one region's file whole and read its lines.

    Args:
        lines_before: Lines of the regions' files before this one; positions go on from there.

    Source: sheet section 4.8; vectors `recon.json`, `recon_20251018.txt`.

    Raises:
        StatementUnreadable: With the check that failed; no line of the file counts.
    """
    try:
        content = base64.b64decode(_text(answer, "fileBody").encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise StatementUnreadable("the file is not base64") from None
    if not same_digest(sm3(content).hex(), _text(answer, "fileSm3").lower()):
        raise StatementUnreadable("the file's SM3 is not the one that was signed")
    try:
        rows = content.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise StatementUnreadable("the file is not UTF-8") from None
    _check_header(rows[0].split("|"), wanted, count=len(rows) - 2, told=answer.get("rows"))
    lines = [_line(row.split("|"), line_no) for line_no, row in enumerate(rows[1:-1], start=lines_before + 2)]
    _check_twins(lines)
    _check_trailer(rows[-1].split("|"), lines)
    return lines


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise StatementUnreadable(f"the answer has no {name}")
    return value


def _check_header(header: Sequence[str], wanted: FileName, *, count: int, told: object) -> None:
    expected = ["H", _FORMAT, wanted.app_id, wire_day(wanted.day), wanted.region]
    if len(header) != _HEADER_MEMBERS or list(header[:-1]) != expected:
        raise StatementUnreadable("the first line is not this channel's, day's and region's header")
    if header[-1] != str(count) or str(told) != str(count):
        raise StatementUnreadable(f"the header does not count {count} rows")


def _line(row: Sequence[str], line_no: int) -> StatementLine:
    if len(row) != _ROW_MEMBERS or row[0] != "D" or row[3] not in _KIND_BY_LETTER:
        raise StatementUnreadable(f"line {line_no} is not a row")
    occurred_at = read_instant(row[4])
    if not (_OUT_TRADE_NO.fullmatch(row[1]) and _THEIR_NUMBER.fullmatch(row[2]) and occurred_at):
        raise StatementUnreadable(f"line {line_no} has a number or time that cannot be read")
    try:
        amount_fen = read_yuan(row[5])
    except ValueError:
        raise StatementUnreadable(f"line {line_no} has an amount that cannot be read") from None
    return StatementLine(
        line_no=line_no,
        kind=_KIND_BY_LETTER[row[3]],
        occurred_at=occurred_at,
        out_trade_no=our_number(row[1]),
        provider_trade_no=row[2],
        amount_fen=amount_fen,
        provider_status=row[3],
    )


def _check_twins(lines: Sequence[StatementLine]) -> None:
    if len({(line.out_trade_no, line.kind) for line in lines}) != len(lines):
        raise StatementUnreadable("a payment stands twice in the file")


def _check_trailer(trailer: Sequence[str], lines: Sequence[StatementLine]) -> None:
    if len(trailer) != _TRAILER_MEMBERS or trailer[0] != "T" or not _COUNT.fullmatch(trailer[1]):
        raise StatementUnreadable("the file has no last line")
    told = trailer[1:]
    for kind, (count, amount) in zip(_KIND_BY_LETTER.values(), (told[:2], told[2:]), strict=True):
        own = [line.amount_fen for line in lines if line.kind is kind]
        if count != str(len(own)) or _sum(amount) != sum(own):
            raise StatementUnreadable(f"the last line does not sum the {kind} rows")


def _sum(text: str) -> int:
    whole, dot, cents = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and dot and len(cents) == 2 and cents.isascii() and cents.isdigit()):  # noqa: PLR2004  two decimals
        raise StatementUnreadable("the last line has a sum that cannot be read")
    return int(whole) * 100 + int(cents)
