"""
The day's statement (对账单): columns' names and records joined by `^^`, plain or in gzip.

Source: sheet bank.md section 3.3; columns and words from public parsers, unverified. There is no fee here.
"""

import base64
import gzip
from datetime import date, datetime, timedelta
from typing import Final

from sandbox.bank_abchina.orders import Order, Refund, Refusal
from sandbox.bank_abchina.world import Call, World
from sandbox.clock import BEIJING
from sandbox.money import yuan_of

READY_HOUR: Final = 9
"""Own choice."""

_HEADER: Final = (
    "商户号|交易类型|订单编号|交易时间|交易金额|商户账号|商户动账金额|客户账号|账户类型|商户回佣手续费|商户分期手续费"
    "|会计日期|主机流水号|9014流水号|原订单号"
)


def settle(world: World, call: Call) -> dict[str, str]:
    """One past day; before nine the next morning there are no records at all."""
    try:
        midnight = datetime.strptime(call.text("SettleDate"), "%Y/%m/%d").replace(tzinfo=BEIJING)
    except ValueError:
        raise Refusal("S001", "SettleDate") from None
    ready = world.clock.now() >= midnight + timedelta(days=1, hours=READY_HOUR)
    records = "^^".join([_HEADER, *_records(world, midnight.date())]) if ready else ""
    packed = base64.b64encode(gzip.compress(records.encode("gbk"), mtime=0)).decode("ascii")
    zipped = call.text("ZIP") == "1"
    return {
        "SettleDate": call.text("SettleDate"),
        "ZIPDetailRecords": packed if zipped and records else "",
        "DetailRecords": "" if zipped else records,
    }


def _records(world: World, day: date) -> list[str]:
    moved = [
        (item.settled_at, _record(world, order, item, item.settled_at))
        for order in world.book.orders.values()
        for item in _items(order)
        if item.settled_at is not None and item.settled_at.astimezone(BEIJING).date() == day
    ]
    return [record for _, record in sorted(moved)]


def _items(order: Order) -> list[Order | Refund]:
    return [order, *order.refunds]


def _record(world: World, order: Order, item: Order | Refund, settled_at: datetime) -> str:
    refunded = isinstance(item, Refund)
    amount = yuan_of(-item.amount_fen if refunded else item.amount_fen)
    local = settled_at.astimezone(BEIJING)
    number = item.refund_no if isinstance(item, Refund) else item.order_no
    return "|".join(
        (
            world.keys.identity.merchant_id,
            "Refund" if refunded else "Sale",
            number,
            f"{local:%Y%m%d%H%M%S}",
            amount,
            "999900000000001",
            amount,
            "6228480000000000017",
            "401",
            "0.00",
            "0.00",
            f"{local:%Y%m%d}",
            item.reference[-9:],
            item.reference,
            order.order_no if refunded else "",
        )
    )
