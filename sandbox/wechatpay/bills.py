"""
Bills (对账单): trade bill and fund flow bill of a past day, and the download of the file.

Source: sheet wechatpay.md section 7; layout as vectors/bills.json (BOM, CRLF, backticks, counts such as `3.0`).
"""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sandbox.clock import local_date, local_text
from sandbox.money import yuan_of
from sandbox.wechatpay.orders import TRADE_TYPES, Order, Refund
from sandbox.wechatpay.shapes import Refusal
from sandbox.wechatpay.signing import alphanumeric
from sandbox.wechatpay.world import Call, World, check_merchant
from sandbox.wire import Answer, Json

READY_HOUR: Final = 9
DAYS_BACK_MAX: Final = 92
FILE_LIFE: Final = timedelta(minutes=5)
FILES_KEPT: Final = 50
OPENING_BALANCE_FEN: Final = 100_000

_REFUND_TIMES: Final = ("退款申请时间", "退款成功时间")
_REFUND_COLUMNS: Final = ("微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态")
_EVERY_COLUMN: Final = (
    "交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型",
    "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额", *_REFUND_TIMES, *_REFUND_COLUMNS, "商品名称",
    "商户数据包", "手续费", "费率", "订单金额", "申请退款金额", "费率备注",
)  # fmt: skip


def _columns_without(*absent: str) -> list[str]:
    return [column for column in _EVERY_COLUMN if column not in absent]


COLUMNS: Final = {
    "ALL": _columns_without(*_REFUND_TIMES),
    "SUCCESS": _columns_without(*_REFUND_TIMES, *_REFUND_COLUMNS, "申请退款金额"),
    "REFUND": _columns_without(),
}
_SUMMARY: Final = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
_SUMMARY_SUCCESS: Final = "总交易单数,应结订单总金额,手续费总金额,订单总金额"
_FUND_HEAD: Final = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
_FUND_SUMMARY: Final = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One line of a bill: a payment, or a refund of it."""

    at: datetime
    order: Order
    refund: Refund | None

    @property
    def amount_fen(self) -> int:
        """What moved, without sign."""
        return self.refund.amount_fen if self.refund else self.order.amount_fen


def trade_bill(world: World, call: Call) -> Json:
    """Where the trade bill of a day can be fetched."""
    wanted = call.query.get("bill_type", "ALL")
    sub_mchid = call.query.get("sub_mchid")
    check_merchant(world, world.keys.identity.mchid, sub_mchid)
    day = _asked_day(world, call)
    columns = COLUMNS.get(wanted)
    moved = [
        movement
        for movement in _movements(world)
        if local_date(movement.at) == day
        and (sub_mchid is None or movement.order.sub_mchid == sub_mchid)
        and (wanted == "ALL" or (wanted == "REFUND") == (movement.refund is not None))
    ]
    if columns is None or not moved:
        raise Refusal(400, "NO_STATEMENT_EXIST", "账单文件不存在")
    rows = (_trade_row(movement, columns) for movement in moved)
    summary, totals = _trade_summary(wanted, moved)
    return _offer(world, call, _file(",".join(columns), rows, summary, totals))


def fund_flow_bill(world: World, call: Call) -> Json:
    """Where the fund flow bill of a day can be fetched; a partner's payments go to the sub merchant, not here."""
    day = _asked_day(world, call)
    balance_fen, rows, moved = OPENING_BALANCE_FEN, [], []
    for movement in _movements(world):
        if movement.order.partner:
            continue
        balance_fen += -movement.amount_fen if movement.refund else movement.amount_fen
        if local_date(movement.at) == day:
            moved.append(movement)
            rows.append(_fund_row(world, movement, balance_fen, len(moved)))
    if call.query.get("account_type", "BASIC") != "BASIC" or not moved:
        raise Refusal(400, "NO_STATEMENT_EXIST", "账单文件不存在")
    incoming = [movement.amount_fen for movement in moved if movement.refund is None]
    outgoing = [movement.amount_fen for movement in moved if movement.refund is not None]
    totals = [_count(len(moved)), _count(len(incoming)), yuan_of(sum(incoming))]
    totals += [_count(len(outgoing)), yuan_of(sum(outgoing))]
    return _offer(world, call, _file(_FUND_HEAD, rows, _FUND_SUMMARY, totals))


def bill_file(world: World, call: Call) -> Answer:
    """The file behind a token, five minutes long; this answer carries no signature."""
    offered = world.files.get(call.query.get("token", ""))
    if offered is None or offered[0] <= world.clock.now():
        raise Refusal(400, "INVALID_REQUEST", "token 无效或已过期")
    return Answer(status=200, headers={"Content-Type": "text/plain"}, body=offered[1])


