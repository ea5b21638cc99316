"""Metrics of several web processes."""

import subprocess
import sys
from pathlib import Path

import pytest

_TWO_PROCESSES = """
import multiprocessing
from types import SimpleNamespace
from gateway.store import StoreUnavailable
from gateway.web.metrics import Metrics

class Down:
    def read(self):
        raise StoreUnavailable("down")

def work(deps):
    Metrics(deps).requests.labels("open_order", 201).inc()

if __name__ == "__main__":
    clock = SimpleNamespace(now=lambda: None)
    deps = SimpleNamespace(store=Down(), clock=clock, providers={}, gates={})
    context = multiprocessing.get_context("fork")
    for _ in range(2):
        process = context.Process(target=work, args=(deps,))
        process.start()
        process.join()
    print(Metrics(deps).text().decode())
"""


@pytest.mark.parametrize(("shared", "expected"), [(True, "2.0"), (False, None)], ids=["shared-folder", "one-process"])
def test_metrics_of_several_processes_are_added(tmp_path: Path, *, shared: bool, expected: str | None) -> None:
    """A scrape reaches one process and must tell of all that share the folder."""
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    if shared:
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _TWO_PROCESSES], env=environment, check=True, capture_output=True, text=True
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("jiaofei_requests_total{")), None)

    assert (line.split()[-1] if line else None) == expected
    assert "jiaofei_store_up 0.0" in done.stdout
