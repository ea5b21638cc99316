"""A gateway's configuration, database and processes, and their simulators, on loopback."""

import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import requests

from tests.chaos.hooks import SharedClock
from tests.chaos.points import WEB, WORKER, Box

ROOT: Final = Path(__file__).parent.parent.parent
ORDER_TTL_SECONDS: Final = 900
_CALL_SECONDS: Final = 20.0
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

    def met(self, state: str) -> Counter[str]:
        """The named points of the tickets that stand there, counted."""
        return Counter(ticket.point for box in self.boxes.values() for ticket in box.tickets(state))

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


def wait_until(done: Callable[[], bool], seconds: float, complaint: str) -> None:
    """Look again and again; AssertionError when it takes too long."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, complaint
        time.sleep(_LOOK_SECONDS)


def remove(folder: Path) -> None:
    """Forget a run that found nothing."""
    shutil.rmtree(folder, ignore_errors=True)
