"""What happens to the processes while people go about their business: deaths, stalls, blows at random."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import requests

from tests.chaos.installation import Installation
from tests.chaos.points import WEB, Box, Ticket, moved, read_ticket
from tests.chaos.supervisor import PROCESSES, Supervisor
from tests.support.databases import PostgresServer

_LOOK_SECONDS: Final = 0.1
_RESTART_EVERY: Final = 8.0
_RECEIVER: Final = {"fault": "webhook_refused", "provider": "front"}


def meet_points(installation: Installation, tickets: list[Ticket], *, patience_seconds: float) -> None:
    """Put all tickets out and wait until each has had its death, or nobody has come to one for so long."""
    for ticket in tickets:
        installation.boxes[ticket.role].put(ticket)
    left, since = len(tickets), time.monotonic()
    while left and time.monotonic() - since < patience_seconds:
        time.sleep(_LOOK_SECONDS)
        now = sum(len(box.states("due")) for box in installation.boxes.values())
        left, since = (now, time.monotonic()) if now != left else (left, since)
    for box in installation.boxes.values():
        for path in box.states("due"):
            moved(path, "missed")


class Stalls:
    """
    One process of each role at a time stands still, until its leases have run out and others have done its work.

    While a worker stands still in the middle of a webhook, the app refuses what the other worker brings: what that one
    puts off must not be undone by the first, when it wakes.
    """

    def __init__(self, installation: Installation, *, speed: float, patience_seconds: float) -> None:
        self._installation = installation
        self._speed = speed
        self._patience_seconds = patience_seconds

    def meet(self, tickets: list[Ticket]) -> None:
        """Put the tickets out, one after the other for each role, until all are over."""
        boxes = self._installation.boxes
        with ThreadPoolExecutor(len(boxes)) as pool:
            turns = [
                pool.submit(self._meet_in_turn, box, [t for t in tickets if t.role == r]) for r, box in boxes.items()
            ]
            for turn in turns:
                turn.result()

    def _meet_in_turn(self, box: Box, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            box.put(ticket)
            until = time.monotonic() + self._patience_seconds
            while box.states("due") or box.states("halted"):
                time.sleep(_LOOK_SECONDS)
                for path in box.states("due") if time.monotonic() > until else ():
                    moved(path, "missed")
                for path in box.states("halted"):
                    self._tend(path)

    def _tend(self, path: Path) -> None:
        """Wake who stood still for long enough."""
        pid = path.with_suffix(".pid")
        if not pid.exists() or not pid.read_text(encoding="ascii"):
            return  # it is just about to stand still
        ticket = read_ticket(path)
        if ticket.point.startswith("webhook:"):
            seconds = (ticket.stall_seconds + 1) * self._speed
            with contextlib.suppress(
                requests.RequestException
            ):  # the simulators are slow just now: a stall like others
                self._installation.control("POST", "/faults", _RECEIVER | {"for_seconds": seconds})
        time.sleep(ticket.stall_seconds)
        moved(path, "woken")
        os.kill(int(pid.read_text(encoding="ascii")), signal.SIGCONT)


def strike(supervisor: Supervisor, server: PostgresServer | None, *, seed: int, seconds: float) -> None:
    """Blows at random: one process, a web process under its parent, all at once; and the database server."""
    chance = random.Random(f"blows/{seed}")
    modes = itertools.cycle(("fast", "immediate"))
    until = time.monotonic() + seconds
    restart_at = time.monotonic()
    while time.monotonic() < until:
        if server is not None and time.monotonic() >= restart_at:
            mode = next(modes)
            restart_postgres(server, mode)
            supervisor.killed[f"PostgreSQL restarted, {mode}"] += 1
            restart_at = time.monotonic() + _RESTART_EVERY
        time.sleep(chance.uniform(1.0, 4.0))
        blow = chance.choice((*PROCESSES, f"one {WEB} process", "all"))
        if blow == f"one {WEB} process":
            supervisor.kill_one_web_process()
        for name in PROCESSES:
            if blow in (name, "all"):
                supervisor.kill(name)


def restart_postgres(server: PostgresServer, mode: str) -> None:
    """Restart as an operator does: `fast` ends the sessions, `immediate` is a crash with recovery."""
    inner: Any = server._server
    subprocess.run(
        [str(inner.bin_path / "pg_ctl"), "-w", "-D", str(inner.pgdata), "-m", mode, "-l", str(inner.log), "restart"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=inner.system_user,
    )
