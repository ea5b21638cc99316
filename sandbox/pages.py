"""The payer's pages, those that a party has of its own, and the index: Chinese, without JavaScript, for a phone."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from sandbox.clock import local_text
from sandbox.kind import Cashier, Kind, Page
from sandbox.money import yuan_of
from sandbox.registry import all_kinds
from sandbox.simulator import Simulator
from sandbox.wire import Json, PayRefused

if TYPE_CHECKING:
    from sandbox.app import Sandbox

Shown = str | Response | tuple[str, int]

INDEX_ORDERS_MAX: Final = 200


def index_blueprint(sandbox: "Sandbox") -> Blueprint:
    """The index at /."""
    pages = Blueprint("pages", __name__, template_folder="templates")
    pages.add_app_template_filter(yuan_of, "yuan")
    pages.add_app_template_filter(_web_address, "web_address")
    kinds = {name: all_kinds()[name] for name in sandbox.simulators}
    links = [
        (f"/{name}{page.path}", f"{kind.title}：{page.title}") for name, kind in kinds.items() for page in kind.pages
    ]

    @pages.get("/")
    def index() -> str:
        orders = sandbox.orders()
        return render_template(
            "index.html",
            orders=[_readable(kinds[order["provider"]], order) for order in orders[:INDEX_ORDERS_MAX]],
            count=len(orders),
            names={name: kind.title for name, kind in all_kinds().items()},
            links=links,
            now=local_text(sandbox.clock.now()),
            frozen=sandbox.clock.frozen,
            waiting=sandbox.clock.waiting(),
            faults=[rule.shown() for rule in sandbox.faults.in_force()],
        )

    return pages


def party_blueprint(kind: Kind, simulator: Simulator) -> Blueprint:
    """A party's cashier and its own pages, below its name; their templates may stand in its folder."""
    folder = type(simulator).__module__.rpartition(".")[0]
    pages = Blueprint(kind.provider, folder, url_prefix=f"/{kind.provider}", template_folder="templates")
    views = [(page.path, partial(_own_page, kind, page, simulator)) for page in kind.pages]
    if kind.cashier is not None:
        views.append((kind.cashier.path, partial(_cashier_page, kind, kind.cashier, simulator)))
    for path, view in views:
        pages.add_url_rule(path, path.strip("/"), view, methods=["GET", "POST"])
    return pages


def _own_page(kind: Kind, page: Page, simulator: Simulator) -> Shown:
    try:
        if request.method == "GET":
            return render_template(page.template, kind=kind, **page.show(simulator, request.args))
        page.act(simulator, request.form)
    except (PayRefused, ValueError) as refused:
        return _refused_page(kind, refused)
    return redirect(request.full_path.removesuffix("?"), code=303)


def _cashier_page(kind: Kind, cashier: Cashier, simulator: Simulator) -> Shown:
    token = next((request.values[name] for name in cashier.tokens if request.values.get(name)), "")
    redirect_url = _web_address(request.values.get(cashier.returns_to, ""))
    try:
        order = simulator.cashier(token)
        if request.method == "GET":
            return render_template(
                "cashier.html", kind=kind, order=_readable(kind, order), payable=order["state"] in cashier.payable
            )
        paying = request.form.get("choice") == "pay"
        turn = simulator.pay if paying else simulator.cancel
        shown = turn(order["out_trade_no"])
    except PayRefused as refused:
        return _refused_page(kind, refused)
    if "return_form" in shown:
        return render_template("return.html", kind=kind, order=shown, form=shown["return_form"])
    address = redirect_url or _web_address(shown.get("return_url", ""))
    if address:
        return redirect(address, code=303)
    return render_template("done.html", kind=kind, order=shown, paid=paying)


def _refused_page(kind: Kind, refused: Exception) -> tuple[str, int]:
    return render_template("refused.html", kind=kind, reason=str(refused)), 409


def _readable(kind: Kind, order: Mapping[str, str]) -> Json:
    """An order with its state in Chinese, and where the payer pays it: empty when there is nothing to pay any more."""
    address = ""
    if kind.cashier is not None and order["state"] in kind.cashier.payable:
        token = urlencode({kind.cashier.tokens[0]: order["prepay"]})
        address = f"/{kind.provider}{kind.cashier.path}?{token}"
    return {**order, "state_text": kind.state_texts.get(order["state"], order["state"]), "cashier": address}


def _web_address(text: str) -> str:
    """Only http and https: no script may ride in on a link."""
    return text if text.startswith(("http://", "https://")) else ""
