"""One run: load on the real processes, deaths and stalls at named points, blows at random, calm, judgement."""

import contextlib
import sqlite3
import tempfile
import threading
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
import requests

from tests.chaos.installation import Installation, remove, wait_until
from tests.chaos.people import Crowd, Journal
from tests.chaos.phases import Stalls, meet_points, strike
from tests.chaos.points import plan, stalls
from tests.chaos.supervisor import Supervisor
from tests.chaos.verdict import calm_down, judge, overdue, write_down
from tests.support.databases import Database, PostgresServer

_TICK_SECONDS: Final = 0.5
_OVERDUE_MAX: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What a run does.

    Attributes:
        passages: So many deaths at each named point: at its first passage, at its second …
        stalls: How often a process stands still at each point of STALLS.
        seconds: How long processes, and PostgreSQL, are killed at random after the named points.
        speed: By how much the run's time is faster than the machine's, so that leases and pauses end soon.
        patience_seconds: How long nobody may come to a point before those that are left count as missed.
        only: Parts of the names of the points that are met; all without any.
        plant: A defect of tests/chaos/planted.py.
    """

    seed: int
    engine: str
    passages: int = 2
    stalls: int = 1
    seconds: float = 30.0
    people: int = 5
    web_processes: int = 2
    speed: float = 20.0
    patience_seconds: float = 60.0
    only: tuple[str, ...] = ()
    plant: str = ""
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    What one run came to.

    Attributes:
        points: Deaths by named point.
        stalls: Stalls by named point.
        missed: Points that nobody came to in time.
        taken_over: Idempotency keys that another request has taken over from the one that began.
        fault: What was wrong at the end; "" when nothing was.
        folder: Where the logs, the journal and the simulators' books of a run with a fault are.
    """

    plan: Plan
    points: Counter[str]
    stalls: Counter[str]
    missed: tuple[str, ...]
    taken_over: int
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
    supervisor = Supervisor(installation)
    database = Database(engine=plan_.engine, url=installation.database_url)
    journal = Journal(folder / "journal.jsonl")
    this = _Run(
        plan=plan_, installation=installation, supervisor=supervisor, database=database, journal=journal, server=server
    )
    with ExitStack() as stack:
        stack.callback(journal.close)
        stack.callback(supervisor.stop)
        fault = _played(this)
        finding = _finding(this, fault, seconds=time.monotonic() - began)
    if not fault and not plan_.keep:
        remove(folder)
    return finding


def _finding(this: _Run, fault: str, *, seconds: float) -> Finding:
    return Finding(
        plan=this.plan,
        points=this.installation.met("fired"),
        stalls=this.installation.met("woken"),
        missed=tuple(sorted(this.installation.met("missed").elements())),
        taken_over=this.database.rows("SELECT count(*) FROM idempotency_keys WHERE fence > 1")[0][0],
        killed=this.supervisor.killed,
        orders=this.database.rows("SELECT count(*) FROM orders")[0][0],
        acknowledged=len(this.journal.entries),
        seconds=seconds,
        fault=fault,
        folder=this.installation.folder,
    )


def _played(this: _Run) -> str:
    try:
        _storm(this)
        wait_until(this.supervisor.is_ready, 60, "the gateway does not come up again")
        calm_down(this.installation, this.journal, this.database, seconds=300)
        judge(this.installation, this.journal, this.database)
    except AssertionError as exc:
        write_down(this.installation)
        where = traceback.extract_tb(exc.__traceback__)[-1]
        return f"{where.name}: {where.line}\n  {exc}"[:3000]
    return ""


def _storm(this: _Run) -> None:
    """Load, with a death at each named point, then stalls, then blows at random; time runs fast."""
    plan_ = this.plan
    this.supervisor.start()
    crowd = Crowd(this.installation, this.journal, seed=plan_.seed, people=plan_.people)
    ticking = threading.Thread(target=_tick, args=(this, crowd), name="time")
    crowd.start()
    ticking.start()
    try:
        patience = plan_.patience_seconds
        meet_points(this.installation, plan(plan_.seed, plan_.passages, plan_.only), patience_seconds=patience)
        standing = Stalls(this.installation, speed=plan_.speed, patience_seconds=patience)
        standing.meet(stalls(plan_.seed, plan_.stalls, plan_.speed, plan_.only))
        strike(this.supervisor, this.server, seed=plan_.seed, seconds=plan_.seconds)
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
