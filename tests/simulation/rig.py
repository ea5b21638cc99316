"""The journeys' rig, driven by a plan: one agenda for payers, providers and workers, a power that can fail anywhere."""

import random
from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from gateway.app import build_world, create_app
from gateway.domain.clock import Clock
from gateway.services.idempotent import LEASE as KEY_LEASE
from gateway.services.work import LEASE, Worker
from gateway.settings import Settings
from sandbox.bank_biller import BankBillerSimulator
from sandbox.keyring import Keyring
from tests.journeys.crashing import Crash, CrashingEngine, Fate
from tests.journeys.network import LOSSES, Asked
from tests.journeys.world import Answer, World
from tests.simulation.chance import SeededIds
from tests.support.engines import TouchesOnce

Script = Generator[float, None, None]
"""What somebody does: it yields how many seconds they wait before they go on."""

WORKERS: Final = 2
_TASKS_AT_ONCE: Final = 25
_STALLS_EVERY: Final = 150
_STEPS_AT_ONE_INSTANT: Final = 5_000
_STILL_EVERY: Final = 150
_LOST_EVERY: Final = 30
_NOBODY: Final = Answer(status=0, body={}, headers={})


class Doom(Fate):
    """The power fails at any point with a small chance; `calm` ends that."""

    def __init__(self, chance: random.Random, *, every: int) -> None:
        """A crash at one point in `every` on the average."""
        super().__init__()
        self._chance = chance
        self._every = every
        self.crashes = 0

    def point(self, name: str) -> None:
        if self._every and self._chance.randrange(self._every) == 0:
            self.crashes += 1
            raise Crash(name)

    def calm(self) -> None:
        self._every = 0


class ShiftedClock:
    """The gateway's own clock, which may be wrong by some seconds."""

    def __init__(self, true: Clock) -> None:
        self._true = true
        self.shift = timedelta()

    def now(self) -> datetime:
        return self._true.now() + self.shift


