"""`make chaos`: seeds × engines, one run after the other; exit 1 when one found something, with how to run it again."""

import argparse
import re
import signal
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Final

from tests.chaos.planted import PLANTED
from tests.chaos.points import ALL_POINTS, chosen
from tests.chaos.run import Finding, Plan, run
from tests.support.databases import PostgresServer

ENGINES: Final = ("sqlite", "postgresql")


def _seeds(text: str) -> range:
    match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    if match is None:
        raise argparse.ArgumentTypeError("a number, or a..b")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _again(plan: Plan) -> str:
    words = [f"--engine {plan.engine} --seeds {plan.seed} --rounds {plan.rounds} --seconds {plan.seconds:g}"]
    words += [f"--web-processes {plan.web_processes} --people {plan.people}"]
    words += [f"--only {part}" for part in plan.only]
    words += [f"--plant {plan.plant}"] if plan.plant else []
    return f"python -m tests.chaos {' '.join(words)}"


def _tell(finding: Finding) -> None:
    plan = finding.plan
    print(
        f"{plan.engine} seed {plan.seed}: {sum(finding.points.values())} deaths at {len(finding.points)} named points,"
        f" {finding.orders} orders, {finding.acknowledged} acknowledged answers, {finding.seconds:.0f} s:"
        f" {'ok' if not finding.fault else 'FOUND'}"
    )
    print("  " + ", ".join(f"{count} {what}" for what, count in sorted(finding.killed.items())))
    if finding.missed:
        print(f"  not reached: {', '.join(finding.missed)}")
    if finding.fault:
        print(f"  {finding.fault}\n  logs and journal: {finding.folder}\n  again: {_again(plan)}")
    sys.stdout.flush()


def main() -> None:
    """Parse the arguments, run, print a line for each seed and engine."""
    parser = argparse.ArgumentParser(description="Kill the real processes under load and judge what is left.")
    parser.add_argument("--seeds", type=_seeds, default=_seeds("1..3"))
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--rounds", type=int, default=1, help="deaths at each named point in each run")
    parser.add_argument("--seconds", type=float, default=30, help="of deaths at random after the named points")
    parser.add_argument("--people", type=int, default=5, help="front ends at once")
    parser.add_argument("--web-processes", type=int, default=0, help="1 for odd seeds and 2 for even ones by default")
    parser.add_argument("--only", action="append", default=[], help="part of the names of the points to meet")
    parser.add_argument("--plant", choices=PLANTED, default="", help="a defect that must be found")
    parser.add_argument("--keep", action="store_true", help="keep logs and journal of a run that found nothing, too")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # so that no process is left behind
    findings: list[Finding] = []
    with ExitStack() as stack:
        for engine in ENGINES if given.engine == "both" else (given.engine,):
            server = None
            if engine == "postgresql":
                server = PostgresServer()
                stack.callback(server.cleanup)
            for seed in given.seeds:
                plan = Plan(
                    seed=seed,
                    engine=engine,
                    rounds=given.rounds,
                    seconds=given.seconds,
                    people=given.people,
                    web_processes=given.web_processes or 2 - seed % 2,
                    only=tuple(given.only),
                    plant=given.plant,
                    keep=given.keep,
                )
                findings.append(run(plan, server))
                _tell(findings[-1])
    sys.exit(_total(findings, only=given.only))


def _total(findings: list[Finding], *, only: list[str]) -> int:
    """1 when something was found, or when no run at all came to a point: that point is not proven."""
    points = sum((finding.points for finding in findings), Counter[str]())
    never = [point for point in chosen(only) if not points[point]]
    found = [finding for finding in findings if finding.fault]
    print(
        f"{sum(points.values())} deaths at {len(points)} of {len(ALL_POINTS)} named points,"
        f" {sum(finding.orders for finding in findings)} orders; {len(found)} of {len(findings)} runs found something"
    )
    if never:
        print(f"never reached: {', '.join(never)}")
    return int(bool(found or never))


if __name__ == "__main__":
    main()
