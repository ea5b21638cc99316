"""Which parties there are: the tables of both registries, read as text and written by one line each."""

import ast
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

NAME_CHARACTERS_MAX: Final = 20

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """
    A registry's file and table.

    Attributes:
        line: What names one party; `{name}` stands for its name.
    """

    path: str
    table: str
    line: str


ADAPTERS: Final = Registry(
    path="adapters/registry.py", table="_BUILDERS", line='    "{name}": "adapters.{name}:build",\n'
)
SIMULATORS: Final = Registry(path="sandbox/registry.py", table="_KINDS", line='    "{name}": "sandbox.{name}.kind",\n')


def entries(root: Path, registry: Registry) -> dict[str, str]:
    """
    The registry's table.

    Raises:
        ValueError: The file has no such table.
    """
    found: dict[str, str] = ast.literal_eval(_table(root, registry))
    return found


def add(root: Path, registry: Registry, name: str) -> None:
    """
    Put one line at the end of the table; nothing else of the file changes.

    Raises:
        ValueError: The file has no such table.
    """
    path = root / registry.path
    lines = path.read_text("utf-8").splitlines(keepends=True)
    last = (_table(root, registry).end_lineno or 0) - 1
    lines.insert(last, registry.line.format(name=name))
    path.write_text("".join(lines), "utf-8")


def faults_of(root: Path, name: str) -> Iterator[str]:
    """Why no party can have this name; nothing when it can."""
    if _NAME.fullmatch(name) is None or len(name) > NAME_CHARACTERS_MAX or keyword.iskeyword(name):
        yield f"a name is a lower-case word of at most {NAME_CHARACTERS_MAX} letters and digits, such as bank_x"
        return
    for path in places(name):
        for taken in (root / path, (root / path).with_suffix(".py")):
            if taken.exists():
                yield f"{taken.relative_to(root)} is there already"
    for other in {**entries(root, ADAPTERS), **entries(root, SIMULATORS)}:
        if other == name:
            yield f"{name} is registered already"
        elif other.startswith(f"{name}_") or name.startswith(f"{other}_"):
            yield f"{name} and {other} begin alike: key files are told apart by the beginning of their names"


def places(name: str) -> tuple[str, ...]:
    """What belongs to one party alone."""
    return (f"adapters/{name}", f"sandbox/{name}", f"tests/adapters/{name}", f"docs/providers/{name}.md")


def _table(root: Path, registry: Registry) -> ast.Dict:
    for node in ast.parse((root / registry.path).read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == registry.table:
            return cast("ast.Dict", node.value)
    raise ValueError(f"{registry.path} has no table {registry.table}")
