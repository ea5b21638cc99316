"""
Bills (对账单): a ZIP of GBK texts, read line by line in bounded memory.

A bill is read twice: once to check every line and the totals, and only then line by line for the caller, so that
nothing is settled by half a file.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from adapters.alipay.client import Client
from adapters.alipay.envelope import text_of
from adapters.alipay.tables import API_BILL, LINE_KIND_BY_FUNDS_TYPE, LINE_KIND_BY_TRADE_TYPE
from adapters.kit.base import AdapterTools
from gateway.domain.clock import CHINA
from gateway.domain.money import fen_from_yuan, signed_fen_from_yuan
from gateway.domain.provider import NoVerdict, ProviderUnavailable
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind, StatementUnreadable

ZIP_BYTES_MAX: Final = 48 << 20
TEXT_BYTES_MAX: Final = 2 << 30
_MEMBERS_MAX: Final = 8
_RATIO_MAX: Final = 200
_RATIO_FREE_BYTES: Final = 1 << 20
_LINE_CHARACTERS_MAX: Final = 4096
_HTTP_OK: Final = 200
_FEN_E3: Final = 1000
_MONEY_KINDS: Final = frozenset({StatementLineKind.PAYMENT, StatementLineKind.REFUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Which bill: whose, of which day, and which of the two."""

    day: date
    kind: StatementKind
    seller_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """
    What tells one kind of bill from another.

    Attributes:
        title: How the first line of the wanted file begins; the other file of the ZIP is a summary.
        counts: The closing line that counts rows, by 业务类型.
    """

    bill_type: str
    title: str
    columns: tuple[str, ...]
    counts: Mapping[str, re.Pattern[str]]


_LAYOUTS: Final[Mapping[StatementKind, _Layout]] = {
    StatementKind.TRADES: _Layout(
        bill_type="trade",
        title="#支付宝业务明细",
        columns=(
            "支付宝交易号",
            "商户订单号",
            "业务类型",
            "完成时间",
            "订单金额（元）",
            "退款批次号/请求号",
            "服务费（元）",
        ),
        counts={"交易": re.compile(r"#交易合计：([0-9]{1,9})笔"), "退款": re.compile(r"#退款合计：([0-9]{1,9})笔")},
    ),
    StatementKind.FUNDS: _Layout(
        bill_type="signcustomer",
        title="#支付宝账务明细",
        columns=(
            "账务流水号",
            "业务流水号",
            "商户订单号",
            "发生时间",
            "收入金额（+元）",
            "支出金额（-元）",
            "业务类型",
        ),
        counts={},
    ),
}
"""Source: trade: samples in four public parsers, vector bill.json; signcustomer: third-party comment, unverified."""


def fetch_bill(bill: Bill, *, client: Client, tools: AdapterTools) -> Iterator[StatementLine]:
    """
    Download and check a bill, then give its lines.

    Alipay says bill_not_exist both when nothing was traded and when it is too early; the first is believed only when
    the day after the bill's day is over, too.

    Raises:
        ProviderUnavailable: Not ready yet; ask later.
        StatementUnreadable: Not what Alipay's bills look like, or truncated.
    """
    now = tools.clock.now().astimezone(CHINA)
    if bill.day >= now.date():
        raise ProviderUnavailable(f"the bill of {bill.day} is not made before the day is over")
    about = f"bill {bill.day}"
    content = {"bill_type": _LAYOUTS[bill.kind].bill_type, "bill_date": bill.day.isoformat()}
    answer = client.call(API_BILL, content, about=about)
    if not answer.found:
        if now.date() - bill.day <= timedelta(days=1):
            raise ProviderUnavailable(f"the {about} is not there yet", code=answer.sub_code, trace_id=answer.trace_id)
        return iter(())
    url = text_of(answer.fields, "bill_download_url")
    if not url:
        raise NoVerdict(f"{API_BILL} for {about}: no bill_download_url", trace_id=answer.trace_id)
    return read_bill(_download(url, client=client, tools=tools), bill)


