"""Reads bills (账单): digest over the unpacked bytes first, then columns by name. Refuses what does not hold."""

import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import IO, Any, Final
from urllib.parse import urlsplit

from adapters.wechatpay.config import Config
from gateway.domain.clock import CHINA
from gateway.domain.money import fen_from_yuan
from gateway.domain.report import CURRENCY
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind, StatementUnreadable

FILE_BYTES_MAX: Final = 64 << 20
"""The packed file, which is held in memory."""
UNPACKED_BYTES_MAX: Final = 1 << 30
"""A file that unpacks to more is refused; unpacked bytes are never held but by the line."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_CHUNK_BYTES: Final = 1 << 16
_LINE_BYTES_MAX: Final = 1 << 16
_COLUMNS_MAX: Final = 100
_SHA1_HEX: Final = re.compile(r"[0-9a-f]{40}")
_FEE: Final = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,5}))?")
_COUNT: Final = re.compile(r"([0-9]{1,12})(?:\.0+)?")
_READY_AT: Final = time(10, 0, tzinfo=CHINA)

_KIND_BY_TRADE_STATE: Final = {"SUCCESS": StatementLineKind.PAYMENT, "REFUND": StatementLineKind.REFUND}
_KIND_BY_FUND_FLOW: Final = {
    ("交易", "收入"): StatementLineKind.PAYMENT,
    ("退款", "支出"): StatementLineKind.REFUND,
    ("扣除交易手续费", "支出"): StatementLineKind.FEE,
}
_SIGN_BY_DIRECTION: Final = {"收入": 1, "支出": -1}
_COUNT_COLUMNS: Final = ("总交易单数", "资金流水总笔数")
# Never 应结订单金额: it is less than the order where a coupon was used. The second name is the older layout's.
_PAYMENT_AMOUNT_COLUMNS: Final = ("订单金额", "总金额")
_REFUND_AMOUNT_COLUMNS: Final = ("申请退款金额", "退款金额")

Row = Mapping[str, str]
ReadRow = Callable[[int, Row], StatementLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillTicket:
    """
    Where a bill lies and what its unpacked bytes hash to.

    Attributes:
        target: Path and query, to be signed and sent as they are.
    """

    target: str
    sha1_hex: str


def bill_path(config: Config, day: date, kind: StatementKind) -> str:
    """Source: sheet section 7; vector `authorization.json`, case tradebill."""
    if kind is StatementKind.FUNDS:
        return f"/v3/bill/fundflowbill?bill_date={day.isoformat()}&account_type=BASIC&tar_type=GZIP"
    sub_merchant = f"&sub_mchid={config.sub_mchid}" if config.partner else ""
    return f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL&tar_type=GZIP{sub_merchant}"


def day_is_over(day: date, now: datetime) -> bool:
    """No bill is made before the day is over in China; WeChat answers an early question like a wrong one."""
    return day < now.astimezone(CHINA).date()


def empty_is_certain(day: date, now: datetime) -> bool:
    """From ten in the morning of the next day on, "no bill" means no lines. Source: sheet sections 5 and 7."""
    return now >= datetime.combine(day + timedelta(days=1), _READY_AT)


def read_ticket(members: Mapping[str, Any]) -> BillTicket:
    """
    Read the signed answer that names the file.

    Raises:
        ValueError: Another digest than SHA-1, or a member is malformed.
    """
    hash_value, url = members.get("hash_value"), members.get("download_url")
    if members.get("hash_type") != "SHA1" or not isinstance(hash_value, str) or not isinstance(url, str):
        raise ValueError("hash_type, hash_value or download_url")
    if _SHA1_HEX.fullmatch(hash_value.lower()) is None:
        raise ValueError("hash_value")
    parts = urlsplit(url)
    if not parts.path.endswith("/v3/billdownload/file") or not parts.query:
        raise ValueError("download_url")
    return BillTicket(target=f"{parts.path}?{parts.query}", sha1_hex=hash_value.lower())


def read_lines(content: bytes, sha1_hex: str, kind: StatementKind) -> Iterator[StatementLine]:
    """
    Check the digest of the whole file now, then read line by line.

    The file is unpacked twice rather than held: memory is bounded by its packed size.
    Source: sheet section 7; vector `bills.json`.

    Raises:
        StatementUnreadable: The digest, the packing, a line or the count in the summary does not hold; the last two
            when iteration comes to it.
    """
    _check_digest(content, sha1_hex)
    read = _read_fund_line if kind is StatementKind.FUNDS else _read_trade_line
    return (_read_line(read, line_no, row) for line_no, row in read_rows(content))


def read_rows(content: bytes) -> Iterator[tuple[int, Row]]:
    """
    The detail rows, each with its line number in the file, as texts by column name.

    Raises:
        StatementUnreadable: A line does not hold, or the summary is missing or counts another number of rows.
    """
    with _unpacked(content) as file:
        lines = enumerate(_text_lines(file), start=1)
        names = _names(next(lines, (1, ""))[1])
        for line_no, line in lines:
            if not line.startswith("`"):
                _check_summary(line, [text for _, text in islice(lines, 3)], count=line_no - 2)
                return
            yield line_no, _row(names, line, line_no)
    raise StatementUnreadable("the bill has no summary")


def _check_digest(content: bytes, sha1_hex: str) -> None:
    digest = hashlib.sha1(usedforsecurity=False)  # WeChat names no other; the digest itself came signed
    unpacked_bytes = 0
    with _unpacked(content) as file:
        try:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                unpacked_bytes += len(chunk)
                if unpacked_bytes > UNPACKED_BYTES_MAX:
                    raise StatementUnreadable("the bill unpacks to too much")
        except (OSError, EOFError, zlib.error):
            raise StatementUnreadable("the bill is not a whole gzip file") from None
    if digest.hexdigest() != sha1_hex:
        raise StatementUnreadable("the bill's SHA-1 is not the one that was signed")


def _unpacked(content: bytes) -> IO[bytes]:
    packed = io.BytesIO(content)
    return gzip.GzipFile(fileobj=packed) if content.startswith(_GZIP_MAGIC) else packed  # type: ignore[return-value]


def _text_lines(file: IO[bytes]) -> Iterator[str]:
    encoding = "utf-8-sig"
    while raw := file.readline(_LINE_BYTES_MAX):
        if len(raw) == _LINE_BYTES_MAX:
            raise StatementUnreadable("a line is too long")
        try:
            yield raw.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            raise StatementUnreadable("a line is not UTF-8") from None
        encoding = "utf-8"


def _names(line: str) -> Sequence[str]:
    names = line.split(",", _COLUMNS_MAX)
    if len(set(names)) != len(names) or len(names) < 2:  # noqa: PLR2004  one column is no table
        raise StatementUnreadable("the first line is no header")
    return names


def _row(names: Sequence[str], line: str, line_no: int) -> Row:
    # Each value has a backtick before it, so a comma inside a value does not split it.
    values = line.removeprefix("`").split(",`")
    if len(values) != len(names):
        raise StatementUnreadable(f"line {line_no} has {len(values)} values for {len(names)} columns")
    return dict(zip(names, values, strict=True))


def _check_summary(header: str, rest: Sequence[str], *, count: int) -> None:
    names = _names(header)
    if not rest or any(rest[1:]):
        raise StatementUnreadable("the summary is not one line at the end")
    row = _row(names, rest[0], 0)
    counted = next((_COUNT.fullmatch(row[name]) for name in _COUNT_COLUMNS if name in row), None)
    if counted is None or int(counted[1]) != count:
        raise StatementUnreadable(f"the summary does not count {count} rows")


def _read_line(read: ReadRow, line_no: int, row: Row) -> StatementLine:
    try:
        return read(line_no, row)
    except KeyError as exc:
        raise StatementUnreadable(f"the bill has no column {exc.args[0]}") from None
    except ValueError:
        raise StatementUnreadable(f"line {line_no} has a value that cannot be read") from None


def _read_trade_line(line_no: int, row: Row) -> StatementLine:
    if row.get("货币种类", CURRENCY) != CURRENCY:
        raise ValueError("currency")
    trade_state = row["交易状态"]
    kind = _KIND_BY_TRADE_STATE.get(trade_state, StatementLineKind.OTHER)
    is_refund = kind is StatementLineKind.REFUND
    amount_column = _first_of(row, _REFUND_AMOUNT_COLUMNS if is_refund else _PAYMENT_AMOUNT_COLUMNS)
    return StatementLine(
        line_no=line_no,
        kind=kind,
        occurred_at=_instant(row["交易时间"]),
        out_trade_no=row["商户订单号"],
        provider_trade_no=row["微信订单号"],
        amount_fen=fen_from_yuan(row[amount_column]),
        out_refund_no=row["商户退款单号"] if is_refund else "",
        provider_refund_no=row["微信退款单号"] if is_refund else "",
        fee_fen_e3=_fee_fen_e3(row["手续费"]),
        provider_status=(is_refund and row["退款状态"]) or trade_state,
    )


def _read_fund_line(line_no: int, row: Row) -> StatementLine:
    """业务凭证号 is our own number and 微信支付业务单号 theirs. Source: vector `bills.json`; live use unverified."""
    direction = row["收支类型"]
    kind = _KIND_BY_FUND_FLOW.get((row["业务类型"], direction), StatementLineKind.OTHER)
    is_payment, is_refund = kind is StatementLineKind.PAYMENT, kind is StatementLineKind.REFUND
    if direction not in _SIGN_BY_DIRECTION:
        raise ValueError("direction")
    amount_fen = fen_from_yuan(row["收支金额(元)"])
    return StatementLine(
        line_no=line_no,
        kind=kind,
        occurred_at=_instant(row["记账时间"]),
        out_trade_no=row["业务凭证号"] if is_payment else "",
        provider_trade_no="" if is_refund else row["微信支付业务单号"],
        amount_fen=amount_fen if is_payment or is_refund else amount_fen * _SIGN_BY_DIRECTION[direction],
        out_refund_no=row["业务凭证号"] if is_refund else "",
        provider_refund_no=row["微信支付业务单号"] if is_refund else "",
        provider_status=row["业务类型"],
    )


def _first_of(row: Row, names: Sequence[str]) -> str:
    """The first of the columns that the bill has."""
    return next((name for name in names if name in row), names[0])


def _fee_fen_e3(text: str) -> int:
    match = _FEE.fullmatch(text)
    if match is None:
        raise ValueError("fee")
    sign, whole, decimals = match.groups(default="")
    thousandths = int(whole) * 100_000 + int(decimals.ljust(5, "0"))
    return -thousandths if sign else thousandths


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
