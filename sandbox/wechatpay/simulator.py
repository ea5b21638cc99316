"""The WeChat Pay simulator: where its operations are, how a request is admitted, and how answers look."""

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.certificates import pem_of
from sandbox.clock import rfc3339
from sandbox.faults import AnyFault
from sandbox.frame import Surroundings
from sandbox.simulator import ProviderSimulator
from sandbox.wechatpay import bills, refunding, trading
from sandbox.wechatpay.keys import WechatpayKeys
from sandbox.wechatpay.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts
from sandbox.wechatpay.orders import Book, Order
from sandbox.wechatpay.shapes import Refusal
from sandbox.wechatpay.signing import SignRefused, check_request, sealed
from sandbox.wechatpay.world import Call, Run, World, first_certificate, next_certificate
from sandbox.wire import Answer, Json, PayRefused, folded

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
                    world.keys.apiv3_key, pem_of(item.certificate).rstrip(b"\n"), "certificate"
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


class WechatpaySimulator(ProviderSimulator[World, tuple[Route, Call], Order]):
    """微信支付 as one merchant sees it."""

    def __init__(self, keys: WechatpayKeys, surroundings: Surroundings, *, refund_spacing_seconds: float = 60) -> None:
        """
        Build it; the base URL's path, if any, is part of every signed URL.

        Args:
            refund_spacing_seconds: What must lie between two refunds of one order.
        """
        courier = surroundings.courier(retry_seconds=RETRY_SECONDS, accepts=accepts, spoils=DELIVERY_FAULTS)
        super().__init__(
            World(
                surroundings=surroundings,
                courier=courier,
                keys=keys,
                book=Book(surroundings.orders_max),
                refund_spacing_seconds=refund_spacing_seconds,
                certificates=[first_certificate(keys)],
            )
        )

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            call = self._admit(method, path, folded(headers), body)
        except Refusal as refusal:
            return _refused(refusal)
        return self._answered(call)

    def rotate_certificate(self) -> str:
        """A new platform certificate: listed beside the old, and signing from now on; returns its serial."""
        fresh = next_certificate(self._world.clock.now())
        with self._world.lock:
            self._world.certificates.append(fresh)
        return fresh.signer.serial

    def _admit(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Route, Call]:
        """Signature first: whoever cannot sign learns nothing else."""
        identity = self._world.keys.identity
        try:
            check_request(
                method=method,
                path=path,
                headers=headers,
                body=body,
                now=self._world.clock.now(),
                mchid=identity.mchid,
                serial=identity.merchant_serial,
                key=self._world.keys.merchant_private_key.public_key(),
            )
        except SignRefused as refused:
            raise Refusal(401, "SIGN_ERROR", str(refused), tail=SIGN_ERROR_TAIL) from refused
        if not headers.get("accept") or not headers.get("user-agent"):
            raise Refusal(400, "PARAM_ERROR", "Http头缺少Accept或User-Agent")
        signer = headers.get("wechatpay-serial", "")
        if signer.startswith("PUB_KEY_ID_") and signer != identity.public_key_id:
            raise Refusal(400, "PARAM_ERROR", "Wechatpay-Serial 不是本商户的微信支付公钥ID")
        place = urlsplit(path)
        route, part = self._route_of(method, place.path)
        query = dict(parse_qsl(place.query, keep_blank_values=True))
        content = _json_body(headers, body) if method == "POST" else {}
        asked = signer if signer == identity.public_key_id else ""
        return route, Call(part=part, query=query, body=content, signer=asked)

    def _route_of(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        local = path.removeprefix(self._base_path)
        for route in ROUTES:
            if route.method == method and (match := route.path.fullmatch(local)) is not None:
                return route, {name: unquote(value) for name, value in match.groupdict().items() if value}
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "请求的接口不存在")

    def _about(self, call: tuple[Route, Call]) -> tuple[str, str]:
        route, asked = call
        book = self._world.book
        known = book.refunds.get(asked.part.get("out_refund_no", ""))
        transaction_id = asked.part.get("transaction_id") or asked.body.get("transaction_id")
        order = known[0] if known else book.by_transaction_id.get(str(transaction_id))
        named = asked.part.get("out_trade_no") or asked.body.get("out_trade_no")
        return route.operation, order.out_trade_no if order else str(named or "")

    def _run(self, call: tuple[Route, Call]) -> Any:
        route, asked = call
        return route.run(self._world, asked)

    def _written(self, call: tuple[Route, Call], outcome: Any, fault: AnyFault | None) -> Answer:
        del fault  # none changes how an answer is written
        if isinstance(outcome, Refusal):
            return _refused(outcome)
        if isinstance(outcome, Answer):
            return outcome
        _, asked = call
        body = b"" if outcome is None else _json_bytes(outcome)
        signed = self._world.signer(asked.signer).headers(body, self._world.clock.now())
        return Answer(
            status=204 if outcome is None else 200,
            headers=signed | _JSON_HEADERS | {"Request-ID": _request_id(0)},
            body=body,
        )

    def _limited(self, call: tuple[Route, Call]) -> Answer:
        del call
        return _refused(Refusal(429, "FREQUENCY_LIMITED", "频率超限，请求未受理", tail=RATE_TAIL))

    def _broken(self, call: tuple[Route, Call]) -> Answer:
        del call
        return _refused(Refusal(500, "SYSTEM_ERROR", "系统异常，请稍后重试", tail=1))

    def _find(self, out_trade_no: str) -> Order | None:
        return self._world.book.orders.get(out_trade_no)

    def _visited(self, token: str) -> Order:
        """By prepay_id or code_url; past its life the merchant must order again under the same number."""
        known = self._world.book.prepays.get(token)
        if known is None or self._world.clock.now() >= known.expires_at:
            raise PayRefused("支付链接无效或已过期，请返回商户页面重新发起支付")
        return known.order

    def _paid_by_payer(self, order: Order) -> Json:
        trading.commit_payment(self._world, order)
        return {}

    def _all_orders(self) -> Iterable[Order]:
        return self._world.book.orders.values()

    def _paid_orders(self) -> Iterable[Order]:
        return self._world.book.by_transaction_id.values()

    def _shown(self, order: Order) -> Json:
        return {
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

    def _payment(self, order: Order) -> Json:
        return {
            "out_trade_no": order.out_trade_no,
            "provider_trade_no": order.transaction_id,
            "amount_fen": order.amount_fen,
            "paid_at": rfc3339(order.paid_at) if order.paid_at else None,
            "sub_mchid": order.sub_mchid,
        }

    def _refunds(self, order: Order) -> Iterable[Json]:
        return [
            {
                "out_trade_no": order.out_trade_no,
                "out_refund_no": refund.out_refund_no,
                "provider_refund_no": refund.refund_id,
                "amount_fen": refund.amount_fen,
                "outcome": refund.outcome,
                "accepted_at": rfc3339(refund.created_at),
            }
            for refund in order.refunds
        ]


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
