"""P11, P12, P13: draining due tasks: how it grows with workers, what a task costs, what finished rows cost."""

import multiprocessing
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

from bench.board import Row, at_least, at_most, median, median_ratio, per_second
from bench.effort import Effort
from bench.floors import create_floor_table, insert_rate
from bench.ground import Ground
from gateway.domain.clock import SystemClock
from gateway.domain.ids import TimeOrderedIds
from gateway.domain.order import Task, TaskKind, TaskState
from gateway.services import work
from gateway.store import Store, open_store

_PAST: Final = datetime(2026, 3, 1, tzinfo=UTC)
_AT_ONCE: Final = 50
_WORKERS: Final = 4
_JOB_SECONDS: Final = 0.005
_CONTEXT: Final = multiprocessing.get_context("spawn")


def _task(state: TaskState) -> Task:
    return Task(
        kind=TaskKind.QUERY,
        subject_id=f"pay_{uuid.uuid4().hex}",
        account=None,
        state=state,
        due_at=_PAST,
        tries=0,
        lease=None,
        last_error="",
        created_at=_PAST,
    )


def _fill(store: Store, count: int, state: TaskState) -> None:
    for start in range(0, count, _AT_ONCE):
        tasks = [_task(state) for _ in range(min(_AT_ONCE, count - start))]
        store.run(lambda tx, tasks=tasks: [tx.insert(task) for task in tasks] and None)  # type: ignore[misc]


def _drain(url: str, job_seconds: float) -> int:
    """One worker of one thread, until nothing is due; how many jobs it did."""
    done = 0

    def job(_deps: Any, _task: Task) -> timedelta | None:
        nonlocal done
        done += 1
        if job_seconds:
            time.sleep(job_seconds)
        return None

    work._KINDS = {TaskKind.QUERY: work._Kind(act=job, pauses=(60,))}  # type: ignore[misc]  # noqa: SLF001
    store = open_store(url)
    worker = work.Worker(SimpleNamespace(store=store, clock=SystemClock(), ids=TimeOrderedIds()))  # type: ignore[arg-type]
    while worker.run_due(limit=_AT_ONCE):
        pass
    store.close()
    return done


def _child(url: str, job_seconds: float, ready: Any, start: Any, results: Any) -> None:
    ready.release()
    start.wait()
    results.put(_drain(url, job_seconds))


def _rate(url: str, count: int, *, workers: int, job_seconds: float) -> float:
    """Tasks per second by so many processes; each task once, or the figure is none."""
    store = open_store(url)
    _fill(store, count, TaskState.DUE)
    ready, start, results = _CONTEXT.Semaphore(0), _CONTEXT.Event(), _CONTEXT.Queue()
    arguments = (url, job_seconds, ready, start, results)
    children = [_CONTEXT.Process(target=_child, args=arguments) for _ in range(workers)]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    began = time.perf_counter()
    start.set()
    done = sum(results.get() for _ in children)
    seconds = time.perf_counter() - began
    for child in children:
        child.join()
    left = store.read().next_due()
    store.close()
    if (done, left) != (count, None):
        raise RuntimeError(f"{done} jobs were done for {count} tasks; next due {left}")
    return count / seconds


def measure(ground: Ground, effort: Effort, wanted: frozenset[str]) -> Iterator[Row]:
    """On PostgreSQL, where any number of workers share the work; P13 on both."""
    if "P11" in wanted:
        yield _growth(ground, effort)
    if "P12" in wanted:
        yield _against_inserts(ground, effort)
    if "P13" in wanted:
        for engine, goal in (("postgresql", 1.1), ("sqlite", 1.2)):
            yield _beside_finished(ground, effort, engine, goal)


def _growth(ground: Ground, effort: Effort) -> Row:
    url = ground.gateway_database("postgresql", "drain_growth")
    one: list[float] = []
    four: list[float] = []
    for _ in range(effort.pairs):
        one.append(_rate(url, effort.calls * 2, workers=1, job_seconds=_JOB_SECONDS))
        four.append(_rate(url, effort.calls * 2, workers=_WORKERS, job_seconds=_JOB_SECONDS))
    return _row("P11", "drain of a 5 ms job, 4 workers against 1, none twice, none lost", at_least(3.8), four, one)


def _against_inserts(ground: Ground, effort: Effort) -> Row:
    url, floor_url = ground.gateway_database("postgresql", "drain_rate"), ground.postgres("drain_floor")
    create_floor_table(floor_url)
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(effort.pairs):
        ours.append(_rate(url, effort.calls * 4, workers=1, job_seconds=0))
        floor.append(insert_rate(floor_url, [(uuid.uuid4().hex, bytes(200)) for _ in range(effort.calls)]))
    return _row("P12", "drain of a trivial job per worker against F4, PostgreSQL", at_least(0.85), ours, floor)


def _beside_finished(ground: Ground, effort: Effort, engine: str, goal: float) -> Row:
    """The goal's own number is a million finished rows: --stored 1000000."""
    empty, full = (ground.gateway_database(engine, f"drain_{name}") for name in ("empty", "full"))
    store = open_store(full)
    _fill(store, effort.stored, TaskState.DONE)
    store.close()
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(effort.pairs):
        alone.append(_rate(empty, effort.calls * 2, workers=1, job_seconds=0))
        beside.append(_rate(full, effort.calls * 2, workers=1, job_seconds=0))
    what = f"time of a drain beside {effort.stored:,} finished rows, {engine}"
    return _row("P13", what, at_most(goal), alone, beside)


def _row(row_id: str, what: str, goal: Any, ours: list[float], floor: list[float]) -> Row:
    return Row(
        id=row_id,
        what=what,
        goal=goal,
        ratio=median_ratio(ours, floor),
        ours=per_second(median(ours)),
        floor=per_second(median(floor)),
    )
