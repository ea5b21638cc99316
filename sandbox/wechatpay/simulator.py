"""
The simulator as a function of requests: admit (route, signature, body), let a fault strike, commit, sign the answer.

Nothing here knows Flask or sockets: a server, or a test, hands requests in and callbacks go out through `post`.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.callbacks import Courier
from sandbox.certificates import pem_of
from sandbox.clock import SandboxClock, rfc3339
from sandbox.faults import AFTER_COMMIT, BEFORE_COMMIT, Fault, FaultBoard, FaultRule
from sandbox.keyring import Keyring
from sandbox.spoiling import html_answer, lost_answer, spoilt_answer
from sandbox.wechatpay import bills, refunding, trading
from sandbox.wechatpay.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts
from sandbox.wechatpay.orders import Book, Order
from sandbox.wechatpay.shapes import Refusal
from sandbox.wechatpay.signing import SignRefused, check_request, sealed
from sandbox.wechatpay.world import PROVIDER, Call, Run, World, first_certificate, next_certificate
from sandbox.wire import Answer, Json, PayRefused, Post, folded

SIGN_ERROR_TAIL: Final = 268443699
RATE_TAIL: Final = 268447840
_JSON_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}


def certificates(world: World, call: Call) -> Json:
    """
    The platform certificates in use, each sealed under the APIv3 key; not for public-key mode.

    Source: sheet wechatpay.md section 3.1.
    """
    if call.signer:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台申请使用微信支付公钥", tail=0)
    return {
        "data": [
            {
                "serial_no": item.signer.serial,
                "effective_time": rfc3339(item.effective_at),
                "expire_time": rfc3339(item.expires_at),
                "encrypt_certificate": sealed(
                    world.keyring.apiv3_key, pem_of(item.certificate).rstrip(b"\n"), "certificate"
                ),
            }
            for item in world.certificates
        ]
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation: where it is called and what answers it."""

    method: str
    path: re.Pattern[str]
    operation: str
    run: Run


def _route(method: str, path: str, operation: str, run: Run) -> Route:
    return Route(method=method, path=re.compile(path), operation=operation, run=run)


_PAY: Final = r"/v3/pay/(?P<partner>partner/)?transactions"
ROUTES: Final = (
    _route("POST", rf"{_PAY}/(?P<kind>jsapi|app|h5|native)", "create", trading.create),
    _route("GET", rf"{_PAY}/out-trade-no/(?P<out_trade_no>[^/]+)", "query", trading.query),
    _route("GET", rf"{_PAY}/id/(?P<transaction_id>[^/]+)", "query", trading.query),
    _route("POST", rf"{_PAY}/out-trade-no/(?P<out_trade_no>[^/]+)/close", "close", trading.close),
    _route("POST", r"/v3/refund/domestic/refunds", "refund", refunding.refund),
    _route("GET", r"/v3/refund/domestic/refunds/(?P<out_refund_no>[^/]+)", "refund_query", refunding.query_refund),
    _route("GET", r"/v3/bill/tradebill", "bill", bills.trade_bill),
    _route("GET", r"/v3/bill/fundflowbill", "bill", bills.fund_flow_bill),
    _route("GET", r"/v3/billdownload/file", "bill_file", bills.bill_file),
    _route("GET", r"/v3/certificates", "certificates", certificates),
)


