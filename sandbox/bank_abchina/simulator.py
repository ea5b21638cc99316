"""The Agricultural Bank's simulator: one address, four messages; answers in GBK, signed over their raw text."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.bank_abchina import statements, trading
from sandbox.bank_abchina.faults import BankAbchinaFault
from sandbox.bank_abchina.keys import BankAbchinaKeys
from sandbox.bank_abchina.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts
from sandbox.bank_abchina.orders import MESSAGES, Book, Order, Refusal
from sandbox.bank_abchina.signing import (
    answer_body,
    genuine,
    message_of,
    read_message,
    split_envelope,
)
from sandbox.bank_abchina.world import Call, World
from sandbox.clock import rfc3339
from sandbox.faults import AnyFault, Fault
from sandbox.frame import Surroundings
from sandbox.simulator import ProviderSimulator
from sandbox.wire import Answer, Json, PayRefused

_PATH: Final = re.compile(r"/ebus/(?:trustpay/)?ReceiveMerchantTrxReqServlet")
_OPERATIONS: Final = {
    "PayReq": ("create", trading.place),
    "Query": ("query", trading.query),
    "Refund": ("refund", trading.refund),
    "Settle": ("bill", statements.settle),
}
_HEADERS: Final = {"Content-Type": "text/html;charset=GBK"}
_PREAMBLE: Final = "\r\n\r\n农行网上支付平台\r\n".encode("gbk")
_LINKS: Final = {"1": "pc", "2": "h5"}


class BankAbchinaSimulator(ProviderSimulator[World, Call, Order]):
    """农业银行 as one merchant sees it. Below the base URL is /ebus/trustpay/ReceiveMerchantTrxReqServlet."""

    writing_faults = frozenset(
        {
            BankAbchinaFault.ANSWER_UNSIGNED,
            BankAbchinaFault.ANSWER_PREAMBLE,
            Fault.ANSWER_BAD_SIGNATURE,
        }
    )

    def __init__(self, keys: BankAbchinaKeys, surroundings: Surroundings) -> None:
        courier = surroundings.courier(retry_seconds=RETRY_SECONDS, accepts=accepts, spoils=DELIVERY_FAULTS)
        super().__init__(
            World(
                surroundings=surroundings,
                courier=courier,
                keys=keys,
                book=Book(surroundings.orders_max),
            )
        )

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request; whatever its Content-Type says, the body is an envelope in UTF-8."""
        del headers
        place = urlsplit(path).path.removeprefix(self._base_path)
        if method != "POST" or _PATH.fullmatch(place) is None:
            return Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"Not Found")
        try:
            call = self._admitted(body)
        except Refusal as refusal:
            return self._signed({"ReturnCode": refusal.code, "ErrorMessage": refusal.message})
        return self._answered(call)

    def rotate_certificate(self) -> str:
        """The other of the two pinned certificates signs from now on; returns its name."""
        with self._world.lock:
            self._world.renewed = not self._world.renewed
            return "renewed" if self._world.renewed else "expired"

    def _admitted(self, body: bytes) -> Call:
        """
        Envelope, signature, merchant, kind: nothing else is believed before.

        Raises:
            Refusal: S001, S002 or 2302.
        """
        keys = self._world.keys
        try:
            text, signature = split_envelope(body)
            message = read_message(text)
        except ValueError as fault:
            raise Refusal("S001") from fault
        if not genuine(keys.merchant_private_key.public_key(), text.encode(), signature):
            raise Refusal("S002")
        merchant, request = message.get("Merchant"), message.get("TrxRequest")
        if not isinstance(merchant, dict) or merchant.get("MerchantID") != keys.identity.merchant_id:
            raise Refusal("2302")
        if not isinstance(request, dict) or request.get("TrxType") not in _OPERATIONS:
            raise Refusal("S001", "TrxType")
        operation, run = _OPERATIONS[request["TrxType"]]
        return Call(fields=request, operation=operation, run=run)

    def _about(self, call: Call) -> tuple[str, str]:
        if call.operation == "create":
            order = call.fields.get("Order")
            return "create", str(order.get("OrderNo", "")) if isinstance(order, dict) else ""
        number = call.text("OrderNo")
        known = self._world.book.refunds.get(number)
        if call.operation == "query" and call.text("PayTypeID") == "Refund":
            return "refund_query", known[0].order_no if known else ""
        return call.operation, number

    def _run(self, call: Call) -> Any:
        return call.run(self._world, call)

    def _written(self, call: Call, outcome: Any, fault: AnyFault | None) -> Answer:
        if fault is BankAbchinaFault.ANSWER_UNSIGNED:
            return self._unsigned()
        said = {
            "ReturnCode": "0000",
            "ErrorMessage": MESSAGES["0000"],
            "TrxType": call.text("TrxType"),
        }
        if isinstance(outcome, Refusal):
            said |= {"ReturnCode": outcome.code, "ErrorMessage": outcome.message}
        else:
            said |= outcome
        return self._signed(said, fault)

    def _limited(self, call: Call) -> Answer:
        """What the bank says of too many requests is unknown: here, the unsigned word for an unknown outcome."""
        return self._unsigned()

    def _broken(self, call: Call) -> Answer:
        return Answer(
            status=500,
            headers={"Content-Type": "text/html"},
            body=b"<html><body>Error 500</body></html>",
        )

    def _signed(self, said: Mapping[str, str], fault: AnyFault | None = None) -> Answer:
        world = self._world
        key = world.keys.stranger_private_key if fault is Fault.ANSWER_BAD_SIGNATURE else world.signing_key
        body = answer_body(message_of(world.keys.identity.merchant_id, said), key)
        before = _PREAMBLE if fault is BankAbchinaFault.ANSWER_PREAMBLE else b""
        return Answer(status=200, headers=_HEADERS, body=before + body)

    def _unsigned(self) -> Answer:
        said = {"ReturnCode": "EUNKWN", "ErrorMessage": MESSAGES["EUNKWN"]}
        body = answer_body(message_of(self._world.keys.identity.merchant_id, said), None)
        return Answer(status=200, headers=_HEADERS, body=body)

    def _find(self, out_trade_no: str) -> Order | None:
        return self._world.book.orders.get(out_trade_no)

    def _visited(self, token: str) -> Order:
        order = self._world.book.by_visit.get(token)
        if order is None:
            raise PayRefused("支付链接无效，请返回商户页面重新发起支付")
        return order

    def _paid_by_payer(self, order: Order) -> Json:
        trading.commit_payment(self._world, order)
        return {}

    def _all_orders(self) -> Iterable[Order]:
        return self._world.book.orders.values()

    def _paid_orders(self) -> Iterable[Order]:
        return [order for order in self._world.book.orders.values() if order.settled_at is not None]

    def _shown(self, order: Order) -> Json:
        return {
            "out_trade_no": order.order_no,
            "kind": _LINKS.get(order.link_type, "other"),
            "state": order.state(self._world.clock.now()),
            "amount_fen": order.amount_fen,
            "refunded_fen": order.refunded_fen,
            "subject": order.subject,
            "provider_trade_no": order.reference,
            "prepay": order.visit,
            "created_at": rfc3339(order.created_at),
            "expires_at": rfc3339(order.expires_at),
        }

    def _payment(self, order: Order) -> Json:
        return {
            "out_trade_no": order.order_no,
            "provider_trade_no": order.reference,
            "amount_fen": order.amount_fen,
            "paid_at": rfc3339(order.settled_at) if order.settled_at else None,
        }

    def _refunds(self, order: Order) -> Iterable[Json]:
        """Those that failed moved no money, and are none."""
        return [
            {
                "out_trade_no": order.order_no,
                "out_refund_no": refund.refund_no,
                "provider_refund_no": refund.reference,
                "amount_fen": refund.amount_fen,
                "outcome": refund.status,
                "accepted_at": rfc3339(refund.created_at),
            }
            for refund in order.refunds
            if refund.status != "99"
        ]
