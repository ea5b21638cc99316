"""Tries one mutant: a forked process imports the changed module in place of the file's and runs the tests."""

import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from enum import Enum
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

_PRELOADED: Final = (
    *("alembic.command", "cryptography.x509", "flask", "hypothesis.stateful", "marshmallow", "psycopg", "requests"),
    *("responses", "schemathesis", "sqlalchemy", "structlog", "openapi_spec_validator", "jsonschema"),
)
"""Of other people's: what every trial would load again."""


class Verdict(Enum):
    """KILLED: a test failed, or nothing could be imported. TIMEOUT: it never ended, which a person would notice."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    SURVIVED = "survived"


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
    """Load other people's code once, before the first fork."""
    for name in _PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:  # a smaller environment only takes longer
            continue


def attempt(path: Path, tree: ast.Module, tests: Sequence[str], *, seconds: float) -> tuple[Verdict, str]:
    """Run the tests on the changed module; the verdict, and the end of what they printed."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if child == 0:
            _run(path, tree, tests, output.fileno(), folder)
        code = _wait(child, seconds)
        output.seek(0)
        said = output.read().decode(errors="replace")[-2_000:]
    if code is None:
        return Verdict.TIMEOUT, said
    return (Verdict.SURVIVED if code == pytest.ExitCode.OK else Verdict.KILLED), said


def _run(path: Path, tree: ast.Module, tests: Sequence[str], output: int, folder: str) -> None:
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.meta_path.insert(0, _Changed(path, tree))
    code = 99
    try:
        options = ["-x", "-q", "--no-header", "-p", "no:xdist", "-p", "no:randomly", "--hypothesis-seed=0"]
        code = pytest.main([*options, f"--basetemp={folder}/t", "-k", "not postgresql", *dict.fromkeys(tests)])
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