class Rig(World):
    """
    A world that a plan drives.

    Attributes:
        clock_of_gateway: Wrong by `shift`, as a plan says.
        is_up: False while the gateway's web processes are stopped.
        workers_up: False while no worker runs.
        overtaken: Requests that stood still until the same request, sent again, was answered.
        oddities: Answers that no documented interface gives; empty at the end of a good run.
    """

    def __init__(self, ring: Keyring, settings: Settings, *, seed: int, crash_every: int) -> None:
        self._chance = random.Random(f"rig/{seed}")
        self.oddities: list[str] = []
        self.overtaken = 0
        self.workers_up = True
        self._asking: Callable[[], Answer] | None = None
        self._answers: dict[str, int] = {}
        self.doom = Doom(self._chance, every=crash_every)
        self._seed = seed
        super().__init__(ring, settings)
        self.network.asked = _Forgetful()
        self.network.before = self.network.after = self._stand_still
        self.bank = self.sandbox.of(BankBillerSimulator)

    # --- the gateway's life ---

    def start_gateway(self) -> None:
        """Build everything anew; the database, the clock and the ids' counter go on."""
        if not hasattr(self, "clock_of_gateway"):
            self.clock_of_gateway = ShiftedClock(self.clock)
            self._ids = SeededIds(self.clock_of_gateway, random.Random(f"ids/{self._seed}"))
            self.fate = self.doom
            self.network._fate = self.doom
        self.gateway = build_world(self.settings, clock=self.clock_of_gateway, ids=self._ids)
        self.gateway.store._engine = CrashingEngine(TouchesOnce(self.gateway.store._engine), self.doom)
        self._workers = [Worker(self.gateway.deps) for _ in range(WORKERS)]
        self._app = create_app(self.settings, world=self.gateway)

    @property
    def is_up(self) -> bool:
        return self._app is not None

    def power_cut(self, seconds: float) -> None:
        """Everything of ours stops at once and comes back later."""
        if self.is_up:
            self.stop_gateway()
            self.clock.call_later(seconds, self._power_back)

    def _power_back(self) -> None:
        if not self.is_up:
            self.start_gateway()

    # --- scripts ---

    def begin(self, script: Script, after: float = 0) -> None:
        """Let somebody begin; from then on they go by the agenda."""
        self.clock.call_later(after, lambda: self._go_on(script))

    def _go_on(self, script: Script) -> None:
        pause = next(script, None)
        if pause is not None:
            self.clock.call_later(pause, lambda: self._go_on(script))

    def ask(self, method: str, path: str, body: Any = None, *, app: str = "web", key: str = "") -> Answer:
        """Call the interface; a gateway that is down gives status 0, and 5xx is an oddity unless it is a 503."""
        if not self.is_up:
            return _NOBODY
        self.network.loss = self._chance.choice(tuple(LOSSES))
        if key:
            self._asking = partial(self._told, method, path, body, app=app, key=key)
        answer = self._told(method, path, body, app=app, key=key)
        self._asking = None
        return answer

    def _told(self, method: str, path: str, body: Any, *, app: str, key: str) -> Answer:
        answer = self.call(method, path, body, app=app, key=key)
        if answer.status >= 500 and answer.status != 503:
            self.oddities.append(f"{method} {path}: {answer.status} {answer.body}")
        said = hash(repr(answer.body))
        if key and answer.status in (200, 201) and self._answers.setdefault(key, said) != said:
            self.oddities.append(f"{method} {path}: one key, two answers: {answer.body}")
        return answer

    def _stand_still(self, _asked: Asked) -> None:
        """
        A request of an app stands still at the provider until its lease has run out and the same request, sent again,
        has been answered; then it goes on, and must not undo what it was told.
        """
        asking, self._asking = self._asking, None
        if asking is None or self._chance.randrange(_STILL_EVERY):
            return
        self._pass_without_jobs(KEY_LEASE.total_seconds() + 1)
        self.overtaken += 1
        if asking().status == 0:
            raise Crash("the process that was asked again has died, and with it the one that stood still")

    # --- time ---

    def run(self, seconds: float) -> None:
        """Let time pass: jobs of the agenda and due tasks, each at its own time."""
        until = self.clock.now() + timedelta(seconds=seconds)
        stood, at = 0, self.clock.now()
        while (due := self._soonest()) is not None and due <= until:
            stood, at = (stood + 1, at) if self.clock.now() == at else (0, self.clock.now())
            assert stood < _STEPS_AT_ONE_INSTANT, "the work that is due now never ends"
            self.worker_first = self._chance.random() < 0.5
            self._step(max(due - self.clock.now(), timedelta()).total_seconds())
        self.clock.advance((until - self.clock.now()).total_seconds())

    def _soonest(self) -> datetime | None:
        tasks = self.gateway.store.read().next_due() if self.is_up and self.workers_up else None
        mine = tasks - self.clock_of_gateway.shift if tasks is not None else None
        return min((due for due in (mine, self.clock.next_due()) if due is not None), default=None)

    def _work(self) -> None:
        if not self.workers_up:
            return
        worker, limit = self._chance.choice(self._workers), self._chance.randint(1, _TASKS_AT_ONCE)
        stalls = self._chance.randrange(_STALLS_EVERY) == 0
        try:
            self._stall(worker, limit) if stalls else worker.run_due(limit=limit)
        except Crash:
            self.restart()

    def _stall(self, worker: Worker, limit: int) -> None:
        """A worker takes tasks and stands still until its leases have run out and others have taken them up."""
        tasks = worker._claim(limit)

        def wake() -> None:
            if worker not in self._workers:
                return  # its process has died meanwhile
            try:
                for task in tasks:
                    worker.do(task)
            except Crash:
                self.restart()

        self.clock.call_later(LEASE.total_seconds() + self._chance.uniform(0, 60), wake)

    # --- callbacks ---

    def post(self, url: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        status, answer = super().post(url, headers, body)
        if status >= 500 and status != 503:
            self.oddities.append(f"callback {url}: {status}")
        return status, answer

    def exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """A bank calls us; what it sends, or what we answer, gets lost now and then."""
        if self._chance.randrange(_LOST_EVERY) == 0:
            raise TimeoutError("lost on the way")
        answer = super().exchange(url, headers, body)
        if self._chance.randrange(_LOST_EVERY) == 0:
            raise TimeoutError("the answer was lost")
        return answer

    def later(self, seconds: float, job: Callable[[], object]) -> None:
        self.clock.call_later(seconds, job)


class _Forgetful(list[Any]):
    """Requests are not kept: there are millions."""

    def append(self, _asked: Any) -> None:
        return None
