"""`python -m scaffold NAME` in the checkout's root: an adapter that works, of an invented bank. Overwrites nothing."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from scaffold.parties import ADAPTERS, SIMULATORS, add, faults_of, places

TEMPLATE: Final = Path(__file__).parent / "template"

_PLACEHOLDER: Final = "newbank"
_CLASS_PREFIX: Final = "Newbank"
_TEXTS: Final = frozenset({".py", ".md"})

_NEXT: Final = """\
Written, of an invented bank, and working as it stands:

  adapters/{name}/             what the gateway speaks      sandbox/{name}/           what the bank answers
  tests/adapters/{name}/       its case, its vectors        docs/providers/{name}.md  its page
  one line in adapters/registry.py, one in sandbox/registry.py

Next:
  1. .venv/bin/python -m pytest -n 2 tests/adapters/{name} tests/conformance tests/sandbox/test_kinds.py -k {name}
  2. grep -rn "Fact to replace" adapters/{name} sandbox/{name} tests/adapters/{name} docs/providers/{name}.md
     Each line says which fact of the bank's document belongs there. The tests first, then the simulator, then the
     adapter: what you write twice from the document, you have read twice.
  3. make check
docs/adding-a-provider.md goes the way to the first paid order.
"""


def write(root: Path, name: str) -> None:
    """
    Write the folders and the page, and register the name.

    Raises:
        ValueError: No party can have this name; nothing was written.
    """
    faults = list(faults_of(root, name))
    if faults:
        raise ValueError("; ".join(faults))
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        target = root / source.relative_to(TEMPLATE).as_posix().replace(_PLACEHOLDER, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix in _TEXTS:
            target.write_text(named(source.read_text("utf-8"), name), "utf-8")
        else:
            shutil.copyfile(source, target)
    for registry in (ADAPTERS, SIMULATORS):
        add(root, registry, name)
    _tidy(root, [place for place in places(name) if not place.endswith(".md")])


def named(text: str, name: str) -> str:
    """The template's text with the name in place of the placeholder."""
    prefix = "".join(part.capitalize() for part in name.split("_"))
    return text.replace(_PLACEHOLDER, name).replace(_CLASS_PREFIX, prefix)


def _tidy(root: Path, folders: list[str]) -> None:
    """The order of imports and the breaks of lines depend on the name."""
    for arguments in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, *folders], cwd=root, check=True)  # noqa: S603  our own command


def main() -> None:
    """Write, and say what to do next."""
    parser = argparse.ArgumentParser(prog="python -m scaffold", description="Write a new adapter that works.")
    parser.add_argument("name", help="lower-case word, e.g. bank_x: folders, tests, page, address and settings")
    name = parser.parse_args().name
    try:
        write(Path.cwd(), name)
    except ValueError as exc:
        parser.error(str(exc))
    print(_NEXT.format(name=name))


if __name__ == "__main__":
    main()