class WechatpaySimulator:
    """微信支付 as one merchant sees it; safe to call from several threads."""

    def __init__(
        self,
        keyring: Keyring,
        *,
        clock: SandboxClock,
        faults: FaultBoard,
        post: Post,
        base_url: str = "https://api.mch.weixin.qq.com",
        refund_seconds: float = 10,
        refund_spacing_seconds: float = 60,
        orders_max: int = 100_000,
    ) -> None:
        """`base_url` is what the gateway is configured with; its path, if any, is part of every signed URL."""
        self._prefix = urlsplit(base_url).path
        courier = Courier(
            provider=PROVIDER,
            clock=clock,
            faults=faults,
            post=post,
            retry_seconds=RETRY_SECONDS,
            accepts=accepts,
            spoils=DELIVERY_FAULTS,
        )
        self._world = World(
            keyring=keyring,
            clock=clock,
            faults=faults,
            courier=courier,
            book=Book(orders_max),
            base_url=base_url,
            refund_seconds=refund_seconds,
            refund_spacing_seconds=refund_spacing_seconds,
            certificates=[first_certificate(keyring)],
        )

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Answer one request.

        Args:
            path: Path with query exactly as on the wire, the base URL's own path included.
            body: The exact bytes; empty for GET.
        """
        try:
            route, call = self._admit(method, path, folded(headers), body)
        except Refusal as refusal:
            return _refused(refusal)
        where = {"provider": PROVIDER, "operation": route.operation, "out_trade_no": self._order_number(call)}
        if (rule := self._world.faults.take(BEFORE_COMMIT, **where)) is not None:
            return _struck(rule)
        sound = self._committed(route, call)
        rule = self._world.faults.take(AFTER_COMMIT - {Fault.GBK_BODY}, **where)
        return sound if rule is None else _struck(rule, sound)

    def pay(self, out_trade_no: str) -> Json:
        """
        The payer pays this order.

        Raises:
            PayRefused: Unknown, paid already, closed or expired.
        """
        with self._world.lock:
            order = self._known(out_trade_no)
            trading.commit_payment(self._world, order)
            return self._shown(order)

    def cancel(self, out_trade_no: str) -> Json:
        """
        The payer turns away from the cashier: nothing changes, and the order can still be paid.

        Raises:
            PayRefused: Unknown order.
        """
        with self._world.lock:
            return self._shown(self._known(out_trade_no))

    def cashier(self, prepay: str) -> Json:
        """
        What the cashier shows for a prepay_id or code_url.

        Raises:
            PayRefused: Unknown, or past its life: the merchant must order again under the same number.
        """
        with self._world.lock:
            known = self._world.book.prepays.get(prepay)
            if known is None or self._world.clock.now() >= known.expires_at:
                raise PayRefused("支付链接无效或已过期，请返回商户页面重新发起支付")
            return self._shown(known.order)

    def orders(self) -> list[Json]:
        """Every order as the index and the control interface list it, oldest first."""
        with self._world.lock:
            return [self._shown(order) for order in self._world.book.orders.values()]

    def books(self) -> dict[str, list[Json]]:
        """The provider's own truth: every payment received and every refund accepted, in fen."""
        with self._world.lock:
            paid = list(self._world.book.by_transaction_id.values())
            return {
                "payments": [_payment_entry(order) for order in paid],
                "refunds": [entry for order in paid for entry in _refund_entries(order)],
            }

    def deliveries(self) -> list[Json]:
        """Callbacks posted and what was answered."""
        return self._world.courier.deliveries()

    def rotate_certificate(self) -> str:
        """A new platform certificate: listed beside the old, and signing from now on; returns its serial."""
        fresh = next_certificate(self._world.clock.now())
        with self._world.lock:
            self._world.certificates.append(fresh)
        return fresh.signer.serial

    def _admit(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Route, Call]:
        """Signature first: whoever cannot sign learns nothing else."""
        identities = self._world.keyring.identities
        try:
            check_request(
                method=method,
                path=path,
                headers=headers,
                body=body,
                now=self._world.clock.now(),
                mchid=identities.mchid,
                serial=identities.merchant_serial,
                key=self._world.keyring.merchant_private_key.public_key(),
            )
        except SignRefused as refused:
            raise Refusal(401, "SIGN_ERROR", str(refused), tail=SIGN_ERROR_TAIL) from refused
        if not headers.get("accept") or not headers.get("user-agent"):
            raise Refusal(400, "PARAM_ERROR", "Http头缺少Accept或User-Agent")
        signer = headers.get("wechatpay-serial", "")
        if signer.startswith("PUB_KEY_ID_") and signer != identities.public_key_id:
            raise Refusal(400, "PARAM_ERROR", "Wechatpay-Serial 不是本商户的微信支付公钥ID")
        place = urlsplit(path)
        route, part = self._find(method, place.path)
        query = dict(parse_qsl(place.query, keep_blank_values=True))
        content = _json_body(headers, body) if method == "POST" else {}
        asked = signer if signer == identities.public_key_id else ""
        return route, Call(part=part, query=query, body=content, signer=asked)

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        local = path.removeprefix(self._prefix)
        for route in ROUTES:
            if route.method == method and (match := route.path.fullmatch(local)) is not None:
                return route, {name: unquote(value) for name, value in match.groupdict().items() if value}
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "请求的接口不存在")

    def _committed(self, route: Route, call: Call) -> Answer:
        try:
            with self._world.lock:
                shown: Any = route.run(self._world, call)
        except Refusal as refusal:
            return _refused(refusal)
        if isinstance(shown, Answer):
            return shown
        body = b"" if shown is None else _json_bytes(shown)
        signed = self._world.signer(call.signer).headers(body, self._world.clock.now())
        return Answer(
            status=204 if shown is None else 200,
            headers=signed | _JSON_HEADERS | {"Request-ID": _request_id(0)},
            body=body,
        )

    def _order_number(self, call: Call) -> str:
        """The order a request is about, under whichever number it names it."""
        book = self._world.book
        known = book.refunds.get(call.part.get("out_refund_no", ""))
        transaction_id = call.part.get("transaction_id") or call.body.get("transaction_id")
        order = known[0] if known else book.by_transaction_id.get(str(transaction_id))
        named = call.part.get("out_trade_no") or call.body.get("out_trade_no")
        return order.out_trade_no if order else str(named or "")

    def _known(self, out_trade_no: str) -> Order:
        order = self._world.book.orders.get(out_trade_no)
        if order is None:
            raise PayRefused("没有这个订单")
        return order

    def _shown(self, order: Order) -> Json:
        return {
            "provider": PROVIDER,
            "out_trade_no": order.out_trade_no,
            "kind": order.kind,
            "state": order.trade_state(self._world.clock.now()),
            "amount_fen": order.amount_fen,
            "refunded_fen": order.refunded_fen,
            "subject": order.request["description"],
            "provider_trade_no": order.transaction_id,
            "prepay": order.prepays[-1] if order.prepays else "",
            "created_at": rfc3339(order.created_at),
            "expires_at": rfc3339(order.expires_at),
        }


