"""One run: load on the real processes, deaths at every named point and at random, calm, judgement."""

import contextlib
import itertools
import random
import sqlite3
import subprocess
import tempfile
import threading
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import requests

from tests.chaos.installation import PROCESSES, Installation, Supervisor, remove, wait_until
from tests.chaos.people import Crowd, Journal
from tests.chaos.points import plan
from tests.chaos.verdict import calm_down, judge, overdue
from tests.support.databases import Database, PostgresServer

_TICK_SECONDS: Final = 0.5
_RESTART_EVERY: Final = 8.0
_OVERDUE_MAX: Final = 80
_POINT_SECONDS_MAX: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What a run does.

    Attributes:
        rounds: How often each named point is met.
        seconds: How long processes, and PostgreSQL, are killed at random after the named points.
        speed: By how much the run's time is faster than the machine's, so that leases and pauses end soon.
        only: Parts of the names of the points that are met; all without any.
        plant: A defect of tests/chaos/planted.py.
    """

    seed: int
    engine: str
    rounds: int = 1
    seconds: float = 30.0
    people: int = 5
    web_processes: int = 1
    speed: float = 20.0
    patience_seconds: float = 25.0
    only: tuple[str, ...] = ()
    plant: str = ""
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    What one run came to.

    Attributes:
        points: Deaths by named point.
        missed: Points that nobody came to.
        fault: What was wrong at the end; "" when nothing was.
        folder: Where the logs and the journal of a run with a fault are.
    """

    plan: Plan
    points: Counter[str]
    missed: tuple[str, ...]
    killed: Counter[str]
    orders: int
    acknowledged: int
    seconds: float
    fault: str
    folder: Path


@dataclass(slots=True, kw_only=True)
class _Run:
    """The parts of a run while it lives."""

    plan: Plan
    installation: Installation
    supervisor: Supervisor
    database: Database
    journal: Journal
    server: PostgresServer | None
    stop: threading.Event = field(default_factory=threading.Event)


def run(plan_: Plan, server: PostgresServer | None = None) -> Finding:
    """Run a plan on a fresh installation; on PostgreSQL, in a database of that server."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="jf-chaos-"))
    url = server.create(f"chaos_{plan_.seed}") if server else ""
    installation = Installation(folder, database_url=url, web_processes=plan_.web_processes, plant=plan_.plant)
    installation.prepare()
    supervisor = Supervisor(installation, patience_seconds=plan_.patience_seconds)
    database = Database(engine=plan_.engine, url=installation.database_url)
    journal = Journal(folder / "journal.jsonl")
    this = _Run(
        plan=plan_, installation=installation, supervisor=supervisor, database=database, journal=journal, server=server
    )
    with ExitStack() as stack:
        stack.callback(journal.close)
        stack.callback(supervisor.stop)
        fault = _played(this)
        orders = database.rows("SELECT count(*) FROM orders")[0][0]
    finding = Finding(
        plan=plan_,
        points=Counter(supervisor.fired()),
        missed=tuple(sorted(ticket.point for ticket in supervisor.missed)),
        killed=supervisor.killed,
        orders=orders,
        acknowledged=len(journal.entries),
        seconds=time.monotonic() - began,
        fault=fault,
        folder=folder,
    )
    if not fault and not plan_.keep:
        remove(folder)
    return finding


def _played(this: _Run) -> str:
    try:
        _storm(this)
        wait_until(this.supervisor.is_ready, 60, "the gateway does not come up again")
        calm_down(this.installation, this.journal, this.database, seconds=300)
        judge(this.installation, this.journal, this.database)
    except AssertionError as exc:
        where = traceback.extract_tb(exc.__traceback__)[-1]
        return f"{where.name}: {where.line}\n  {exc}"[:3000]
    return ""


def _storm(this: _Run) -> None:
    """Load, with a death at each named point and then at random; time runs fast."""
    plan_ = this.plan
    tickets = plan(plan_.seed, plan_.rounds, plan_.only)
    for ticket in tickets:
        this.installation.boxes[ticket.role].put(ticket)
    this.supervisor.start()
    crowd = Crowd(this.installation, this.journal, seed=plan_.seed, people=plan_.people)
    ticking = threading.Thread(target=_tick, args=(this, crowd), name="time")
    crowd.start()
    ticking.start()
    try:
        wait_until(
            lambda: not this.supervisor.under_way(),
            _POINT_SECONDS_MAX * (len(tickets) + 4),
            "the named points are not all met in time",
        )
        _strike(this)
    finally:
        this.stop.set()
        crowd.stop()
        ticking.join()


def _tick(this: _Run, crowd: Crowd) -> None:
    """Let time run fast, and nobody in while there is too much to do."""
    while not this.stop.wait(_TICK_SECONDS):
        try:
            this.installation.advance(_TICK_SECONDS * (this.plan.speed - 1))
        except requests.RequestException as exc:
            this.journal.oddities.append(f"the simulators do not answer: {type(exc).__name__}")
        with contextlib.suppress(psycopg.Error, sqlite3.Error):  # the server may be down just now
            crowd.wait(long=overdue(this.installation, this.database) > _OVERDUE_MAX)


def _strike(this: _Run) -> None:
    """Blows at random: one process, a web process under its parent, all at once; and the database server."""
    chance = random.Random(f"blows/{this.plan.seed}")
    supervisor = this.supervisor
    modes = itertools.cycle(("fast", "immediate"))
    until = time.monotonic() + this.plan.seconds
    restart_at = time.monotonic() + _RESTART_EVERY / 2
    while time.monotonic() < until:
        this.stop.wait(chance.uniform(1.0, 4.0))
        if this.server is not None and time.monotonic() > restart_at:
            mode = next(modes)
            restart_postgres(this.server, mode)
            supervisor.killed[f"PostgreSQL restarted, {mode}"] += 1
            restart_at = time.monotonic() + _RESTART_EVERY
        blow = chance.choice((*PROCESSES, "one web process", "all"))
        if blow == "one web process":
            supervisor.kill_one_web_process()
        for name in PROCESSES:
            if blow in (name, "all"):
                supervisor.kill(name)


def restart_postgres(server: PostgresServer, mode: str) -> None:
    """Restart as an operator does: `fast` ends the sessions, `immediate` is a crash with recovery."""
    inner: Any = server._server
    subprocess.run(
        [str(inner.bin_path / "pg_ctl"), "-w", "-D", str(inner.pgdata), "-m", mode, "-l", str(inner.log), "restart"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=inner.system_user,
    )
