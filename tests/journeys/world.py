"""The rig: gateway, worker, simulators and payer on one clock, driven by hand."""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

from flask import Flask

from gateway.app import World as Gateway
from gateway.app import build_world, create_app
from gateway.domain.order import Order, Payment, Refund, Task
from gateway.services.work import Worker
from gateway.settings import Settings
from sandbox.app import Sandbox, create_sandbox
from sandbox.clock import BEIJING, SandboxClock
from sandbox.keyring import Keyring
from tests.journeys.accounts import ACCOUNT, API_KEYS, PUBLIC_URL, SANDBOX_URL
from tests.journeys.crashing import Crash, CrashingEngine, Fate
from tests.journeys.door import ask
from tests.journeys.network import Network
from tests.journeys.payer import open_cashier
from tests.support.engines import TouchesOnce
from tests.support.invariants import assert_invariants

START: Final = datetime(2026, 3, 1, 10, 20, 30, 123456, tzinfo=BEIJING)
AMOUNT_FEN: Final = 38001
OPENID: Final = "oTest-not-a-person-000000001"
RETURN_URL: Final = f"{PUBLIC_URL}/back"
FIELDS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("wechatpay", "jsapi"): {"openid": OPENID},
    ("wechatpay", "mini_program"): {"openid": OPENID},
    ("wechatpay", "h5"): {"client_ip": "192.0.2.7", "h5_type": "Wap"},
    ("alipay", "jsapi"): {"buyer_open_id": OPENID},
    ("unionpay", "wap"): {"return_url": RETURN_URL},
    ("unionpay", "pc"): {"return_url": RETURN_URL},
}
"""What each method needs from the front end; the others need nothing."""

_ROUNDS_MAX: Final = 5_000
_PATIENCE: Final = 60
_PATIENCE_SECONDS: Final = 5
_TRY_AGAIN: Final = frozenset({"provider_unavailable", "idempotency_in_flight", "store_unavailable"})

Json = dict[str, Any]