def _payment_entry(order: Order) -> Json:
    return {
        "provider": PROVIDER,
        "out_trade_no": order.out_trade_no,
        "provider_trade_no": order.transaction_id,
        "amount_fen": order.amount_fen,
        "paid_at": rfc3339(order.paid_at) if order.paid_at else None,
        "sub_mchid": order.sub_mchid,
    }


def _refund_entries(order: Order) -> list[Json]:
    return [
        {
            "provider": PROVIDER,
            "out_trade_no": order.out_trade_no,
            "out_refund_no": refund.out_refund_no,
            "provider_refund_no": refund.refund_id,
            "amount_fen": refund.amount_fen,
            "outcome": refund.outcome,
            "accepted_at": rfc3339(refund.created_at),
        }
        for refund in order.refunds
    ]


def _struck(rule: FaultRule, sound: Answer | None = None) -> Answer:
    """The answer a fault leaves of a request."""
    if rule.fault in {Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT}:
        return lost_answer(rule)
    if rule.fault is Fault.RATE_LIMITED:
        return _refused(Refusal(429, "FREQUENCY_LIMITED", "频率超限，请求未受理", tail=RATE_TAIL))
    if rule.fault is Fault.HTML_ANSWER:
        return html_answer()
    if rule.fault is Fault.HALF_JSON and sound is not None:
        return spoilt_answer(sound)
    return _refused(Refusal(500, "SYSTEM_ERROR", "系统异常，请稍后重试", tail=1))


def _refused(refusal: Refusal) -> Answer:
    """Errors carry no signature (not settled live; a client must not count on one)."""
    shown: Json = {"code": refusal.code, "message": refusal.message}
    if refusal.field:
        shown["detail"] = {"field": refusal.field, "issue": refusal.message, "location": "body"}
    headers = {**_JSON_HEADERS, "Request-ID": _request_id(refusal.tail)}
    return Answer(status=refusal.status, headers=headers, body=_json_bytes(shown))


def _json_body(headers: Mapping[str, str], body: bytes) -> Json:
    if not headers.get("content-type", "").lower().startswith("application/json"):
        raise Refusal(400, "PARAM_ERROR", "Content-Type 必须为 application/json")
    try:
        content = json.loads(body)
    except ValueError as exc:
        raise Refusal(400, "PARAM_ERROR", "请求体不是合法的JSON") from exc
    if not isinstance(content, dict):
        raise Refusal(400, "PARAM_ERROR", "请求体不是JSON对象")
    return content


def _json_bytes(content: Json) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _request_id(tail: int) -> str:
    return f"{uuid.uuid4().hex.upper()}-{tail}"
