"""
Trades: create, precreate, the payer's arrival at a page, query, close, cancel, and the payer's payment.

Source: sheet alipay.md sections 5.1 to 5.5.
"""

import re
import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sandbox.alipay.notices import BUYER_LOGON_ID, send_notice
from sandbox.alipay.trades import PAGE_METHODS, REFUND_WINDOW, Refund, Refusal, Trade, business_failed
from sandbox.alipay.world import Call, World
from sandbox.clock import BEIJING, local_date, local_text
from sandbox.faults import Fault
from sandbox.money import fen_of, yuan_of
from sandbox.wire import Json, PayRefused, SandboxFull

AMOUNT_FEN_MAX: Final = 10_000_000_000
PRODUCT_CODES: Final = {
    "alipay.trade.page.pay": {"FAST_INSTANT_TRADE_PAY"},
    "alipay.trade.wap.pay": {"QUICK_WAP_WAY"},
    "alipay.trade.app.pay": {"QUICK_MSECURITY_PAY"},
    "alipay.trade.create": {"JSAPI_PAY", "FACE_TO_FACE_PAYMENT", ""},
    "alipay.trade.precreate": {"FACE_TO_FACE_PAYMENT", "QR_CODE_OFFLINE", ""},
}
"""What each method may ask for; empty means that it may be left out."""

DEFAULT_TIMEOUTS: Final = {
    "alipay.trade.create": timedelta(hours=3),
    "alipay.trade.precreate": timedelta(hours=3),
}
_PAGE_TIMEOUT: Final = timedelta(days=15)
_CODE_LIFE: Final = timedelta(hours=2)
_NUMBER: Final = re.compile(r"[0-9A-Za-z_]{1,64}")
_TIMEOUT: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])|1c")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_FORBIDDEN_IN_SUBJECT: Final = frozenset("/=&")
_LIMITS: Final = {"subject": 256, "body": 128, "passback_params": 512, "quit_url": 400}


