"""
`make demo` and `make run`: starts simulators, gateway and worker as their own processes and walks orders through them.

It knows the gateway only from outside, by the `jiaofei` command and the public interface.
"""

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from sandbox.demo.installation import PAID_SECONDS, Installation, free_port, wait
from sandbox.demo.scenarios import SCENARIOS, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one scenario."""

    scenario: Scenario
    order_id: str
    proof: str
    seconds: float


def walk(installation: Installation, scenario: Scenario) -> Callable[[], Outcome]:
    """Do what app and payer do; the returned function waits for the order to be paid."""
    began = time.monotonic()
    order_id = scenario.walk(installation)
    path = f"/v1/orders/{order_id}"

    def finish() -> Outcome:
        def is_paid() -> bool:
            return bool(installation.call("GET", path)["state"] == "paid")

        wait(is_paid, PAID_SECONDS, f"order {order_id} was not paid in time; logs: {installation.folder}")
        events = installation.call("GET", f"{path}/events")["events"]
        proof = next(event["detail"]["source"] for event in events if event["kind"] == "payment_paid")
        seconds = time.monotonic() - began
        return Outcome(scenario=scenario, order_id=order_id, proof=proof, seconds=seconds)

    return finish


def _table(outcomes: Sequence[Outcome]) -> str:
    head = ("channel", "method", "situation", "order", "proved by", "seconds", "order_id")
    rows = [
        (
            outcome.scenario.channel,
            outcome.scenario.method,
            outcome.scenario.title,
            "paid",
            outcome.proof,
            f"{outcome.seconds:.1f}",
            outcome.order_id,
        )
        for outcome in outcomes
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def demonstrate(folder: Path) -> None:
    """Walk every scenario through a fresh installation, print what happened, and have the books audited."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    installation = Installation(folder, port=free_port(), sandbox_port=free_port())
    installation.prepare()
    configured = (folder / "gateway.toml").read_text(encoding="utf-8")
    possible = [s for s in SCENARIOS if not s.needs or f"[accounts.{s.needs}]" in configured]
    with installation.running():
        waiting = [walk(installation, scenario) for scenario in possible]
        outcomes = [finish() for finish in waiting]
    print(_table(outcomes))  # noqa: T201  this is what the command is for
    for missing in sorted({s.needs for s in SCENARIOS if s not in possible}):
        print(f"left out: {missing} (it needs the packages of requirements/sm.txt)")  # noqa: T201
    installation.audit()
    print(  # noqa: T201
        f"\nEvery order was paid exactly once, and the audit of the books found nothing.\n"
        f"Logs, configuration and database: {folder}/\n"
        "Keep it running and press the buttons yourself: make run\n"
        "A first order with curl: README.md"
    )


def keep_running(folder: Path, port: int, sandbox_port: int) -> None:
    """Run an installation until interrupted, and say where everything is."""
    folder.mkdir(parents=True, exist_ok=True)
    installation = Installation(folder, port=port, sandbox_port=sandbox_port)
    installation.prepare()
    with installation.running():
        print(  # noqa: T201
            f"gateway       {installation.url}\n"
            f"interface     {installation.url}/docs\n"
            f"readiness     {installation.url}/readyz   metrics {installation.url}/metrics\n"
            f"payer's pages {installation.sandbox_url}/   (pay, cancel, clock, faults)\n"
            f"API key       {installation.api_key}\n"
            f"files         {folder}/\n"
            "Stop with Ctrl-C."
        )
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("stopping")  # noqa: T201


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description="Try the gateway against its own provider simulators.")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--keep", action="store_true", help="keep running instead of walking the scenarios")
    parser.add_argument("--port", type=int, default=8300)
    parser.add_argument("--sandbox-port", type=int, default=8400)
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):  # else our processes would live on and keep the ports
        signal.signal(number, _leave)
    base = Path("var").absolute()
    if arguments.keep:
        keep_running(arguments.folder or base / "run", arguments.port, arguments.sandbox_port)
    else:
        demonstrate(arguments.folder or base / "demo")


if __name__ == "__main__":
    main()
