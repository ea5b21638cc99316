"""Health, readiness and metrics."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.gate import FAILURES_TO_OPEN, Gate, GateLimits
from gateway.domain.secret import Secret
from gateway.store import open_store, upgrade
from tests.web.both import BOTH
from tests.web.front import Down, Front


def metric(front: Front, line: str) -> bool:
    response = front.client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return line in response.text.splitlines()


def test_healthz_answers_whatever_the_database_does(front: Front) -> None:
    """A process that lives is not to be killed for its database."""
    front.store._engine = Down(front.store._engine)

    response = front.client.get("/healthz")

    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


@BOTH
def test_readyz_is_ok_when_all_is_well(front: Front) -> None:
    """Database, schema and keys."""
    response = front.client.get("/readyz")
    front.conformity.check(response)

    assert response.status_code == 200
    assert response.get_json() == {
        "status": "ok",
        "checks": {
            "database": {"status": "ok"},
            "keys": {"status": "ok", "ended": [], "ending_within_30_days": []},
            "providers": {"status": "ok", "breakers_open": []},
        },
    }


def test_readyz_and_metrics_show_an_open_breaker(front: Front) -> None:
    """A provider that fails is a warning: this process still serves the others."""
    gate = Gate(front.clock, GateLimits())
    front.deps.gates["alpha_main"] = gate  # type: ignore[index]  # the tests' world has a plain dictionary
    for _ in range(FAILURES_TO_OPEN):
        gate.enter()
        gate.leave(answered=False)
    response = front.client.get("/readyz")
    metrics = front.client.get("/metrics").text

    assert (200, "ok") == (response.status_code, response.get_json()["status"])
    assert {"status": "warning", "breakers_open": ["alpha_main"]} == response.get_json()["checks"]["providers"]
    assert 'jiaofei_breaker_state{account="alpha_main",state="open"} 1.0' in metrics
    assert 'jiaofei_breaker_state{account="alpha_main",state="closed"} 0.0' in metrics


def test_readyz_fails_when_the_database_is_down(front: Front) -> None:
    """503, and it recovers with the database."""
    engine = front.store._engine
    front.store._engine = Down(engine)
    down = front.client.get("/readyz")
    front.store._engine = engine
    front.conformity.check(down)

    assert (down.status_code, down.get_json()["checks"]["database"]["status"]) == (503, "failing")
    assert "canary" not in down.text
    assert front.client.get("/readyz").status_code == 200


def test_readyz_fails_until_the_migrations_are_there(tmp_path: Path) -> None:
    """And tells what to do; afterwards no restart is needed."""
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    store = open_store(url)
    front = Front(store, url)
    before = front.client.get("/readyz")
    upgrade(url)
    after = front.client.get("/readyz")
    store.close()

    assert before.status_code == 503
    assert "jiaofei db upgrade" in before.get_json()["checks"]["database"]["reason"]
    assert after.status_code == 200


def test_readyz_fails_when_postgres_is_not_there(front: Front, make_front: Callable[..., Front]) -> None:
    """No server at the address: a short answer, no crash."""
    url = "postgresql://nobody@127.0.0.1:1/none"
    store = open_store(url)
    lost = Front(store, url)
    response = lost.client.get("/readyz")
    store.close()

    assert response.status_code == 503
    assert lost.client.get("/metrics").status_code == 200


DAY = timedelta(days=1)
KEYS = {
    "ended": (timedelta(), 200, "warning", ["alpha_main.platform"], []),
    "last-microsecond": (timedelta(microseconds=1), 200, "warning", [], ["alpha_main.platform"]),
    "30-days": (30 * DAY, 200, "warning", [], ["alpha_main.platform"]),
    "more-than-30-days": (30 * DAY + timedelta(microseconds=1), 200, "ok", [], []),
}


@pytest.mark.parametrize("left", KEYS.values(), ids=KEYS.keys())
def test_readyz_tells_of_keys_that_end(front: Front, left: tuple[Any, ...]) -> None:
    """A warning, and no failure: every process would go out of service at that instant, for all the other accounts."""
    life, status, word, ended, ending = left
    front.alpha.key_expiries = lambda: {"platform": front.clock.now() + life}
    response = front.client.get("/readyz")
    keys = response.get_json()["checks"]["keys"]

    assert (response.status_code, keys) == (
        status,
        {"status": word, "ended": ended, "ending_within_30_days": ending},
    )


def test_metrics_count_requests_callbacks_tasks_and_keys(front: Front) -> None:
    """Labels are names of ours."""
    front.alpha.key_expiries = lambda: {"platform": front.clock.now() + DAY}
    front.started(front.opened())
    front.client.get("/nowhere")
    front.client.post("/callbacks/alpha/alpha_main", data=b"{}")
    front.clock.advance(seconds=7260)

    assert metric(front, 'jiaofei_requests_total{route="open_order",status="201"} 1.0')
    assert metric(front, 'jiaofei_requests_total{route="unknown",status="404"} 1.0')
    assert metric(front, 'jiaofei_request_seconds_count{route="start_payment"} 1.0')
    assert metric(front, 'jiaofei_callbacks_total{account="alpha_main",outcome="refused",reason="signature"} 1.0')
    assert metric(front, "jiaofei_store_up 1.0")
    assert metric(front, 'jiaofei_tasks_open{kind="close_order"} 1.0')
    assert metric(front, 'jiaofei_tasks_open{kind="query"} 1.0')
    assert metric(front, 'jiaofei_tasks_oldest_overdue_seconds{kind="close_order"} 60.0')
    assert metric(front, 'jiaofei_key_seconds_left{account="alpha_main",key="platform"} 86400.0')


def test_metrics_tell_of_a_database_that_is_down(front: Front) -> None:
    """The scrape goes on, or nobody would learn of it."""
    front.store._engine = Down(front.store._engine)

    assert metric(front, "jiaofei_store_up 0.0")
    assert "canary" not in front.client.get("/metrics").text


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
def test_metrics_without_a_schema_do_not_break(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A new installation is scraped before it is migrated."""
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    if engine == "postgresql":
        url = request.getfixturevalue("postgres_server").create("without_schema")
    store = open_store(url)
    front = Front(store, url)
    response = front.client.get("/metrics")
    store.close()

    assert response.status_code == 200
    assert "jiaofei_store_up 0.0" in response.text