def create(world: World, call: Call) -> Json:
    """A trade for a known buyer (mini program): it exists at once."""
    buyers = ("buyer_id", "buyer_open_id", "op_buyer_open_id")
    if not any(call.biz.get(name) for name in buyers):
        raise _invalid("buyer_id 与 buyer_open_id 不能同时为空")
    trade = _claimed(world, call)
    arrive(world, trade)
    return {"out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no}


def precreate(world: World, call: Call) -> Json:
    """A code to scan; until somebody scans it there is no trade."""
    trade = _claimed(world, call)
    return {"out_trade_no": trade.out_trade_no, "qr_code": f"{world.base_url}/cashier?visit={trade.visit}"}


def page(world: World, call: Call) -> Trade:
    """The payer's browser (or app) comes with a page, wap or app order: the trade exists from now on."""
    trade = _claimed(world, call)
    try:
        arrive(world, trade)
    except PayRefused as refused:
        raise business_failed("ACQ.TRADE_HAS_CLOSE", str(refused)) from refused
    return trade


def query(world: World, call: Call) -> Json:
    """The trade's state, TRADE_NOT_EXIST until the payer arrived."""
    trade = existing(world, call.biz)
    if trade.paid_at is not None and world.fault(
        Fault.NOT_FOUND_THEN_PAID, operation="query", out_trade_no=trade.out_trade_no
    ):
        raise _not_exist()
    total = yuan_of(trade.amount_fen)
    shown: Json = {
        "buyer_logon_id": BUYER_LOGON_ID,
        "invoice_amount": total,
        "out_trade_no": trade.out_trade_no,
        "point_amount": "0.00",
        "subject": trade.subject,
        "total_amount": total,
        "trade_no": trade.trade_no,
        "trade_status": trade.trade_status(world.clock.now()),
        **buyer_fields(trade),
    }
    if trade.paid_at is None:
        return shown
    return shown | {
        "buyer_pay_amount": total,
        "receipt_amount": total,
        "send_pay_date": local_text(trade.paid_at),
        "fund_bill_list": [{"fund_channel": "ALIPAYACCOUNT", "amount": total}],
    }


def close(world: World, call: Call) -> Json:
    """Close a trade that waits for its buyer; anything else is an error that says why."""
    trade = existing(world, call.biz)
    status = trade.trade_status(world.clock.now())
    if trade.paid_at is not None:
        raise business_failed("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
    if status != "WAIT_BUYER_PAY":
        raise business_failed("ACQ.REASON_TRADE_STATUS_INVALID", "交易状态异常")
    if world.fault(Fault.PAY_DURING_CLOSE, operation="close", out_trade_no=trade.out_trade_no):
        commit_payment(world, trade)
    else:
        _close(world, trade)
    return {"out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no}


def cancel(world: World, call: Call) -> Json:
    """撤销: close when unpaid, refund when paid, nothing when there is no trade; face-to-face trades only."""
    try:
        trade = existing(world, call.biz)
    except Refusal:
        return {"out_trade_no": call.biz.get("out_trade_no", ""), "retry_flag": "N"}
    if trade.method in PAGE_METHODS:
        raise business_failed("ACQ.CANCEL_NOT_ALLOWED", "该交易不支持撤销，请使用关闭或退款")
    now = world.clock.now()
    answer = {"out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no, "retry_flag": "N"}
    if trade.paid_at is None:
        if trade.closed_at is None:
            _close(world, trade)
        return answer | {"action": "close"}
    if local_date(trade.paid_at) != local_date(now):
        raise business_failed("ACQ.TRADE_CANCEL_TIME_OUT", "超过撤销时间范围，请使用退款")
    left_fen = trade.amount_fen - trade.refunded_fen
    if left_fen:
        add_refund(world, trade, out_request_no=trade.trade_no, amount_fen=left_fen, reason="撤销")
    return answer | {"action": "refund"}


def arrive(world: World, trade: Trade) -> None:
    """
    The payer reached the cashier: the trade gets its number and its deadline starts.

    Raises:
        PayRefused: The code or the order's own time has run out.
    """
    if trade.arrived_at is not None:
        return
    now = world.clock.now()
    ends = [moment for moment in (trade.claim_ends_at, trade.time_expire) if moment is not None]
    if any(now >= moment for moment in ends):
        raise PayRefused("二维码或订单已过期，请返回商户页面重新发起支付")
    trade.arrived_at = now
    trade.trade_no = f"{now:%Y%m%d}2200{world.book.next_sequence():016d}"
    timeout = DEFAULT_TIMEOUTS.get(trade.method, _PAGE_TIMEOUT) if trade.timeout is None else trade.timeout
    trade.expires_at = trade.time_expire or now + timeout
    world.book.by_trade_no[trade.trade_no] = trade
    world.clock.call_later((trade.expires_at - now).total_seconds(), partial(_expire, world, trade))


def commit_payment(world: World, trade: Trade) -> None:
    """
    The payer pays: TRADE_SUCCESS, and the notify goes out.

    Raises:
        PayRefused: Paid already, closed, or past its time.
    """
    arrive(world, trade)
    now = world.clock.now()
    if trade.paid_at is not None:
        raise PayRefused("交易已支付，请勿重复付款")
    if trade.trade_status(now) != "WAIT_BUYER_PAY":
        raise PayRefused("交易已关闭或已过期，无法支付")
    trade.paid_at = now
    send_notice(world, trade, "payment_callback")
    world.clock.call_later(REFUND_WINDOW.total_seconds(), partial(_finish, world, trade))


def add_refund(world: World, trade: Trade, *, out_request_no: str, amount_fen: int, reason: str) -> Refund:
    """Money goes back: remembered, and notified to the payment's own notify_url."""
    now = world.clock.now()
    refund = Refund(
        out_request_no=out_request_no,
        amount_fen=amount_fen,
        reason=reason,
        at=now,
        shown_from=now + timedelta(seconds=world.refund_seconds),
    )
    trade.refunds.append(refund)
    send_notice(world, trade, "refund_callback", refund)
    return refund


def existing(world: World, biz: Json) -> Trade:
    """
    The trade that exists under trade_no (which wins) or out_trade_no.

    Raises:
        Refusal: Neither given, or no such trade (yet).
    """
    trade_no, out_trade_no = text(biz, "trade_no", 64), text(biz, "out_trade_no", 64)
    if not (trade_no or out_trade_no):
        raise _invalid("out_trade_no 与 trade_no 不能同时为空")
    trade = world.book.by_trade_no.get(trade_no) if trade_no else world.book.orders.get(out_trade_no)
    if trade is None or trade.arrived_at is None:
        raise _not_exist()
    return trade


def text(biz: Json, name: str, longest: int) -> str:
    """
    A text member of biz_content, or empty.

    Raises:
        Refusal: Not text, or too long.
    """
    value: Any = biz.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise _invalid(f"{name} 参数有误")
    return value


def amount_fen_of(biz: Json, name: str) -> int:
    """
    An amount member, in fen: yuan text with at most two decimals, above zero.

    Raises:
        Refusal: Anything else.
    """
    try:
        amount_fen = fen_of(text(biz, name, 11))
    except ValueError as exc:
        raise _invalid(f"{name} 金额有误") from exc
    if not 1 <= amount_fen <= AMOUNT_FEN_MAX:
        raise _invalid(f"{name} 金额超出范围")
    return amount_fen


def buyer_fields(trade: Trade) -> Json:
    """The buyer as a reply names it: by open_id when the order did, else by user id."""
    return {"buyer_open_id": trade.buyer_open_id} if trade.buyer_open_id else {"buyer_user_id": trade.buyer_id}


def _claimed(world: World, call: Call) -> Trade:
    """The trade this order stands for: a new one, or the same again when nothing differs."""
    wanted = _read_order(world, call)
    known = world.book.orders.get(wanted.out_trade_no)
    if known is None:
        try:
            world.book.add(wanted)
        except SandboxFull as exc:
            raise business_failed("ACQ.ACCESS_FORBIDDEN", f"沙箱订单数已达上限: {exc}") from exc
        return wanted
    if known.paid_at is not None:
        raise business_failed("ACQ.TRADE_HAS_SUCCESS", "交易已被支付")
    if known.trade_status(world.clock.now()) == "TRADE_CLOSED":
        raise business_failed("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
    if (known.amount_fen, known.subject) != (wanted.amount_fen, wanted.subject):
        raise business_failed("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
    if known.arrived_at is not None and known.buyer_open_id != wanted.buyer_open_id:
        raise business_failed("ACQ.TRADE_BUYER_NOT_MATCH", "交易买家不匹配")
    return known


def _read_order(world: World, call: Call) -> Trade:
    biz, fields, now = call.biz, call.fields, world.clock.now()
    identity = world.keys.identity
    if _NUMBER.fullmatch(text(biz, "out_trade_no", 64)) is None:
        raise _invalid("out_trade_no 只能包含字母、数字、下划线")
    subject = text(biz, "subject", _LIMITS["subject"])
    if not subject or _FORBIDDEN_IN_SUBJECT & set(subject):
        raise _invalid("subject 为空或含有特殊字符")
    if text(biz, "product_code", 64) not in PRODUCT_CODES[call.method]:
        raise _invalid("product_code 与接口不匹配")
    if text(biz, "seller_id", 28) not in {"", identity.seller_id}:
        raise _invalid("seller_id 不是签约账号")
    code_life = _timeout(biz, "qr_code_timeout_express", now) or _CODE_LIFE
    return Trade(
        out_trade_no=biz["out_trade_no"],
        method=call.method,
        amount_fen=amount_fen_of(biz, "total_amount"),
        subject=subject,
        body=text(biz, "body", _LIMITS["body"]),
        notify_url=fields.get("notify_url", ""),
        return_url=fields.get("return_url", ""),
        quit_url=text(biz, "quit_url", _LIMITS["quit_url"]),
        passback_params=text(biz, "passback_params", _LIMITS["passback_params"]) if "passback_params" in biz else None,
        auth_app_id=identity.app_id,
        charset=call.charset,
        cert_mode=call.cert_mode,
        offered_at=now,
        visit=secrets.token_urlsafe(24),
        buyer_id=text(biz, "buyer_id", 28) or "2088999900000099",
        buyer_open_id=text(biz, "buyer_open_id", 128) or text(biz, "op_buyer_open_id", 128),
        time_expire=_time_expire(biz),
        timeout=_timeout(biz, "timeout_express", now),
        claim_ends_at=now + code_life if call.method == "alipay.trade.precreate" else None,
    )


def _time_expire(biz: Json) -> datetime | None:
    written = text(biz, "time_expire", 19)
    if not written:
        return None
    try:
        return datetime.strptime(written, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError as exc:
        raise _invalid("time_expire 格式有误") from exc


def _timeout(biz: Json, name: str, now: datetime) -> timedelta | None:
    """`90m`, `2h`, `15d`, or `1c` until midnight; no decimals."""
    written = text(biz, name, 6)
    if not written:
        return None
    match = _TIMEOUT.fullmatch(written)
    if match is None:
        raise _invalid(f"{name} 格式有误")
    if written == "1c":
        midnight = now.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return midnight - now
    return min(int(match[1]) * _UNITS[match[2]], _PAGE_TIMEOUT)


def _close(world: World, trade: Trade) -> None:
    trade.closed_at = world.clock.now()
    send_notice(world, trade, "close_callback")


def _expire(world: World, trade: Trade) -> None:
    """The trade's time has run out unpaid. Runs as a job of the clock."""
    with world.lock:
        if trade.paid_at is None and trade.closed_at is None:
            _close(world, trade)


def _finish(world: World, trade: Trade) -> None:
    """The refund window is over: TRADE_FINISHED, months after the payment. Runs as a job of the clock."""
    with world.lock:
        if trade.trade_status(world.clock.now()) == "TRADE_FINISHED":
            send_notice(world, trade, "finished_callback")


def _invalid(message: str) -> Refusal:
    return business_failed("ACQ.INVALID_PARAMETER", f"参数无效：{message}")


def _not_exist() -> Refusal:
    return business_failed("ACQ.TRADE_NOT_EXIST", "交易不存在")
