"""The UnionPay simulator: where its operations are, and how answers look to a server and to a browser."""

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.clock import rfc3339
from sandbox.faults import AnyFault, Fault
from sandbox.frame import Surroundings
from sandbox.simulator import ProviderSimulator
from sandbox.unionpay import files, refunding, trading
from sandbox.unionpay.admission import admit, request_fields
from sandbox.unionpay.keys import UnionpayKeys
from sandbox.unionpay.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts, front_return
from sandbox.unionpay.orders import MESSAGES, Book, Order, Refusal
from sandbox.unionpay.signing import CODECS, SIGN_METHOD, VERSION, Signer, answer_body, certificate_text, within
from sandbox.unionpay.world import Call, Route, Run, World
from sandbox.wire import Answer, Json, PayRefused

FRONT: Final = "frontTransReq.do"
FILES: Final = "filedownload"


def encryption_certificate(world: World, call: Call) -> dict[str, str]:
    """
    The certificate that card data is encrypted with (txnType 95).

    Source: sheet unionpay.md section 5.
    """
    certificate = world.keys.encryption_certificate
    return {"certType": call.fields["certType"], "encryptPubKeyCert": certificate_text(certificate)}


def _route(where: str, biz_types: frozenset[str], needs: tuple[str, ...], operation: str, run: Run) -> Route:
    """`where` is place, txnType and txnSubType."""
    place, txn_type, txn_sub_type = where.split()
    return Route(
        place=place, kind=(txn_type, txn_sub_type), biz_types=biz_types, needs=needs, operation=operation, run=run
    )


_MOVES: Final = ("orderId", "txnAmt", "channelType", "backUrl")
_PAYS: Final = (*_MOVES, "currencyCode")
_WEB: Final = frozenset({"000201", "000202"})
_PLAIN: Final = frozenset({"000000"})
_ANY: Final = _WEB | _PLAIN
ROUTES: Final = (
    _route(f"{FRONT} 01 01", _WEB, (*_PAYS, "frontUrl"), "page", trading.front),
    _route("appTransReq.do 01 01", _ANY, _PAYS, "create", trading.app),
    _route("backTransReq.do 01 07", _PLAIN, _PAYS, "create", trading.qr),
    _route("backTransReq.do 04 00", _ANY, _MOVES, "refund", refunding.refund),
    _route("backTransReq.do 31 00", _ANY, _MOVES, "cancel", refunding.undo),
    _route("backTransReq.do 95 00", _PLAIN, ("orderId", "certType"), "certificates", encryption_certificate),
    _route("queryTrans.do 00 00", _ANY, ("orderId",), "query", trading.query),
    _route(f"{FILES} 76 01", _PLAIN, ("settleDate", "fileType"), "bill", files.settlement_file),
)

_API: Final = re.compile(r"/(?:gateway|jiaofei)/api/(frontTransReq|appTransReq|backTransReq|queryTrans)\.do")
_ANSWER_ECHOES: Final = ("accessType", "bizType", "encoding", "merId", "orderId", "txnSubType", "txnTime", "txnType")


