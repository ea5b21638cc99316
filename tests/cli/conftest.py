import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store import open_store, upgrade

Jiaofei = Callable[..., Result]


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder that `init` wrote, and what it said; made once, because it makes many RSA keys."""
    folder = tmp_path_factory.mktemp("initialised")
    result = CliRunner().invoke(main, ["init", "--folder", str(folder), "--port", "8081", "--sandbox-port", "8091"])
    assert result.exit_code == 0, result.output
    return folder, result.output


@pytest.fixture
def jiaofei(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Jiaofei:
    """Run the command against a configuration file, by default one that does not exist."""

    def run(*arguments: str, configuration: Path | None = None) -> Result:
        monkeypatch.setenv("GATEWAY_CONFIG", str(configuration or tmp_path / "absent.toml"))
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    return run


@pytest.fixture
def empty_store_world(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A world with a real, empty SQLite database and no providers."""
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    upgrade(url)
    store = open_store(url)
    yield SimpleNamespace(store=store, providers={})
    store.close()


@pytest.fixture
def restored_signals() -> Iterator[None]:
    """The handlers that the tests began with."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Whatever the tests logged with before."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
