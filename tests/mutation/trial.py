"""Tries one mutant: a forked process imports the changed module in place of the file's and runs the tests."""

import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from hypothesis import Phase, settings

_PRELOADED: Final = (
    *("alembic.command", "cryptography.x509", "flask", "hypothesis.stateful", "marshmallow", "psycopg", "requests"),
    *("responses", "sqlalchemy", "structlog", "openapi_spec_validator", "jsonschema"),
)
"""Of other people's: what every trial would load again."""

_NOTICED: Final = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)

_PLUGINS: Final = ("pytest_timeout", "_hypothesis_pytestplugin", "no:unraisableexception")
_OPTIONS: Final = (
    *("--disable-plugin-autoload", *(part for name in _PLUGINS for part in ("-p", name))),
    *("-x", "-q", "--no-header", "--hypothesis-seed=0"),
)


class Verdict(Enum):
    """KILLED: a test failed, or nothing could be imported. TIMEOUT: it never ended, which a person would notice."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    SURVIVED = "survived"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """
    What became of one mutant.

    Attributes:
        noticed_by: The test that failed; "" when none did, or nothing could be imported.
        said: The end of what the tests printed.
    """

    verdict: Verdict
    noticed_by: str
    said: str


class _Teller:
    """Writes down which test noticed."""

    def __init__(self, told: Path) -> None:
        self._told = told

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._told.write_text(report.nodeid, encoding="utf-8")


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and gives the changed tree."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self._path = path
        self._tree = tree
        self._name = ".".join(path.with_suffix("").parts)

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> importlib.machinery.ModuleSpec | None:
        return spec_from_file_location(fullname, self._path, loader=self) if fullname == self._name else None

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, str(self._path), "exec"), module.__dict__)


def preload() -> None:
    """Load other people's code once, before the first fork; a noticed mutant needs no smallest example."""
    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")
    for name in _PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:  # a smaller environment only takes longer
            continue
    gc.freeze()


def attempt(path: Path, tree: ast.Module, tests: Sequence[str], *, first: Sequence[str], seconds: float) -> Trial:
    """Run the tests on the changed module; those named in `first` by themselves, before the others are even read."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "noticed_by"
        child = os.fork()
        if child == 0:
            _run(_Changed(path, tree), [first, tests], _Teller(told), output.fileno(), folder)
        code = _wait(child, seconds)
        output.seek(0)
        said = output.read().decode(errors="replace")[-2_000:]
        noticed_by = told.read_text(encoding="utf-8") if told.exists() else ""
    verdict = Verdict.SURVIVED if code == pytest.ExitCode.OK else Verdict.KILLED
    return Trial(verdict=Verdict.TIMEOUT if code is None else verdict, noticed_by=noticed_by, said=said)


def _run(changed: _Changed, rounds: Sequence[Sequence[str]], teller: _Teller, output: int, folder: str) -> None:
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.meta_path.insert(0, changed)
    code: int = 99
    try:
        for tests in filter(None, rounds):
            arguments = [*_OPTIONS, f"--basetemp={folder}/t", "-k", "not postgresql", *dict.fromkeys(tests)]
            code = pytest.main(arguments, plugins=[teller])
            if code in _NOTICED:
                break
    finally:
        sys.stdout.flush()
        os._exit(code)


def _wait(child: int, seconds: float) -> int | None:
    """The exit code; None when it had to be ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
