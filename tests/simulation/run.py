"""Runs one seed to its end and judges it."""

import hashlib
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.services.audit import offences
from gateway.store import upgrade
from sandbox.front.simulator import FrontSimulator
from sandbox.keyring import Keyring, open_keyring
from tests.journeys.quick import quick_gateways
from tests.journeys.settled import assert_settled
from tests.journeys.world import no_waiting
from tests.simulation.chance import seeded
from tests.simulation.installation import installation, telling
from tests.simulation.people import Front
from tests.simulation.plan import Plan, make_plan
from tests.simulation.rig import Rig
from tests.simulation.scripts import script_of
from tests.simulation.weather import announce
from tests.support.databases import Database

CRASH_EVERY: Final = 4_000
"""Points (a commit, a call) at which the power can fail, for one crash on the average."""

_HOUR: Final = 3600
_DAYS_TO_SETTLE: Final = 14
_LOOK_EVERY: Final = 1_500
_LOOK_SELDOM: Final = 6 * _HOUR
"""Between looks when the last payer has gone home."""

_TOLD: Final = {
    "order": ("orders", "state"),
    "payment": ("payments", "state"),
    "by": ("payments", "provider"),
    "refund": ("refunds", "reason"),
    "message": ("notifications", "state"),
    "record": ("collections", "state"),
    "question": ("review_items", "kind"),
    "bank's entry": ("biller_entries", "state"),
    "bank's file": ("biller_files", "state"),
    "webhook": ("webhook_messages", "type"),
}
"""What a finding counts: by its word, the table and the column."""

_MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    What one seed came to.

    Attributes:
        digest: SHA-256 over the hash of every event of every order: equal for equal seeds.
        fault: What was wrong at the end; "" when nothing was.
    """

    seed: int
    orders: int
    events: int
    crashes: int
    states: dict[str, int]
    digest: str
    seconds: float
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One seed's run, as it is handed to a process of its own; `ring` is the folder of the keys."""

    seed: int
    payers: int
    crash_every: int
    ring: Path


def run_job(job: Job) -> Finding:
    """Run a seed with keys that lie in a folder."""
    return run_seed(job.seed, job.payers, open_keyring(job.ring), crash_every=job.crash_every)


def run_seed(seed: int, payers: int, ring: Keyring, *, crash_every: int = CRASH_EVERY) -> Finding:
    """Run a seed's plan against a fresh database until nothing is in flight, and compare the books."""
    plan = make_plan(seed, payers)
    began = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(quick_gateways())
        stack.enter_context(no_waiting())
        stack.enter_context(seeded(seed))
        place = stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None))
        database = Database(engine="sqlite", url=f"sqlite:///{place}/gateway.sqlite3")
        upgrade(database.url)
        rig = Rig(ring, installation(ring, database.url), seed=seed, crash_every=crash_every)
        stack.callback(rig.end)
        stack.enter_context(telling(ring, lambda: rig.sandbox.simulators["front"], rig.doom.point))
        rig.restart()
        fault = _play(rig, plan, database)
        return _finding(rig, plan, database, time.monotonic() - began, fault)


def _play(rig: Rig, plan: Plan, database: Database) -> str:
    for payer in plan.payers:
        rig.begin(script_of(Front(rig, payer)), payer.comes_at)
    announce(rig, plan.weather)
    until = rig.clock.now() + timedelta(seconds=plan.seconds + _HOUR)
    _look_now_and_then(rig, until)
    try:
        rig.run(plan.seconds + 3 * _HOUR)
        _settle(rig)
        assert_settled(rig, database, quarantined=None)
        _assert_told(rig, database)
    except AssertionError as exc:
        return f"{exc}"[:2000] or "an assertion failed"
    return "; ".join(rig.oddities[:5])


def _look_now_and_then(rig: Rig, busy_until: datetime) -> None:
    """What is put right by the end may have been wrong on the way: the audit's questions are asked meanwhile, too."""
    if rig.is_up:
        found = offences(rig.gateway.store)
        if found:
            rig.oddities.append(f"at {rig.clock.now()}: {found}")
            return
    pause = _LOOK_EVERY if rig.clock.now() < busy_until else _LOOK_SELDOM
    rig.later(pause, lambda: _look_now_and_then(rig, busy_until))


def _settle(rig: Rig) -> None:
    """Fair weather: two days for the providers' last notices, then until nothing is left to do."""
    rig.doom.calm()
    rig.sandbox.faults.clear()
    for day in range(_DAYS_TO_SETTLE):
        _bank_closes_its_day(rig, day + 1)
        rig.run(24 * _HOUR)
        if day and rig.gateway.store.read().next_due() is None:
            return
    raise AssertionError(f"work is left after {_DAYS_TO_SETTLE} fair days: {rig.gateway.store.read().due_work()}")


def _bank_closes_its_day(rig: Rig, number: int) -> None:
    """A clerk asks again about what three looks left unknown; then the day's file goes out, until it is taken."""
    for transfer in rig.bank.orders():
        state = transfer["state"]
        while state == "UNKNOWN":
            state = rig.bank.send(transfer["out_trade_no"])["state"]
    while not rig.bank.upload_day(number):
        rig.run(60)


def _assert_told(rig: Rig, database: Database) -> None:
    """The app that is told has heard everything, and could prove each word."""
    states = dict(database.rows("SELECT state, count(*) FROM webhook_messages GROUP BY state"))
    received = rig.sandbox.of(FrontSimulator).received()
    assert set(states) <= {"delivered"}, f"messages to the app: {states}"
    assert all(one["verified"] for one in received), "a message to the app does not verify"


def _finding(rig: Rig, plan: Plan, database: Database, seconds: float, fault: str) -> Finding:
    hashes = database.rows("SELECT order_id, seq, hash FROM events ORDER BY order_id, seq")
    digest = hashlib.sha256()
    for row in hashes:
        digest.update("|".join(map(str, row)).encode())
    states = {
        f"{what} {word}": count
        for what, (table, column) in _TOLD.items()
        for word, count in database.rows(f"SELECT {column}, count(*) FROM {table} GROUP BY {column}")
    }
    return Finding(
        seed=plan.seed,
        orders=database.rows("SELECT count(*) FROM orders")[0][0],
        events=len(hashes),
        crashes=rig.doom.crashes,
        states=dict(sorted(states.items())),
        digest=digest.hexdigest(),
        seconds=seconds,
        fault=fault,
    )
