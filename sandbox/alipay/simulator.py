"""
The simulator as a function of requests: admit (parameters, signature), let a fault strike, commit, sign the answer.

Nothing here knows Flask or sockets: a server, or a test, hands requests in and notifies go out through `post`.
"""

import base64
import html
import json
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from sandbox.alipay import bills, refunding, trading
from sandbox.alipay.admission import admit, request_fields
from sandbox.alipay.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts, return_address
from sandbox.alipay.signing import CODECS, within
from sandbox.alipay.trades import PAGE_METHODS, Book, Refusal, Trade, invalid_argument
from sandbox.alipay.world import PROVIDER, Call, Run, World, first_certificate, next_certificate
from sandbox.callbacks import Courier
from sandbox.certificates import pem_of
from sandbox.clock import SandboxClock, rfc3339
from sandbox.faults import AFTER_COMMIT, BEFORE_COMMIT, Fault, FaultBoard, FaultRule
from sandbox.keyring import Keyring
from sandbox.spoiling import html_answer, lost_answer, spoilt_answer
from sandbox.wire import Answer, Json, PayRefused, Post

GATEWAY: Final = "/gateway.do"


def download_certificate(world: World, call: Call) -> Json:
    """
    A platform certificate by its number, as base64 of its PEM with its issuer's.

    Source: sheet alipay.md section 3.
    """
    for item in world.certificates:
        if item.signer.cert_sn == call.biz.get("alipay_cert_sn"):
            chain = pem_of(item.certificate, world.keyring.alipay_issuer.certificate)
            return {"alipay_cert_content": base64.b64encode(chain).decode("ascii")}
    raise invalid_argument("isv.invalid-parameter", "alipay_cert_sn 不存在")


OPERATIONS: Final[Mapping[str, tuple[str, Run]]] = {
    "alipay.trade.create": ("create", trading.create),
    "alipay.trade.precreate": ("create", trading.precreate),
    "alipay.trade.page.pay": ("page", trading.page),
    "alipay.trade.wap.pay": ("page", trading.page),
    "alipay.trade.app.pay": ("page", trading.page),
    "alipay.trade.query": ("query", trading.query),
    "alipay.trade.close": ("close", trading.close),
    "alipay.trade.cancel": ("cancel", trading.cancel),
    "alipay.trade.refund": ("refund", refunding.refund),
    "alipay.trade.fastpay.refund.query": ("refund_query", refunding.query_refund),
    "alipay.data.dataservice.bill.downloadurl.query": ("bill", bills.download_link),
    "alipay.open.app.alipaycert.download": ("certificates", download_certificate),
}


