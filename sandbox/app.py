"""
The sandbox as a web application: the simulators, the payer's pages, and the control interface.

WeChat Pay answers below /wechatpay (the gateway's base_url is …/wechatpay), Alipay at /alipay/gateway.do, UnionPay
below /unionpay, the shared account's platform below /shared_account where gmssl-pyx is installed.
Keep it on loopback: whoever reaches it can pay every order and switch every fault.
"""

import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import requests
from flask import Flask, Response, request
from werkzeug.serving import make_server

from sandbox.alipay import AlipaySimulator
from sandbox.clock import SandboxClock
from sandbox.control import control_blueprint
from sandbox.faults import FaultBoard
from sandbox.keyring import Keyring, open_keyring
from sandbox.pages import pages_blueprint
from sandbox.shared_account import sm
from sandbox.shared_account.simulator import SharedAccountSimulator
from sandbox.unionpay import UnionpaySimulator
from sandbox.wechatpay import WechatpaySimulator
from sandbox.wire import Answer, Json, Post

BODY_BYTES_MAX: Final = 1_000_000
CALLBACK_TIMEOUT_SECONDS: Final = 5
"""WeChat waits 5 s for an acknowledgement. Source: sheet wechatpay.md section 6.4."""
UNIONPAY_TIMEOUT_SECONDS: Final = 10
"""Source: sheet unionpay.md section 8."""

_HOP_HEADERS: Final = frozenset({"content-length", "connection", "transfer-encoding"})

_MOUNTS: Final = (
    ("/wechatpay/v3/<path:_rest>", "wechatpay"),
    ("/alipay/gateway.do", "alipay"),
    ("/alipay/bill/download", "alipay"),
    ("/unionpay/gateway/api/<path:_rest>", "unionpay"),
    ("/unionpay/jiaofei/api/<path:_rest>", "unionpay"),
    ("/unionpay/filedownload/", "unionpay"),
    ("/shared_account/sa/<path:_rest>", "shared_account"),
)

Simulator = WechatpaySimulator | AlipaySimulator | UnionpaySimulator | SharedAccountSimulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """
    Everything the pages and the control interface steer.

    Attributes:
        shared_account: None where gmssl-pyx, or its keys, are missing.
    """

    keyring: Keyring
    clock: SandboxClock
    faults: FaultBoard
    wechatpay: WechatpaySimulator
    alipay: AlipaySimulator
    unionpay: UnionpaySimulator
    shared_account: SharedAccountSimulator | None

    @property
    def simulators(self) -> dict[str, Simulator]:
        """By provider name."""
        always: dict[str, Simulator] = {
            "wechatpay": self.wechatpay,
            "alipay": self.alipay,
            "unionpay": self.unionpay,
        }
        return always if self.shared_account is None else always | {"shared_account": self.shared_account}

    def orders(self) -> list[Json]:
        """All orders of all providers, newest first."""
        orders = [order for simulator in self.simulators.values() for order in simulator.orders()]
        return sorted(orders, key=lambda order: str(order["created_at"]), reverse=True)


