"""What is counted, for Prometheus. Labels are names of ours, never numbers or people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gateway.domain.clock import Clock
from gateway.domain.gate import BreakerState, Gate
from gateway.domain.provider import Provider
from gateway.domain.webhook import EndpointState
from gateway.services.alarms import find_alarms
from gateway.services.deps import Deps
from gateway.services.review import open_reviews
from gateway.services.webhook_desk import endpoint_figures
from gateway.store import StoreUnavailable
from gateway.store.families import open_work
from gateway.store.families.open_work import OpenWork

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry per application, so that two in one process do not mix."""

    def __init__(self, deps: Deps) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("jiaofei_requests", "Requests answered", ("route", "status"), registry=self.registry)
        self.seconds = Histogram(
            "jiaofei_request_seconds", "Time to answer a request", ("route",), registry=self.registry
        )
        self.callbacks = Counter(
            "jiaofei_callbacks", "Callbacks answered", ("account", "outcome", "reason"), registry=self.registry
        )
        self.bank_calls = Counter(
            "jiaofei_bank_calls",
            "Calls of banks that collect, answered",
            ("account", "call", "code"),
            registry=self.registry,
        )
        self._gauges = (
            _StoreGauges(deps),
            _UnresolvedGauges(deps),
            _AlarmGauges(deps),
            _WebhookGauges(deps),
            _KeyGauges(deps.providers, deps.clock),
            _BreakerGauges(deps.gates),
        )
        for gauge in self._gauges:
            self.registry.register(gauge)

    def text(self) -> bytes:
        """
        The exposition; where PROMETHEUS_MULTIPROC_DIR names a folder, of all web processes that share it.

        Source: prometheus_client, "Multiprocess Mode": the variable decides, at import, how counters keep their values.
        """
        if values.ValueClass is values.MutexValue:
            return generate_latest(self.registry)
        merged = CollectorRegistry()
        MultiProcessCollector(merged)  # type: ignore[no-untyped-call]
        for gauge in self._gauges:
            merged.register(gauge)
        return generate_latest(merged)


class _StoreGauges(Collector):
    """Open work as the database has it, read at the scrape."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("jiaofei_store_up", "1 when the database answers")
        count = GaugeMetricFamily("jiaofei_tasks_open", "Tasks not yet done", labels=("kind",))
        oldest = GaugeMetricFamily(
            "jiaofei_tasks_oldest_overdue_seconds", "How long the oldest due task waits", labels=("kind",)
        )
        reviews = GaugeMetricFamily("jiaofei_reviews_open", "Review items that wait for a person", labels=("kind",))
        try:
            now = self._deps.clock.now()
            for kind, waiting in open_reviews(self._deps).items():
                reviews.add_metric((kind.value,), waiting)
            for work in self._deps.store.read().due_work():
                count.add_metric((work.kind.value,), work.count)
                oldest.add_metric((work.kind.value,), max((now - work.oldest_due_at).total_seconds(), 0))
            up.add_metric((), 1)
        except StoreUnavailable:
            up.add_metric((), 0)
        yield from (up, count, oldest, reviews)

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: registering must not ask the database."""
        yield from ()


class _UnresolvedGauges(Collector):
    """What has no verdict yet, and for how long, as the database has it, read at the scrape."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def collect(self) -> Iterator[Metric]:
        try:
            tx = self._deps.store.read()
            payments, refunds = open_work.unresolved_payments(tx), open_work.unresolved_refunds(tx)
        except StoreUnavailable:
            return  # jiaofei_store_up tells it
        now = self._deps.clock.now()
        yield from self._gauges("payments", "Payments", payments, now)
        yield from self._gauges("refunds", "Refunds", refunds, now)

    def _gauges(self, name: str, title: str, found: Sequence[OpenWork], now: datetime) -> Iterator[Metric]:
        count = GaugeMetricFamily(f"jiaofei_{name}_unresolved", f"{title} without a verdict", labels=("account",))
        oldest = GaugeMetricFamily(
            f"jiaofei_{name}_oldest_unresolved_seconds", "Age of the oldest of them", labels=("account",)
        )
        known = {one.name: one for one in found}
        for account in sorted({*self._deps.settings.accounts, *known}):
            one = known.get(account)
            count.add_metric((account,), one.count if one else 0)
            oldest.add_metric((account,), max((now - one.oldest_at).total_seconds(), 0) if one else 0)
        yield from (count, oldest)

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: registering must not ask the database."""
        yield from ()


class _AlarmGauges(Collector):
    """What needs a person now; no line when nothing does."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def collect(self) -> Iterator[Metric]:
        alarms = GaugeMetricFamily("jiaofei_alarms", "Things that need a person", labels=("alarm", "subject"))
        try:
            for alarm in find_alarms(self._deps):
                alarms.add_metric((alarm.name, alarm.subject), alarm.count)
        except StoreUnavailable:
            return  # jiaofei_store_up tells it
        yield alarms

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: registering must not ask the database."""
        yield from ()


class _WebhookGauges(Collector):
    """What has not reached the apps, as the database has it, read at the scrape."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def collect(self) -> Iterator[Metric]:
        pending = GaugeMetricFamily("jiaofei_webhooks_pending", "Messages to be delivered", labels=("app",))
        oldest = GaugeMetricFamily(
            "jiaofei_webhooks_oldest_pending_seconds", "Age of the oldest undelivered event", labels=("app",)
        )
        dead = GaugeMetricFamily("jiaofei_webhooks_dead", "Messages whose every try failed", labels=("app",))
        disabled = GaugeMetricFamily(
            "jiaofei_webhook_endpoint_disabled", "1 when nothing is sent to the app's receiver", labels=("app",)
        )
        try:
            figures = endpoint_figures(self._deps)
        except StoreUnavailable:
            figures = []  # jiaofei_store_up tells it
        now = self._deps.clock.now()
        for one in figures:
            app = (one.endpoint.app,)
            age = now - one.oldest_pending_at if one.oldest_pending_at else timedelta()
            pending.add_metric(app, one.pending)
            oldest.add_metric(app, max(age.total_seconds(), 0))
            dead.add_metric(app, one.dead)
            disabled.add_metric(app, int(one.endpoint.state is EndpointState.DISABLED))
        yield from (pending, oldest, dead, disabled)

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: registering must not ask the database."""
        yield from ()


class _KeyGauges(Collector):
    """When keys and certificates end."""

    def __init__(self, providers: Mapping[str, Provider], clock: Clock) -> None:
        self._providers = providers
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        left = GaugeMetricFamily(
            "jiaofei_key_seconds_left", "Life left of a key or certificate", labels=("account", "key")
        )
        now = self._clock.now()
        for account, provider in self._providers.items():
            for key, ends_at in provider.key_expiries().items():
                left.add_metric((account, key), (ends_at - now).total_seconds())
        yield left


class _BreakerGauges(Collector):
    """Which accounts' calls are held back, as this process has seen it."""

    def __init__(self, gates: Mapping[str, Gate]) -> None:
        self._gates = gates

    def collect(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "jiaofei_breaker_state", "1 for the state an account's breaker is in", labels=("account", "state")
        )
        for account, gate in self._gates.items():
            now = gate.state
            for state in BreakerState:
                states.add_metric((account, state.value), int(state is now))
        yield states
