"""
The settlement file (对账文件) of a clearing day: base64 of deflated ZIP, in it ZM, an empty ZME and a summary, in GBK.

Source: sheet unionpay.md section 11; lines as vectors/recon.json. The codes S30 and S22, the letters of refunds and the
fee are the vectors' own invention.
"""

import base64
import io
import zipfile
import zlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from sandbox.clock import BEIJING
from sandbox.unionpay.orders import Movement, Order, Refund, Refusal, clearing_day
from sandbox.unionpay.world import Call, World

READY_HOUR: Final = 9
FEE_PER_MILLE: Final = 6
COLUMN_WIDTHS: Final = (
    3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2,
    6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98,
)  # fmt: skip
"""Bytes of each of the 42 columns of ZM."""

_ONE_DAY: Final = timedelta(days=1)
_LEAP_YEARS: Final = 8
"""Within so many years every day of the calendar comes."""

_CODES: Final = {"01": "S56", "04": "S30", "31": "S22"}
_NOTHING: Final = " 000000000000"
_ACCOUNT: Final = "622609******0048"
_TERMINAL: Final = "01080209"
_ALWAYS: Final[Mapping[int, str]] = {
    2: "88022900", 3: "00049993", 6: _ACCOUNT, 8: "9399", 9: "07", 11: "01", 13: "01", 18: "0001",
    30: "000000000000000", 32: _NOTHING, 36: _NOTHING, 37: _NOTHING, 38: " 00000000000", 40: "7",
}  # fmt: skip


def settlement_file(world: World, call: Call) -> dict[str, str]:
    """
    One past clearing day, ready at nine the next morning.

    Raises:
        Refusal: 98, not ready or nothing moved that day; 10, no such day.
    """
    day = _asked_day(world, call.fields["settleDate"])
    moved = sorted(_moved(world, day), key=lambda line: line[0])
    if not moved or world.clock.now() < _ready_at(day):
        raise Refusal("98")
    mer_id = world.keys.identity.mer_id
    lines = [_line(order, item) for _, order, item in moved]
    packed = zlib.compress(_zip(mer_id, day, b"".join(lines)))
    return {
        "fileContent": base64.b64encode(packed).decode("ascii"),
        "fileName": f"{mer_id}_{day:%Y%m%d}.zip",
        "fileType": call.fields["fileType"],
        "settleDate": call.fields["settleDate"],
    }


def line_of(columns: Mapping[int, str]) -> bytes:
    """One line: columns by number from 1, cut or filled with spaces to their width in bytes, CRLF at the end."""
    return b" ".join(_cell(columns.get(number, ""), width) for number, width in enumerate(COLUMN_WIDTHS, 1)) + b"\r\n"


def _cell(text: str, width: int) -> bytes:
    """Cut between two characters, never within one."""
    cut = text.encode("gbk", "replace")[:width]
    return cut.decode("gbk", "ignore").encode("gbk").ljust(width)


def _line(order: Order, item: Movement) -> bytes:
    request = item.request
    settled = item.settled_at or item.created_at
    fee_fen = (item.amount_fen * FEE_PER_MILLE + 500) // 1000
    paid = item is order
    letters = ("D", "C") if paid else ("C", "D")
    net = f"{letters[1]}{item.amount_fen - fee_fen:012d}"
    columns = {
        **_ALWAYS,
        1: _CODES[request["txnType"]],
        4: item.trace_no,
        5: _moment(settled),
        7: f"{item.amount_fen:012d}",
        10: item.query_id,
        12: item.order_id,
        16: f"{letters[0]}{fee_fen:012d}",
        17: net,
        20: request["txnType"],
        21: request["txnSubType"],
        22: request["bizType"],
        28: request["merId"],
        33: net,
        34: request.get("termId", _TERMINAL)[-8:],
        35: request.get("reqReserved", ""),
    }
    return line_of(columns if paid else columns | _original_columns(order))


def _original_columns(order: Order) -> dict[int, str]:
    return {
        14: order.trace_no,
        15: _moment(order.settled_at or order.created_at),
        27: order.query_id,
        41: order.order_id,
    }


def _moment(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%m%d%H%M%S}"


def _asked_day(world: World, month_day: str) -> date:
    """The latest such day that is not in the future; the request names no year."""
    today = clearing_day(world.clock.now())
    for year in range(today.year, today.year - _LEAP_YEARS, -1):
        try:
            day = date(year, int(month_day[:2]), int(month_day[2:]))
        except ValueError:  # 29 February, in most years
            continue
        if day <= today:
            return day
    raise Refusal("10", "settleDate")


def _ready_at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, READY_HOUR, tzinfo=BEIJING) + _ONE_DAY


def _moved(world: World, day: date) -> list[tuple[datetime, Order, Order | Refund]]:
    return [
        (item.settled_at, order, item)
        for order in world.book.by_query_id.values()
        for item in _items(order)
        if item.settled_at is not None and clearing_day(item.settled_at) == day
    ]


def _items(order: Order) -> list[Order | Refund]:
    return [order, *order.refunds]


def _zip(mer_id: str, day: date, lines: bytes) -> bytes:
    summary = f"中国银联全渠道商户交易汇总表\r\n商户代码:{mer_id}  清算日期:{day:%Y%m%d}\r\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            (f"INN{day:%y%m%d}88ZM_{mer_id}", lines),
            (f"INN{day:%y%m%d}88ZME_{mer_id}", b""),
            (f"RD2010{day:%y%m%d}01_{mer_id}", summary.encode("gbk")),
        ):
            archive.writestr(zipfile.ZipInfo(name, date_time=(day.year, day.month, day.day, 3, 0, 0)), content)
    return packed.getvalue()
