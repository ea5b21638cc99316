"""Health, readiness and metrics."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from flask import Flask, Response, jsonify

from gateway.domain.gate import BreakerState
from gateway.services.deps import Deps
from gateway.store import StoreUnavailable
from gateway.web.metrics import CONTENT_TYPE, Metrics

_EXPIRY_WARNING: Final = timedelta(days=30)


def register(app: Flask, deps: Deps, metrics: Metrics, schema_is_current: Callable[[], bool]) -> None:
    """Serve /healthz (the process lives), /readyz (it can do its work) and /metrics."""

    def healthz() -> Response:
        return jsonify(status="ok")

    def readyz() -> tuple[Response, int]:
        checks = {"database": _database(deps, schema_is_current), "keys": _keys(deps), "providers": _providers(deps)}
        ready = all(check["status"] != "failing" for check in checks.values())
        return jsonify(status="ok" if ready else "failing", checks=checks), 200 if ready else 503

    def scrape() -> Response:
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)
    app.add_url_rule("/metrics", endpoint="metrics", view_func=scrape)


def _database(deps: Deps, schema_is_current: Callable[[], bool]) -> dict[str, Any]:
    try:
        deps.store.ping()
    except StoreUnavailable:
        return {"status": "failing", "reason": "the database does not answer"}
    if not schema_is_current():
        return {"status": "failing", "reason": "migrations are missing: run jiaofei db upgrade"}
    return {"status": "ok"}


def _keys(deps: Deps) -> dict[str, Any]:
    """
    What has ended and what will soon: warnings. Every process holds the same keys, and would go out of service at the
    same instant, for all the accounts whose keys are good; one that has ended may also have been replaced long ago.
    """
    now = deps.clock.now()
    ends = {
        f"{account}.{key}": ends_at
        for account, provider in deps.providers.items()
        for key, ends_at in provider.key_expiries().items()
    }
    ended = sorted(name for name, ends_at in ends.items() if ends_at <= now)
    soon = sorted(name for name, ends_at in ends.items() if now < ends_at <= now + _EXPIRY_WARNING)
    status = "warning" if ended or soon else "ok"
    return {"status": status, "ended": ended, "ending_within_30_days": soon}


def _providers(deps: Deps) -> dict[str, Any]:
    """A provider that fails is no reason to take this process out of service: the others work."""
    failing = sorted(name for name, gate in deps.gates.items() if gate.state is not BreakerState.CLOSED)
    return {"status": "warning" if failing else "ok", "breakers_open": failing}
