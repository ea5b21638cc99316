"""A gateway's processes and their simulators on loopback, and the one that starts again what dies."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import requests

from tests.chaos.hooks import SharedClock
from tests.chaos.points import WEB, WORKER, Box, Ticket, read_ticket

ROOT: Final = Path(__file__).parent.parent.parent
ORDER_TTL_SECONDS: Final = 900
_READY_SECONDS: Final = 60.0
_CALL_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.1
_EXTRA: Final = """
[agents.chaos_village]
code = "CHAOS-01"
title = "代办点（测试）"
kind = "village"
apps = ["demo"]
"""


def free_port() -> int:
    """A port of the loopback interface that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Installation:
    """
    Configuration, keys, database and processes in one folder.

    Attributes:
        time: Where every process of the gateway reads how far its clock is moved on.
        offset: So many seconds.
    """

    def __init__(self, folder: Path, *, database_url: str = "", web_processes: int = 1, plant: str = "") -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.sandbox_url = f"http://127.0.0.1:{free_port()}"
        self.time = folder / "clock"
        self.boxes = {role: Box(folder / "tickets" / role) for role in (WEB, WORKER)}
        self._database_url = database_url
        self._web_processes = web_processes
        self._plant = plant
        self.offset = 0.0
        self._http = requests.Session()
        self._http.trust_env = False
        SharedClock.write(self.time, 0.0)

    @property
    def database_url(self) -> str:
        return self._database_url or f"sqlite:///{self.folder / 'gateway.db'}"

    @property
    def api_key(self) -> str:
        return (self.folder / "secrets" / "demo_api_key").read_text(encoding="utf-8").strip()

    def prepare(self) -> None:
        """Write configuration and keys, make the database."""
        database = ("--database", self._database_url) if self._database_url else ()
        ports = ("--port", self.url.rpartition(":")[2], "--sandbox-port", self.sandbox_url.rpartition(":")[2])
        self.jiaofei("init", "--folder", str(self.folder), *ports, *database)
        path = self.folder / "gateway.toml"
        text = path.read_text(encoding="utf-8")
        life = f'[gateway]\norder_ttl_seconds = {ORDER_TTL_SECONDS}\nlog_level = "warning"\n'
        path.write_text(text.replace("[gateway]\n", life, 1) + _EXTRA, encoding="utf-8")
        self.jiaofei("db", "upgrade")

    def jiaofei(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the product's command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "gateway.cli", *arguments],
            env=self._environment(),
            check=arguments[0] != "audit",
            capture_output=True,
            text=True,
        )

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start the simulators, the web processes or a worker, in a process group of their own."""
        launch = [sys.executable, "-m", "tests.chaos.launch", "--clock", str(self.time)]
        launch += ["--plant", self._plant] if self._plant else []
        serve = ("serve", "--port", self.url.rpartition(":")[2], "--workers", str(self._web_processes))
        commands = {
            "sandbox": [sys.executable, "-m", "gateway.cli", "sandbox", "--port", self.sandbox_url.rpartition(":")[2]],
            WEB: [*launch, "--box", str(self.boxes[WEB].folder), *serve],
            WORKER: [*launch, "--box", str(self.boxes[WORKER].folder), "worker"],
        }
        with (self.folder / f"{name.replace(' ', '-')}.log").open("ab") as log:
            return subprocess.Popen(
                commands[name.partition(" ")[0]],
                env=self._environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        return {
            "GATEWAY_CONFIG": str(self.folder / "gateway.toml"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }

    # --- the simulators ---

    def control(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """
        Call the sandbox's control interface.

        Raises:
            requests.HTTPError: It refuses, as when the payer cannot pay.
        """
        url = f"{self.sandbox_url}/control{path}"
        answer = self._http.request(method, url, json=body, params=query, timeout=_CALL_SECONDS * 3)
        answer.raise_for_status()
        return answer.json()

    def advance(self, seconds: float) -> int:
        """Move both clocks on; the gateway's follows the simulators'. Returns how many of their jobs are to come."""
        told = self.control("POST", "/clock/advance", {"seconds": seconds})
        ahead = (datetime.fromisoformat(told["now"]) - datetime.now(UTC)).total_seconds()
        self.offset = max(ahead, self.offset)
        SharedClock.write(self.time, self.offset)
        return int(told["jobs_waiting"])

    def now(self) -> datetime:
        """The run's time."""
        return datetime.fromtimestamp(time.time() + self.offset, UTC)


