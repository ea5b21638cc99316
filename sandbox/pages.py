"""The payer's pages and the index: Chinese, without JavaScript, made for a phone's width."""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from sandbox.clock import local_text
from sandbox.money import yuan_of
from sandbox.wire import Json, PayRefused

if TYPE_CHECKING:
    from sandbox.app import Sandbox, Simulator
    from sandbox.shared_account.simulator import SharedAccountSimulator

Page = str | Response | tuple[str, int]

STATE_TEXTS = {
    "NOTPAY": "待支付", "SUCCESS": "已支付", "REFUND": "已支付（有退款）", "CLOSED": "已关闭",
    "TRADE_NOT_EXIST": "待扫码", "WAIT_BUYER_PAY": "待支付", "TRADE_SUCCESS": "已支付",
    "TRADE_FINISHED": "已完结", "TRADE_CLOSED": "已关闭",
    "34": "待支付", "00": "已支付", "EXPIRED": "已过期",
    "1": "待扣款", "6": "已支付", "7": "已关闭", "8": "已撤销", "14": "扣款失败",
}  # fmt: skip
PAYABLE_STATES = frozenset({"NOTPAY", "TRADE_NOT_EXIST", "WAIT_BUYER_PAY", "34", "1"})
CASHIER_NAMES = {"wechatpay": "微信支付", "alipay": "支付宝", "unionpay": "银联", "shared_account": "医保个人账户共济"}
BINDING_TEXTS = {"0": "已解除", "1": "有效", "2": "待审核", "3": "审核未通过"}
RELATION_TEXTS = {"01": "配偶", "02": "父母", "03": "子女"}
INDEX_ORDERS_MAX = 200


def pages_blueprint(sandbox: "Sandbox") -> Blueprint:
    """The index at / and the cashiers: /wechatpay/pay, /alipay/cashier, /unionpay/cashier, and the like."""
    pages = Blueprint("pages", __name__, template_folder="templates")
    pages.add_app_template_filter(yuan_of, "yuan")
    pages.add_app_template_filter(_web_address, "web_address")
    pages.add_app_template_filter(lambda state: STATE_TEXTS.get(state, state), "state_text")

    @pages.get("/")
    def index() -> str:
        orders = sandbox.orders()
        return render_template(
            "index.html",
            orders=[order | {"cashier": cashier_address(order)} for order in orders[:INDEX_ORDERS_MAX]],
            count=len(orders),
            names=CASHIER_NAMES,
            has_bindings=sandbox.shared_account is not None,
            now=local_text(sandbox.clock.now()),
            frozen=sandbox.clock.frozen,
            waiting=sandbox.clock.waiting(),
            faults=[rule.shown() for rule in sandbox.faults.in_force()],
        )

    @pages.route("/wechatpay/pay", methods=["GET", "POST"])
    def wechatpay() -> Page:
        prepay = request.values.get("prepay_id") or request.values.get("code_url", "")
        redirect_url = _web_address(request.values.get("redirect_url", ""))
        return _cashier(sandbox.wechatpay, "wechatpay", prepay, redirect_url)

    @pages.route("/alipay/cashier", methods=["GET", "POST"])
    def alipay() -> Page:
        return _cashier(sandbox.alipay, "alipay", request.values.get("visit", ""), "")

    @pages.route("/unionpay/cashier", methods=["GET", "POST"])
    def unionpay() -> Page:
        prepay = request.values.get("visit") or request.values.get("tn", "")
        return _cashier(sandbox.unionpay, "unionpay", prepay, "")

    if sandbox.shared_account is not None:
        _add_shared_account(pages, sandbox.shared_account)
    return pages


def _add_shared_account(pages: Blueprint, simulator: "SharedAccountSimulator") -> None:
    """A page for each charge that waits, and one for the bindings."""

    @pages.route("/shared_account/cashier", methods=["GET", "POST"])
    def shared_account() -> Page:
        return _cashier(simulator, "shared_account", request.values.get("visit", ""), "")

    @pages.route("/shared_account/bindings", methods=["GET", "POST"])
    def bindings() -> Page:
        name = CASHIER_NAMES["shared_account"]
        if request.method == "POST":
            try:
                simulator.decide(request.form.get("bind_id", ""), request.form.get("decision", ""))
            except (PayRefused, ValueError) as refused:
                return render_template("refused.html", name=name, provider="shared_account", reason=str(refused)), 409
            return redirect("/shared_account/bindings", code=303)
        return render_template(
            "bindings.html",
            name=name,
            bindings=simulator.bindings(),
            states=BINDING_TEXTS,
            relations=RELATION_TEXTS,
        )


def cashier_address(order: Json) -> str:
    """Where the payer pays this order; empty when there is nothing to pay any more."""
    if order["state"] not in PAYABLE_STATES:
        return ""
    if order["provider"] in {"alipay", "unionpay", "shared_account"}:
        return f"/{order['provider']}/cashier?" + urlencode({"visit": order["prepay"]})
    name = "code_url" if order["kind"] == "native" else "prepay_id"
    return "/wechatpay/pay?" + urlencode({name: order["prepay"]})


def _cashier(simulator: "Simulator", provider: str, prepay: str, redirect_url: str) -> Page:
    name = CASHIER_NAMES[provider]
    try:
        order = simulator.cashier(prepay)
        if request.method == "GET":
            return render_template(
                "cashier.html",
                order=order, name=name, provider=provider, redirect_url=redirect_url,
                payable=order["state"] in PAYABLE_STATES,
            )  # fmt: skip
        paying = request.form.get("choice") == "pay"
        turn = simulator.pay if paying else simulator.cancel
        shown = turn(order["out_trade_no"])
    except PayRefused as refused:
        return render_template("refused.html", name=name, provider=provider, reason=str(refused)), 409
    if "return_form" in shown:
        return render_template("return.html", name=name, provider=provider, order=shown, form=shown["return_form"])
    address = redirect_url or _web_address(shown.get("return_url", ""))
    if address:
        return redirect(address, code=303)
    return render_template("done.html", name=name, provider=provider, order=shown, paid=paying)


def _web_address(text: str) -> str:
    """Only http and https: no script may ride in on a link."""
    return text if text.startswith(("http://", "https://")) else ""
