"""
Payments and revokes as the platform keeps them, the book that holds them, and the codes of its refusals.

Source: sheet shared_account.md sections 4.3 to 4.5 and 5.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sandbox import frame
from sandbox.clock import BEIJING
from sandbox.money import yuan_of
from sandbox.wire import RequestRefused

MESSAGES: Final = {
    "SA1001": "报文格式错误",
    "SA1002": "报文无法通过校验",
    "SA1004": "时间戳超出允许范围",
    "SA1005": "应用不存在或已停用",
    "SA1006": "该渠道未开通此操作",
    "SA1007": "流水号重复且内容不一致",
    "SA1008": "请求过于频繁",
    "SA2001": "个人账户余额不足",
    "SA2002": "个人账户已冻结或已注销",
    "SA2004": "未绑定或身份信息与绑定关系不符",
    "SA2005": "本统筹区不支持该亲属关系",
    "SA2007": "该参保人本年度已缴费",
    "SA2012": "支付授权码错误、已使用或已过期",
    "SA2013": "绑定关系待审核",
    "SA2014": "未同意告知书或缺少证明材料",
    "SA2015": "绑定人数超过上限",
    "SA3001": "订单不存在",
    "SA3002": "商户订单号重复且内容不一致",
    "SA3003": "订单已关闭",
    "SA3004": "订单处理中",
    "SA3005": "已超过可撤销期限",
    "SA3006": "撤销金额不等于支付金额",
    "SA3007": "订单已撤销",
    "SA3008": "对账文件尚未生成",
    "SA5001": "系统繁忙，请稍后再试",
}
"""The codes of the sheet that the simulator answers; the texts are invented."""

PENDING: Final = "1"
PAID: Final = "6"
CLOSED: Final = "7"
REVOKED: Final = "8"
FAILED: Final = "14"

REVOKE_DONE: Final = "SUCC"
REVOKE_FAILED: Final = "FAIL"
REVOKE_UNKNOWN: Final = "EXP"

_CONTENT: Final = (
    "bindId", "ownerIdType", "ownerIdNo", "ownerName", "memberIdType", "memberIdNo", "memberName",
    "insuplcAdmdvs", "insuYear", "insutype", "amt",
)  # fmt: skip
"""What must be equal when an outTradeNo comes again."""


class Refusal(RequestRefused):
    """A code other than 0; `detail` says more where one code has many causes, and never repeats a value."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = f"{MESSAGES[code]}: {detail}" if detail else MESSAGES[code]


@dataclass(slots=True, kw_only=True)
class Revoke:
    """One revoke (撤销) of a whole payment."""

    revoke_sn: str
    accepted_at: datetime
    outcome: str
    done_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Order:
    """
    One charge.

    Attributes:
        request: The data of the request that made it.
        visit: The token of its page, for an order that waits.
        ended: CLOSED or FAILED when it ended unpaid, else empty.
    """

    request: dict[str, str] = field(repr=False)
    amount_fen: int
    pay_ord_id: str
    created_at: datetime
    visit: str
    expires_at: datetime | None = None
    paid_at: datetime | None = None
    ended: str = ""
    revokes: list[Revoke] = field(default_factory=list)

    @property
    def out_trade_no(self) -> str:
        """The merchant's number."""
        return self.request["outTradeNo"]

    @property
    def premium(self) -> tuple[str, str, str]:
        """What can be paid once: person, year and kind of insurance."""
        return self.request["memberIdNo"], self.request["insuYear"], self.request["insutype"]

    @property
    def revoke_done(self) -> Revoke | None:
        """The revoke that gave the money back."""
        return next((revoke for revoke in self.revokes if revoke.done_at is not None), None)

    def state(self, now: datetime) -> str:
        """ordStas."""
        if self.paid_at is not None:
            return REVOKED if self.revoke_done else PAID
        if self.ended:
            return self.ended
        return CLOSED if self.expires_at is not None and now >= self.expires_at else PENDING

    def same_content(self, fields: dict[str, str]) -> bool:
        """True when a request asks for this very charge."""
        return all(self.request[name] == fields[name] for name in _CONTENT)

    def shown(self, now: datetime) -> dict[str, str]:
        """What a charge's answer, a query's and a callback have in common."""
        members = {"outTradeNo": self.out_trade_no, "payOrdId": self.pay_ord_id, "ordStas": self.state(now)}
        if self.paid_at is None:
            return members
        return members | {
            "psnAcctPay": yuan_of(self.amount_fen),
            "payTime": moment(self.paid_at),
            "receiptNo": f"PJ{self.pay_ord_id[3:]}",
        }


class Book(frame.Book[str, Order]):
    """Every order of the sandbox, by outTradeNo."""

    def __init__(self, orders_max: int) -> None:
        super().__init__(orders_max)
        self.by_pay_ord_id: dict[str, Order] = {}
        self.by_visit: dict[str, Order] = {}
        self.by_revoke_sn: dict[str, Order] = {}
        self.by_premium: dict[tuple[str, str, str], Order] = {}
        self.authorisations: set[str] = set()

    def add(self, order: Order) -> None:
        """
        Keep a new order; of one person, year and kind of insurance the newest is the one that counts.

        Raises:
            SandboxFull: As many orders are kept as the sandbox was built for.
        """
        self.keep(order.out_trade_no, order)
        self.by_pay_ord_id[order.pay_ord_id] = order
        self.by_visit[order.visit] = order
        self.by_premium[order.premium] = order
        self.authorisations.add(order.request["payAuthNo"])

    def next_pay_ord_id(self, now: datetime) -> str:
        """The platform's own number."""
        return f"ORD{now:%Y%m%d}{self.next_sequence():08d}"


def moment(at: datetime) -> str:
    """yyyyMMddHHmmss, Beijing time."""
    return f"{at.astimezone(BEIJING):%Y%m%d%H%M%S}"
