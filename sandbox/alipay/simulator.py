"""The Alipay simulator: its methods, and how answers look in key mode, in certificate mode and in a browser."""

import base64
import html
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from sandbox.alipay import bills, refunding, trading
from sandbox.alipay.admission import admit, request_fields
from sandbox.alipay.keys import AlipayKeys
from sandbox.alipay.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts, return_address
from sandbox.alipay.signing import CODECS, within
from sandbox.alipay.trades import PAGE_METHODS, Book, Refusal, Trade, invalid_argument
from sandbox.alipay.world import Call, Run, World, first_certificate, next_certificate
from sandbox.certificates import pem_of
from sandbox.clock import rfc3339
from sandbox.faults import AFTER_COMMIT, BEFORE_COMMIT, AnyFault, Fault
from sandbox.frame import Surroundings
from sandbox.simulator import ProviderSimulator
from sandbox.spoiling import html_answer, lost_answer
from sandbox.wire import Answer, Json, PayRefused

GATEWAY: Final = "/gateway.do"
BILL_DOWNLOAD: Final = "/bill/download"


def download_certificate(world: World, call: Call) -> Json:
    """
    A platform certificate by its number, as base64 of its PEM with its issuer's.

    Source: sheet alipay.md section 3.
    """
    for item in world.certificates:
        if item.signer.cert_sn == call.biz.get("alipay_cert_sn"):
            chain = pem_of(item.certificate, world.keys.issuer.certificate)
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


class AlipaySimulator(ProviderSimulator[World, Call, Trade]):
    """支付宝 as one app sees it. The gateway is configured with the base URL and /gateway.do."""

    writing_faults = frozenset({Fault.GBK_BODY})
    unknown_text = "没有这个订单（付款页尚未打开过）"

    def __init__(self, keys: AlipayKeys, surroundings: Surroundings) -> None:
        courier = surroundings.courier(retry_seconds=RETRY_SECONDS, accepts=accepts, spoils=DELIVERY_FAULTS)
        super().__init__(
            World(
                surroundings=surroundings,
                courier=courier,
                keys=keys,
                book=Book(surroundings.orders_max),
                certificates=[first_certificate(keys)],
            )
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
        local = place.path.removeprefix(self._base_path)
        if local == BILL_DOWNLOAD and method == "GET":
            return self._bill_file(parse_qs(place.query).get("token", [""])[0])
        if local != GATEWAY or method not in {"GET", "POST"}:
            return Answer(status=404, headers={"Content-Type": "text/html;charset=GBK"}, body=b"Not Found")
        return self._gateway(path, body)

    def rotate_certificate(self) -> str:
        """A new platform certificate signs in certificate mode from now on; returns its number."""
        fresh = next_certificate(self._world.keys)
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
        return self._answered(call)

    def _about(self, call: Call) -> tuple[str, str]:
        operation, _ = OPERATIONS[call.method]
        trade = self._world.book.by_trade_no.get(str(call.biz.get("trade_no", "")))
        return operation, trade.out_trade_no if trade else str(call.biz.get("out_trade_no", ""))

    def _run(self, call: Call) -> Any:
        _, run = OPERATIONS[call.method]
        return run(self._world, call)

    def _written(self, call: Call, outcome: Any, fault: AnyFault | None) -> Answer:
        charset = "GBK" if fault is Fault.GBK_BODY else call.charset
        if isinstance(outcome, Refusal):
            return self._refused(outcome, call.fields, charset)
        if isinstance(outcome, Trade):
            return Answer(status=302, headers={"Location": f"{self._world.base_url}/cashier?visit={outcome.visit}"})
        return self._enveloped({"code": "10000", "msg": "Success", **outcome}, call.fields, charset)

    def _limited(self, call: Call) -> Answer:
        limited = Refusal("40005", "Call Limited", "isv.app-call-limited", "应用调用次数超限")
        return self._refused(limited, call.fields, call.charset)

    def _broken(self, call: Call) -> Answer:
        busy = Refusal("20000", "Service Currently Unavailable", "aop.unknow-error", "系统繁忙", signed=False)
        answer = self._enveloped(busy.shown, call.fields, call.charset, signed=False)
        return Answer(status=500, headers=answer.headers, body=answer.body)

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

    def _bill_file(self, token: str) -> Answer:
        rule = self._world.fault(*BEFORE_COMMIT, *AFTER_COMMIT, operation="bill_file")
        if rule is not None and rule.fault in {Fault.TIMEOUT_BEFORE_COMMIT, Fault.TIMEOUT_AFTER_COMMIT}:
            return lost_answer(rule)
        if rule is not None:
            return html_answer()
        with self._world.lock:
            return bills.bill_file(self._world, token)

    def _find(self, out_trade_no: str) -> Trade | None:
        return self._world.book.orders.get(out_trade_no)

    def _visited(self, token: str) -> Trade:
        """Opening the cashier is the payer's arrival, the scan of a code."""
        trade = self._world.book.by_visit.get(token)
        if trade is None:
            raise PayRefused("支付链接无效，请返回商户页面重新发起支付")
        trading.arrive(self._world, trade)
        return trade

    def _paid_by_payer(self, order: Trade) -> Json:
        """For a code not yet scanned, this is the scan too."""
        trading.commit_payment(self._world, order)
        return {"return_url": return_address(self._world, order)}

    def _turned_away(self, order: Trade) -> Json:
        return {"return_url": order.quit_url}

    def _all_orders(self) -> Iterable[Trade]:
        return self._world.book.orders.values()

    def _paid_orders(self) -> Iterable[Trade]:
        return (trade for trade in self._world.book.by_trade_no.values() if trade.paid_at is not None)

    def _shown(self, order: Trade) -> Json:
        arrived = order.arrived_at is not None
        return {
            "out_trade_no": order.out_trade_no,
            "kind": order.method.removeprefix("alipay.trade."),
            "state": order.trade_status(self._world.clock.now()) if arrived else "TRADE_NOT_EXIST",
            "amount_fen": order.amount_fen,
            "refunded_fen": order.refunded_fen,
            "subject": order.subject,
            "provider_trade_no": order.trade_no,
            "prepay": order.visit,
            "created_at": rfc3339(order.offered_at),
            "expires_at": rfc3339(order.expires_at) if order.expires_at else None,
        }

    def _payment(self, order: Trade) -> Json:
        return {
            "out_trade_no": order.out_trade_no,
            "provider_trade_no": order.trade_no,
            "amount_fen": order.amount_fen,
            "paid_at": rfc3339(order.paid_at) if order.paid_at else None,
        }

    def _refunds(self, order: Trade) -> Iterable[Json]:
        return [
            {
                "out_trade_no": order.out_trade_no,
                "out_refund_no": refund.out_request_no,
                "amount_fen": refund.amount_fen,
                "outcome": "REFUND_SUCCESS",
                "accepted_at": rfc3339(refund.at),
            }
            for refund in order.refunds
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
