"""`serve` and `worker`: what they start, and that they stop when told."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.cli.wiring import load_application
from gateway.settings import Settings
from tests.cli.conftest import Jiaofei
from tests.settings.configuration import VALID, Configuration


class Recorder:
    """Stands in for the server: keeps what it was given and serves nothing."""

    made: list["Recorder"]

    def __init__(self, target: str, **options: Any) -> None:
        self.target = target
        self.options = options
        self.loader: object = None
        self.made.append(self)

    def serve(self, *, target_loader: object) -> None:
        self.loader = target_loader


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    monkeypatch.setattr("gateway.cli.servers.Granian", Recorder)
    monkeypatch.setattr(Recorder, "made", [], raising=False)
    return Recorder


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A valid configuration whose database is not upgraded yet."""
    configuration = Configuration(tmp_path)
    for name, value in configuration.environ.items():
        monkeypatch.setenv(name, value)
    return configuration.write("gateway.toml", VALID)


@pytest.mark.usefixtures("restored_signals")
def test_sandbox_uses_the_keys_beside_the_configuration(
    path: Path, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulators and the gateway's accounts share what `init` made."""
    started: list[tuple[str, int, Path, str]] = []
    monkeypatch.setattr("gateway.cli.servers.serve_sandbox", lambda *arguments: started.append(arguments))
    (path.parent / "secrets/sandbox").mkdir(parents=True)

    result = jiaofei("sandbox", "--port", "9002", configuration=path)

    assert result.exit_code == 0
    assert started == [("127.0.0.1", 9002, path.parent / "secrets/sandbox", "https://pay.example.test")]


def test_sandbox_without_keys_says_where_they_come_from(path: Path, jiaofei: Jiaofei) -> None:
    """It makes none by itself: no account would know them."""
    result = jiaofei("sandbox", configuration=path)

    assert result.exit_code == 1
    assert result.stderr == f"Error: there are no keys in {path.parent}/secrets/sandbox: run jiaofei init\n"


@pytest.mark.usefixtures("restored_signals")
def test_sandbox_that_is_terminated_ends_cleanly(path: Path, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal ends the wait, and what was open is closed."""
    closed: list[bool] = []

    def serve(*_arguments: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(5)
        finally:
            closed.append(True)

    monkeypatch.setattr("gateway.cli.servers.serve_sandbox", serve)
    (path.parent / "secrets/sandbox").mkdir(parents=True)

    result = jiaofei("sandbox", configuration=path)

    assert (result.exit_code, closed) == (0, [True])


def in_world(monkeypatch: pytest.MonkeyPatch, **parts: object) -> None:
    @contextmanager
    def world(_settings: Settings) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(**parts)

    monkeypatch.setattr("gateway.cli.servers.opened_world", world)


def test_serve_starts_the_server_with_its_options(
    path: Path, jiaofei: Jiaofei, server: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each web process loads the application itself."""
    in_world(monkeypatch)
    jiaofei("db", "upgrade", configuration=path)

    result = jiaofei(
        "serve", "--host", "0.0.0.0", "--port", "9001", "--workers", "2", "--threads", "5", configuration=path
    )

    [made] = server.made
    assert result.exit_code == 0
    assert made.loader is load_application
    assert {
        "address": "0.0.0.0",
        "port": 9001,
        "interface": "wsgi",
        "workers": 2,
        "blocking_threads": 5,
        "log_level": "info",
    }.items() <= made.options.items()


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_process_on_a_database_without_schema_is_refused(
    path: Path, jiaofei: Jiaofei, server: type[Recorder], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Better no process than one that fails on every request."""
    in_world(monkeypatch)

    result = jiaofei(command, configuration=path)

    assert result.exit_code == 1
    assert result.stderr == "Error: the database is not at this version's schema: run jiaofei db upgrade\n"
    assert server.made == []


@pytest.mark.usefixtures("restored_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminate", "interrupt"])
def test_worker_that_is_signalled_is_told_to_stop(
    path: Path, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """What has begun is finished: the signal only sets the event that the worker looks at."""
    seen: list[bool] = []

    def run_worker(stop: threading.Event, *, once: bool) -> None:
        seen.extend([once, stop.is_set()])
        os.kill(os.getpid(), number)
        seen.append(stop.wait(5))

    in_world(monkeypatch, run_worker=run_worker)
    jiaofei("db", "upgrade", configuration=path)

    result = jiaofei("worker", configuration=path)

    assert (result.exit_code, seen) == (0, [False, False, True])


@pytest.mark.usefixtures("restored_signals")
def test_worker_once_does_what_is_due_and_ends(path: Path, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch) -> None:
    """For schedulers and demonstrations."""
    seen: list[bool] = []
    in_world(monkeypatch, run_worker=lambda _stop, *, once: seen.append(once))
    jiaofei("db", "upgrade", configuration=path)

    result = jiaofei("worker", "--once", configuration=path)

    assert (result.exit_code, seen) == (0, [True])
