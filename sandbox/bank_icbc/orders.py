"""
Orders and refunds as ICBC keeps them, and the book that holds them.

Source: sheet bank.md section 4.3. Codes: 500020 and -12345 as in vectors/icbc_response.json, 400011 and 400017 as
public clients tell them; the others are made up.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sandbox import frame
from sandbox.clock import BEIJING
from sandbox.wire import RequestRefused

PAID: Final = "0"
FAILED: Final = "1"
UNDER_WAY: Final = "2"
EXPIRED: Final = "EXPIRED"
"""pay_status of a payment or a refund; the last is the sandbox's own word."""

MESSAGES: Final = {
    0: "交易成功",
    400011: "参数非法",
    400017: "签名验证失败",
    500020: "订单不存在",
    500021: "订单已存在且内容不同",
    500023: "订单未支付",
    500024: "退款金额超过可退金额",
    500025: "退款流水号重复",
    500098: "服务繁忙",
    -12345: "系统异常",
}


class Refusal(RequestRefused):
    """A return_code other than 0; `detail` says more where one code has many causes."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(str(code))
        self.code = code
        self.message = f"{MESSAGES[code]}：{detail}" if detail else MESSAGES[code]


@dataclass(slots=True, kw_only=True)
class Refund:
    """One outtrx_serial_no; its amount is reserved from acceptance on."""

    serial: str
    amount_fen: int
    created_at: datetime
    refund_no: str
    outcome: str = UNDER_WAY
    settled_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Order:
    """
    One payment order.

    Attributes:
        request: The members of the cashier call that made it.
        sealed: The merchant encrypts: answers and notices about it are encrypted, too.
        visit: The token of its cashier page.
        tried: A payer has tried and failed; until then, and until it is paid, a query does not find it.
        order_id: The bank's own number; empty for an order that nobody has paid.
    """

    request: dict[str, str] = field(repr=False)
    amount_fen: int
    created_at: datetime
    expires_at: datetime
    visit: str
    sealed: bool
    tried: bool = False
    order_id: str = ""
    paid_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)

    @property
    def out_trade_no(self) -> str:
        """The merchant's number."""
        return self.request["out_trade_no"]

    @property
    def refunded_fen(self) -> int:
        """All refunds accepted so far that did not fail."""
        return sum(refund.amount_fen for refund in self.refunds if refund.outcome != FAILED)

    def state(self, now: datetime) -> str:
        """The word of the pages: as pay_status, or that the time to pay is over."""
        if self.paid_at is not None:
            return PAID
        if now >= self.expires_at:
            return EXPIRED
        return FAILED if self.tried else UNDER_WAY

    def refund_of(self, serial: str) -> Refund | None:
        """The refund of this number."""
        return next((refund for refund in self.refunds if refund.serial == serial), None)


def beijing(moment: datetime | None) -> str:
    """A pay_time: 14 digits; empty for what has not happened."""
    return f"{moment.astimezone(BEIJING):%Y%m%d%H%M%S}" if moment else ""


class Book(frame.Book[str, Order]):
    """Every order by out_trade_no, and what was said before."""

    def __init__(self, orders_max: int) -> None:
        super().__init__(orders_max)
        self.by_visit: dict[str, Order] = {}
        self.notified: set[str] = set()
        self._heard: dict[str, None] = {}
        self._heard_max = 10 * orders_max

    def add(self, order: Order) -> None:
        """
        Keep a new order.

        Raises:
            SandboxFull: As many orders are kept as the sandbox was built for.
        """
        self.keep(order.out_trade_no, order)
        self.by_visit[order.visit] = order

    def hear(self, msg_id: str) -> bool:
        """True when this msg_id was never used before; the oldest are forgotten."""
        if msg_id in self._heard:
            return False
        self._heard[msg_id] = None
        if len(self._heard) > self._heard_max:
            del self._heard[next(iter(self._heard))]
        return True

    def next_number(self, mer_id: str, now: datetime) -> str:
        """The bank's number of a payment or refund."""
        return f"{mer_id}{now:%y%m%d}{self.next_sequence():010d}"
