"""
The statement of a day and a region: one text file, with its SM3, in base64.

Source: sheet shared_account.md section 4.8, `vector`.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sandbox.clock import local_date
from sandbox.money import yuan_of
from sandbox.shared_account.admission import beijing_time
from sandbox.shared_account.orders import Order, Refusal, moment
from sandbox.shared_account.sm import sm3_hex
from sandbox.shared_account.world import Data, World

READY_AFTER: Final = timedelta(days=1, hours=10)
PAYMENT: Final = "P"
REVOKE: Final = "R"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line between header and trailer."""

    out_trade_no: str
    pay_ord_id: str
    kind: str
    at: datetime
    amount_fen: int
    member_id_no: str
    insu_year: str


def statement(world: World, data: Data) -> Data:
    """
    The file of a past day, ready at ten the next morning.

    Raises:
        Refusal: SA3008, not ready; SA1001, no such day.
    """
    day = beijing_time(data["stmtDate"], "%Y%m%d", "stmtDate")
    if world.clock.now() < day + READY_AFTER:
        raise Refusal("SA3008")
    region = data["insuplcAdmdvs"]
    rows = sorted(_rows(world, day, region), key=lambda row: (row.at, row.out_trade_no))
    content = statement_text(world.envelope.app_id, data["stmtDate"], region, rows).encode("utf-8")
    return {
        "fileName": f"SA1_{region}_{data['stmtDate']}.txt",
        "fileSm3": sm3_hex(content),
        "rows": str(len(rows)),
        "fileBody": base64.b64encode(content).decode("ascii"),
    }


def statement_text(app_id: str, stmt_date: str, region: str, rows: Sequence[Row]) -> str:
    """The whole file."""
    paid = [row.amount_fen for row in rows if row.kind == PAYMENT]
    revoked = [row.amount_fen for row in rows if row.kind == REVOKE]
    totals = (str(len(paid)), yuan_of(sum(paid)), str(len(revoked)), yuan_of(sum(revoked)))
    lines = [
        ("H", "SA1", app_id, stmt_date, region, str(len(rows))),
        *(
            (
                "D", row.out_trade_no, row.pay_ord_id, row.kind, moment(row.at),
                yuan_of(row.amount_fen), row.member_id_no, row.insu_year,
            )
            for row in rows
        ),
        ("T", *totals),
    ]  # fmt: skip
    return "".join("|".join(line) + "\n" for line in lines)


def _rows(world: World, day: datetime, region: str) -> Iterator[Row]:
    for order in world.book.orders.values():
        if order.request["insuplcAdmdvs"] != region:
            continue
        for kind, at in _movements(order):
            if local_date(at) == local_date(day):
                yield Row(
                    out_trade_no=order.out_trade_no,
                    pay_ord_id=order.pay_ord_id,
                    kind=kind,
                    at=at,
                    amount_fen=order.amount_fen,
                    member_id_no=order.request["memberIdNo"],
                    insu_year=order.request["insuYear"],
                )


def _movements(order: Order) -> Iterator[tuple[str, datetime]]:
    if order.paid_at is not None:
        yield PAYMENT, order.paid_at
    done = order.revoke_done
    if done is not None and done.done_at is not None:
        yield REVOKE, done.done_at
