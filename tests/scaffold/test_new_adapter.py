"""What `make new-adapter` writes: in a copy of the checkout, and as it stands, it passes everything that is asked."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from scaffold.__main__ import TEMPLATE, named
from scaffold.parties import ADAPTERS, SIMULATORS, add, entries, faults_of, places

ROOT: Final = Path(__file__).parents[2]
NAME: Final = "bank_with_long_name1"
"""As long as a name may be: lines break where they can."""

COPIED: Final = ("adapters", "gateway", "sandbox", "schemas", "scaffold", "tests", "docs", ".ci")
PACKAGES: Final = (f"adapters.{NAME}", f"sandbox.{NAME}", f"tests.adapters.{NAME}")

pytestmark = pytest.mark.timeout(600)


def run(folder: Path, *arguments: str) -> None:
    """A module's command in the copy."""
    run_command(folder, sys.executable, "-m", *arguments)


def run_command(folder: Path, *command: str) -> None:
    """Nothing of this test run is around it; what it printed is the failure's text."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy in which the command was given once."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", ".importlinter", "Makefile"):
        shutil.copyfile(ROOT / name, folder / name)
    run(folder, "scaffold", NAME)
    yield folder
    shutil.rmtree(folder)


def test_written_adapter_passes_every_suite(checkout: Path) -> None:
    """Its own tests, its part of the conformance suite and of the sandbox's, and the rules of files and folders."""
    suites = ("tests/conformance", "tests/sandbox/test_kinds.py", f"tests/adapters/{NAME}", "tests/architecture")

    run(checkout, "pytest", "-x", *suites, "-k", f"{NAME} or (architecture and not adapter)")


def test_written_adapter_passes_style_types_and_import_rule(checkout: Path) -> None:
    """Whatever its name does to the order of imports and the length of lines."""
    folders = [place for place in places(NAME) if not place.endswith(".md")]

    run(checkout, "ruff", "check", "--no-cache", *folders, ADAPTERS.path, SIMULATORS.path)
    run(checkout, "ruff", "format", "--no-cache", "--check", *folders, ADAPTERS.path, SIMULATORS.path)
    run(checkout, "mypy", *(part for package in PACKAGES for part in ("-p", package)))
    run_command(checkout, str(Path(sys.executable).with_name("lint-imports")), "--no-cache")


def test_written_adapter_is_registered_by_one_line_each(checkout: Path) -> None:
    """Nothing else that was there has changed."""
    for registry in (ADAPTERS, SIMULATORS):
        before = (ROOT / registry.path).read_text().splitlines()
        after = (checkout / registry.path).read_text().splitlines()

        assert [registry.line.format(name=NAME).rstrip()] == [line for line in after if line not in before]
        assert before == [line for line in after if NAME not in line]
        assert NAME == list(entries(checkout, registry))[-1]


def test_second_command_of_the_same_name_writes_nothing(checkout: Path) -> None:
    """What an engineer has changed is not overwritten."""
    page = checkout / "docs" / "providers" / f"{NAME}.md"
    before = page.read_bytes()

    with pytest.raises(AssertionError, match="is there already"):
        run(checkout, "scaffold", NAME)
    assert before == page.read_bytes()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        pytest.param("Bank_x", "lower-case word", id="capital"),
        pytest.param("bank-x", "lower-case word", id="hyphen"),
        pytest.param("../bank", "lower-case word", id="path"),
        pytest.param("1bank", "lower-case word", id="digit-first"),
        pytest.param("b" * 21, "lower-case word", id="too-long"),
        pytest.param("import", "lower-case word", id="keyword"),
        pytest.param("alipay", "alipay is registered already", id="registered"),
        pytest.param("front", "front is registered already", id="client-of-the-gateway"),
        pytest.param("kit", "adapters/kit is there already", id="folder"),
        pytest.param("clock", "sandbox/clock.py is there already", id="module-of-the-sandbox"),
        pytest.param("alipay_x", "alipay_x and alipay begin alike", id="begins-with-another"),
        pytest.param("shared", "shared and shared_account begin alike", id="another-begins-with-it"),
    ],
)
def test_name_that_cannot_be_is_refused(name: str, complaint: str) -> None:
    """Before anything is written."""
    assert any(complaint in fault for fault in faults_of(ROOT, name))


@pytest.mark.parametrize("name", ["bank_of_tests", "zz", "bank9", "alipay9"])
def test_name_that_can_be_has_no_fault(name: str) -> None:
    """Told apart from every other. None is a name that somebody would take."""
    assert [] == list(faults_of(ROOT, name))


def test_registry_without_its_table_is_not_touched(tmp_path: Path) -> None:
    """A registry that was rebuilt asks for a change of the tool."""
    (tmp_path / "adapters").mkdir()
    (tmp_path / ADAPTERS.path).write_text("TABLE = {}\n")

    with pytest.raises(ValueError, match="no table _BUILDERS"):
        add(tmp_path, ADAPTERS, "bank_x")
    assert (tmp_path / ADAPTERS.path).read_text() == "TABLE = {}\n"


def test_name_in_the_template_becomes_folder_class_and_text() -> None:
    """bank_x is BankX where Python wants a class."""
    assert named("class NewbankProvider: name = 'newbank'", "bank_x") == "class BankXProvider: name = 'bank_x'"


def test_template_says_where_the_banks_facts_belong() -> None:
    """Each module that speaks the protocol names facts, each with the section of the document that has it."""
    spoken = [path for path in TEMPLATE.rglob("*.py") if path.stem in {"signing", "tables", "wire", "config", "orders"}]
    texts = {path: " ".join(path.read_text().split()) for path in spoken}

    assert len(spoken) == 6
    for path, text in texts.items():
        facts = text.split("Fact to replace:")[1:]
        assert facts, path
        assert [fact[:80] for fact in facts if "source:" not in fact[:400] and "(source" not in fact[:400]] == [], path
