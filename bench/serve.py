"""One web server process for a measurement, under granian with the flags that `jiaofei serve` gives it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.ground import ROOM, Ground, open_keys, settings_for

_START_SECONDS_MAX: Final = 30.0
PEERS: Final = ROOM / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What a server serves.

    Attributes:
        app: gateway | floor | peer.
        bare: Serve callbacks in front of Flask.
    """

    app: str
    keys: str
    database_url: str
    workers: int = 1
    threads: int = 16
    bare: bool = False
    provider_port: int = 1


def _gateway(plan: Plan) -> Any:
    from gateway.app import configure_logging, create_app

    configure_logging("info")
    keys = open_keys(Path(plan.keys))
    return create_app(settings_for(keys, plan.database_url, provider_port=plan.provider_port, bare_callbacks=plan.bare))


def _floor(plan: Plan) -> Any:
    from bench.floors import floor_app

    return floor_app(open_keys(Path(plan.keys)), plan.database_url)


def _peer(plan: Plan) -> Any:
    sys.path.append(str(PEERS / "wechatpayv3"))  # behind our own: both sides must use one cryptography
    from bench.peer_view import peer_app

    return peer_app(open_keys(Path(plan.keys)), plan.database_url)


_APPS: Final = {"gateway": _gateway, "floor": _floor, "peer": _peer}


def load_app(target: str) -> Any:
    """Build the application in granian's worker; the target is the plan as JSON."""
    plan = Plan(**json.loads(target))
    return _APPS[plan.app](plan)


def main() -> None:
    """Serve the plan of the first argument on the port of the second until told to stop."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    plan = Plan(**json.loads(sys.argv[1]))
    Granian(
        sys.argv[1],
        address="127.0.0.1",
        port=int(sys.argv[2]),
        interface=Interfaces.WSGI,
        workers=plan.workers,
        blocking_threads=plan.threads,
        websockets=False,
        log_level=LogLevels.warning,
    ).serve(target_loader=load_app)


@contextmanager
def served(ground: Ground, plan: Plan) -> Iterator[int]:
    """Run a server for the block's length and give its port."""
    port = _free_port()
    log = ground.folder / f"server-{port}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.serve", json.dumps(asdict(plan)), str(port)],
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        try:
            _wait_for(port, child, log)
            yield port
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS_MAX
    while child.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    main()