class JourneyClock(SandboxClock):
    """The sandbox's clock, which the gateway goes by as well."""

    def next_due(self) -> datetime | None:
        """When the next job of the simulators falls due."""
        return self._agenda[0][0] if self._agenda else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the gateway answered an app."""

    status: int
    body: Any
    headers: Mapping[str, str]


class World:
    """
    One gateway with its worker, every provider, a payer and the apps.

    Attributes:
        gateway: The running gateway; `stop` and `restart` end its life and give it a new one on the same database.
        fate: At which provider call or commit the gateway dies, if at all.
        worker_first: Whether the worker or the simulators come first when both are due at one instant.
        watching: Called after every step of time, for what must hold at every moment.
    """

    def __init__(self, ring: Keyring, settings: Settings) -> None:
        self.clock = JourneyClock(frozen_at=START)
        self.settings = settings
        notify_url = f"{PUBLIC_URL}/callbacks/bank_ccb/{ACCOUNT['bank_ccb']}"
        app = create_sandbox(
            ring,
            post=self.post,
            clock=self.clock,
            base_url=SANDBOX_URL,
            gateway_url=PUBLIC_URL,
            options={"bank_ccb": {"notify_url": notify_url}, "bank_biller": {"exchange": self.exchange}},
        )
        self.sandbox: Sandbox = app.extensions["sandbox"]
        self.fate = Fate()
        self.network = Network(dict(self.sandbox.simulators), self.fate)
        self.worker_first = False
        self.watching: Callable[[], None] = lambda: None
        self._names = itertools.count(1)
        self._app: Flask | None = None
        self.network.start()
        self.start_gateway()

    # --- the gateway's life ---

    def start_gateway(self) -> None:
        """Build everything anew from the settings; only the database was there before."""
        self.gateway: Gateway = build_world(self.settings, clock=self.clock)
        self.gateway.store._engine = CrashingEngine(TouchesOnce(self.gateway.store._engine), self.fate)
        self.worker = Worker(self.gateway.deps)
        self._app = create_app(self.settings, world=self.gateway)

    def stop_gateway(self) -> None:
        """From now on nobody answers a callback and no task is done."""
        self._app = None
        self.gateway.close()

    def restart(self) -> None:
        self.stop_gateway()
        self.start_gateway()

    def end(self) -> None:
        """Let go of database and network."""
        if self._app is not None:
            self.stop_gateway()
        self.network.stop()

    # --- an app's calls ---

    def call(self, method: str, path: str, body: Any = None, *, app: str = "web", key: str = "") -> Answer:
        """
        Call the public interface once; a mutating call without a key of its own gets a fresh one.

        A gateway that dies meanwhile answers nothing (status 0, no body) and is started again.
        """
        assert self._app is not None, "the gateway is stopped"
        headers = {"Authorization": f"Bearer {API_KEYS[app]}"}
        if method == "POST":
            headers["Idempotency-Key"] = key or f"key-{next(self._names)}"
        raw = b"" if body is None else json.dumps(body).encode()
        headers |= {} if body is None else {"Content-Type": "application/json"}
        try:
            status, answered, content = ask(self._app, method, path, headers, raw)
        except Crash:
            self.restart()
            return Answer(status=0, body={}, headers={})
        return Answer(status=status, body=json.loads(content or b"null"), headers=answered)

    def insist(self, path: str, body: Any = None, *, app: str = "web") -> Answer:
        """Call as a patient front end does: the same request under the same key until the outcome is known."""
        key = f"key-{next(self._names)}"
        for _ in range(_PATIENCE):
            answer = self.call("POST", path, body, app=app, key=key)
            unknown = answer.status == 202 and answer.body.get("state") in ("created", "unknown")
            if not (answer.status == 0 or unknown or answer.body.get("code") in _TRY_AGAIN):
                return answer
            self.advance(_PATIENCE_SECONDS)
        raise AssertionError(f"no outcome after {_PATIENCE} tries: {answer.status} {answer.body}")

    def open_order(self, *, app: str = "web", amount_fen: int = AMOUNT_FEN, subject: Json | None = None) -> str:
        """Open an order and return its id."""
        content: Json = {
            "client_order_no": f"C-{next(self._names)}",
            "amount_fen": amount_fen,
            "description": "城乡居民医保缴费（测试）",
        }
        answer = self.insist("/v1/orders", content | ({"subject": subject} if subject else {}), app=app)
        assert answer.status == 201, answer.body
        return str(answer.body["order_id"])

    def try_start(self, order_id: str, provider: str, method: str, *, app: str = "web", key: str = "") -> Answer:
        """Ask once for a payment."""
        content = {"provider": provider, "method": method, "fields": FIELDS.get((provider, method), {})}
        return self.call("POST", f"/v1/orders/{order_id}/payments", content, app=app, key=key)

    def start(self, order_id: str, provider: str, method: str, *, app: str = "web") -> Json:
        """Ask for a payment until there is an instruction."""
        content = {"provider": provider, "method": method, "fields": FIELDS.get((provider, method), {})}
        answer = self.insist(f"/v1/orders/{order_id}/payments", content, app=app)
        assert answer.status == 201, answer.body
        payment: Json = answer.body
        return payment

    def close(self, order_id: str, *, app: str = "web") -> Answer:
        """The app wants the order closed."""
        return self.insist(f"/v1/orders/{order_id}/close", app=app)

    def refund(self, order_id: str, amount_fen: int | None = None, *, app: str = "web", no: str = "") -> Answer:
        """The app wants money back; the whole rest when no amount is given."""
        content: Json = {"client_refund_no": no or f"R-{next(self._names)}"}
        content |= {} if amount_fen is None else {"amount_fen": amount_fen}
        return self.insist(f"/v1/orders/{order_id}/refunds", content, app=app)

    # --- the payer ---

    def pay(self, payment: Mapping[str, Any]) -> None:
        """The payer opens the cashier with the instruction and pays; the callback is due, and not yet posted."""
        assert open_cashier(self.sandbox, payment) == payment["out_trade_no"]
        self.sandbox.simulators[payment["provider"]].pay(payment["out_trade_no"])

    def look(self, payment: Mapping[str, Any]) -> None:
        """The payer opens the cashier and turns away."""
        assert open_cashier(self.sandbox, payment) == payment["out_trade_no"]
        self.sandbox.simulators[payment["provider"]].cancel(payment["out_trade_no"])

    # --- time ---

    def advance(self, seconds: float = 0) -> None:
        """Let time pass: simulators' jobs and the worker's tasks, each at its own due time, alternating."""
        until = self.clock.now() + timedelta(seconds=seconds)
        for _ in range(_ROUNDS_MAX):
            due = self._next_due()
            if due is None or due > until:
                self.clock.advance((until - self.clock.now()).total_seconds())
                return
            self._step(max(due - self.clock.now(), timedelta()).total_seconds())
            self.watching()
        raise AssertionError("the work that is due now never ends")

    def _next_due(self) -> datetime | None:
        mine = self.gateway.store.read().next_due() if self._app is not None else None
        return min((due for due in (mine, self.clock.next_due()) if due is not None), default=None)

    def _step(self, seconds: float) -> None:
        if self.worker_first and self._app is not None:
            self._pass_without_jobs(seconds)
            self._work()
            self.clock.advance(0)
            return
        self.clock.advance(seconds)
        if self._app is not None:
            self._work()

    def _work(self) -> None:
        try:
            self.worker.run_due()
        except Crash:
            self.restart()

    def _pass_without_jobs(self, seconds: float) -> None:
        agenda, self.clock._agenda = self.clock._agenda, []
        self.clock.advance(seconds)
        self.clock._agenda = agenda

    def watch_invariants(self) -> None:
        """From now on the order model's invariants are checked after every step, not only at the end."""
        self.watching = lambda: assert_invariants(self.gateway.store)

    def claim(self) -> list[Task]:
        """A worker takes what is due and dies before it does anything."""
        return self.worker._claim(100)

    # --- what became of it ---

    def order(self, order_id: str) -> Order:
        found = self.gateway.store.read().order(order_id)
        assert found is not None
        return found

    def payment(self, payment: Mapping[str, Any]) -> Payment:
        found = self.gateway.store.read().payment(payment["payment_id"])
        assert found is not None
        return found

    def payments(self, order_id: str) -> list[Payment]:
        return self.gateway.store.read().payments_of_order(order_id)

    def refunds(self, order_id: str) -> list[Refund]:
        return self.gateway.store.read().refunds_of_order(order_id)

    def kinds(self, order_id: str) -> list[str]:
        """The kinds of an order's events, oldest first."""
        return [event.kind for event in self.gateway.store.read().events_page(order_id, after=0, limit=500)]

    def deliveries(self, provider: str) -> list[Json]:
        """Callbacks that the provider posted, and what we answered."""
        return self.sandbox.simulators[provider].deliveries()

    def asked(self, provider: str, part: str) -> int:
        """How many requests to a provider had this text in their target or body."""
        wanted = part.encode()
        return sum(
            wanted in asked.target.encode() or wanted in asked.body
            for asked in self.network.asked
            if asked.provider == provider
        )

    # --- callbacks ---

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Post a callback, as anybody on the internet can."""
        assert url.startswith(f"{PUBLIC_URL}/callbacks/"), url
        status, _, content = self.exchange(url, headers, body)
        return status, content

    def exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Post anything to the gateway, as a bank does that calls us."""
        if self._app is None:
            raise ConnectionRefusedError("the gateway is stopped")
        try:
            return ask(self._app, "POST", url.removeprefix(PUBLIC_URL), headers, body)
        except Crash:
            self.restart()
            raise ConnectionResetError("the gateway died") from None


def no_waiting() -> Any:
    """Connection faults are retried at once inside one call; the pauses between are nobody's concern here."""
    return patch("tenacity.nap.time.sleep", lambda _seconds: None)
