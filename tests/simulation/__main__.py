"""`make simulate SEEDS=a..b`: every seed in a process of its own, two at a time; exit 1 when one found something."""

import argparse
import multiprocessing
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sandbox.keyring import Keyring, create_keyring
from tests.simulation.planted import PLANTED, Plant
from tests.simulation.run import CRASH_EVERY, Finding, Job, run_job, run_seed

_FIXED_HASHES = "0"


def _seeds(text: str) -> range:
    match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    if match is None:
        raise argparse.ArgumentTypeError("a number, or a..b")
    first, last = int(match[1]), int(match[2] or match[1])
    return range(first, last + 1)


def _line(finding: Finding) -> str:
    verdict = "ok" if not finding.fault else f"FOUND: {finding.fault}"
    return (
        f"seed {finding.seed}: {finding.orders} orders, {finding.events} events, {finding.crashes} crashes,"
        f" {finding.seconds:.0f} s, log {finding.digest[:16]}: {verdict}"
    )


def _planted(seeds: range, payers: int) -> int:
    """How many of the planted defects no seed finds."""
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        ring = create_keyring(Path(folder) / "ring")
        for name, plant in PLANTED.items():
            finding = _first_finding(plant, seeds, payers, ring)
            missed += finding is None
            verdict = f"found by seed {finding.seed}: {finding.fault.splitlines()[0][:150]}" if finding else "NOT FOUND"
            print(f"{name}: {verdict}", flush=True)
    return missed


def _first_finding(plant: Plant, seeds: range, payers: int, ring: Keyring) -> Finding | None:
    for seed in seeds:
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            finding = run_seed(seed, payers, ring)
        if finding.fault:
            return finding
    return None


def main() -> None:
    """Parse the arguments, run, print a line for each seed."""
    parser = argparse.ArgumentParser(description="Seeded runs of the whole gateway against the simulators in process.")
    parser.add_argument("--seeds", type=_seeds, default=_seeds("1..2"))
    parser.add_argument("--payers", type=int, default=4600, help="payers in each run")
    parser.add_argument("--crash-every", type=int, default=CRASH_EVERY, help="points per crash; 0 for none")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--planted", action="store_true", help="plant each defect in turn; exit 1 when one is not found"
    )
    parser.add_argument("--details", action="store_true", help="print what every seed's orders came to")
    arguments = parser.parse_args()
    if arguments.planted:
        sys.exit(_planted(arguments.seeds, arguments.payers))
    began = time.monotonic()
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        ring = Path(folder) / "ring"
        create_keyring(ring)
        jobs = [
            Job(seed=seed, payers=arguments.payers, crash_every=arguments.crash_every, ring=ring)
            for seed in arguments.seeds
        ]
        with multiprocessing.get_context("spawn").Pool(arguments.processes, maxtasksperchild=1) as pool:
            for finding in pool.imap(run_job, jobs):
                findings.append(finding)
                print(_line(finding), flush=True)
                if arguments.details:
                    print("  " + ", ".join(f"{n} {what}" for what, n in finding.states.items()))
    orders = sum(finding.orders for finding in findings)
    found = [finding for finding in findings if finding.fault]
    print(f"{orders} orders in {time.monotonic() - began:.0f} s; {len(found)} of {len(findings)} seeds found something")
    for finding in found:
        print(f"again: make simulate SEEDS={finding.seed} PAYERS={arguments.payers}")
    sys.exit(bool(found))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != _FIXED_HASHES:  # the order of sets must not differ between two runs
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            os.environ | {"PYTHONHASHSEED": _FIXED_HASHES},
        )
    main()
