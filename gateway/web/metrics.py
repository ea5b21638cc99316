"""What is counted, for Prometheus. Labels are names of ours, never numbers or people."""

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gateway.domain.clock import Clock
from gateway.domain.provider import Provider
from gateway.services.deps import Deps
from gateway.store import StoreUnavailable

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
        self._gauges = (_StoreGauges(deps), _KeyGauges(deps.providers, deps.clock))
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
        try:
            now = self._deps.clock.now()
            for work in self._deps.store.read().due_work():
                count.add_metric((work.kind.value,), work.count)
                oldest.add_metric((work.kind.value,), max((now - work.oldest_due_at).total_seconds(), 0))
            up.add_metric((), 1)
        except StoreUnavailable:
            up.add_metric((), 0)
        yield from (up, count, oldest)

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
