"""`serve`, `worker` and `sandbox`: the processes of an installation; all stop cleanly on SIGTERM and SIGINT."""

import signal
import sys
import threading
from pathlib import Path
from typing import Final

import click
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from gateway.cli.wiring import (
    SANDBOX_FOLDER,
    SANDBOX_PORT,
    load_application,
    opened_world,
    serve_sandbox,
    start_logging,
)
from gateway.settings import config_path, load_settings
from gateway.store import schema_is_current

_KILL_SECONDS: Final = 30
"""Longer than the longest provider call that a request may be waiting for at its defaults."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--threads", default=32, show_default=True, type=click.IntRange(1, 512), help="Threads per process.")
def serve(host: str, port: int, workers: int, threads: int) -> None:
    """Serve the HTTP interface, callbacks and cashier."""
    settings = load_settings()
    with opened_world(settings):  # here an account's fault is a line on stderr; in a web process it would be a crash
        _require_current_schema(settings.database_url.reveal())
    Granian(
        "gateway",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        websockets=False,
        log_level=LogLevels(settings.log_level),
        workers_kill_timeout=_KILL_SECONDS,
        respawn_failed_workers=True,
    ).serve(target_loader=load_application)


@click.command()
@click.option("--once", is_flag=True, help="Do what is due now, then stop.")
def worker(*, once: bool) -> None:
    """Do the durable work: queries, closes, refunds."""
    settings = load_settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with opened_world(settings) as world:
        _require_current_schema(settings.database_url.reveal())
        start_logging(settings)
        world.run_worker(stop, once=once)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Keep it on loopback: it pays whatever is asked.")
@click.option("--port", default=SANDBOX_PORT, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--keys",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the simulators' keys.  [default: secrets/sandbox beside the configuration]",
)
def sandbox(host: str, port: int, keys: Path | None) -> None:
    """Simulate the providers, with the keys that jiaofei init made."""
    folder = keys or config_path().parent / "secrets" / SANDBOX_FOLDER
    if not folder.is_dir():  # fresh keys would be no use: the gateway's accounts do not know them
        raise click.ClickException(f"there are no keys in {folder}: run jiaofei init")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: sys.exit())
    click.echo(f"simulating every provider at http://{host}:{port}")
    serve_sandbox(host, port, folder, load_settings().public_base_url)


def _require_current_schema(database_url: str) -> None:
    if not schema_is_current(database_url):
        raise click.ClickException("the database is not at this version's schema: run jiaofei db upgrade")