def create_sandbox(
    keyring: Keyring,
    *,
    post: Post | None = None,
    clock: SandboxClock | None = None,
    base_url: str = "http://127.0.0.1:8400",
    refund_seconds: float = 10,
    refund_spacing_seconds: float = 60,
    settle_seconds: float | None = 0,
) -> Flask:
    """
    Build the application.

    Args:
        post: How callbacks are sent; by default over HTTP, without following redirects.
        clock: A frozen one for tests; by default the machine's, and `serve` makes it tick.
        base_url: Where the application will be reached; links and the bill's address begin with it.
        refund_seconds: How long a refund stays under way.
        refund_spacing_seconds: What must lie between two WeChat refunds of one order.
        settle_seconds: How long a charge of the shared account is under way; None waits for a person.
    """
    clock = clock or SandboxClock()
    faults = FaultBoard(clock)
    unionpay_post = post or partial(post_over_http, timeout_seconds=UNIONPAY_TIMEOUT_SECONDS)
    post = post or post_over_http
    sandbox = Sandbox(
        keyring=keyring,
        clock=clock,
        faults=faults,
        wechatpay=WechatpaySimulator(
            keyring,
            clock=clock,
            faults=faults,
            post=post,
            base_url=f"{base_url}/wechatpay",
            refund_seconds=refund_seconds,
            refund_spacing_seconds=refund_spacing_seconds,
        ),
        alipay=AlipaySimulator(
            keyring,
            clock=clock,
            faults=faults,
            post=post,
            gateway_url=f"{base_url}/alipay/gateway.do",
            refund_seconds=refund_seconds,
        ),
        unionpay=UnionpaySimulator(
            keyring,
            clock=clock,
            faults=faults,
            post=unionpay_post,
            base_url=f"{base_url}/unionpay",
            refund_seconds=refund_seconds,
        ),
        shared_account=_shared_account(
            keyring, clock=clock, faults=faults, post=unionpay_post, base_url=base_url, settle_seconds=settle_seconds
        ),
    )
    return _application(sandbox)


def _shared_account(
    keyring: Keyring,
    *,
    clock: SandboxClock,
    faults: FaultBoard,
    post: Post,
    base_url: str,
    settle_seconds: float | None,
) -> SharedAccountSimulator | None:
    if keyring.shared_account is None or not sm.available():
        return None
    return SharedAccountSimulator(
        keyring,
        clock=clock,
        faults=faults,
        post=post,
        base_url=f"{base_url}/shared_account",
        settle_seconds=settle_seconds,
    )


def _application(sandbox: Sandbox) -> Flask:
    app = Flask("sandbox", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.extensions["sandbox"] = sandbox
    app.register_blueprint(pages_blueprint(sandbox))
    app.register_blueprint(control_blueprint(sandbox))
    for rule, provider in _MOUNTS:
        if provider in sandbox.simulators:
            _mount(app, rule, sandbox.simulators[provider])
    return app


def serve(host: str = "127.0.0.1", port: int = 8400, folder: Path = Path("sandbox-keys")) -> None:
    """Run the sandbox until interrupted; keys are made in the folder when it has none."""
    app = create_sandbox(open_keyring(folder), base_url=f"http://{host}:{port}")
    sandbox: Sandbox = app.extensions["sandbox"]
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # its access log would show whole signed requests
    server = make_server(host, port, app, threaded=True)
    sandbox.clock.start()
    try:
        server.serve_forever()
    finally:
        server.server_close()
        sandbox.clock.stop()


def post_over_http(
    url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float = CALLBACK_TIMEOUT_SECONDS
) -> tuple[int, bytes]:
    """Send one callback; a time-out or a refused connection raises, as `Post` asks."""
    answer = requests.post(url, data=body, headers=dict(headers), timeout=timeout_seconds, allow_redirects=False)
    return answer.status_code, answer.content


def _mount(app: Flask, rule: str, simulator: Simulator) -> None:
    """Hand over the request line and the body exactly as they came: signatures are over these bytes."""

    def view(_rest: str = "") -> Response:
        path = str(request.environ.get("RAW_URI") or request.path)
        query = request.query_string.decode("latin-1")
        path += f"?{query}" if query and "?" not in path else ""
        answer = simulator.answer(request.method, path, dict(request.headers), request.get_data())
        return _dropped(answer) if answer.lost else _response(answer)

    app.add_url_rule(rule, endpoint=rule, view_func=view, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])


def _response(answer: Answer) -> Response:
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
    return Response(answer.body, status=answer.status, headers=headers)


def _dropped(answer: Answer) -> Response:
    """Nothing is ever written: after the wait the connection is closed under the caller."""
    connection: socket.socket | None = request.environ.get("werkzeug.socket")

    def drop(seconds: float) -> bytes:
        threading.Event().wait(seconds)
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("a fault rule lost this answer")

    return Response(map(drop, [answer.lost_after_seconds]))