class AlipaySimulator:
    """支付宝 as one app sees it; safe to call from several threads."""

    def __init__(
        self,
        keyring: Keyring,
        *,
        clock: SandboxClock,
        faults: FaultBoard,
        post: Post,
        gateway_url: str = "https://openapi.alipay.com/gateway.do",
        refund_seconds: float = 10,
        trades_max: int = 100_000,
    ) -> None:
        """`gateway_url` is what the gateway is configured with, ending in /gateway.do."""
        root_url = gateway_url.removesuffix(GATEWAY)
        self._root_path = urlsplit(root_url).path
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
            book=Book(trades_max),
            root_url=root_url,
            refund_seconds=refund_seconds,
            certificates=[first_certificate(keyring)],
        )

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Answer one request to gateway.do or to a bill's download link.

        Args:
            path: Path with query as on the wire.
            headers: Not read: Alipay takes everything from query and form.
        """
        del headers
        place = urlsplit(path)
        local = place.path.removeprefix(self._root_path)
        if local == "/bill/download" and method == "GET":
            return self._bill_file(parse_qs(place.query).get("token", [""])[0])
        if local != GATEWAY or method not in {"GET", "POST"}:
            return Answer(status=404, headers={"Content-Type": "text/html;charset=GBK"}, body=b"Not Found")
        return self._gateway(path, body)

    def pay(self, out_trade_no: str) -> Json:
        """
        The payer pays this trade; for a code not yet scanned, this is the scan too.

        Raises:
            PayRefused: Unknown (no payer's browser brought it yet), paid already, closed or expired.
        """
        with self._world.lock:
            trade = self._known(out_trade_no)
            trading.commit_payment(self._world, trade)
            return self._shown(trade) | {"return_url": return_address(self._world, trade)}

    def cancel(self, out_trade_no: str) -> Json:
        """
        The payer turns away from the cashier: nothing changes, and the trade can still be paid.

        Raises:
            PayRefused: Unknown trade.
        """
        with self._world.lock:
            trade = self._known(out_trade_no)
            return self._shown(trade) | {"return_url": trade.quit_url}

    def cashier(self, visit: str) -> Json:
        """
        What the cashier shows; opening it is the payer's arrival (the scan of a code).

        Raises:
            PayRefused: Unknown page, or its time has run out.
        """
        with self._world.lock:
            trade = self._world.book.by_visit.get(visit)
            if trade is None:
                raise PayRefused("支付链接无效，请返回商户页面重新发起支付")
            trading.arrive(self._world, trade)
            return self._shown(trade)

    def orders(self) -> list[Json]:
        """Every trade and unscanned code as the index and the control interface list it, oldest first."""
        with self._world.lock:
            return [self._shown(trade) for trade in self._world.book.trades.values()]

    def books(self) -> dict[str, list[Json]]:
        """The provider's own truth: every payment received and every refund made, in fen."""
        with self._world.lock:
            paid = [trade for trade in self._world.book.by_trade_no.values() if trade.paid_at is not None]
            return {
                "payments": [_payment_entry(trade) for trade in paid],
                "refunds": [entry for trade in paid for entry in _refund_entries(trade)],
            }

    def deliveries(self) -> list[Json]:
        """Notifies posted and what was answered."""
        return self._world.courier.deliveries()

    def rotate_certificate(self) -> str:
        """A new platform certificate signs in certificate mode from now on; returns its number."""
        fresh = next_certificate(self._world.keyring)
        with self._world.lock:
            self._world.certificates.append(fresh)
        return fresh.signer.cert_sn

    def _gateway(self, path: str, body: bytes) -> Answer:
        fields: dict[str, str] = {}
        charset = "utf-8"
        try:
            fields, charset = request_fields(path, body)
            call = admit(self._world, fields, charset, frozenset(OPERATIONS))
        except Refusal as refusal:
            return self._refused(refusal, fields, charset)
        operation, run = OPERATIONS[call.method]
        where = {"provider": PROVIDER, "operation": operation, "out_trade_no": self._order_number(call)}
        if (rule := self._world.faults.take(BEFORE_COMMIT, **where)) is not None:
            return self._struck(rule, call)
        outcome = self._committed(run, call)
        rule = self._world.faults.take(AFTER_COMMIT, **where)
        in_gbk = rule is not None and rule.fault is Fault.GBK_BODY
        sound = self._written(outcome, call, "GBK" if in_gbk else charset)
        return sound if rule is None or in_gbk else self._struck(rule, call, sound)

    def _committed(self, run: Run, call: Call) -> Json | Trade | Refusal:
        try:
            with self._world.lock:
                outcome: Json | Trade = run(self._world, call)
        except Refusal as refusal:
            return refusal
        return outcome

    def _written(self, outcome: Json | Trade | Refusal, call: Call, charset: str) -> Answer:
        if isinstance(outcome, Refusal):
            return self._refused(outcome, call.fields, charset)
        if isinstance(outcome, Trade):
            return Answer(status=302, headers={"Location": f"{self._world.root_url}/cashier?visit={outcome.visit}"})
        return self._enveloped({"code": "10000", "msg": "Success", **outcome}, call.fields, charset)

    def _refused(self, refusal: Refusal, fields: Mapping[str, str], charset: str) -> Answer:
        if fields.get("method") in PAGE_METHODS:
            return _error_page(refusal)
        return self._enveloped(refusal.shown, fields, charset, node=refusal.node, signed=refusal.signed)

    def _enveloped(
        self, shown: Json, fields: Mapping[str, str], charset: str, *, node: bool = True, signed: bool = True
    ) -> Answer:
        """Source: sheet alipay.md section 2; slashes escaped as vector `res-escaped-slash`."""
        codec = CODECS.get(charset.lower(), "utf-8")
        name = fields["method"].replace(".", "_") + "_response" if node else "error_response"
        written = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        content = within(written, codec)
        members = f'"{name}":{content}'
        if signed:
            signer = self._world.signer(cert_mode="app_cert_sn" in fields)
            members += f',"alipay_cert_sn":"{signer.cert_sn}"' if signer.cert_sn else ""
            members += f',"sign":"{signer.sign(content.encode(codec))}"'
        headers = {"Content-Type": f"text/html;charset={charset}", "trace_id": uuid.uuid4().hex}
        return Answer(status=200, headers=headers, body=f"{{{members}}}".encode(codec))

    def _struck(self, rule: FaultRule, call: Call, sound: Answer | None = None) -> Answer:
        """The answer a fault leaves of a request."""
        if rule.fault in {Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT}:
            return lost_answer(rule)
        if rule.fault is Fault.RATE_LIMITED:
            limited = Refusal("40005", "Call Limited", "isv.app-call-limited", "应用调用次数超限")
            return self._refused(limited, call.fields, call.charset)
        if rule.fault is Fault.HTML_ANSWER:
            return html_answer()
        if rule.fault is Fault.HALF_JSON and sound is not None:
            return spoilt_answer(sound)
        busy = Refusal("20000", "Service Currently Unavailable", "aop.unknow-error", "系统繁忙", signed=False)
        answer = self._enveloped(busy.shown, call.fields, call.charset, signed=False)
        return Answer(status=500, headers=answer.headers, body=answer.body)

    def _bill_file(self, token: str) -> Answer:
        rule = self._world.faults.take(
            BEFORE_COMMIT | AFTER_COMMIT, provider=PROVIDER, operation="bill_file", out_trade_no=""
        )
        if rule is not None and rule.fault in {Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT}:
            return lost_answer(rule)
        if rule is not None:
            return html_answer()
        with self._world.lock:
            return bills.bill_file(self._world, token)

    def _order_number(self, call: Call) -> str:
        """The order a request is about, under whichever number it names it."""
        trade = self._world.book.by_trade_no.get(str(call.biz.get("trade_no", "")))
        return trade.out_trade_no if trade else str(call.biz.get("out_trade_no", ""))

    def _known(self, out_trade_no: str) -> Trade:
        trade = self._world.book.trades.get(out_trade_no)
        if trade is None:
            raise PayRefused("没有这个订单（付款页尚未打开过）")
        return trade

    def _shown(self, trade: Trade) -> Json:
        arrived = trade.arrived_at is not None
        return {
            "provider": PROVIDER,
            "out_trade_no": trade.out_trade_no,
            "kind": trade.method.removeprefix("alipay.trade."),
            "state": trade.trade_status(self._world.clock.now()) if arrived else "TRADE_NOT_EXIST",
            "amount_fen": trade.amount_fen,
            "refunded_fen": trade.refunded_fen,
            "subject": trade.subject,
            "provider_trade_no": trade.trade_no,
            "prepay": trade.visit,
            "created_at": rfc3339(trade.offered_at),
            "expires_at": rfc3339(trade.expires_at) if trade.expires_at else None,
        }


def _payment_entry(trade: Trade) -> Json:
    return {
        "provider": PROVIDER,
        "out_trade_no": trade.out_trade_no,
        "provider_trade_no": trade.trade_no,
        "amount_fen": trade.amount_fen,
        "paid_at": rfc3339(trade.paid_at) if trade.paid_at else None,
    }


def _refund_entries(trade: Trade) -> list[Json]:
    return [
        {
            "provider": PROVIDER,
            "out_trade_no": trade.out_trade_no,
            "out_refund_no": refund.out_request_no,
            "amount_fen": refund.amount_fen,
            "outcome": "REFUND_SUCCESS",
            "accepted_at": rfc3339(refund.at),
        }
        for refund in trade.refunds
    ]


def _error_page(refusal: Refusal) -> Answer:
    """What a browser sees of a refused page order."""
    reason = html.escape(f"{refusal.shown['sub_code']} {refusal.shown['sub_msg']}")
    page = (
        '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>支付宝沙箱</title><h1>订单无法支付</h1><p>请回到请求来源地，重新发起请求。</p>"
        f"<p>错误代码 {reason}</p></html>"
    )
    return Answer(status=200, headers={"Content-Type": "text/html;charset=utf-8"}, body=page.encode("utf-8"))
