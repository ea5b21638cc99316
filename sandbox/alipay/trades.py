"""Trades and refunds as Alipay keeps them, and the book that holds them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sandbox import frame
from sandbox.wire import Json, RequestRefused

REFUND_WINDOW: Final = timedelta(days=365)
"""About 12 months, by contract; then TRADE_FINISHED. Source: sheet alipay.md section 5.4."""

PAGE_METHODS: Final = frozenset({"alipay.trade.page.pay", "alipay.trade.wap.pay", "alipay.trade.app.pay"})


class Refusal(RequestRefused):
    """
    An error answer: code, msg, sub_code, sub_msg; `signed` False answers in a bare error_response.

    Source: sheet alipay.md sections 2 and 6.
    """

    def __init__(self, code: str, msg: str, sub_code: str, sub_msg: str, *, node: bool = True, signed: bool = True):
        super().__init__(sub_code)
        self.shown: Json = {"code": code, "msg": msg, "sub_code": sub_code, "sub_msg": sub_msg}
        self.node = node
        self.signed = signed


def business_failed(sub_code: str, sub_msg: str) -> Refusal:
    """40004, with the business code."""
    return Refusal("40004", "Business Failed", sub_code, sub_msg)


def invalid_argument(sub_code: str, sub_msg: str, *, node: bool = True, signed: bool = True) -> Refusal:
    """40002, the caller's own fault."""
    return Refusal("40002", "Invalid Arguments", sub_code, sub_msg, node=node, signed=signed)


@dataclass(slots=True, kw_only=True)
class Refund:
    """One refund; the money moves when it is accepted, the refund query shows it a little later."""

    out_request_no: str
    amount_fen: int
    reason: str
    at: datetime
    shown_from: datetime


@dataclass(slots=True, kw_only=True)
class Trade:
    """
    One out_trade_no.

    Attributes:
        arrived_at: When the payer reached the cashier or scanned the code; before that no trade exists.
        visit: The token of this trade's cashier page.
        cert_mode: The order was made in certificate mode; its notifies are signed so.
        claim_ends_at: Until when an unscanned code works.
    """

    out_trade_no: str
    method: str
    amount_fen: int
    subject: str
    body: str
    notify_url: str
    return_url: str
    quit_url: str
    passback_params: str | None
    auth_app_id: str
    charset: str
    cert_mode: bool
    offered_at: datetime
    visit: str
    buyer_id: str = field(default="", repr=False)
    buyer_open_id: str = field(default="", repr=False)
    time_expire: datetime | None = None
    timeout: timedelta | None = None
    claim_ends_at: datetime | None = None
    trade_no: str = ""
    arrived_at: datetime | None = None
    expires_at: datetime | None = None
    paid_at: datetime | None = None
    closed_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)

    @property
    def refunded_fen(self) -> int:
        """All refunds so far; what a notify and a refund answer call refund_fee."""
        return sum(refund.amount_fen for refund in self.refunds)

    def refund_named(self, out_request_no: str) -> Refund | None:
        """The refund this number stands for, within this trade."""
        return next((refund for refund in self.refunds if refund.out_request_no == out_request_no), None)

    def trade_status(self, now: datetime) -> str:
        """
        The provider's word.

        Source: sheet alipay.md section 5.4.
        """
        if self.paid_at is None:
            ended = self.closed_at is not None or (self.expires_at is not None and now >= self.expires_at)
            return "TRADE_CLOSED" if ended else "WAIT_BUYER_PAY"
        if self.refunded_fen == self.amount_fen:
            return "TRADE_CLOSED"
        return "TRADE_FINISHED" if now >= self.paid_at + REFUND_WINDOW else "TRADE_SUCCESS"


class Book(frame.Book[str, Trade]):
    """Every trade and unscanned code of the sandbox."""

    def __init__(self, orders_max: int) -> None:
        super().__init__(orders_max)
        self.by_trade_no: dict[str, Trade] = {}
        self.by_visit: dict[str, Trade] = {}

    def add(self, trade: Trade) -> None:
        """
        Keep a new trade.

        Raises:
            SandboxFull: As many orders are kept as the sandbox was built for.
        """
        self.keep(trade.out_trade_no, trade)
        self.by_visit[trade.visit] = trade
