"""The composition root: builds the world from settings; nothing happens before one of its functions is called."""

import logging
import random
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.kit.config import SettingsInvalid as AccountSettingsInvalid
from adapters.kit.http import Transport
from adapters.registry import find_builder
from gateway.domain.clock import Clock, SystemClock
from gateway.domain.gate import Gate, GateLimits
from gateway.domain.ids import Ids, TimeOrderedIds
from gateway.domain.provider import Provider
from gateway.services.ask_provider import RefreshGate
from gateway.services.deps import Deps
from gateway.services.webhook_endpoints import build_endpoints
from gateway.services.work import Worker
from gateway.settings import AccountConfig, Settings, SettingsInvalid
from gateway.store import Store, Vault, open_store, schema_is_current
from gateway.web import (
    biller,
    callbacks,
    collections,
    health,
    offline_refunds,
    openapi,
    orders,
    problems,
    replays,
    routes,
    shared_accounts,
)
from gateway.web.auth import Doorkeeper
from gateway.web.metrics import Metrics

ROUTES: Final = (*orders.ROUTES, *shared_accounts.ROUTES, *collections.ROUTES, *replays.ROUTES, *offline_refunds.ROUTES)
"""Every call of apps, payers and operators."""

_NONCE_BYTES: Final = 16

MakeTransport = Callable[[AccountConfig, Gate], Transport]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that the web edge, the worker and the command line share."""

    settings: Settings
    deps: Deps

    @property
    def store(self) -> Store:
        return self.deps.store

    @property
    def providers(self) -> Mapping[str, Provider]:
        return self.deps.providers

    def run_worker(self, stop: threading.Event, *, once: bool = False) -> None:
        """Do due tasks until told to stop, or once what is due now."""
        worker = Worker(self.deps, spread=random.random)
        if once:
            worker.run_due()
        else:
            worker.run(stop)

    def close(self) -> None:
        """Let go of the database."""
        self.deps.store.close()


def _nonce() -> str:
    return secrets.token_hex(_NONCE_BYTES)


def _transport(account: AccountConfig, gate: Gate) -> Transport:
    return Transport(
        gate=gate,
        connect_seconds=account.connect_seconds,
        answer_seconds=account.answer_seconds,
        connections_max=account.connections_max,
        ca_file=account.ca_file,
        proxy=account.proxy,
    )


def build_gates(settings: Settings, clock: Clock) -> dict[str, Gate]:
    """One gate per account, shut by its own provider's faults alone."""
    return {
        account.name: Gate(
            clock, GateLimits(calls_max=account.connections_max, calls_per_second=account.calls_per_second)
        )
        for account in settings.accounts.values()
    }


def build_providers(
    settings: Settings, clock: Clock, gates: Mapping[str, Gate], make_transport: MakeTransport = _transport
) -> dict[str, Provider]:
    """
    One provider per account.

    Raises:
        SettingsInvalid: With the faults of every account at once.
    """
    providers: dict[str, Provider] = {}
    faults: list[str] = []
    for account in settings.accounts.values():
        tools = AdapterTools(clock=clock, nonce=_nonce, transport=make_transport(account, gates[account.name]))
        try:
            build = find_builder(account.provider)
        except KeyError:
            faults.append(f"accounts.{account.name}.provider: no adapter has this name")
            continue
        try:
            # Ours to read, and an adapter's as well where its protocol is by region.
            values = {**account.values, "regions": sorted(account.regions)}
            providers[account.name] = build(AccountSettings(account.name, values), tools)
        except AccountSettingsInvalid as exc:
            faults.extend(exc.faults)
    if faults:
        raise SettingsInvalid(faults)
    return providers


def build_world(
    settings: Settings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    make_transport: MakeTransport = _transport,
) -> World:
    """
    Open the store and build every provider; keys are parsed here, once.

    Raises:
        SettingsInvalid: With every fault that only the adapters can see.
    """
    clock = clock or SystemClock()
    gates = build_gates(settings, clock)
    providers = build_providers(settings, clock, gates, make_transport)
    deps = Deps(
        settings=settings,
        store=open_store(settings.database_url.reveal()),
        vault=Vault(data_keys=settings.data_keys, index_key=settings.index_key),
        clock=clock,
        ids=ids or TimeOrderedIds(),
        providers=providers,
        gates=gates,
        webhooks=build_endpoints(settings),
    )
    return World(settings=settings, deps=deps)


def configure_logging(level: str) -> None:
    """One JSON object per line on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def create_app(settings: Settings, *, world: World | None = None) -> Flask:
    """
    The web application.

    Raises:
        SettingsInvalid: With every fault that only the adapters can see.
    """
    world = world or build_world(settings)
    deps = world.deps
    app = Flask("gateway.web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.body_bytes_max
    app.url_map.merge_slashes = False  # a redirect would lose the body, and no address of ours holds two
    app.json.sort_keys = False  # type: ignore[attr-defined]
    metrics = Metrics(deps)
    desk = callbacks.CallbackDesk(deps, metrics)
    edge = routes.Edge(deps=deps, doorkeeper=Doorkeeper(deps), gate=RefreshGate(deps.clock.now))
    problems.install(app)
    _frame(app, deps, metrics)
    routes.register(app, edge, ROUTES)
    callbacks.register(app, desk)
    biller.register(app, biller.BillerDesk(deps, metrics))
    health.register(app, deps, metrics, _schema_check(settings))
    openapi.register(app, ROUTES)
    if settings.bare_callbacks:
        app.wsgi_app = callbacks.BareFront(app.wsgi_app, desk, body_bytes_max=settings.body_bytes_max)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    return app


def _schema_check(settings: Settings) -> Callable[[], bool]:
    """Once current, a schema stays current for this process; until then each question looks again."""
    seen: list[bool] = []

    def check() -> bool:
        if not seen and schema_is_current(settings.database_url.reveal()):
            seen.append(True)
        return bool(seen)

    return check


def _frame(app: Flask, deps: Deps, metrics: Metrics) -> None:
    """Give each request an id, count it, and log one line about it."""

    @app.before_request
    def begin() -> None:
        g.request_id = f"req_{deps.ids.new()}"
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        route = request.endpoint or "unknown"
        seconds = time.perf_counter() - g.began
        metrics.requests.labels(route, response.status_code).inc()
        metrics.seconds.labels(route).observe(seconds)
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        _log.info(
            "request_answered",
            route=route,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
            request_id=g.request_id,
        )
        return response
