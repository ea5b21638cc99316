"""
The trade bill (业务账单) of a past day: its link, and the ZIP of two GBK files behind it.

Source: sheet alipay.md section 5.7; layout as vectors/bill.json. Only daily bills of type `trade` are simulated.
"""

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sandbox.alipay.trades import Refund, Trade, business_failed, invalid_argument
from sandbox.alipay.trading import text
from sandbox.alipay.world import Call, World
from sandbox.clock import local_date, local_text
from sandbox.money import yuan_of
from sandbox.wire import Answer, Json

READY_HOUR: Final = 9
FILE_LIFE: Final = timedelta(seconds=30)
FILES_KEPT: Final = 50
FEE_PER_MILLE: Final = 6

_COLUMNS: Final = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
_SUMMARY_COLUMNS: Final = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,"
    "卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One row: a payment, or a refund of it with amounts below zero."""

    at: datetime
    trade: Trade
    refund: Refund | None

    @property
    def amount_fen(self) -> int:
        """Signed: refunds are below zero."""
        return -self.refund.amount_fen if self.refund else self.trade.amount_fen

    @property
    def fee_fen(self) -> int:
        """Signed the other way: taken on a payment, given back on a refund; 0.6 %, half a fen up."""
        size = (abs(self.amount_fen) * FEE_PER_MILLE + 500) // 1000
        return size if self.refund else -size


def download_link(world: World, call: Call) -> Json:
    """A link to the day's ZIP, 30 seconds long."""
    if text(call.biz, "bill_type", 20) not in {"trade", "signcustomer"}:
        raise invalid_argument("isv.invalid-parameter", "bill_type 参数有误")
    day = _asked_day(world, text(call.biz, "bill_date", 10))
    moved = [movement for movement in _movements(world) if local_date(movement.at) == day.isoformat()]
    if not moved or call.biz["bill_type"] != "trade":
        raise business_failed("isp.bill_not_exist", "账单不存在")
    now = world.clock.now()
    visit = f"{world.book.next_sequence():016d}{day:%Y%m%d}"
    while len(world.files) >= FILES_KEPT:
        del world.files[next(iter(world.files))]
    world.files[visit] = (now + FILE_LIFE, _packed(world, day, moved))
    return {"bill_download_url": f"{world.base_url}/bill/download?token={visit}", "bill_file_code": visit}


def bill_file(world: World, token: str) -> Answer:
    """The ZIP behind a link; this answer carries no signature."""
    offered = world.files.get(token)
    if offered is None or offered[0] <= world.clock.now():
        return Answer(status=404, headers={"Content-Type": "text/html;charset=GBK"}, body="链接已失效".encode("gbk"))
    return Answer(status=200, headers={"Content-Type": "application/zip"}, body=offered[1])


def _asked_day(world: World, written: str) -> date:
    now = world.clock.now()
    try:
        day = date.fromisoformat(written)
    except ValueError as exc:
        raise invalid_argument("isv.invalid-parameter", "bill_date 格式有误") from exc
    age = (now.date() - day).days
    if age < 1 or (age == 1 and now.hour < READY_HOUR):
        raise business_failed("isp.bill_not_exist", "账单不存在")
    return day


def _movements(world: World) -> list[Movement]:
    moved = []
    for trade in world.book.by_trade_no.values():
        if trade.paid_at is not None:
            moved.append(Movement(at=trade.paid_at, trade=trade, refund=None))
        moved += [Movement(at=refund.at, trade=trade, refund=refund) for refund in trade.refunds]
    return sorted(moved, key=lambda movement: movement.at)


def _packed(world: World, day: date, moved: list[Movement]) -> bytes:
    account = f"{world.keys.identity.seller_id}0156"
    stem = f"{account}_{day:%Y%m%d}_业务明细"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in (
            (f"{stem}.csv", _detail_lines(world, account, day, moved)),
            (f"{stem}(汇总).csv", _summary_lines(account, day, moved)),
        ):
            content = "".join(f"{line}\r\n" for line in lines).encode("gbk", "replace")
            archive.writestr(_GbkName(name, date_time=(day.year, day.month, day.day, 9, 0, 0)), content)
    return packed.getvalue()


class _GbkName(zipfile.ZipInfo):
    """A member name in GBK bytes without the UTF-8 flag, as Alipay writes it."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 the library's own hook
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def _head(title: str, account: str, day: date) -> list[str]:
    after = day + timedelta(days=1)
    return [
        f"#支付宝业务{title}查询",
        f"#账号：[{account}]",
        f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{after:%Y年%m月%d日} 00:00:00]",
        f"#-----------------------------------------业务{title}列表----------------------------------------",
    ]


def _detail_lines(world: World, account: str, day: date, moved: list[Movement]) -> list[str]:
    paid = [movement for movement in moved if movement.refund is None]
    refunded = [movement for movement in moved if movement.refund is not None]
    return [
        *_head("明细", account, day),
        _COLUMNS,
        *(_detail_row(movement) for movement in moved),
        "#-----------------------------------------业务明细列表结束------------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{_total(paid)}元，商家优惠共0.00元",
        f"#退款合计：{len(refunded)}笔，商家实收退款共{_total(refunded)}元，商家优惠退款共0.00元",
        f"#导出时间：[{world.clock.now():%Y年%m月%d日 %H:%M:%S}]",
    ]


def _detail_row(movement: Movement) -> str:
    trade, refund = movement.trade, movement.refund
    amount = yuan_of(movement.amount_fen)
    return ",".join([
        f"{trade.trade_no}\t", f"{trade.out_trade_no}\t", f"{'退款' if refund else '交易'}\t",
        trade.subject.replace(",", "，"), local_text(trade.arrived_at or movement.at), local_text(movement.at),
        "\t", "\t", "\t", "\t", "*某(138****0000)\t", amount, amount, "0.00", "0.00", "0.00", "0.00", "0.00", "",
        "0.00\t", "0.00", f"{refund.out_request_no if refund else ''}\t", yuan_of(movement.fee_fen), "0.00", "",
    ])  # fmt: skip


def _summary_lines(account: str, day: date, moved: list[Movement]) -> list[str]:
    paid = sum(movement.refund is None for movement in moved)
    amount_fen = sum(movement.amount_fen for movement in moved)
    fee_fen = sum(movement.fee_fen for movement in moved)
    cells = [
        "合计\t", "\t", str(paid), str(len(moved) - paid), yuan_of(amount_fen), yuan_of(amount_fen), "0.00", "0.00",
        "0.00", yuan_of(fee_fen), "0.00", yuan_of(amount_fen + fee_fen),
    ]  # fmt: skip
    return [
        *_head("汇总", account, day),
        _SUMMARY_COLUMNS,
        ",".join(cells),
        "#-----------------------------------------业务汇总列表结束------------------------------------",
    ]


def _total(moved: Iterable[Movement]) -> str:
    return yuan_of(sum(movement.amount_fen for movement in moved))
