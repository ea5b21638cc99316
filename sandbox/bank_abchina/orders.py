"""
Orders and refunds as the bank keeps them, and the book that holds them.

Source: sheet bank.md sections 3.2 to 3.5. Codes that begin with an S are the sandbox's own: the bank's are not public.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sandbox import frame
from sandbox.wire import RequestRefused

MESSAGES: Final = {
    "0000": "交易成功",
    "2302": "商户无此交易权限",
    "EUNKWN": "交易结果未知，请进行查证明确交易结果，No message available",
    "S001": "报文格式错误",
    "S002": "验证签名失败",
    "S010": "订单号重复",
    "S011": "订单已支付或已过有效期",
    "S020": "原交易不存在或未支付",
    "S021": "退款金额超过可退金额",
    "S022": "已超过退款期限",
}
"""Texts of 0000, 2302 and EUNKWN as in the vectors."""


class Refusal(RequestRefused):
    """A ReturnCode other than 0000; `detail` says more where one code has many causes."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = f"{MESSAGES[code]}: {detail}" if detail else MESSAGES[code]


@dataclass(slots=True, kw_only=True)
class Refund:
    """
    A refund under its own NewOrderNo.

    Attributes:
        status: 01 under way, 04 done, 99 failed; that refunds use the orders' words is unverified.
    """

    refund_no: str
    amount_fen: int
    created_at: datetime
    reference: str
    status: str = "01"
    settled_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Order:
    """
    One OrderNo.

    Attributes:
        request: TrxRequest, by which a repeated order is known.
        visit: The token of its cashier page.
        reference: iRspRef; empty for an order nobody has paid.
    """

    request: dict[str, object] = field(repr=False)
    order_no: str
    amount_fen: int
    subject: str
    notify_url: str
    link_type: str
    created_at: datetime
    expires_at: datetime
    visit: str
    reference: str = ""
    settled_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)

    @property
    def refunded_fen(self) -> int:
        """All refunds that were accepted and have not failed."""
        return sum(refund.amount_fen for refund in self.refunds if refund.status != "99")

    def status(self) -> str:
        """01 unpaid, 04 paid, 05 wholly refunded."""
        if self.settled_at is None:
            return "01"
        returned_fen = sum(refund.amount_fen for refund in self.refunds if refund.status == "04")
        return "05" if returned_fen == self.amount_fen else "04"

    def state(self, now: datetime) -> str:
        """The status, or EXPIRED past orderTimeoutDate: a query answers 01 to that as well."""
        return "EXPIRED" if self.settled_at is None and now >= self.expires_at else self.status()


class Book(frame.Book[str, Order]):
    """Every order by its OrderNo, every refund by its NewOrderNo."""

    def __init__(self, orders_max: int) -> None:
        super().__init__(orders_max)
        self.refunds: dict[str, tuple[Order, Refund]] = {}
        self.by_visit: dict[str, Order] = {}

    def next_reference(self, now: datetime) -> str:
        """The form of 9014流水号 in public statements."""
        return f"SBECEP01{now:%H%M%S}{self.next_sequence():06d}"