def _asked_day(world: World, call: Call) -> str:
    """
    The day asked for, if its bill can exist.

    Raises:
        Refusal: No date, today or later, too long ago, or yesterday's before nine o'clock.
    """
    now = world.clock.now()
    try:
        day = date.fromisoformat(call.asked("bill_date"))
    except ValueError as exc:
        raise Refusal(400, "PARAM_ERROR", "bill_date 格式错误", field="/query/bill_date") from exc
    age = (now.date() - day).days
    if not 1 <= age <= DAYS_BACK_MAX:
        raise Refusal(400, "INVALID_REQUEST", "账单日期超出可下载范围")
    if age == 1 and now.hour < READY_HOUR:
        raise Refusal(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")
    return day.isoformat()


def _movements(world: World) -> list[Movement]:
    moved = []
    for order in world.book.by_transaction_id.values():
        if order.paid_at is not None:
            moved.append(Movement(at=order.paid_at, order=order, refund=None))
        moved += [Movement(at=refund.created_at, order=order, refund=refund) for refund in order.refunds]
    return sorted(moved, key=lambda movement: movement.at)


def _trade_row(movement: Movement, columns: Iterable[str]) -> list[str]:
    order, refund = movement.order, movement.refund
    paid_fen, refunded_fen = (0, refund.amount_fen) if refund else (order.amount_fen, 0)
    cells = {
        "交易时间": local_text(movement.at),
        "公众账号ID": order.request["sp_appid" if order.partner else "appid"],
        "商户号": order.request["sp_mchid" if order.partner else "mchid"],
        "特约商户号": order.sub_mchid or "0",
        "微信订单号": order.transaction_id,
        "商户订单号": order.out_trade_no,
        "用户标识": order.openid,
        "交易类型": TRADE_TYPES[order.kind],
        "交易状态": "REFUND" if refund else "SUCCESS",
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": yuan_of(paid_fen),
        "代金券金额": "0.00",
        "退款申请时间": local_text(refund.created_at) if refund else "",
        "退款成功时间": local_text(refund.succeeded_at) if refund and refund.succeeded_at else "",
        "微信退款单号": refund.refund_id if refund else "0",
        "商户退款单号": refund.out_refund_no if refund else "0",
        "退款金额": yuan_of(refunded_fen),
        "充值券退款金额": "0.00",
        "退款类型": "ORIGINAL" if refund else "",
        "退款状态": refund.outcome if refund else "",
        "商品名称": order.request["description"],
        "商户数据包": order.request.get("attach", ""),
        "手续费": "-0.00000" if refund else "0.00000",
        "费率": "0.00%",
        "订单金额": yuan_of(paid_fen),
        "申请退款金额": yuan_of(refunded_fen),
    }
    return [cells.get(column, "") for column in columns]


def _trade_summary(wanted: str, moved: list[Movement]) -> tuple[str, list[str]]:
    paid = yuan_of(sum(movement.amount_fen for movement in moved if movement.refund is None))
    refunded = yuan_of(sum(movement.amount_fen for movement in moved if movement.refund is not None))
    count = _count(len(moved))
    if wanted == "SUCCESS":
        return _SUMMARY_SUCCESS, [count, paid, "0.00000", paid]
    return _SUMMARY, [count, paid, refunded, "0.00", "0.00000", paid, refunded]


def _fund_row(world: World, movement: Movement, balance_fen: int, line: int) -> list[str]:
    order, refund = movement.order, movement.refund
    mchid, amount = world.keys.identity.mchid, yuan_of(movement.amount_fen)
    flow = f"{mchid}{local_date(movement.at).replace('-', '')}{line:010d}"
    moment, balance = local_text(movement.at), yuan_of(balance_fen)
    if refund is None:
        note = f"结算总金额 {amount} 元;含手续费 0.00 元"
        return [moment, order.transaction_id, flow, "交易", "交易", "收入", amount, balance, "system", note,
                order.out_trade_no]  # fmt: skip
    note = f"退款总金额{amount}元"
    return [moment, refund.refund_id, flow, "退款", "退款", "支出", amount, balance, f"{mchid}API", note,
            refund.out_refund_no]  # fmt: skip


def _file(head: str, rows: Iterable[list[str]], summary: str, totals: list[str]) -> bytes:
    lines = [head, *(_in_backticks(row) for row in rows), summary, _in_backticks(totals)]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8-sig")


def _offer(world: World, call: Call, content: bytes) -> Json:
    """Keep the file under a fresh token; the hash is over the content, also when it travels as GZIP."""
    packed = call.query.get("tar_type") == "GZIP"
    token = alphanumeric(40)
    now = world.clock.now()
    while len(world.files) >= FILES_KEPT:
        del world.files[next(iter(world.files))]
    world.files[token] = (now + FILE_LIFE, gzip.compress(content) if packed else content)
    suffix = "&tartype=gzip" if packed else ""
    return {
        "hash_type": "SHA1",
        "hash_value": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        "download_url": f"{world.base_url}/v3/billdownload/file?token={token}{suffix}",
    }


def _count(number: int) -> str:
    return f"{number}.0"


def _in_backticks(row: list[str]) -> str:
    """Every value after a backtick; commas inside a value stay, line breaks cannot."""
    return ",".join("`" + cell.replace("\r", " ").replace("\n", " ") for cell in row)
