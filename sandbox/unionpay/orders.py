"""
Orders, refunds and undos as UnionPay keeps them, the book that holds them, and what messages say of them.

Source: sheet unionpay.md sections 4 to 8; fields as vectors/responses.json and notifies.json.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from sandbox import frame
from sandbox.clock import BEIJING
from sandbox.wire import RequestRefused

MESSAGES: Final = {
    "00": "成功[0000000]",
    "01": "交易失败，详情请咨询95516[0100000]",
    "05": "交易已受理，请稍后查询交易结果[6154037]",
    "06": "系统繁忙，请稍后再试[0600000]",
    "10": "报文格式错误",
    "11": "验证签名失败",
    "12": "重复交易[1200000]",
    "13": "报文交易要素缺失",
    "31": "商户状态不正确[3100000]",
    "34": "查无此交易[2600000]",
    "35": "原交易不存在或状态不正确[3500000]",
    "36": "与原交易信息不符[3600000]",
    "37": "已超过最大查询次数或操作过于频繁[3700000]",
    "45": "原交易已被成功退货或已被成功撤销[4500000]",
    "98": "文件不存在[9800000]",
}
"""Texts of 00, 01, 05 and 34 as in the vectors; the others follow the code tables, with made-up long codes."""

CURRENCY: Final = "156"
ECHOED: Final = ("accessType", "bizType", "merId", "orderId", "txnSubType", "txnTime", "txnType")
CLEARING_SHIFT: Final = timedelta(hours=1)
"""A clearing day runs from 23:00 to 23:00. Source: sheet section 11."""


class Refusal(RequestRefused):
    """A respCode other than 00; `detail` says more where one code has many causes."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = f"{MESSAGES[code]}: {detail}[{code}00000]" if detail else MESSAGES[code]


@dataclass(slots=True, kw_only=True)
class Movement:
    """
    One orderId + txnTime.

    Attributes:
        request: The fields of the request that made it.
        query_id: UnionPay's own number, 21 digits; empty for an order nobody has paid.
        settled_at: When the money moved; None while it has not.
    """

    request: dict[str, str] = field(repr=False)
    amount_fen: int
    created_at: datetime
    query_id: str = ""
    settled_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What UnionPay knows it by."""
        return self.order_id, self.request["txnTime"]

    @property
    def order_id(self) -> str:
        """The merchant's number."""
        return self.request["orderId"]

    @property
    def trace_no(self) -> str:
        """Six digits, which are part of the queryId; so in the vectors."""
        return self.query_id[14:20]


@dataclass(slots=True, kw_only=True)
class Refund(Movement):
    """A refund (退货, txnType 04) or an undo (消费撤销, txnType 31); its amount is reserved from acceptance on."""

    @property
    def undo(self) -> bool:
        """True for 消费撤销."""
        return self.request["txnType"] == "31"

    @property
    def outcome(self) -> str:
        """What a query calls origRespCode."""
        return "05" if self.settled_at is None else "00"


@dataclass(slots=True, kw_only=True)
class Order(Movement):
    """
    One payment order.

    Attributes:
        kind: front, app or qr.
        visit: The token of this order's cashier page.
        tn: The number an app starts the control with; empty unless kind is app.
    """

    kind: str
    expires_at: datetime
    visit: str
    tn: str = ""
    refunds: list[Refund] = field(default_factory=list)

    @property
    def refunded_fen(self) -> int:
        """All refunds and undos accepted so far."""
        return sum(refund.amount_fen for refund in self.refunds)

    def state(self, now: datetime) -> str:
        """00 paid, 34 not (yet) paid, EXPIRED past payTimeout: a query answers 34 to that as well."""
        if self.settled_at is not None:
            return "00"
        return "EXPIRED" if now >= self.expires_at else "34"

    @property
    def subject(self) -> str:
        """What the payer is shown: orderDesc, or the commodityName in riskRateInfo."""
        named = dict(
            part.partition("=")[::2] for part in self.request.get("riskRateInfo", "").strip("{}").split("&") if part
        )
        return self.request.get("orderDesc") or named.get("commodityName") or "银联订单"


class Book(frame.Book[tuple[str, str], Order]):
    """Every order, refund and undo of the sandbox, by orderId and txnTime."""

    def __init__(self, orders_max: int) -> None:
        super().__init__(orders_max)
        self.refunds: dict[tuple[str, str], tuple[Order, Refund]] = {}
        self.by_order_id: dict[str, Order] = {}
        self.by_query_id: dict[str, Order] = {}
        self.by_prepay: dict[str, Order] = {}

    def add(self, order: Order) -> None:
        """
        Keep a new order; under an orderId used before, the newest is the one the payer pays.

        Raises:
            SandboxFull: As many orders are kept as the sandbox was built for.
        """
        self.keep(order.key, order)
        self.by_order_id[order.order_id] = order
        self.by_prepay |= {name: order for name in (order.visit, order.tn) if name}

    def add_refund(self, order: Order, refund: Refund) -> None:
        """Keep an accepted refund or undo."""
        order.refunds.append(refund)
        self.refunds[refund.key] = (order, refund)

    def knows(self, key: tuple[str, str]) -> bool:
        """True when this orderId + txnTime was used before."""
        return key in self.orders or key in self.refunds

    def next_query_id(self, now: datetime) -> str:
        """21 digits; the layout is read off the vectors: 05, time, traceNo, 8."""
        return f"05{now:%y%m%d%H%M%S}{self._next():06d}8"

    def next_tn(self, now: datetime) -> str:
        """21 digits."""
        return f"8{now:%y%m%d%H%M%S}{self._next():08d}"

    def _next(self) -> int:
        return self.next_sequence() % 1_000_000


def clearing_day(at: datetime) -> date:
    """The day whose settlement file an event is in."""
    return (at.astimezone(BEIJING) + CLEARING_SHIFT).date()


def result_fields(item: Movement) -> dict[str, str]:
    """What a query's answer and a notice say alike; settlement fields come with the money."""
    shown = {name: item.request[name] for name in ECHOED}
    shown |= {
        "currencyCode": CURRENCY,
        "queryId": item.query_id,
        "settleAmt": str(item.amount_fen) if item.settled_at else "0",
        "settleCurrencyCode": CURRENCY,
        "txnAmt": str(item.amount_fen),
    }
    if item.settled_at is not None:
        shown |= {
            "settleDate": f"{clearing_day(item.settled_at):%m%d}",
            "traceNo": item.trace_no,
            "traceTime": f"{item.settled_at.astimezone(BEIJING):%m%d%H%M%S}",
        }
    reserved = item.request.get("reqReserved")
    return shown | ({"reqReserved": reserved} if reserved else {})
