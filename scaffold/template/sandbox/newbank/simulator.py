"""The newbank simulator: where its operations are, how requests are admitted, and how answers look."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.clock import rfc3339
from sandbox.faults import AnyFault, Fault
from sandbox.frame import Surroundings
from sandbox.newbank import trading
from sandbox.newbank.keys import NewbankKeys
from sandbox.newbank.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts
from sandbox.newbank.orders import MESSAGES, Book, Order, Refusal
from sandbox.newbank.signing import proof_fault, signed_headers, spoilt
from sandbox.newbank.world import Call, Route, World
from sandbox.simulator import ProviderSimulator
from sandbox.wire import Answer, Json, PayRefused, folded

ROUTES: Final = (
    Route(
        path="/pay/orders",
        operation="create",
        needs=("amount", "subject", "pay_type", "expire_time", "notify_url"),
        run=trading.place,
    ),
    Route(path="/pay/orders/query", operation="query", needs=(), run=trading.query),
    Route(path="/pay/orders/close", operation="close", needs=(), run=trading.close),
    Route(
        path="/pay/refunds",
        operation="refund",
        needs=("out_refund_no", "amount", "reason", "notify_url"),
        run=trading.refund,
    ),
    Route(path="/pay/refunds/query", operation="refund_query", needs=("out_refund_no",), run=trading.query_refund),
)
"""Fact to replace: addresses and needed members of each call (source: section of each interface)."""

_DONE: Final = "0000"
_PUBLIC: Final = ("merchant_no", "out_trade_no")


class NewbankSimulator(ProviderSimulator[World, Call, Order]):
    """newbank as one merchant sees it: below the base URL /pay/… for servers, /cashier for payers."""

    writing_faults = frozenset({Fault.ANSWER_BAD_SIGNATURE})

    def __init__(self, keys: NewbankKeys, surroundings: Surroundings) -> None:
        courier = surroundings.courier(retry_seconds=RETRY_SECONDS, accepts=accepts, spoils=DELIVERY_FAULTS)
        book = Book(surroundings.orders_max)
        super().__init__(World(surroundings=surroundings, courier=courier, keys=keys, book=book))

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        place = urlsplit(path).path.removeprefix(self._base_path)
        route = next((route for route in ROUTES if route.path == place), None)
        if method != "POST" or route is None:
            return Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"Not Found")
        try:
            call = self._admitted(route, path, folded(headers), body)
        except Refusal as refusal:
            return self._signed(_told(refusal), None)
        return self._answered(call)

    # --- requests -----------------------------------------------------------------------------------------------------

    def _admitted(self, route: Route, path: str, headers: Mapping[str, str], body: bytes) -> Call:
        """The signature first, then what every request must have."""
        keys = self._world.keys
        fault = proof_fault(
            keys.merchant_private_key.public_key(),
            key_id=keys.identity.key_id,
            target=path,
            headers=headers,
            body=body,
            now=self._world.clock.now(),
        )
        if fault:
            raise Refusal("1003", fault)
        try:
            content = json.loads(body)
        except ValueError as exc:
            raise Refusal("1005", "JSON") from exc
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise Refusal("1005", "JSON")
        for name in (*_PUBLIC, *route.needs):
            if not content.get(name):
                raise Refusal("1005", name)
        if content["merchant_no"] != keys.identity.merchant_no:
            raise Refusal("1004")
        return Call(content=content, route=route)

    def _about(self, call: Call) -> tuple[str, str]:
        return call.route.operation, call.content["out_trade_no"]

    def _run(self, call: Call) -> Any:
        return call.route.run(self._world, call)

    def _written(self, call: Call, outcome: Any, fault: AnyFault | None) -> Answer:
        if isinstance(outcome, Refusal):
            return self._signed(_told(outcome), fault)
        return self._signed({"code": _DONE, "message": MESSAGES[_DONE], **outcome}, fault)

    def _limited(self, call: Call) -> Answer:
        return self._signed(_told(Refusal("1001")), None)

    def _broken(self, call: Call) -> Answer:
        return Answer(status=500, headers={"Content-Type": "text/plain"}, body=b"Internal Server Error")

    def _signed(self, members: Mapping[str, str], fault: AnyFault | None) -> Answer:
        """Refusals are signed, too."""
        keys = self._world.keys
        body = json.dumps(dict(members), ensure_ascii=False, separators=(",", ":")).encode()
        headers = signed_headers(keys.bank_private_key, keys.identity.bank_key_id, body, self._world.clock.now())
        return Answer(
            status=200, headers=spoilt(headers) if fault is Fault.ANSWER_BAD_SIGNATURE else headers, body=body
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
        return self._turned_away(order)

    def _turned_away(self, order: Order) -> Json:
        return {"return_url": order.request["return_url"]} if "return_url" in order.request else {}

    # --- what there is ------------------------------------------------------------------------------------------------

    def _all_orders(self) -> Iterable[Order]:
        return self._world.book.orders.values()

    def _paid_orders(self) -> Iterable[Order]:
        return [order for order in self._world.book.orders.values() if order.paid_at is not None]

    def _shown(self, order: Order) -> Json:
        return {
            "out_trade_no": order.out_trade_no,
            "kind": order.request["pay_type"].lower(),
            "state": order.state(self._world.clock.now()),
            "amount_fen": order.amount_fen,
            "refunded_fen": order.refunded_fen,
            "subject": order.request["subject"],
            "provider_trade_no": order.trade_no,
            "prepay": order.visit,
            "created_at": rfc3339(order.created_at),
            "expires_at": rfc3339(order.expires_at),
        }

    def _payment(self, order: Order) -> Json:
        return {
            "out_trade_no": order.out_trade_no,
            "provider_trade_no": order.trade_no,
            "amount_fen": order.amount_fen,
            "paid_at": rfc3339(order.paid_at) if order.paid_at else None,
        }

    def _refunds(self, order: Order) -> Iterable[Json]:
        return [
            {
                "out_trade_no": order.out_trade_no,
                "out_refund_no": refund.out_refund_no,
                "provider_refund_no": refund.refund_no,
                "amount_fen": refund.amount_fen,
                "outcome": refund.state,
                "accepted_at": rfc3339(refund.created_at),
            }
            for refund in order.refunds
        ]


def _told(refusal: Refusal) -> Mapping[str, str]:
    return {"code": refusal.code, "message": refusal.message}