class UnionpaySimulator(ProviderSimulator[World, Call, Order]):
    """银联 as one merchant sees it. Below the base URL are /gateway/api/…, /jiaofei/api/… and /filedownload/."""

    writing_faults = frozenset({Fault.GBK_BODY})
    unknown_text = "没有这个订单（付款页尚未打开过）"

    def __init__(self, keys: UnionpayKeys, surroundings: Surroundings) -> None:
        courier = surroundings.courier(retry_seconds=RETRY_SECONDS, accepts=accepts, spoils=DELIVERY_FAULTS)
        super().__init__(
            World(
                surroundings=surroundings,
                courier=courier,
                keys=keys,
                book=Book(surroundings.orders_max),
                signers=[Signer(certificate=keys.sign_certificate, private_key=keys.sign_private_key)],
            )
        )

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Answer one request.

        Args:
            path: Path as on the wire; a query string is not read.
            headers: Not read: UnionPay takes everything, the encoding too, from the form.
        """
        del headers
        place = _place(urlsplit(path).path.removeprefix(self._base_path))
        if method != "POST" or not place:
            return _page(404, "Not Found")
        fields: dict[str, str] = {}
        try:
            fields = request_fields(body)
            call = admit(self._world, fields, place, ROUTES)
        except Refusal as refusal:
            return self._shaped(refusal, fields, browser=place == FRONT)
        return self._answered(call)

    def rotate_certificate(self) -> str:
        """A new platform certificate of the same issuer signs from now on; returns its decimal serial."""
        fresh = self._world.next_signer()
        with self._world.lock:
            self._world.signers.append(fresh)
        return str(fresh.certificate.serial_number)

    def _about(self, call: Call) -> tuple[str, str]:
        book, operation = self._world.book, call.route.operation
        if operation in {"refund", "cancel"}:
            order = refunding.original_of(self._world, call)
            return operation, order.order_id if order else ""
        known = book.refunds.get(call.key)
        if known is None:
            return operation, call.fields.get("orderId", "")
        return "refund_query" if operation == "query" else operation, known[0].order_id

    def _run(self, call: Call) -> Any:
        return call.route.run(self._world, call)

    def _written(self, call: Call, outcome: Any, fault: AnyFault | None) -> Answer:
        fields = {**call.fields, "encoding": "GBK"} if fault is Fault.GBK_BODY else call.fields
        return self._shaped(outcome, fields, browser=call.route.place == FRONT)

    def _limited(self, call: Call) -> Answer:
        return self._written(call, Refusal("37" if call.route.operation == "query" else "06"), None)

    def _broken(self, call: Call) -> Answer:
        del call
        return _page(500, "系统繁忙")

    def _shaped(self, outcome: Any, fields: Mapping[str, str], *, browser: bool) -> Answer:
        if isinstance(outcome, Order):
            return Answer(status=302, headers={"Location": trading.cashier_url(self._world, outcome)})
        if browser and isinstance(outcome, Refusal):
            return _page(200, f"订单无法支付 {outcome.code} {outcome.message}")
        return self._signed(outcome, fields)

    def _signed(self, outcome: dict[str, str] | Refusal, fields: Mapping[str, str]) -> Answer:
        """In the request's encoding; refusals are signed too. Source: sheet unionpay.md section 6."""
        named = fields.get("encoding", "")
        encoding = named if named.lower() in CODECS else "UTF-8"
        codec = CODECS[encoding.lower()]
        shown = {name: fields[name] for name in _ANSWER_ECHOES if name in fields}
        shown |= {"version": VERSION, "signMethod": SIGN_METHOD, "respCode": "00", "respMsg": MESSAGES["00"]}
        if isinstance(outcome, Refusal):
            shown |= {"respCode": outcome.code, "respMsg": outcome.message}
        else:
            shown |= outcome
        shown = {name: within(value, codec) for name, value in shown.items()} | {"encoding": encoding}
        body = answer_body(self._world.signer.signed(shown))
        return Answer(status=200, headers={"Content-Type": f"text/html;charset={encoding}"}, body=body)

    def _find(self, out_trade_no: str) -> Order | None:
        return self._world.book.by_order_id.get(out_trade_no)

    def _visited(self, token: str) -> Order:
        """By a visit's token or a tn."""
        order = self._world.book.by_prepay.get(token)
        if order is None:
            raise PayRefused("支付链接无效，请返回商户页面重新发起支付")
        return order

    def _paid_by_payer(self, order: Order) -> Json:
        trading.commit_payment(self._world, order)
        return {"return_form": front_return(self._world, order)} if order.kind == "front" else {}

    def _turned_away(self, order: Order) -> Json:
        return {"return_url": order.request.get("frontUrl", "")}

    def _all_orders(self) -> Iterable[Order]:
        return self._world.book.orders.values()

    def _paid_orders(self) -> Iterable[Order]:
        return self._world.book.by_query_id.values()

    def _shown(self, order: Order) -> Json:
        return {
            "out_trade_no": order.order_id,
            "kind": order.kind,
            "state": order.state(self._world.clock.now()),
            "amount_fen": order.amount_fen,
            "refunded_fen": order.refunded_fen,
            "subject": order.subject,
            "provider_trade_no": order.query_id,
            "prepay": order.visit,
            "created_at": rfc3339(order.created_at),
            "expires_at": rfc3339(order.expires_at),
        }

    def _payment(self, order: Order) -> Json:
        return {
            "out_trade_no": order.order_id,
            "provider_trade_no": order.query_id,
            "amount_fen": order.amount_fen,
            "paid_at": rfc3339(order.settled_at) if order.settled_at else None,
        }

    def _refunds(self, order: Order) -> Iterable[Json]:
        return [
            {
                "out_trade_no": order.order_id,
                "out_refund_no": refund.order_id,
                "provider_refund_no": refund.query_id,
                "amount_fen": refund.amount_fen,
                "outcome": refund.outcome,
                "undo": refund.undo,
                "accepted_at": rfc3339(refund.created_at),
            }
            for refund in order.refunds
        ]


def _place(path: str) -> str:
    """The last part of an API path, or the file host's stand-in; empty for anything else."""
    if path.rstrip("/") == f"/{FILES}":
        return FILES
    match = _API.fullmatch(path)
    return f"{match[1]}.do" if match else ""


def _page(status: int, text: str) -> Answer:
    """What a browser sees of a refused order, and a server of an outage: nothing signed."""
    page = (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>银联沙箱</title><h1>{html.escape(text)}</h1><p>请返回商户页面，重新发起请求。</p></html>"
    )
    return Answer(status=status, headers={"Content-Type": "text/html;charset=utf-8"}, body=page.encode("utf-8"))
