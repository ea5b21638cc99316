"""
The simulator as a function of requests: admit (form, signature, fields), let a fault strike, commit, sign the answer.

Nothing here knows Flask or sockets: a server, or a test, hands requests in and notices go out through `post`.
"""

import html
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from sandbox.callbacks import Courier
from sandbox.clock import SandboxClock, rfc3339
from sandbox.faults import AFTER_COMMIT, BEFORE_COMMIT, Fault, FaultBoard, FaultRule
from sandbox.keyring import Keyring
from sandbox.spoiling import html_answer, lost_answer, spoilt_answer
from sandbox.unionpay import files, refunding, trading
from sandbox.unionpay.admission import admit, request_fields
from sandbox.unionpay.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts, front_return
from sandbox.unionpay.orders import MESSAGES, Book, Order, Refusal
from sandbox.unionpay.signing import CODECS, SIGN_METHOD, VERSION, Signer, answer_body, certificate_text, within
from sandbox.unionpay.world import PROVIDER, Call, Route, Run, World
from sandbox.wire import Answer, Json, PayRefused, Post

FRONT: Final = "frontTransReq.do"
FILES: Final = "filedownload"

Outcome = dict[str, str] | Order | Refusal


def encryption_certificate(world: World, call: Call) -> dict[str, str]:
    """
    The certificate that card data is encrypted with (txnType 95).

    Source: sheet unionpay.md section 5.
    """
    certificate = world.keyring.unionpay.encryption_certificate
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


