"""Orders, tries and refunds as CCB keeps them, and the book that holds them. Source: sheet bank.md section 2."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from sandbox import frame
from sandbox.clock import BEIJING
from sandbox.wire import RequestRefused

FAILED: Final = "0"
SUCCEEDED: Final = "1"
WAITING: Final = "2"
PARTLY_REFUNDED: Final = "3"
REFUNDED: Final = "4"

ANSWERED: Final = "000000"
NO_RECORD: Final = "YDCA02910001"
MESSAGES: Final = {
    ANSWERED: "",
    NO_RECORD: "流水记录不存在",
    "SANDBOX0001": "报文格式错误",
    "SANDBOX0002": "商户、操作员或密码错误",
    "SANDBOX0003": "请求序列号重复",
    "SANDBOX0004": "金额错误",
    "SANDBOX0005": "退款金额超过可退金额",
    "SANDBOX0006": "系统繁忙",
    "SANDBOX0007": "订单已过支付时限",
    "SANDBOX0008": "同一订单号的内容不一致",
    "SANDBOX0009": "MAC校验失败",
    "SANDBOX0010": "退款失败，余额不足",
    "SANDBOX0011": "订单已超过可退款期限",
}
"""Only the first two are the bank's; the others are the sandbox's own."""

TOO_MUCH: Final = "SANDBOX0005"
REFUSES_REFUND: Final = "SANDBOX0010"
TOO_LATE: Final = "SANDBOX0011"
REFUND_REFUSALS: Final = (TOO_MUCH, REFUSES_REFUND, TOO_LATE)
"""Final for a refund, as a branch would have to confirm of its own codes."""

_MERCHANTS_NUMBER: Final = re.compile(r"[0-9A-Z]{25}")
_BITS: Final = 128


class Refusal(RequestRefused):
    """A RETURN_CODE or ERRCODE that is no success."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = f"{MESSAGES[code]} {detail}".rstrip()


@dataclass(slots=True, kw_only=True)
class Try:
    """One time that the payer paid, or tried to."""

    status: str
    at: datetime


@dataclass(slots=True, kw_only=True)
class Refund:
    """One refund, reserved from its acceptance on."""

    code: str
    amount_fen: int
    at: datetime
    done: bool = False

    @property
    def status(self) -> str:
        """STATUS of 5W1003."""
        return SUCCEEDED if self.done else WAITING


@dataclass(slots=True, kw_only=True)
class Order:
    """
    One ORDERID.

    Attributes:
        request: The fields that it came with, MAC left out.
        visit: The token of its cashier page.
        expires_at: TIMEOUT; None where it had none.
    """

    request: dict[str, str] = field(repr=False)
    amount_fen: int
    created_at: datetime
    visit: str
    expires_at: datetime | None
    tries: list[Try] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)

    @property
    def order_id(self) -> str:
        return self.request["ORDERID"]

    @property
    def kind(self) -> str:
        """TXCODE."""
        return self.request["TXCODE"]

    @property
    def paid(self) -> Try | None:
        """The try that succeeded."""
        return next((one for one in self.tries if one.status == SUCCEEDED), None)

    @property
    def waiting(self) -> bool:
        return any(one.status == WAITING for one in self.tries)

    @property
    def reserved_fen(self) -> int:
        """Refunds accepted."""
        return sum(refund.amount_fen for refund in self.refunds)

    @property
    def refunded_fen(self) -> int:
        """Refunds done."""
        return sum(refund.amount_fen for refund in self.refunds if refund.done)

    def state(self, now: datetime) -> str:
        if self.paid is not None:
            return "PAID"
        if self.waiting:
            return "WAITING"
        return "EXPIRED" if self.expires_at is not None and now >= self.expires_at else "UNPAID"

    def record_status(self, one: Try) -> str:
        """ORDER_STATUS of 5W1002."""
        if one.status != SUCCEEDED or not self.refunded_fen:
            return one.status
        return REFUNDED if self.refunded_fen == self.amount_fen else PARTLY_REFUNDED


class Book(frame.Book[str, Order]):
    """Every order of the sandbox by ORDERID, and the REQUEST_SNs that were used."""

    def __init__(self, orders_max: int) -> None:
        super().__init__(orders_max)
        self.by_visit: dict[str, Order] = {}
        self.by_merchants_number: dict[str, Order] = {}
        self.request_numbers: set[str] = set()

    def add(self, order: Order) -> None:
        """
        Keep a new order.

        Raises:
            SandboxFull: As many orders are kept as the sandbox was built for.
        """
        self.keep(order.order_id, order)
        self.by_visit[order.visit] = order
        self.by_merchants_number[merchants_number(order.order_id)] = order


def merchants_number(order_id: str) -> str:
    """
    The number by which the gateway's own interface knows a payment.

    It writes its 32 hex digits in base 36 (docs/providers/bank_ccb.md); pages and the control interface show them as
    the gateway does. Any other ORDERID stays as it is.
    """
    if _MERCHANTS_NUMBER.fullmatch(order_id) is None or int(order_id, 36) >= 1 << _BITS:
        return order_id
    return format(int(order_id, 36), "032x")


def day_of(at: datetime) -> date:
    """Today's records are unsettled, earlier ones settled."""
    return at.astimezone(BEIJING).date()
