"""`make chaos`: seeds × engines, one run after the other; exit 1 when one found something, with how to run it again."""

import argparse
import re
import signal
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Final

from tests.chaos.planted import PLANTED
from tests.chaos.points import ALL_POINTS, STALLS, chosen
from tests.chaos.run import Finding, Plan, run
from tests.support.databases import PostgresServer

ENGINES: Final = ("sqlite", "postgresql")


def _seeds(text: str) -> range:
    match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    if match is None:
        raise argparse.ArgumentTypeError("a number, or a..b")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _again(plan: Plan) -> str:
    words = [f"--engine {plan.engine} --seeds {plan.seed} --passages {plan.passages} --stalls {plan.stalls}"]
    words += [f"--seconds {plan.seconds:g} --web-processes {plan.web_processes} --people {plan.people}"]
    words += [f"--only {part}" for part in plan.only]
    words += [f"--plant {plan.plant}"] if plan.plant else []
    return f"python -m tests.chaos {' '.join(words)}"


def _tell(finding: Finding) -> None:
    plan = finding.plan
    print(
        f"{plan.engine} seed {plan.seed}: {sum(finding.points.values())} deaths at {len(finding.points)} named points,"
        f" {sum(finding.stalls.values())} stalls at {len(finding.stalls)}, {finding.orders} orders,"
        f" {finding.acknowledged} acknowledged answers, {finding.taken_over} keys taken over, {finding.seconds:.0f} s:"
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
    parser.add_argument("--passages", type=int, default=2, help="deaths at each named point in each run")
    parser.add_argument(
        "--stalls", type=int, default=1, help="how often a process stands still at each of their points"
    )
    parser.add_argument("--seconds", type=float, default=30, help="of blows at random after them")
    parser.add_argument("--people", type=int, default=5, help="front ends at once")
    parser.add_argument("--web-processes", type=int, default=2)
    parser.add_argument("--only", action="append", default=[], help="part of the names of the points to meet")
    parser.add_argument("--plant", choices=PLANTED, default="", help="a defect that must be found")
    parser.add_argument("--keep", action="store_true", help="keep logs and journal of a run that found nothing, too")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # so that no process is left behind
    sys.exit(_total(_all(given), given))


def _all(given: argparse.Namespace) -> list[Finding]:
    """Every seed on each engine, told one by one."""
    engines = ENGINES if given.engine == "both" else (given.engine,)
    findings: list[Finding] = []
    with ExitStack() as stack:
        server = None
        if "postgresql" in engines:
            server = PostgresServer()
            stack.callback(server.cleanup)
        for seed in given.seeds:
            for engine in engines:
                findings.append(run(_plan(given, seed, engine), server if engine == "postgresql" else None))
                _tell(findings[-1])
            _tell_sum(f"seed {seed}", [finding for finding in findings if finding.plan.seed == seed])
    return findings


def _plan(given: argparse.Namespace, seed: int, engine: str) -> Plan:
    return Plan(
        seed=seed,
        engine=engine,
        passages=given.passages,
        stalls=given.stalls,
        seconds=given.seconds,
        people=given.people,
        web_processes=given.web_processes,
        only=tuple(given.only),
        plant=given.plant,
        keep=given.keep,
    )


def _tell_sum(what: str, findings: list[Finding]) -> None:
    points = sum((finding.points for finding in findings), Counter[str]())
    print(
        f"{what}: {sum(points.values())} deaths at {len(points)} of {len(ALL_POINTS)} named points,"
        f" {sum(sum(finding.stalls.values()) for finding in findings)} stalls,"
        f" {sum(finding.orders for finding in findings)} orders, {sum(finding.seconds for finding in findings):.0f} s;"
        f" {len([finding for finding in findings if finding.fault])} of {len(findings)} runs found something",
        flush=True,
    )


def _total(findings: list[Finding], given: argparse.Namespace) -> int:
    """1 when something was found, or when nobody came to a point on one of the engines: it is not proven there."""
    _tell_sum("in all", findings)
    never = 0
    for engine in ENGINES:
        ran = [finding for finding in findings if finding.plan.engine == engine]
        met = sum((finding.points for finding in ran), Counter[str]())
        stood = sum((finding.stalls for finding in ran), Counter[str]())
        lacks = [point for point in chosen(given.only) if given.passages and not met[point]]
        lacks += [f"{point} (stall)" for point in _stalls(given) if not stood[point]]
        if ran and lacks:
            print(f"{engine}, never reached: {', '.join(lacks)}")
            never += len(lacks)
    return int(bool(never or any(finding.fault for finding in findings)))


def _stalls(given: argparse.Namespace) -> list[str]:
    return [point for points in STALLS.values() for point in chosen(given.only, points) if given.stalls]


if __name__ == "__main__":
    main()
