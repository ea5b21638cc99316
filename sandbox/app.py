"""
The sandbox as a web application: every kind of the registry that can run here, its pages, and the control interface.

Each party answers below its own name: WeChat Pay below /wechatpay (the gateway's base_url is …/wechatpay), and so on.
Keep it on loopback: whoever reaches it can pay every order and switch every fault.
"""

import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import requests
from flask import Flask, Response, request
from werkzeug.serving import make_server

from sandbox.clock import SandboxClock
from sandbox.control import control_blueprint
from sandbox.faults import FaultBoard
from sandbox.frame import GATEWAY_URL, Surroundings
from sandbox.keyring import Keyring, open_keyring
from sandbox.kind import Kind
from sandbox.pages import index_blueprint, party_blueprint
from sandbox.registry import available_kinds
from sandbox.simulator import Simulator
from sandbox.wire import Answer, Json, Post

BODY_BYTES_MAX: Final = 1_000_000
DEFAULT_URL: Final = "http://127.0.0.1:8400"

_HOP_HEADERS: Final = frozenset({"content-length", "connection", "transfer-encoding"})
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

SimulatorT = TypeVar("SimulatorT", bound=Simulator)
Options = Mapping[str, Mapping[str, Any]]
"""By a party's name, keyword arguments of its simulator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """
    Everything the pages and the control interface steer.

    Attributes:
        simulators: By the party's name; one that lacks a package or keys is not among them.
    """

    keyring: Keyring
    clock: SandboxClock
    faults: FaultBoard
    simulators: Mapping[str, Simulator]

    def of(self, wanted: type[SimulatorT]) -> SimulatorT:
        """The simulator of this class; parties that share a class are told apart by `simulators` alone."""
        return next(simulator for simulator in self.simulators.values() if isinstance(simulator, wanted))

    def orders(self) -> list[Json]:
        """All orders of all parties, newest first."""
        orders = [order for simulator in self.simulators.values() for order in simulator.orders()]
        return sorted(orders, key=lambda order: str(order["created_at"]), reverse=True)


def create_sandbox(
    keyring: Keyring,
    *,
    post: Post | None = None,
    clock: SandboxClock | None = None,
    base_url: str = DEFAULT_URL,
    gateway_url: str = GATEWAY_URL,
    refund_seconds: float = 10,
    options: Options | None = None,
) -> Flask:
    """
    Build the application.

    Args:
        post: How callbacks are sent; by default over HTTP, without following redirects.
        clock: A frozen one for tests; by default the machine's, and `serve` makes it tick.
        base_url: Where the application will be reached; links and the bill's address begin with it.
        gateway_url: Where the gateway is: for parties that were told its address beforehand, and its clients.
        refund_seconds: How long a refund stays under way.
    """
    clock = clock or SandboxClock()
    faults = FaultBoard(clock)
    kinds = [kind for provider, kind in available_kinds().items() if provider in keyring.keys]

    def built(kind: Kind) -> Simulator:
        surroundings = Surroundings(
            provider=kind.provider,
            clock=clock,
            faults=faults,
            post=post or partial(post_over_http, timeout_seconds=kind.answer_seconds),
            base_url=f"{base_url}/{kind.provider}",
            gateway_url=gateway_url,
            refund_seconds=refund_seconds,
        )
        own = (options or {}).get(kind.provider, {})
        return kind.build(keyring.keys[kind.provider], surroundings, **own)

    simulators = {kind.provider: built(kind) for kind in kinds}
    return _application(Sandbox(keyring=keyring, clock=clock, faults=faults, simulators=simulators), kinds)


def _application(sandbox: Sandbox, kinds: list[Kind]) -> Flask:
    app = Flask("sandbox", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.extensions["sandbox"] = sandbox
    app.register_blueprint(index_blueprint(sandbox))
    app.register_blueprint(control_blueprint(sandbox))
    for kind in kinds:
        simulator = sandbox.simulators[kind.provider]
        app.register_blueprint(party_blueprint(kind, simulator))
        for rule in kind.mounts:
            _mount(app, f"/{kind.provider}{rule}", simulator)
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 8400,
    folder: Path = Path("sandbox-keys"),
    gateway_url: str = GATEWAY_URL,
    options: Options | None = None,
) -> None:
    """Run the sandbox until interrupted; keys are made in the folder when it has none."""
    base_url = f"http://{host}:{port}"
    app = create_sandbox(open_keyring(folder), base_url=base_url, gateway_url=gateway_url, options=options)
    sandbox: Sandbox = app.extensions["sandbox"]
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # its access log would show whole signed requests
    server = make_server(host, port, app, threaded=True)
    sandbox.clock.start()
    try:
        server.serve_forever()
    finally:
        server.server_close()
        sandbox.clock.stop()


def post_over_http(url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float = 5) -> tuple[int, bytes]:
    """Post once; a time-out or a refused connection raises, as `Post` asks."""
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

    app.add_url_rule(rule, endpoint=rule, view_func=view, methods=_METHODS)


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
