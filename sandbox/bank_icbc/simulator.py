"""The ICBC simulator: where its operations are, and how answers look to a server and to a browser."""

import html
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.bank_icbc import refunding, trading
from sandbox.bank_icbc.admission import admit
from sandbox.bank_icbc.faults import IcbcFault
from sandbox.bank_icbc.keys import IcbcKeys
from sandbox.bank_icbc.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts
from sandbox.bank_icbc.orders import MESSAGES, Book, Order, Refusal
from sandbox.bank_icbc.signing import answer_body, bank_signature, seal, spoilt, written
from sandbox.bank_icbc.world import Call, Route, World
from sandbox.clock import rfc3339
from sandbox.faults import AnyFault, Fault
from sandbox.frame import Surroundings
from sandbox.simulator import ProviderSimulator
from sandbox.wire import Answer, Json, PayRefused

_ONLINE: Final = "cardbusiness/aggregatepay/b2c/online"
_MERCHANT: Final = ("mer_id", "icbc_appid")
ROUTES: Final = (
    Route(
        path=f"/ui/{_ONLINE}/ui/consumepurchaseshowpay/V1",
        needs=(*_MERCHANT, "out_trade_no", "mer_prtcl_no", "order_amt", "notify_url", "body"),
        operation="page",
        run=trading.arrive,
        browser=True,
    ),
    Route(
        path=f"/api/{_ONLINE}/orderqry/V1",
        needs=(*_MERCHANT, "out_trade_no", "deal_flag"),
        operation="query",
        run=trading.query,
    ),
    Route(
        path=f"/api/{_ONLINE}/merrefund/V1",
        needs=(*_MERCHANT, "out_trade_no", "outtrx_serial_no", "ret_total_amt", "trnsc_ccy"),
        operation="refund",
        run=refunding.refund,
    ),
    Route(
        path=f"/api/{_ONLINE}/refundqry/V1",
        needs=("mer_id", "out_trade_no", "outtrx_serial_no"),
        operation="refund_query",
        run=refunding.query,
    ),
)

_IN_DOUBT: Final = -12345