PROCESSES: Final = (WEB, f"{WORKER} 1", f"{WORKER} 2")
"""What is kept running beside the simulators."""


class Supervisor:
    """
    Keeps the processes running: what dies is started again, and who does not reach its point in time is killed.

    Attributes:
        killed: How often, by what was killed.
        fired: The points at which a process has died.
        missed: Those that were not reached.
    """

    def __init__(self, installation: Installation, *, patience_seconds: float) -> None:
        self.installation = installation
        self.killed: Counter[str] = Counter()
        self.missed: list[Ticket] = []
        self._patience_seconds = patience_seconds
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._mutex = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def start(self) -> None:
        """Start everything and wait until the gateway is ready."""
        for name in ("sandbox", *PROCESSES):
            self._processes[name] = self.installation.start(name)
        wait_until(self.is_ready, _READY_SECONDS, f"not ready; logs: {self.installation.folder}")
        self._thread.start()

    def stop(self) -> None:
        """End every process."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            _kill_group(process)
            process.wait()

    def is_ready(self) -> bool:
        try:
            self.installation.control("GET", "/orders")
            return requests.get(f"{self.installation.url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def kill(self, name: str) -> None:
        """SIGKILL for the web processes and their parent, or for a worker."""
        with self._mutex:
            _kill_group(self._processes[name])
        self.killed[f"{name} at random"] += 1

    def kill_one_web_process(self) -> None:
        """SIGKILL for one web process; its parent puts another in its place."""
        parent = self._processes[WEB].pid
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError):  # it died just now by itself
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
            os.kill(int(children[0]), signal.SIGKILL)
            self.killed["one web process at random"] += 1

    def fired(self) -> list[str]:
        return [read_ticket(path).point for box in self.installation.boxes.values() for path in box.states("fired")]

    def under_way(self) -> int:
        """How many tickets are neither fired nor missed."""
        boxes = self.installation.boxes.values()
        return sum(len(box.states("due")) + len(_open(box)) for box in boxes)

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            with self._mutex:
                for name, process in self._processes.items():
                    if process.poll() is not None:
                        _kill_group(process)  # what its parent's death left behind
                        self._processes[name] = self.installation.start(name)
                        self.killed[f"{name} started again"] += 1
            for box in self.installation.boxes.values():
                for taken in _open(box):
                    self._hurry(box, taken)

    def _hurry(self, box: Box, taken: Path) -> None:
        """Nobody waits for ever for a point; its process may also have died of another's ticket or by chance."""
        pid_file = taken.with_suffix(".pid")
        pid = int(pid_file.read_text(encoding="ascii") or 0) if pid_file.exists() else 0
        alive = pid and Path(f"/proc/{pid}").exists()
        if alive and time.time() - pid_file.stat().st_mtime < self._patience_seconds:
            return
        if not alive and time.time() - taken.stat().st_ctime < 1:
            return  # it may be about to write its id
        ticket = read_ticket(taken)
        taken.rename(taken.with_suffix(".missed"))
        if not alive:
            box.put(ticket)
            return
        os.kill(pid, signal.SIGKILL)
        if ticket.passage > 1:
            box.put(Ticket(role=ticket.role, point=ticket.point, passage=1))
        else:
            self.missed.append(ticket)


def _open(box: Box) -> list[Path]:
    return [path for path in box.states("taken") if not path.with_suffix(".fired").exists()]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until(done: Callable[[], bool], seconds: float, complaint: str) -> None:
    """Look again and again; AssertionError when it takes too long."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, complaint
        time.sleep(_LOOK_SECONDS)


def remove(folder: Path) -> None:
    """Forget a run that found nothing."""
    shutil.rmtree(folder, ignore_errors=True)