def _download(url: str, *, client: Client, tools: AdapterTools) -> bytes:
    """The link lives about 30 seconds. Money evidence does not travel in clear: an http link is opened by https."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no web address")
    except ValueError:
        raise StatementUnreadable("the bill's address is malformed") from None
    if client.is_encrypted:
        parts = parts._replace(scheme="https")
    http = tools.transport.send("GET", urlunsplit(parts), headers={}, answer_bytes_max=ZIP_BYTES_MAX)
    if http.status != _HTTP_OK:
        raise ProviderUnavailable(f"the bill's download answers HTTP {http.status}")
    return http.content


def read_bill(content: bytes, bill: Bill) -> Iterator[StatementLine]:
    """
    Check a bill's ZIP as a whole, then give its lines.

    Raises:
        StatementUnreadable: No ZIP, a ZIP bomb, no file of this kind, of another account or day, a malformed line, or
            totals that do not hold.
    """
    layout = _LAYOUTS[bill.kind]
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        member = _member(archive, layout)
        for _ in _checked_lines(archive, member, layout, bill):
            pass
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        struct.error,
    ) as exc:
        raise StatementUnreadable(f"the bill is no readable ZIP: {type(exc).__name__}") from None
    return _checked_lines(archive, member, layout, bill)


def _member(archive: zipfile.ZipFile, layout: _Layout) -> zipfile.ZipInfo:
    """Choose by first line: the names are GBK without a mark, and two of them differ by a suffix only."""
    members = archive.infolist()
    if len(members) > _MEMBERS_MAX or any(_is_bomb(member) for member in members):
        raise StatementUnreadable("the bill's ZIP holds too much")
    fitting = [member for member in members if next(_text_lines(archive, member), (0, ""))[1].startswith(layout.title)]
    if len(fitting) != 1:
        raise StatementUnreadable("the bill's ZIP does not hold exactly one file of this kind")
    return fitting[0]


def _is_bomb(member: zipfile.ZipInfo) -> bool:
    allowed = _RATIO_MAX * member.compress_size + _RATIO_FREE_BYTES
    return member.file_size > min(allowed, TEXT_BYTES_MAX)


def _text_lines(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[tuple[int, str]]:
    """Number and text of each line. zipfile reads no more than the size that was judged by `_is_bomb`."""
    with archive.open(member) as raw, io.TextIOWrapper(raw, encoding="gb18030", newline="\n") as text:
        number = 0
        try:
            while line := text.readline(_LINE_CHARACTERS_MAX):
                number += 1
                if len(line) == _LINE_CHARACTERS_MAX:
                    raise StatementUnreadable(f"line {number} is too long")
                yield number, line.rstrip("\r\n")
        except UnicodeDecodeError:
            raise StatementUnreadable(f"line {number + 1} is not GBK") from None


def _checked_lines(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, layout: _Layout, bill: Bill
) -> Iterator[StatementLine]:
    header: list[str] = []
    seen = dict.fromkeys(layout.counts, 0)
    remarks: list[str] = []
    ended = False
    for number, text in _text_lines(archive, member):
        if text.startswith("#"):
            ended = ended or (bool(header) and "列表结束" in text)
            remarks = [*remarks, text][:32]
        elif not text.strip():
            continue
        elif not header:
            header = _header(text, layout)
        elif ended:
            raise StatementUnreadable(f"line {number} follows the end of the list")
        else:
            row = _row(number, text, header)
            if row["业务类型"] in seen:
                seen[row["业务类型"]] += 1
            yield _statement_line(number, row, bill.kind)
    if not ended:
        raise StatementUnreadable("the bill has no end")
    _check_remarks("\n".join(remarks), layout, bill, seen)


def _check_remarks(remarks: str, layout: _Layout, bill: Bill, seen: Mapping[str, int]) -> None:
    if f"#账号：[{bill.seller_id}" not in remarks:
        raise StatementUnreadable("the bill is of another account")
    if bill.day.strftime("#起始日期：[%Y年%m月%d日") not in remarks:
        raise StatementUnreadable("the bill is of another day")
    for trade_type, pattern in layout.counts.items():
        match = pattern.search(remarks)
        if match is None or int(match[1]) != seen[trade_type]:
            raise StatementUnreadable(f"the number of {trade_type} rows is not the bill's own")


def _header(text: str, layout: _Layout) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    missing = set(layout.columns) - set(names)
    if missing or len(set(names)) != len(names):
        raise StatementUnreadable("the bill's columns are not the known ones")
    return names


def _row(number: int, text: str, header: list[str]) -> dict[str, str]:
    cells = [cell.strip() for cell in text.split(",")]
    if len(cells) != len(header):
        raise StatementUnreadable(f"line {number} has {len(cells)} cells instead of {len(header)}")
    return dict(zip(header, cells, strict=True))


def _statement_line(number: int, row: Mapping[str, str], kind: StatementKind) -> StatementLine:
    try:
        return _trade_line(number, row) if kind is StatementKind.TRADES else _funds_line(number, row)
    except ValueError:
        raise StatementUnreadable(f"line {number} has a malformed amount or time") from None


def _beijing(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)


def _trade_line(number: int, row: Mapping[str, str]) -> StatementLine:
    """Refund rows are negative on the wire; the fee is negative where we pay it, and positive where it comes back."""
    kind = LINE_KIND_BY_TRADE_TYPE.get(row["业务类型"], StatementLineKind.OTHER)
    amount_fen = signed_fen_from_yuan(row["订单金额（元）"])
    fee = row["服务费（元）"]
    return StatementLine(
        line_no=number,
        kind=kind,
        occurred_at=_beijing(row["完成时间"]),
        out_trade_no=row["商户订单号"],
        provider_trade_no=row["支付宝交易号"],
        amount_fen=_unsigned(amount_fen, kind),
        out_refund_no=row["退款批次号/请求号"] if kind is StatementLineKind.REFUND else "",
        fee_fen_e3=-signed_fen_from_yuan(fee) * _FEN_E3 if fee else None,
        provider_status=row["业务类型"],
    )


def _unsigned(amount_fen: int, kind: StatementLineKind) -> int:
    if kind not in _MONEY_KINDS:
        return amount_fen
    towards_us = amount_fen if kind is StatementLineKind.PAYMENT else -amount_fen
    if towards_us < 0:
        raise ValueError("the sign contradicts the kind")
    return towards_us


def _funds_line(number: int, row: Mapping[str, str]) -> StatementLine:
    kind = LINE_KIND_BY_FUNDS_TYPE.get(row["业务类型"], StatementLineKind.OTHER)
    income = fen_from_yuan(row["收入金额（+元）"].removeprefix("+") or "0")
    expense = fen_from_yuan(row["支出金额（-元）"].removeprefix("-") or "0")
    moved = income - expense
    if kind in _MONEY_KINDS and (moved > 0) is not (kind is StatementLineKind.PAYMENT):
        kind = StatementLineKind.OTHER
    return StatementLine(
        line_no=number,
        kind=kind,
        occurred_at=_beijing(row["发生时间"]),
        out_trade_no=row["商户订单号"],
        provider_trade_no=row["业务流水号"],
        amount_fen=_unsigned(moved, kind),
        provider_status=row["业务类型"],
    )
