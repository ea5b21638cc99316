"""The services' world for tests: settings, a store, two fake providers, and the journeys in one call each."""

import base64
import itertools
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.domain.idempotency import fingerprint
from gateway.domain.order import Order, Payment, Person, PremiumSubject, Refund, Task, TaskKind
from gateway.domain.provider import RawCallback
from gateway.domain.refusal import Refusal
from gateway.domain.secret import Secret
from gateway.domain.states import PaymentState
from gateway.services.accept_callback import AcceptedCallback, accept_callback
from gateway.services.close_order import close_order
from gateway.services.deps import Deps
from gateway.services.idempotent import KeyedRequest, Reply
from gateway.services.open_order import OrderDraft, open_order
from gateway.services.refund_payment import RefundDraft, request_refund
from gateway.services.start_payment import PaymentDraft, start_payment
from gateway.services.views import OrderView, PaymentView
from gateway.services.work import Worker
from gateway.settings import AccountConfig, AppSettings, Settings
from gateway.store import Store, Vault
from tests.support.clock import ManualClock, SeededIds
from tests.support.provider import FakeProvider

APP = "wallet"
REGION = "340100"
AMOUNT_FEN = 38001


def key_text(letter: str) -> Secret:
    """A 32-byte key that no one could mistake for a real one."""
    return Secret(base64.b64encode(letter.encode() * 32).decode())


def account(name: str, provider: str, **changes: Any) -> AccountConfig:
    """A merchant account of an invented provider."""
    members: dict[str, Any] = {
        "name": name,
        "provider": provider,
        "regions": frozenset(),
        "callback_networks": (),
        "connect_seconds": 1.0,
        "answer_seconds": 2.0,
        "connections_max": 4,
        "ca_file": None,
        "proxy": None,
        "values": {},
    }
    return AccountConfig(**members | changes)


SETTINGS = Settings(
    database_url=Secret("unused"),
    public_base_url="https://pay.example.test",
    data_keys=(key_text("d"),),
    index_key=key_text("i"),
    token_key=key_text("t"),
    apps={
        APP: AppSettings(name=APP, entry="app", api_key_digests=()),
        "village": AppSettings(name="village", entry="counter", api_key_digests=(), regions=frozenset({REGION})),
    },
    accounts={"alpha_main": account("alpha_main", "alpha"), "beta_main": account("beta_main", "beta")},
)


def subject(number: str = "34010019000101001X", *, year: int = 2026, region: str = REGION) -> PremiumSubject:
    """A premium of an invented person; the number fails its check digit."""
    insured = Person(name="测试参保人", id_type="resident_id", id_number=number)
    return PremiumSubject(region=region, insured_year=year, insurance_kind="resident_medical", insured=insured)


def refused(refusal: Refusal) -> Reply:
    """A refusal as the edge would render it."""
    body = {"code": refusal.code} | dict(refusal.extra)
    return Reply(status=409, body=json.dumps(body, sort_keys=True).encode())


def order_reply(view: OrderView) -> Reply:
    return Reply(status=201, body=json.dumps({"id": view.order.id, "state": view.order.state}).encode())


def payment_reply(view: PaymentView) -> Reply:
    payment = view.payment
    members = {"id": payment.id, "state": payment.state, "instruction": view.instruction}
    return Reply(status=202 if payment.state is PaymentState.UNKNOWN else 201, body=json.dumps(members).encode())


def refund_reply(refund: Refund) -> Reply:
    return Reply(status=201, body=json.dumps({"id": refund.id, "amount_fen": refund.amount_fen}).encode())


