"""The one that starts again what dies, and the blows it deals."""

import contextlib
import os
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Final

import requests

from tests.chaos.installation import Installation, wait_until
from tests.chaos.points import WEB, WORKER

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.1

PROCESSES: Final = (WEB, f"{WORKER} 1", f"{WORKER} 2")
"""What is kept running beside the simulators."""


class Supervisor:
    """
    Keeps the processes running: what dies is started again.

    Attributes:
        killed: How often, by what was killed.
    """

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.killed: Counter[str] = Counter()
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

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            with self._mutex:
                for name, process in self._processes.items():
                    if process.poll() is not None:
                        _kill_group(process)  # what its parent's death left behind
                        self._processes[name] = self.installation.start(name)
                        self.killed[f"{name} started again"] += 1


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
