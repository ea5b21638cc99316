"""The table of what adapters cost."""

from pathlib import Path
from typing import Final

import pytest

from adapters.registry import provider_names
from scaffold.cost import row, table

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "adding-a-provider.md"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One provider, small enough to count by hand."""
    files = {
        "adapters/registry.py": '_BUILDERS: Final = {\n    "abc": "adapters.bank.abc:build",\n}\n',
        "sandbox/registry.py": '_KINDS: Final = {\n    "abc": "sandbox.abc.kind",\n}\n',
        "adapters/bank/abc/adapter.py": 'name = "abc"\n\nx = 1\n',
        "adapters/bank/abc/__pycache__/adapter.py": "x\n",
        "sandbox/abc/kind.py": 'PROVIDER = "abc"\n',
        "sandbox/demo.py": 'first = "abc"\nother = "abc_d"\nsecond = "abcd"\n',
        "gateway/entry.py": 'METHODS = {"abc.qr": 1}\n',
        "tests/adapters/abc/case.py": "x\ny\n",
        "tests/adapters/abc/vectors/key.pem": "x\n",
        "tests/sandbox/test_abc.py": "x\n",
        "tests/journeys/accounts.py": 'MODES = ["abc"]\n',
        "docs/providers/abc.md": "x\n" * 7,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_row_counts_what_is_the_providers_own_and_what_names_it(checkout: Path) -> None:
    """Files / lines; vectors come from the bank; another name that begins alike is another name."""
    assert ("abc", "1 / 3", "2 / 3", "1 / 1", "7", "2", "2", "1") == row(checkout, "abc", "adapters/bank/abc")


def test_table_has_every_registered_provider() -> None:
    """And the template, as the least that one costs."""
    rows = [line.split("|")[1].strip() for line in table(ROOT).splitlines()[2:]]

    assert [*provider_names(), "as written by `make new-adapter`"] == rows


def test_page_has_the_tables_columns_and_says_how_it_was_made() -> None:
    """The lines change every week; the columns do not."""
    page = PAGE.read_text()

    assert table(ROOT).splitlines()[0] in page
    assert "made by `make adapter-cost` on " in page