class World:
    """
    One gateway process without its edge. A second one on the same store is a second process.

    Attributes:
        alpha, beta: The providers of accounts alpha_main and beta_main.
    """

    def __init__(self, store: Store, *, seed: int = 1, sister: "World | None" = None) -> None:
        self.store = store
        self.clock = sister.clock if sister else ManualClock()
        self.alpha = sister.alpha if sister else FakeProvider("alpha", self.clock)
        self.beta = sister.beta if sister else FakeProvider("beta", self.clock)
        self.vault = Vault(data_keys=SETTINGS.data_keys, index_key=SETTINGS.index_key)
        self.ids = SeededIds(seed)
        self.deps = Deps(
            settings=SETTINGS,
            store=store,
            vault=self.vault,
            clock=self.clock,
            ids=self.ids,
            providers={"alpha_main": self.alpha, "beta_main": self.beta},
        )
        self.worker = Worker(self.deps)
        self._names = itertools.count(1)

    def fake(self, payment: Payment | Refund) -> FakeProvider:
        """The provider of a payment or a refund."""
        return {"alpha_main": self.alpha, "beta_main": self.beta}[payment.account]

    def request(
        self, key: str | None = None, content: Mapping[str, Any] | None = None, *, app: str = APP
    ) -> KeyedRequest:
        """A request with a new idempotency key, or with the given one."""
        key = key or f"key-{id(self)}-{next(self._names)}"
        return KeyedRequest(app=app, key=key, meaning=fingerprint("POST", "/v1/route", content or {}), refuse=refused)

    # --- journeys ---

    def open_reply(
        self,
        client_order_no: str,
        *,
        amount_fen: int = AMOUNT_FEN,
        subject: PremiumSubject | None = None,
        expires_at: datetime | None = None,
        description: str = "城乡居民医保",
        app: str = APP,
        request: KeyedRequest | None = None,
    ) -> Reply:
        draft = OrderDraft(
            app=app,
            client_order_no=client_order_no,
            amount_fen=amount_fen,
            description=description,
            expires_at=expires_at,
            subject=subject,
        )
        return open_order(self.deps, draft, request or self.request(app=app), order_reply)

    def open(self, client_order_no: str = "C-1", **more: Any) -> Order:
        """Open an order and read its row."""
        return self.order(json.loads(self.open_reply(client_order_no, **more).body)["id"])

    def start_reply(
        self,
        order: Order,
        provider: str = "alpha",
        *,
        fields: Mapping[str, str] | None = None,
        request: KeyedRequest | None = None,
    ) -> Reply:
        draft = PaymentDraft(app=order.app, order_id=order.id, provider=provider, method="native", fields=fields or {})
        return start_payment(self.deps, draft, request or self.request(app=order.app), payment_reply)

    def start(self, order: Order, provider: str = "alpha", **more: Any) -> Payment:
        """Start a payment and read its row."""
        return self.payment(json.loads(self.start_reply(order, provider, **more).body)["id"])

    def deliver(self, payment: Payment, raw: RawCallback) -> AcceptedCallback:
        return accept_callback(self.deps, payment.account, raw)

    def pay(self, payment: Payment, **changes: Any) -> AcceptedCallback:
        """The payer pays and the provider's callback arrives."""
        provider = self.fake(payment)
        provider.pay(payment.out_trade_no)
        return self.deliver(payment, provider.callback(payment.out_trade_no, **changes))

    def paid(self, client_order_no: str = "C-1", **more: Any) -> tuple[Order, Payment]:
        """An order that was opened, started and paid with the first provider."""
        order = self.open(client_order_no, **more)
        payment = self.start(order)
        self.pay(payment)
        return self.order(order.id), self.payment(payment.id)

    def close(self, order: Order, *, request: KeyedRequest | None = None) -> Reply:
        return close_order(self.deps, order.app, order.id, request or self.request(), order_reply)

    def refund_reply(
        self, order: Order, amount_fen: int | None, client_refund_no: str, *, request: KeyedRequest | None = None
    ) -> Reply:
        draft = RefundDraft(
            app=order.app,
            order_id=order.id,
            client_refund_no=client_refund_no,
            amount_fen=amount_fen,
            note="退保",
        )
        return request_refund(self.deps, draft, request or self.request(), refund_reply)

    def refund(self, order: Order, amount_fen: int | None = None, client_refund_no: str = "R-1") -> Refund:
        """Request a refund and read its row."""
        return self.refund_row(json.loads(self.refund_reply(order, amount_fen, client_refund_no).body)["id"])

    def work(self, *, rounds_max: int = 50) -> int:
        """Do everything that is due now, and what becomes due now by it; returns how many tasks were done."""
        total = 0
        for _ in range(rounds_max):
            done = self.worker.run_due()
            if not done:
                return total
            total += done
        raise AssertionError("the work due now never ends")

    # --- rows ---

    def order(self, order_id: str) -> Order:
        order = self.store.read().order(order_id)
        assert order is not None
        return order

    def payment(self, payment_id: str) -> Payment:
        payment = self.store.read().payment(payment_id)
        assert payment is not None
        return payment

    def refund_row(self, refund_id: str) -> Refund:
        refund = self.store.read().refund(refund_id)
        assert refund is not None
        return refund

    def refunds(self, order: Order) -> list[Refund]:
        return self.store.read().refunds_of_order(order.id)

    def task(self, kind: TaskKind, subject_id: str) -> Task | None:
        return self.store.read().task(kind, subject_id)

    def kinds(self, order: Order) -> list[str]:
        """The kinds of an order's events, oldest first."""
        return [event.kind for event in self.store.read().events_page(order.id, after=0, limit=1000)]
