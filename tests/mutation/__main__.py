"""`make mutants MODULE=…`: the score of one module, and every change that no test noticed; exit 1 below the floor."""

import argparse
import ast
import random
import sys
import time
from pathlib import Path
from typing import Final

from tests.mutation.operators import Mutant, changed, mutants
from tests.mutation.selections import SELECTIONS
from tests.mutation.trial import Verdict, attempt, preload

_FLOOR: Final = 85
_PATIENCE: Final = 4.0
"""So many times the unchanged module's time, and a minute, before a mutant counts as endless."""

_FIRST: Final = 8
"""Most changes of a module are noticed by the same few tests: so many of the last ones are asked first."""


def main() -> None:
    """Parse the arguments, run, print a line for each survivor."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("module", choices=[*SELECTIONS, "all"], metavar="module", help="a path, or all")
    parser.add_argument("--sample", type=int, default=0, help="so many mutants of each module, by chance; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    preload()
    names = list(SELECTIONS) if given.module == "all" else [given.module]
    scores = [_score(Path(name), given.sample, given.seed) for name in names]
    sys.exit(min(scores) < _FLOOR)


def _score(path: Path, sample: int, seed: int) -> float:
    source, tests = path.read_text(encoding="utf-8"), SELECTIONS[str(path)]
    patience = _unchanged(path, ast.parse(source), tests) * _PATIENCE + 60
    every = mutants(source)
    chosen = sorted(random.Random(seed).sample(range(len(every)), min(sample or len(every), len(every))))
    survivors: list[Mutant] = []
    endless = 0
    noticing: list[str] = []
    for number in chosen:
        trial = attempt(path, changed(source, every[number]), tests, first=noticing[:_FIRST], seconds=patience)
        if trial.verdict is Verdict.SURVIVED:
            survivors.append(every[number])
            print(f"{path}:{every[number].line}: {every[number].what}", flush=True)
        endless += trial.verdict is Verdict.TIMEOUT
        if trial.noticed_by:
            noticing = [trial.noticed_by, *(test for test in noticing if test != trial.noticed_by)]
    killed = len(chosen) - len(survivors)
    score = 100 * killed / len(chosen) if chosen else 100.0
    of_all = f"{len(every)} mutants in all, {endless} endless"
    print(f"{path}: {killed} of {len(chosen)} noticed, {score:.0f} % ({of_all})", flush=True)
    return score


def _unchanged(path: Path, tree: ast.Module, tests: tuple[str, ...]) -> float:
    began = time.monotonic()
    trial = attempt(path, tree, tests, first=(), seconds=600)
    if trial.verdict is not Verdict.SURVIVED:
        sys.exit(f"the tests of {path} fail as it is:\n{trial.said}")
    return time.monotonic() - began


if __name__ == "__main__":
    main()
