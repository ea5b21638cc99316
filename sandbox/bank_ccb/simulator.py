"""The CCB simulator: where its operations are, and how answers look to a server, a browser and the client program."""

import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from sandbox.bank_ccb import ebs, paying
from sandbox.bank_ccb.keys import BankCcbKeys, new_counter_key, public_hex
from sandbox.bank_ccb.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts
from sandbox.bank_ccb.orders import SUCCEEDED, Book, Order, Refusal, merchants_number
from sandbox.bank_ccb.world import World
from sandbox.clock import rfc3339
from sandbox.faults import AnyFault, Fault
from sandbox.frame import Surroundings
from sandbox.simulator import ProviderSimulator
from sandbox.wire import Answer, Json, PayRefused

MAIN: Final = "/CCBIS/ccbMain"
CODE: Final = "/CCBIS/QR"
EBS: Final = "/ebs"
NOTIFY_PATH: Final = "/callbacks/bank_ccb/bank_ccb"
"""Of the account that `jiaofei init` writes."""

_BUSY: Final = "SANDBOX0006"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    One admitted request.

    Attributes:
        asked: Of the client program; None for the bank's own pages.
        fields: Of an order.
        visit: The token in a QR code's address.
    """

    operation: str
    order_id: str
    asked: ebs.EbsCall | None = None
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    visit: str = ""


class BankCcbSimulator(ProviderSimulator[World, Call, Order]):
    """建设银行 as one counter sees it. Below the base URL: /CCBIS/ccbMain, /CCBIS/QR and the client program, /ebs."""

    writing_faults = frozenset({Fault.GBK_BODY})
    unknown_text = "没有这个订单（付款页尚未打开过）"

    def __init__(
        self, keys: BankCcbKeys, surroundings: Surroundings, *, notify_url: str = "", page_url: str = ""
    ) -> None:
        """`notify_url` and `page_url` are what the merchant has set in the bank's merchant platform."""
        courier = surroundings.courier(retry_seconds=RETRY_SECONDS, accepts=accepts, spoils=DELIVERY_FAULTS)
        super().__init__(
            World(
                surroundings=surroundings,
                courier=courier,
                keys=keys,
                book=Book(surroundings.orders_max),
                counter_keys=[keys.counter_private_key],
                notify_url=notify_url or f"{surroundings.gateway_url}{NOTIFY_PATH}",
                page_url=page_url,
            )
        )

    def set_notify_url(self, url: str) -> None:
        """The merchant sets another address in the merchant platform."""
        with self._world.lock:
            self._world.notify_url = url

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Answer one request.

        Args:
            headers: Not read.
        """
        del headers
        parts = urlsplit(path)
        place = parts.path.removeprefix(self._base_path)
        if (method, place) == ("POST", EBS):
            return self._ebs(body)
        if (method, place) == ("GET", CODE):
            return self._code(parts.query)
        if place == MAIN and method in {"GET", "POST"}:
            return self._order(parts.query if method == "GET" else body.decode("latin-1"))
        return _page(404, "Not Found")

    def rotate_certificate(self) -> str:
        """The bank makes the counter a new key; returns its public half, which the merchant must fetch."""
        fresh = new_counter_key()
        with self._world.lock:
            self._world.counter_keys.append(fresh)
        return public_hex(fresh)

    def _ebs(self, body: bytes) -> Answer:
        try:
            asked = ebs.read_call(self._world, body)
        except Refusal as refusal:
            return _xml(ebs.written(self._world, None, refusal))
        return self._answered(Call(operation=ebs.OPERATIONS[asked.tx_code], order_id=asked.order_id, asked=asked))

    def _order(self, query: str) -> Answer:
        try:
            fields = paying.order_fields(self._world, query)
        except Refusal as refusal:
            return _refused(refusal, in_browser=f"TXCODE={paying.CASHIER}" in query)
        operation = "page" if fields["TXCODE"] == paying.CASHIER else "create"
        return self._answered(Call(operation=operation, order_id=fields["ORDERID"], fields=fields))

    def _code(self, query: str) -> Answer:
        visit = parse_qs(query).get("NO", [""])[0]
        with self._world.lock:
            order = self._world.book.by_visit.get(visit)
        if order is None:
            return _refused(Refusal("SANDBOX0001", "NO"), in_browser=False)
        return self._answered(Call(operation="create", order_id=order.order_id, visit=visit))

    def _about(self, call: Call) -> tuple[str, str]:
        return call.operation, merchants_number(call.order_id)

    def _run(self, call: Call) -> Any:
        if call.asked is not None:
            if call.operation == "query" and self._world.fault(
                Fault.NOT_FOUND_THEN_PAID, operation="query", out_trade_no=merchants_number(call.order_id)
            ):
                raise Refusal("YDCA02910001")
            return ebs.run(self._world, call.asked)
        if call.visit:
            return paying.code_text(self._world, self._world.book.by_visit[call.visit])
        order = paying.place(self._world, call.fields)
        return order if call.operation == "page" else paying.code_address(self._world, order)

    def _written(self, call: Call, outcome: Any, fault: AnyFault | None) -> Answer:
        if call.asked is not None:
            encoding = "GBK" if fault is Fault.GBK_BODY else "GB18030"
            return _xml(ebs.written(self._world, call.asked, outcome, encoding=encoding))
        if isinstance(outcome, Order):
            return Answer(status=302, headers={"Location": paying.cashier_url(self._world, outcome)})
        if isinstance(outcome, Refusal):
            return _refused(outcome, in_browser=call.operation == "page")
        return _json({**outcome, "ERRMSG": "成功"} if fault is Fault.GBK_BODY else outcome)

    def _limited(self, call: Call) -> Answer:
        return self._written(call, Refusal(_BUSY), None)

    def _broken(self, call: Call) -> Answer:
        del call
        return _page(500, "系统繁忙")

    # --- the payer ----------------------------------------------------------------------------------------------------

    def _find(self, out_trade_no: str) -> Order | None:
        return self._world.book.by_merchants_number.get(out_trade_no)

    def _visited(self, token: str) -> Order:
        order = self._world.book.by_visit.get(token)
        if order is None:
            raise PayRefused("支付链接无效，请返回商户页面重新发起支付")
        return order

    def _paid_by_payer(self, order: Order) -> Json:
        return paying.pay(self._world, order)

    # --- what there is ------------------------------------------------------------------------------------------------

    def _all_orders(self) -> Iterable[Order]:
        return self._world.book.orders.values()

    def _paid_orders(self) -> Iterable[Order]:
        return [order for order in self._world.book.orders.values() if order.paid is not None]

    def _shown(self, order: Order) -> Json:
        return {
            "out_trade_no": merchants_number(order.order_id),
            "order_id": order.order_id,
            "kind": order.kind,
            "state": order.state(self._world.clock.now()),
            "amount_fen": order.amount_fen,
            "refunded_fen": order.refunded_fen,
            "subject": _unescaped(order.request.get("PROINFO", "")) or "建行订单",
            "provider_trade_no": None,
            "prepay": order.visit,
            "created_at": rfc3339(order.created_at),
            "expires_at": rfc3339(order.expires_at) if order.expires_at else None,
        }

    def _payment(self, order: Order) -> Json:
        return {
            "out_trade_no": merchants_number(order.order_id),
            "provider_trade_no": None,
            "amount_fen": order.amount_fen,
            "paid_at": rfc3339(order.paid.at) if order.paid else None,
        }

    def _refunds(self, order: Order) -> Iterable[Json]:
        return [
            {
                "out_trade_no": merchants_number(order.order_id),
                "out_refund_no": refund.code,
                "amount_fen": refund.amount_fen,
                "outcome": "SUCCESS" if refund.status == SUCCEEDED else "PROCESSING",
                "accepted_at": rfc3339(refund.at),
            }
            for refund in order.refunds
        ]


def _xml(body: bytes) -> Answer:
    return Answer(status=200, headers={"Content-Type": "text/xml"}, body=body)


def _json(members: Json) -> Answer:
    """Without a charset: the bank's texts are GBK."""
    body = json.dumps(members, ensure_ascii=False).encode("gbk", "replace")
    return Answer(status=200, headers={"Content-Type": "application/json"}, body=body)


def _refused(refusal: Refusal, *, in_browser: bool) -> Answer:
    if in_browser:
        return _page(200, f"订单无法支付 {refusal.code} {refusal.message}")
    return _json({"SUCCESS": "false", "ERRCODE": refusal.code, "ERRMSG": refusal.message})


def _unescaped(text: str) -> str:
    """JavaScript's `unescape()`."""
    pieces = text.split("%")
    shown = pieces[0]
    for piece in pieces[1:]:
        digits = piece[1:5] if piece.startswith("u") else piece[:2]
        shown += chr(int(digits, 16)) + piece[5 if piece.startswith("u") else 2 :]
    return shown


def _page(status: int, text: str) -> Answer:
    """What a browser sees of a refused order, and a server of an outage."""
    page = (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>建行沙箱</title><h1>{html.escape(text)}</h1><p>请返回商户页面，重新发起请求。</p></html>"
    )
    return Answer(status=status, headers={"Content-Type": "text/html;charset=utf-8"}, body=page.encode("utf-8"))
