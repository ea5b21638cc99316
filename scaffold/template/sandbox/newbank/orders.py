"""
Orders and refunds as newbank keeps them, and the book that holds them.

Fact to replace: status words and codes (source: tables of states, annex of codes). Written anew, not copied from the
adapter: two readings of one document that agree are worth more than one.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sandbox import frame
from sandbox.clock import BEIJING
from sandbox.money import yuan_of
from sandbox.wire import RequestRefused

WAITING: Final = "WAIT"
PAID: Final = "PAID"
CLOSED: Final = "CLOSED"
EXPIRED: Final = "EXPIRED"
"""States of an order; the last is the sandbox's own word, a query says CLOSED."""

REFUND_UNDER_WAY: Final = "DOING"
REFUND_DONE: Final = "DONE"

MESSAGES: Final = {
    "0000": "成功",
    "1001": "请求过于频繁",
    "1002": "系统繁忙",
    "1003": "签名验证失败",
    "1004": "商户无此权限",
    "1005": "参数格式错误",
    "2001": "订单不存在",
    "2002": "退款不存在",
    "2003": "单号重复且内容不同",
    "2004": "订单已支付",
    "2005": "订单已关闭",
    "2006": "退款金额超过可退金额",
    "2007": "订单未支付",
}


class Refusal(RequestRefused):
    """A code other than 0000; `detail` says more where one code has many causes."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = f"{MESSAGES[code]}：{detail}" if detail else MESSAGES[code]


@dataclass(slots=True, kw_only=True)
class Refund:
    """One out_refund_no; its amount is reserved from acceptance on."""

    request: dict[str, str] = field(repr=False)
    amount_fen: int
    created_at: datetime
    refund_no: str
    state: str = REFUND_UNDER_WAY
    settled_at: datetime | None = None

    @property
    def out_refund_no(self) -> str:
        """The merchant's number."""
        return self.request["out_refund_no"]


@dataclass(slots=True, kw_only=True)
class Order:
    """
    One payment order.

    Attributes:
        request: The members of the request that made it.
        visit: The token of its cashier page.
        trade_no: The bank's own number; empty for an order that nobody has paid.
    """

    request: dict[str, str] = field(repr=False)
    amount_fen: int
    created_at: datetime
    expires_at: datetime
    visit: str
    trade_no: str = ""
    paid_at: datetime | None = None
    closed_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)

    @property
    def out_trade_no(self) -> str:
        """The merchant's number."""
        return self.request["out_trade_no"]

    @property
    def refunded_fen(self) -> int:
        """All refunds accepted so far."""
        return sum(refund.amount_fen for refund in self.refunds)

    def state(self, now: datetime) -> str:
        """The word of the pages."""
        if self.paid_at is not None:
            return PAID
        if self.closed_at is not None:
            return CLOSED
        return EXPIRED if now >= self.expires_at else WAITING

    def refund_of(self, out_refund_no: str) -> Refund | None:
        """The refund of this number."""
        return next((refund for refund in self.refunds if refund.out_refund_no == out_refund_no), None)


class Book(frame.Book[str, Order]):
    """Every order by out_trade_no."""

    def __init__(self, orders_max: int) -> None:
        super().__init__(orders_max)
        self.by_visit: dict[str, Order] = {}

    def add(self, order: Order) -> None:
        """
        Keep a new order.

        Raises:
            SandboxFull: As many orders are kept as the sandbox was built for.
        """
        self.keep(order.out_trade_no, order)
        self.by_visit[order.visit] = order

    def next_number(self, now: datetime) -> str:
        """The bank's number of a payment or a refund."""
        return f"{now:%Y%m%d}{self.next_sequence():010d}"


def order_members(order: Order, now: datetime) -> dict[str, str]:
    """
    What a query and a notice say of an order.

    Fact to replace: the members (source: sections on the order query and on notices).
    """
    state = order.state(now)
    members = {
        "merchant_no": order.request["merchant_no"],
        "out_trade_no": order.out_trade_no,
        "trade_state": CLOSED if state == EXPIRED else state,
        "amount": yuan_of(order.amount_fen),
    }
    if order.paid_at is None:
        return members
    return members | {"trade_no": order.trade_no, "pay_time": beijing(order.paid_at)}


def refund_members(order: Order, refund: Refund) -> dict[str, str]:
    """
    What an answer and a notice say of a refund.

    Fact to replace: the members (source: sections on refunds, on the refund query and on notices).
    """
    members = {
        "merchant_no": order.request["merchant_no"],
        "out_trade_no": order.out_trade_no,
        "out_refund_no": refund.out_refund_no,
        "refund_no": refund.refund_no,
        "refund_state": refund.state,
        "amount": yuan_of(refund.amount_fen),
    }
    return members | ({"refund_time": beijing(refund.settled_at)} if refund.settled_at else {})


def beijing(moment: datetime) -> str:
    """14 digits."""
    return f"{moment.astimezone(BEIJING):%Y%m%d%H%M%S}"