class BankIcbcSimulator(ProviderSimulator[World, Call, Order]):
    """工商银行 as one merchant sees it. Below the base URL are /ui/… for browsers and /api/… for servers."""

    writing_faults = frozenset({Fault.ANSWER_BAD_SIGNATURE, IcbcFault.NEGATIVE_CODE_AFTER_COMMIT})
    unknown_text = "没有这个订单（付款页尚未打开过）"

    def __init__(self, keys: IcbcKeys, surroundings: Surroundings) -> None:
        book = Book(surroundings.orders_max)
        courier = surroundings.courier(
            retry_seconds=RETRY_SECONDS, accepts=partial(accepts, keys, book), spoils=DELIVERY_FAULTS
        )
        super().__init__(World(surroundings=surroundings, courier=courier, keys=keys, book=book))

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Answer one request.

        Args:
            path: Path and query as on the wire: the path is a part of what is signed.
            headers: Not read.
        """
        del headers
        place = urlsplit(path).path.removeprefix(self._base_path)
        route = next((route for route in ROUTES if route.path == place), None)
        if method != "POST" or route is None:
            return _page(404, "Not Found")
        try:
            call = admit(self._world, route, path, body)
        except Refusal as refusal:
            return self._refused(route, refusal)
        return self._answered(call)

    # --- requests -----------------------------------------------------------------------------------------------------

    def _about(self, call: Call) -> tuple[str, str]:
        return call.route.operation, call.content["out_trade_no"]

    def _run(self, call: Call) -> Any:
        operation, out_trade_no = self._about(call)
        before = IcbcFault.NEGATIVE_CODE_BEFORE_COMMIT
        if self._world.fault(before, operation=operation, out_trade_no=out_trade_no):
            raise Refusal(_IN_DOUBT)
        return call.route.run(self._world, call)

    def _written(self, call: Call, outcome: Any, fault: AnyFault | None) -> Answer:
        if fault is IcbcFault.NEGATIVE_CODE_AFTER_COMMIT:
            outcome = Refusal(_IN_DOUBT)
        if isinstance(outcome, Order):
            return Answer(status=302, headers={"Location": trading.cashier_url(self._world, outcome)})
        if isinstance(outcome, Refusal):
            return self._refused(call.route, outcome, call, fault)
        return self._signed(
            {"return_code": 0, "return_msg": MESSAGES[0], "msg_id": call.msg_id, **outcome}, call, fault
        )

    def _limited(self, call: Call) -> Answer:
        """A system error, so that it says nothing of what was done; the real code is unknown."""
        return self._refused(call.route, Refusal(_IN_DOUBT), call)

    def _broken(self, call: Call) -> Answer:
        del call
        return _page(500, "系统繁忙")

    def _refused(
        self, route: Route, refusal: Refusal, call: Call | None = None, fault: AnyFault | None = None
    ) -> Answer:
        if route.browser:
            return _page(200, f"订单无法支付 {refusal.code} {refusal.message}")
        members = {"return_code": refusal.code, "return_msg": refusal.message}
        return self._signed(members | ({"msg_id": call.msg_id} if call else {}), call, fault)

    def _signed(self, members: Json, call: Call | None, fault: AnyFault | None) -> Answer:
        """Encrypted when the request was: the quotes around the ciphertext are signed, too. Refusals are signed."""
        content = written(members)
        if call is not None and call.sealed:
            content = f'"{seal(self._world.keys.content_key, content)}"'
        signature = bank_signature(self._world.keys.gateway_private_key, content.encode("utf-8"))
        if fault is Fault.ANSWER_BAD_SIGNATURE:
            signature = spoilt(signature)
        return Answer(
            status=200,
            headers={"Content-Type": "application/json;charset=UTF-8"},
            body=answer_body(content, signature),
        )

    # --- the payer ----------------------------------------------------------------------------------------------------

    def _find(self, out_trade_no: str) -> Order | None:
        return self._world.book.orders.get(out_trade_no)

    def _visited(self, token: str) -> Order:
        order = self._world.book.by_visit.get(token)
        if order is None:
            raise PayRefused("支付链接无效，请返回商户页面重新发起支付")
        return order

    def _paid_by_payer(self, order: Order) -> Json:
        trading.commit_payment(self._world, order)
        return {"return_url": order.request.get("return_url", "")}

    def _turned_away(self, order: Order) -> Json:
        return {"return_url": order.request.get("return_url", "")}

    # --- what there is ------------------------------------------------------------------------------------------------

    def _all_orders(self) -> Iterable[Order]:
        return self._world.book.orders.values()

    def _paid_orders(self) -> Iterable[Order]:
        return [order for order in self._world.book.orders.values() if order.paid_at is not None]

    def _shown(self, order: Order) -> Json:
        return {
            "out_trade_no": order.out_trade_no,
            "kind": "showpay",
            "state": order.state(self._world.clock.now()),
            "amount_fen": order.amount_fen,
            "refunded_fen": order.refunded_fen,
            "subject": order.request["body"],
            "provider_trade_no": order.order_id,
            "prepay": order.visit,
            "created_at": rfc3339(order.created_at),
            "expires_at": rfc3339(order.expires_at),
        }

    def _payment(self, order: Order) -> Json:
        return {
            "out_trade_no": order.out_trade_no,
            "provider_trade_no": order.order_id,
            "amount_fen": order.amount_fen,
            "paid_at": rfc3339(order.paid_at) if order.paid_at else None,
        }

    def _refunds(self, order: Order) -> Iterable[Json]:
        return [
            {
                "out_trade_no": order.out_trade_no,
                "out_refund_no": refund.serial,
                "provider_refund_no": refund.refund_no,
                "amount_fen": refund.amount_fen,
                "outcome": refund.outcome,
                "accepted_at": rfc3339(refund.created_at),
            }
            for refund in order.refunds
        ]


def _page(status: int, text: str) -> Answer:
    """What a browser sees of a refused order, and a server of an outage: nothing signed."""
    page = (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>工商银行沙箱</title><h1>{html.escape(text)}</h1><p>请返回商户页面，重新发起请求。</p></html>"
    )
    return Answer(status=status, headers={"Content-Type": "text/html;charset=utf-8"}, body=page.encode("utf-8"))
