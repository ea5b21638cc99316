"""
Refunds: once per out_request_no, never above what is left; the query shows one a little after it was accepted.

Source: sheet alipay.md section 5.6.
"""

from sandbox.alipay.notices import BUYER_LOGON_ID
from sandbox.alipay.trades import Refund, Trade, business_failed
from sandbox.alipay.trading import add_refund, amount_fen_of, buyer_fields, existing, text
from sandbox.alipay.world import Call, World
from sandbox.clock import local_text
from sandbox.money import yuan_of
from sandbox.wire import Json


def refund(world: World, call: Call) -> Json:
    """Pay back a part or all; the same out_request_no moves money once (fund_change N afterwards)."""
    trade = existing(world, call.biz)
    amount_fen = amount_fen_of(call.biz, "refund_amount")
    given = text(call.biz, "out_request_no", 64)
    known = trade.refund_named(given or trade.out_trade_no)
    if known is not None:
        if known.amount_fen != amount_fen:
            raise business_failed("ACQ.DISCORDANT_REPEAT_REQUEST", "同一退款请求号的退款金额不一致")
        return _answer(trade, known, amount_fen=0)
    _check(world, trade, amount_fen, given)
    reason = text(call.biz, "refund_reason", 256)
    made = add_refund(world, trade, out_request_no=given or trade.out_trade_no, amount_fen=amount_fen, reason=reason)
    return _answer(trade, made, amount_fen=amount_fen)


def query_refund(world: World, call: Call) -> Json:
    """One refund; without refund_status it is not received, or not shown yet."""
    trade = existing(world, call.biz)
    number = text(call.biz, "out_request_no", 64)
    if not number:
        raise business_failed("ACQ.INVALID_PARAMETER", "参数无效：out_request_no 不能为空")
    known = trade.refund_named(number)
    if known is None or world.clock.now() < known.shown_from:
        return {}
    shown: Json = {
        "out_request_no": number,
        "out_trade_no": trade.out_trade_no,
        "refund_amount": yuan_of(known.amount_fen),
        "refund_status": "REFUND_SUCCESS",
        "total_amount": yuan_of(trade.amount_fen),
        "trade_no": trade.trade_no,
    }
    if known.reason:
        shown["refund_reason"] = known.reason
    asked = call.biz.get("query_options") or []
    return shown | ({"gmt_refund_pay": local_text(known.at)} if "gmt_refund_pay" in asked else {})


def _check(world: World, trade: Trade, amount_fen: int, given: str) -> None:
    status = trade.trade_status(world.clock.now())
    if status == "TRADE_FINISHED":
        raise business_failed("ACQ.TRADE_HAS_FINISHED", "交易已完结，不可退款")
    if status == "TRADE_CLOSED":
        raise business_failed("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
    if trade.paid_at is None:
        raise business_failed("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
    if not given and amount_fen != trade.amount_fen:
        raise business_failed("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "部分退款必须传 out_request_no")
    if trade.refunded_fen + amount_fen > trade.amount_fen:
        raise business_failed("ACQ.REASON_TRADE_REFUND_FEE_ERR", "退款金额超过可退金额")


def _answer(trade: Trade, made: Refund, *, amount_fen: int) -> Json:
    """refund_fee is everything refunded so far, send_back_fee and fund_change are of this call."""
    return {
        "buyer_logon_id": BUYER_LOGON_ID,
        **buyer_fields(trade),
        "fund_change": "Y" if amount_fen else "N",
        "gmt_refund_pay": local_text(made.at),
        "out_trade_no": trade.out_trade_no,
        "refund_fee": yuan_of(trade.refunded_fen),
        "send_back_fee": yuan_of(amount_fen),
        "trade_no": trade.trade_no,
    }
