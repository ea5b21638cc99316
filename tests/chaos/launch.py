"""
Starts `jiaofei serve` or `jiaofei worker` as it is, in processes that die or stand still at named points.

python -m tests.chaos.launch --box FOLDER --clock FILE [--plant NAME] serve|worker …
"""

import argparse
import multiprocessing
import os
from pathlib import Path

from gateway.cli import main as jiaofei
from tests.chaos.hooks import Fate, SharedClock, install
from tests.chaos.planted import PLANTED
from tests.chaos.points import WEB, WORKER, Box


def main() -> None:
    """Wrap, then run the product's own command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--box", type=Path, required=True)
    parser.add_argument("--clock", type=Path, required=True)
    parser.add_argument("--plant", choices=PLANTED)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    multiprocessing.set_start_method("fork")  # so that the server's processes inherit what is wrapped here
    if arguments.plant:
        PLANTED[arguments.plant]()
    role = WEB if arguments.command[0] == "serve" else WORKER
    while role == WORKER and _has_died(os.fork()):
        pass  # another one at once, as the server does for its web processes
    install(role, Fate(Box(arguments.box)), SharedClock(arguments.clock))
    jiaofei(arguments.command)


def _has_died(child: int) -> bool:
    """In the parent, when the child is dead; False in the child."""
    if child:
        os.waitpid(child, 0)
    return child != 0


if __name__ == "__main__":
    main()
