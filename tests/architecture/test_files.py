"""Limits and rooms that no linter knows: sizes, who reads environment and clock, what each adapter comes with."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from adapters.registry import provider_names

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("gateway", "adapters", "schemas", "sandbox")
OURS: Final = ("gateway", "adapters", "schemas")
MIGRATIONS: Final = ROOT / "gateway" / "migrations" / "versions"
FUNCTION: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
FUNCTION_LINES_MAX: Final = 60
FILE_LINES_MAX: Final = 400

SIMULATORS: Final = {"bank_bbp": "bank_biller", "bank_abchina_ebpp": "bank_biller"}
"""Where it has another name than the adapter: one bank asks by both protocols."""

ENVIRONMENT: Final = frozenset({"os.environ", "os.environb", "os.getenv", "os.putenv"})
WALL_CLOCK: Final = frozenset(
    {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.localtime"}
)


def sources(*rooms: str) -> list[Path]:
    """Every Python file of these rooms."""
    found = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    assert found, "no sources: the rooms have moved"
    return found


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def used_names(tree: ast.Module) -> Iterator[str]:
    """Dotted names as used, `from x import y` counted as a use of x.y."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            yield f"{node.value.attr}.{node.attr}"
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """A function's lines without those of the functions inside it."""
    inner = [node for node in ast.walk(function) if isinstance(node, FUNCTION) and node is not function]
    inside = {line for node in inner for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return len(set(range(function.lineno, (function.end_lineno or function.lineno) + 1)) - inside)


def using(names: frozenset[str], *rooms: str) -> set[str]:
    """The files of these rooms that use any of the names."""
    return {name_of(path) for path in sources(*rooms) if names & set(used_names(tree_of(path)))}


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_is_longer_than_the_limit(room: str) -> None:
    """A file that cannot be read in one sitting is two files."""
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in sources(room)}

    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_no_function_is_longer_than_the_limit(room: str) -> None:
    """A function that does not fit on a screen does more than one thing."""
    lengths = {
        f"{name_of(path)}:{node.name}": own_lines(node)
        for path in sources(room)
        if MIGRATIONS not in path.parents  # a migration is a record of one day's tables, read from top to bottom
        for node in ast.walk(tree_of(path))
        if isinstance(node, FUNCTION)
    }

    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_only_the_settings_read_the_environment() -> None:
    """Everything else is told."""
    assert using(ENVIRONMENT, *OURS) == {"gateway/settings.py"}


def test_only_the_clock_asks_the_machine_for_the_time() -> None:
    """Time is injected, so that tests and simulations set it."""
    assert using(WALL_CLOCK, *OURS) == {"gateway/domain/clock.py"}


def test_only_the_composition_root_opens_the_store() -> None:
    """The edge is handed a store; it opens none."""
    users = using(frozenset({"gateway.store.open_store", "store.open_store"}), *OURS)

    assert users == {"gateway/app.py"}


def test_every_module_says_what_it_is_for() -> None:
    """A module without a first sentence has no purpose yet."""
    silent = {name_of(path) for path in sources(*ROOMS) if path.stat().st_size and not ast.get_docstring(tree_of(path))}

    assert silent == set()


def test_every_adapter_folder_is_registered() -> None:
    """An adapter that nobody can name is dead code."""
    folders = {path.parent.name for path in (ROOT / "adapters").glob("*/__init__.py")} - {"kit", "bank"}
    flavours = {f"bank_{path.parent.name}" for path in (ROOT / "adapters" / "bank").glob("*/__init__.py")}

    assert folders | flavours <= set(provider_names())


@pytest.mark.parametrize("name", provider_names())
def test_adapter_comes_with_its_case(name: str) -> None:
    """The conformance suite needs it."""
    assert (ROOT / "tests" / "adapters" / name / "case.py").is_file()


@pytest.mark.parametrize("name", provider_names())
def test_adapter_comes_with_its_page(name: str) -> None:
    """The engineer who installs it needs it."""
    page = ROOT / "docs" / "providers" / f"{name}.md"

    assert page.is_file()
    assert page.stat().st_size > 500


@pytest.mark.parametrize("name", provider_names())
def test_adapter_comes_with_its_simulator(name: str) -> None:
    """It can be tried without an account."""
    party = SIMULATORS.get(name, name)

    assert (ROOT / "sandbox" / f"{party}.py").is_file() or (ROOT / "sandbox" / party / "__init__.py").is_file()