def test_unknown_paths_share_one_label(front: Front) -> None:
    """A scanner must not be able to fill the memory with labels."""
    for i in range(50):
        front.client.get(f"/scan/{i}")
        front.client.open("/v1/orders", method=f"JUNK{i}")
    lines = front.client.get("/metrics").text.splitlines()
    labels = [line for line in lines if line.startswith("jiaofei_requests_total")]

    assert len(labels) <= 4


def test_two_fronts_in_one_process_do_not_count_together(make_front: Callable[..., Front]) -> None:
    """Each application has a registry of its own."""
    first, second = make_front(), make_front(token_key=Secret("other"))
    first.client.get("/nowhere")

    assert not metric(second, 'jiaofei_requests_total{route="unknown",status="404"} 1.0')


def test_metrics_tell_how_long_payments_have_no_verdict(front: Front) -> None:
    """By account, also those without any; the oldest counts, from its start on."""
    front.started(front.opened())
    front.clock.advance(seconds=90)
    front.started(front.opened("C-2"))
    front.clock.advance(seconds=30)

    assert metric(front, 'jiaofei_payments_unresolved{account="alpha_main"} 2.0')
    assert metric(front, 'jiaofei_payments_oldest_unresolved_seconds{account="alpha_main"} 120.0')
    assert metric(front, 'jiaofei_payments_unresolved{account="beta_main"} 0.0')
    assert metric(front, 'jiaofei_payments_oldest_unresolved_seconds{account="beta_main"} 0.0')
    assert metric(front, 'jiaofei_refunds_unresolved{account="alpha_main"} 0.0')


def test_metrics_tell_of_what_needs_a_person(front: Front) -> None:
    """One line for each alarm, none without."""
    front.started(front.opened())
    before = front.client.get("/metrics").text
    front.clock.advance(hours=3, microseconds=1)

    assert "jiaofei_alarms{" not in before
    assert metric(front, 'jiaofei_alarms{alarm="payments_unresolved",subject="alpha_main"} 1.0')
