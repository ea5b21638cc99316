"""The page of what fails elsewhere names a test for every row, and every test that it names is there."""

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "field-failures.md"
ROWS: Final = [f"N{number}" for number in range(1, 25)]
_ROW: Final = re.compile(r"^\| (N\d+) \|(.*)\|$", re.MULTILINE)
_TEST: Final = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_\w+)`")


def named_tests() -> Mapping[str, list[tuple[str, str]]]:
    """By row, the tests of the page as file and name."""
    return {row: _TEST.findall(cells) for row, cells in _ROW.findall(PAGE.read_text())}


@cache
def functions_of(file: str) -> frozenset[str]:
    """The names of a file's tests; none when there is no such file."""
    path = ROOT / file
    tree = ast.parse(path.read_bytes()) if path.is_file() else ast.Module(body=[], type_ignores=[])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_page_has_every_row_once_in_its_order() -> None:
    """None is forgotten, none is made up."""
    assert [row for row, _ in _ROW.findall(PAGE.read_text())] == ROWS


@pytest.mark.parametrize("row", ROWS)
def test_row_names_tests_that_are_there(row: str) -> None:
    """A test that is renamed is renamed on the page."""
    named = named_tests()[row]

    assert named
    assert [f"{file}::{name}" for file, name in named if name not in functions_of(file)] == []


def test_every_test_that_calls_itself_a_rows_is_of_a_row() -> None:
    """A docstring that says N25 means a row that the page does not have."""
    texts = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    said = {row for text in texts for row in re.findall(r'"""(N\d+): ', text)}

    assert said <= set(ROWS)
