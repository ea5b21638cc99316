"""A gateway with its sandbox, made fresh in a folder and run as its own processes, and a front end's calls to both."""

import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import requests

PAID_SECONDS: Final = 45.0
_READY_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.2
_CALL_SECONDS: Final = 15.0
_STOP_SECONDS: Final = 15.0


class Installation:
    """A gateway with its sandbox, made fresh in a folder and run on free ports of the loopback interface."""

    def __init__(self, folder: Path, *, port: int, sandbox_port: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        self._port = port
        self._sandbox_port = sandbox_port
        self._http = requests.Session()
        self._http.trust_env = False

    def prepare(self) -> None:
        """Write configuration and keys, make the database."""
        if not (self.folder / "gateway.toml").exists():
            self._jiaofei(
                "init",
                "--folder",
                str(self.folder),
                "--port",
                str(self._port),
                "--sandbox-port",
                str(self._sandbox_port),
            )
        self._jiaofei("db", "upgrade")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run sandbox, gateway and worker; all are stopped at the end."""
        with ExitStack() as stack:
            for name, arguments in (
                ("sandbox", ("sandbox", "--port", str(self._sandbox_port))),
                ("gateway", ("serve", "--port", str(self._port))),
                ("worker", ("worker",)),
            ):
                stack.enter_context(self._process(name, arguments))
            self._wait_until_ready()
            yield

    @property
    def api_key(self) -> str:
        return (self.folder / "secrets" / "demo_api_key").read_text(encoding="utf-8").strip()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the gateway as the demo app; anything but success is an error."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Idempotency-Key": uuid.uuid4().hex}
        return self._json(method, self.url + path, body, headers)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's control interface."""
        return self._json(method, f"{self.sandbox_url}/control{path}", body, {})

    def today(self) -> str:
        """The sandbox's day in Beijing, YYYY-MM-DD."""
        return str(self.control("GET", "/clock")["now"])[:10]

    def audit(self) -> None:
        """Have every invariant checked on the database; a violation is an error."""
        self._jiaofei("audit")

    def open_cashier(self, instruction: Mapping[str, Any]) -> None:
        """Do with a redirect or a form what the payer's browser does."""
        payload = instruction["payload"]
        method = "POST" if instruction["kind"] == "form" else "GET"
        answer = self._http.request(method, payload["url"], data=payload.get("fields"), timeout=_CALL_SECONDS)
        answer.raise_for_status()

    def _json(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> Any:
        answer = self._http.request(method, url, json=body, headers=dict(headers), timeout=_CALL_SECONDS)
        if not answer.ok:
            raise RuntimeError(f"{method} {url} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "gateway.cli", *arguments]

    def _environment(self) -> dict[str, str]:
        return {
            "GATEWAY_CONFIG": str(self.folder / "gateway.toml"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }

    def _jiaofei(self, *arguments: str) -> None:
        subprocess.run(self._command(*arguments), env=self._environment(), check=True, stdout=subprocess.DEVNULL)  # noqa: S603  our own command

    @contextmanager
    def _process(self, name: str, arguments: tuple[str, ...]) -> Iterator[None]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  our own command
                self._command(*arguments), env=self._environment(), stdout=log, stderr=log
            )
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _wait_until_ready(self) -> None:
        wait(self._is_ready, _READY_SECONDS, f"the gateway did not get ready; see the logs in {self.folder}")

    def _is_ready(self) -> bool:
        try:
            self.control("GET", "/orders")
            return bool(self._http.get(f"{self.url}/readyz", timeout=_CALL_SECONDS).ok)
        except (requests.RequestException, RuntimeError):
            return False


def wait(done: Callable[[], bool], seconds: float, complaint: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(complaint)
        time.sleep(_LOOK_SECONDS)


def free_port() -> int:
    """One of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
