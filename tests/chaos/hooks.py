"""
What the launcher puts round the gateway's own objects: it counts the passages of named points, and dies or stands still
at one.

Nothing of it is in the product: the engine, the HTTP client, the webhook poster, the worker's tasks and the WSGI
application are wrapped from outside, in a process that only chaos starts.
"""

import contextlib
import mmap
import os
import re
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import gateway.app
from adapters.kit.http import Transport
from gateway.services.webhook_wire import WebhookPoster
from gateway.services.work import Worker
from gateway.store.engine import Batch
from tests.chaos.points import WEB, Box, Ticket, moved, read_ticket

_FLOW_BY_ROUTE: Final = (
    (re.compile(r"/v1/orders"), "open_order"),
    (re.compile(r"/v1/orders/[^/]+/payments"), "create"),
    (re.compile(r"/v1/orders/[^/]+/refunds"), "request_refund"),
    (re.compile(r"/v1/orders/[^/]+/close"), "request_close"),
    (re.compile(r"/v1/collections"), "collect"),
    (re.compile(r"/callbacks/.+"), "callback"),
    (re.compile(r"/api/v1/bank/.+"), "bank"),
)
_OFFSET: Final = struct.Struct("d")
_AT_ONCE: Final = 8
_TURN_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.3


class SharedClock:
    """The machine's clock, moved on by the seconds that stand in a file: all processes of a run go by one time."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._seconds = mmap.mmap(file.fileno(), _OFFSET.size, access=mmap.ACCESS_READ)

    @staticmethod
    def write(path: Path, seconds: float) -> None:
        """Set the time for every process that has the file open."""
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(_OFFSET.pack(seconds))

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=_OFFSET.unpack_from(self._seconds)[0])


@dataclass(slots=True)
class _Armed:
    """A ticket that this process has before its eyes, and how often it has passed the point since."""

    ticket: Ticket
    passed: int = 0


class Fate:
    """
    Follows each thread's flow, and kills or halts this process at the passage that a ticket names.

    A process has the first few due tickets before its eyes, and others when it came to none of them for a while; it
    meets the one whose point it comes to first.
    """

    def __init__(self, box: Box) -> None:
        self._box = box
        self._local = threading.local()
        self._mutex = threading.Lock()
        self._armed: dict[Path, _Armed] = {}
        self._began: float | None = None
        self._look_at = 0.0

    def begin(self) -> None:
        """From here on, tickets are met."""
        self._began = time.monotonic()

    @contextmanager
    def flow(self, name: str) -> Iterator[None]:
        """What this thread does until the end of the block."""
        before = getattr(self._local, "flow", ("", 0))
        self._local.flow = (name, 0)
        try:
            yield
        finally:
            self._local.flow = before

    def point(self, name: str) -> None:
        """Pass a point, or die there, or stand still for a while."""
        flow, _ = getattr(self._local, "flow", ("", 0))
        point = f"{flow}:{name}"
        with self._mutex:  # one death is one ticket's
            self._look()
            for path, armed in self._armed.items():
                if armed.ticket.point == point:
                    armed.passed += 1
                    if armed.passed >= armed.ticket.passage:
                        _meet(path, armed.ticket)

    def _look(self) -> None:
        now = time.monotonic()
        if self._began is None or now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        due = self._box.states("due")
        first = int((now - self._began) // _TURN_SECONDS) * _AT_ONCE % max(1, len(due))
        seen = {}
        for path in (due + due)[first : first + _AT_ONCE]:
            with contextlib.suppress(FileNotFoundError):  # another process was first
                seen[path] = self._armed.get(path) or _Armed(read_ticket(path))
        self._armed = seen

    def commit(self, commit: Callable[[], None]) -> None:
        """Pass the points before and after this thread's next commit; one that fails is not counted."""
        flow, done = getattr(self._local, "flow", ("", 0))
        self.point(f"before_commit_{done + 1}")
        commit()
        self._local.flow = (flow, done + 1)
        self.point(f"after_commit_{done + 1}")


def _meet(path: Path, ticket: Ticket) -> None:
    """Die, or stand still until somebody wakes this process; nothing when another process was first."""
    if not ticket.stall_seconds and moved(path, "fired"):
        os.kill(os.getpid(), signal.SIGKILL)
    if ticket.stall_seconds and moved(path, "halted"):
        path.with_suffix(".pid").write_text(str(os.getpid()), encoding="ascii")
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # this thread gets no further; all others stop


class DyingEngine:
    """The store's engine, in a process that may die round any commit or claim."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def flush(self, batch: Batch) -> None:
        self._fate.commit(lambda: self._inner.flush(batch))

    def claim(self, *values: Any, **named: Any) -> Any:
        claimed = self._inner.claim(*values, **named)
        if claimed:
            with self._fate.flow("claim"):
                self._fate.point("tasks_claimed")
        return claimed


def install(role: str, fate: Fate, clock: SharedClock) -> None:
    """Wrap what this process will build; a web process meets its tickets from when it builds its application."""
    build_world, create_app = gateway.app.build_world, gateway.app.create_app

    def build(settings: Any, **more: Any) -> Any:
        world = build_world(settings, **{"clock": clock, **more})
        world.store._engine = DyingEngine(world.store._engine, fate)
        return world

    def create(settings: Any, **more: Any) -> Any:
        fate.begin()
        app = create_app(settings, **more)
        app.wsgi_app = _front(app.wsgi_app, fate)  # type: ignore[method-assign]
        return app

    gateway.app.build_world = build
    gateway.app.create_app = create
    _wrap(Transport, "send", fate, "call")
    _wrap(WebhookPoster, "__call__", fate, "post")
    _wrap_tasks(fate)
    if role != WEB:
        fate.begin()


def _wrap(owner: type, name: str, fate: Fate, called: str) -> None:
    real = getattr(owner, name)

    def call(self: Any, *values: Any, **named: Any) -> Any:
        fate.point(f"before_{called}")
        answer = real(self, *values, **named)
        fate.point(f"after_{called}")
        return answer

    setattr(owner, name, call)


def _wrap_tasks(fate: Fate) -> None:
    real = Worker.do

    def do(self: Worker, task: Any) -> None:
        with fate.flow(task.kind.value):
            real(self, task)

    Worker.do = do  # type: ignore[method-assign]


def _front(inner: Any, fate: Fate) -> Any:
    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        with fate.flow(_flow_of(environ)):
            answer = inner(environ, start_response)
            fate.point("before_answer")
            return answer

    return serve


def _flow_of(environ: dict[str, Any]) -> str:
    if environ["REQUEST_METHOD"] != "POST":
        return "read"
    path = environ["PATH_INFO"]
    return next((flow for route, flow in _FLOW_BY_ROUTE if route.fullmatch(path)), "other")
