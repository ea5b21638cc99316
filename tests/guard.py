"""
A pytest plugin for the whole suite: it fails when a test was skipped or when fewer tests ran than before.

A suite that quietly shrinks is how defects of this field stay unseen; `tests/floor.txt` holds the number of tests that
must run, and is raised, never lowered without a word in the commit.
"""

from pathlib import Path
from typing import Final

import pytest

_FLOOR: Final = Path(__file__).parent / "floor.txt"


class _Guard:
    def __init__(self) -> None:
        self.ran = 0
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)
        elif report.when == "call":
            self.ran += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return
        floor = int(_FLOOR.read_text(encoding="ascii"))
        if (self.skipped or self.ran < floor) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        floor = int(_FLOOR.read_text(encoding="ascii"))
        for nodeid in self.skipped:
            terminalreporter.line(f"SKIPPED, which the suite does not allow: {nodeid}", red=True)
        if self.ran < floor:
            terminalreporter.line(f"only {self.ran} tests ran; {floor} did before (tests/floor.txt)", red=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Guard())
