"""
P14: our signing and verifying beside the libraries people use, each pair in one process of its own.

The two Alipay libraries share a package name, so each lies in a folder of its own and never in our environment.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.board import Goal, Row, at_least, median, median_ratio, microseconds
from bench.effort import Effort
from bench.ground import Ground
from bench.serve import PEERS

_GOALS: Final[tuple[tuple[str, str, str, Goal | None], ...]] = (
    ("wechatpayv3", "sign", "WeChat sign against bare RSA", at_least(0.97)),
    ("wechatpayv3", "callback", "WeChat verify + decrypt against wechatpayv3", at_least(1.1)),
    ("wechatpayv3", "report", "the same, and our reading of it into a checked report", None),
    ("python-alipay-sdk", "sign", "Alipay sign against python-alipay-sdk", at_least(4.5)),
    ("python-alipay-sdk", "notify", "Alipay notify verify against python-alipay-sdk", at_least(10)),
    ("alipay-sdk-python", "sign", "Alipay sign against alipay-sdk-python", at_least(70)),
    ("alipay-sdk-python", "notify", "Alipay notify verify against alipay-sdk-python", at_least(10)),
)
"""Peer, what, title, goal (None: shown, not judged). A ratio is how many times faster we are, in processor time."""


def measure(ground: Ground, effort: Effort, wanted: frozenset[str]) -> Iterator[Row]:
    """A peer that is not installed is named and left out."""
    if "P14" not in wanted:
        return
    for peer in dict.fromkeys(peer for peer, *_ in _GOALS):
        if not (PEERS / peer).is_dir():
            print(f"P14 without {peer}: it is not installed in {PEERS / peer}")
            continue
        figures = _figures(ground, effort, peer)
        for owner, what, title, goal in _GOALS:
            if owner == peer:
                ours, theirs = figures[what]
                yield Row(
                    id="P14",
                    what=title,
                    goal=goal,
                    ratio=median_ratio(theirs, ours),
                    ours=microseconds(median(ours)),
                    floor=microseconds(median(theirs)),
                )


def _figures(ground: Ground, effort: Effort, peer: str) -> dict[str, tuple[list[float], list[float]]]:
    command = [sys.executable, "-m", "bench.peer_crypto", peer, str(ground.keys.folder), str(effort.pairs)]
    child = subprocess.run(
        [*command, str(effort.crypto)], stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent, check=True
    )
    figures: dict[str, tuple[list[float], list[float]]] = json.loads(child.stdout)
    return figures
