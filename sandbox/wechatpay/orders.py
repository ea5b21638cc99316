"""Orders and refunds as WeChat Pay keeps them, the book that holds them, and the JSON objects it shows of them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sandbox import frame
from sandbox.clock import local_date, rfc3339
from sandbox.wire import Json

TRADE_TYPES: Final = {"jsapi": "JSAPI", "app": "APP", "h5": "MWEB", "native": "NATIVE"}
PREPAYS_KEPT: Final = 10
_TRADE_STATE_TEXTS: Final = {
    "NOTPAY": "订单未支付",
    "SUCCESS": "支付成功",
    "REFUND": "转入退款",
    "CLOSED": "订单已关闭",
}


@dataclass(slots=True, kw_only=True)
class Refund:
    """One refund; `outcome` is the provider's status word."""

    out_refund_no: str
    refund_id: str
    amount_fen: int
    request: Json = field(repr=False)
    created_at: datetime
    outcome: str = "PROCESSING"
    succeeded_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Order:
    """
    One order under one out_trade_no.

    Attributes:
        kind: jsapi, app, h5 or native.
        request: The first request's body; a repeat must equal it.
        signer: The Wechatpay-Serial the first request asked for (public-key mode), or empty for the certificate.
    """

    out_trade_no: str
    kind: str
    partner: bool
    request: Json = field(repr=False)
    created_at: datetime
    expires_at: datetime
    signer: str
    prepays: list[str] = field(default_factory=list, repr=False)
    transaction_id: str = ""
    openid: str = field(default="", repr=False)
    paid_at: datetime | None = None
    closed_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)

    @property
    def amount_fen(self) -> int:
        """What the order asks."""
        return int(self.request["amount"]["total"])

    @property
    def sub_mchid(self) -> str:
        """The sub merchant, or empty for a direct order."""
        return str(self.request.get("sub_mchid", ""))

    @property
    def refunded_fen(self) -> int:
        """All refunds accepted, under way included."""
        return sum(refund.amount_fen for refund in self.refunds if refund.outcome != "CLOSED")

    def trade_state(self, now: datetime) -> str:
        """The provider's word; an unpaid order past its time shows as closed."""
        if self.paid_at is not None:
            return "REFUND" if self.refunds else "SUCCESS"
        return "CLOSED" if self.closed_at is not None or now >= self.expires_at else "NOTPAY"


@dataclass(slots=True, kw_only=True)
class Prepay:
    """What the payer opens the cashier with, and until when it works."""

    order: Order
    expires_at: datetime


class Book(frame.Book[str, Order]):
    """Every order, refund and prepay of the sandbox."""

    def __init__(self, orders_max: int) -> None:
        super().__init__(orders_max)
        self.by_transaction_id: dict[str, Order] = {}
        self.prepays: dict[str, Prepay] = {}
        self.refunds: dict[str, tuple[Order, Refund]] = {}

    def add_prepay(self, order: Order, names: tuple[str, ...], expires_at: datetime) -> None:
        """Remember a fresh prepay under each of its names; the oldest of an order's many are forgotten."""
        for name in names:
            self.prepays[name] = Prepay(order=order, expires_at=expires_at)
            order.prepays.append(name)
        while len(order.prepays) > PREPAYS_KEPT:
            del self.prepays[order.prepays.pop(0)]

    def next_number(self, prefix: str, now: datetime) -> str:
        """A provider-side number: prefix, day, ten digits (28 digits for payments, 29 for refunds, as live)."""
        return f"{prefix}{local_date(now).replace('-', '')}{self.next_sequence():010d}"


def transaction_object(order: Order, now: datetime) -> Json:
    """
    The query answer and the decrypted payment callback.

    Source: sheet wechatpay.md section 4.5; key order as vector `pay_success_direct`.
    """
    state = order.trade_state(now)
    names = ("sp_mchid", "sub_mchid", "sp_appid", "sub_appid") if order.partner else ("mchid", "appid")
    shown: Json = {name: order.request[name] for name in names if name in order.request}
    shown["out_trade_no"] = order.out_trade_no
    if order.paid_at is None:
        amount = {"total": order.amount_fen, "currency": "CNY"}
        return shown | {"trade_state": state, "trade_state_desc": _TRADE_STATE_TEXTS[state], "amount": amount}
    shown |= {
        "transaction_id": order.transaction_id,
        "trade_type": TRADE_TYPES[order.kind],
        "trade_state": state,
        "trade_state_desc": _TRADE_STATE_TEXTS[state],
        "bank_type": "OTHERS",
        "success_time": rfc3339(order.paid_at),
        "payer": _payer(order),
        "amount": {
            "total": order.amount_fen,
            "payer_total": order.amount_fen,
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }
    if "attach" in order.request:
        shown["attach"] = order.request["attach"]
    device_id = order.request.get("scene_info", {}).get("device_id")
    return shown if device_id is None else shown | {"scene_info": {"device_id": device_id}}


def refund_object(order: Order, refund: Refund) -> Json:
    """
    The answer of refund and refund query.

    Source: sheet wechatpay.md section 4.7.
    """
    shown: Json = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": order.transaction_id,
        "out_trade_no": order.out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": rfc3339(refund.created_at),
        "status": refund.outcome,
        "funds_account": "AVAILABLE",
        "amount": {
            "total": order.amount_fen,
            "refund": refund.amount_fen,
            "payer_total": order.amount_fen,
            "payer_refund": refund.amount_fen,
            "settlement_refund": refund.amount_fen,
            "settlement_total": order.amount_fen,
            "discount_refund": 0,
            "currency": "CNY",
        },
    }
    return shown | ({"success_time": rfc3339(refund.succeeded_at)} if refund.succeeded_at else {})


def refund_notice_object(order: Order, refund: Refund) -> Json:
    """
    The decrypted refund callback: `refund_status`, no currency.

    Source: sheet wechatpay.md section 6.3; key order as vector `refund_success_direct`.
    """
    names = ("sp_mchid", "sub_mchid") if order.partner else ("mchid",)
    shown: Json = {name: order.request[name] for name in names}
    shown |= {
        "transaction_id": order.transaction_id,
        "out_trade_no": order.out_trade_no,
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "refund_status": refund.outcome,
        "user_received_account": "支付用户零钱",
        "amount": {
            "total": order.amount_fen,
            "refund": refund.amount_fen,
            "payer_total": order.amount_fen,
            "payer_refund": refund.amount_fen,
        },
    }
    return shown | ({"success_time": rfc3339(refund.succeeded_at)} if refund.succeeded_at else {})


def expiry_of(text: str | None, now: datetime) -> datetime:
    """
    When an order stops being payable: default 7 days, at least 1 minute, at most 90 days ahead.

    Source: sheet wechatpay.md section 4.2 (`time_expire`).

    Raises:
        ValueError: Not RFC 3339 with an offset.
    """
    if text is None:
        return now + timedelta(days=7)
    wanted = datetime.fromisoformat(text)
    if wanted.tzinfo is None or "T" not in text:
        raise ValueError("time_expire has no offset")
    return min(max(wanted, now + timedelta(minutes=1)), now + timedelta(days=90))


def _payer(order: Order) -> Json:
    if not order.partner:
        return {"openid": order.openid}
    asked: Json = order.request.get("payer", {})
    named = {name: asked[name] for name in ("sp_openid", "sub_openid") if name in asked}
    return {"sp_openid": order.openid} | named