class UnionpaySimulator:
    """银联 as one merchant sees it; safe to call from several threads."""

    def __init__(
        self,
        keyring: Keyring,
        *,
        clock: SandboxClock,
        faults: FaultBoard,
        post: Post,
        base_url: str = "https://gateway.95516.com",
        refund_seconds: float = 10,
        orders_max: int = 100_000,
    ) -> None:
        """Below `base_url` are /gateway/api/…, /jiaofei/api/… and, for the other host, /filedownload/."""
        self._root_path = urlsplit(base_url).path
        courier = Courier(
            provider=PROVIDER,
            clock=clock,
            faults=faults,
            post=post,
            retry_seconds=RETRY_SECONDS,
            accepts=accepts,
            spoils=DELIVERY_FAULTS,
        )
        keys = keyring.unionpay
        self._world = World(
            keyring=keyring,
            clock=clock,
            faults=faults,
            courier=courier,
            book=Book(orders_max),
            root_url=base_url,
            refund_seconds=refund_seconds,
            signers=[Signer(certificate=keys.sign_certificate, private_key=keys.sign_private_key)],
        )

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Answer one request.

        Args:
            path: Path as on the wire; a query string is not read.
            headers: Not read: UnionPay takes everything, the encoding too, from the form.
        """
        del headers
        place = _place(urlsplit(path).path.removeprefix(self._root_path))
        if method != "POST" or not place:
            return _page(404, "Not Found")
        fields: dict[str, str] = {}
        try:
            fields = request_fields(body)
            call = admit(self._world, fields, place, ROUTES)
        except Refusal as refusal:
            return self._written(refusal, fields, browser=place == FRONT)
        return self._answered(call)

    def pay(self, out_trade_no: str) -> Json:
        """
        The payer pays this order, the newest if several have this number.

        Returns:
            The order, with `return_form` for the browser when it came as a front order.

        Raises:
            PayRefused: Unknown, paid already or past payTimeout.
        """
        with self._world.lock:
            order = self._known(out_trade_no)
            trading.commit_payment(self._world, order)
            shown = self._shown(order)
            return shown | ({"return_form": front_return(self._world, order)} if order.kind == "front" else {})

    def cancel(self, out_trade_no: str) -> Json:
        """
        The payer turns away from the cashier: nothing changes, and the order can still be paid.

        Raises:
            PayRefused: Unknown order.
        """
        with self._world.lock:
            order = self._known(out_trade_no)
            return self._shown(order) | {"return_url": order.request.get("frontUrl", "")}

    def cashier(self, prepay: str) -> Json:
        """
        What the cashier shows for a visit's token or a tn.

        Raises:
            PayRefused: Unknown page.
        """
        with self._world.lock:
            order = self._world.book.by_prepay.get(prepay)
            if order is None:
                raise PayRefused("支付链接无效，请返回商户页面重新发起支付")
            return self._shown(order)

    def orders(self) -> list[Json]:
        """Every order as the index and the control interface list it, oldest first."""
        with self._world.lock:
            return [self._shown(order) for order in self._world.book.orders.values()]

    def books(self) -> dict[str, list[Json]]:
        """The provider's own truth: every payment received and every refund or undo accepted, in fen."""
        with self._world.lock:
            paid = list(self._world.book.by_query_id.values())
            return {
                "payments": [_payment_entry(order) for order in paid],
                "refunds": [entry for order in paid for entry in _refund_entries(order)],
            }

    def deliveries(self) -> list[Json]:
        """Notices posted and what was answered."""
        return self._world.courier.deliveries()

    def rotate_certificate(self) -> str:
        """A new platform certificate of the same issuer signs from now on; returns its decimal serial."""
        fresh = self._world.next_signer()
        with self._world.lock:
            self._world.signers.append(fresh)
        return str(fresh.certificate.serial_number)

    def _answered(self, call: Call) -> Answer:
        book = self._world.book
        operation = "refund_query" if call.route.operation == "query" and call.key in book.refunds else None
        where = {
            "provider": PROVIDER,
            "operation": operation or call.route.operation,
            "out_trade_no": self._order_number(call),
        }
        browser = call.route.place == FRONT
        if (rule := self._world.faults.take(BEFORE_COMMIT, **where)) is not None:
            return self._struck(rule, call)
        outcome = self._committed(call)
        rule = self._world.faults.take(AFTER_COMMIT, **where)
        in_gbk = rule is not None and rule.fault is Fault.GBK_BODY
        fields = {**call.fields, "encoding": "GBK"} if in_gbk else call.fields
        sound = self._written(outcome, fields, browser=browser)
        return sound if rule is None or in_gbk else self._struck(rule, call, sound)

    def _committed(self, call: Call) -> Outcome:
        try:
            with self._world.lock:
                outcome: Outcome = call.route.run(self._world, call)
        except Refusal as refusal:
            return refusal
        return outcome

    def _written(self, outcome: Outcome, fields: Mapping[str, str], *, browser: bool) -> Answer:
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

    def _struck(self, rule: FaultRule, call: Call, sound: Answer | None = None) -> Answer:
        """The answer a fault leaves of a request."""
        if rule.fault in {Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT}:
            return lost_answer(rule)
        if rule.fault is Fault.RATE_LIMITED:
            busy = Refusal("37" if call.route.operation == "query" else "06")
            return self._written(busy, call.fields, browser=call.route.place == FRONT)
        if rule.fault is Fault.HTML_ANSWER:
            return html_answer()
        if rule.fault is Fault.HALF_JSON and sound is not None:
            return spoilt_answer(sound)
        return _page(500, "系统繁忙")

    def _order_number(self, call: Call) -> str:
        """The payment a request is about, under whichever number it names it."""
        if call.route.operation in {"refund", "cancel"}:
            order = refunding.original_of(self._world, call)
            return order.order_id if order else ""
        known = self._world.book.refunds.get(call.key)
        return known[0].order_id if known else call.fields.get("orderId", "")

    def _known(self, out_trade_no: str) -> Order:
        order = self._world.book.by_order_id.get(out_trade_no)
        if order is None:
            raise PayRefused("没有这个订单（付款页尚未打开过）")
        return order

    def _shown(self, order: Order) -> Json:
        return {
            "provider": PROVIDER,
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


def _place(path: str) -> str:
    """The last part of an API path, or the file host's stand-in; empty for anything else."""
    if path.rstrip("/") == f"/{FILES}":
        return FILES
    match = _API.fullmatch(path)
    return f"{match[1]}.do" if match else ""


def _payment_entry(order: Order) -> Json:
    return {
        "provider": PROVIDER,
        "out_trade_no": order.order_id,
        "provider_trade_no": order.query_id,
        "amount_fen": order.amount_fen,
        "paid_at": rfc3339(order.settled_at) if order.settled_at else None,
    }


def _refund_entries(order: Order) -> list[Json]:
    return [
        {
            "provider": PROVIDER,
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


def _page(status: int, text: str) -> Answer:
    """What a browser sees of a refused order, and a server of an outage: nothing signed."""
    page = (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>银联沙箱</title><h1>{html.escape(text)}</h1><p>请返回商户页面，重新发起请求。</p></html>"
    )
    return Answer(status=status, headers={"Content-Type": "text/html;charset=utf-8"}, body=page.encode("utf-8"))
