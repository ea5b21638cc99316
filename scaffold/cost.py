"""`python -m scaffold.cost` in the checkout's root: what each registered provider costs, as a table in Markdown."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scaffold.parties import ADAPTERS, SIMULATORS, entries

_ROOMS: Final = ("adapters", "gateway", "sandbox", "schemas")
_REGISTRIES: Final = frozenset({ADAPTERS.path, SIMULATORS.path})
_COUNTED: Final = frozenset({".py", ".md", ".html"})
_TEMPLATE: Final = Path("scaffold/template")
_TEMPLATE_NAME: Final = "newbank"
_HEAD: Final = (
    "provider",
    "adapter",
    "tests",
    "simulator",
    "page",
    "registries",
    "elsewhere",
    "shared tests",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Files and their lines, blank ones and docstrings included."""

    files: int
    lines: int

    def __str__(self) -> str:
        return f"{self.files} / {self.lines}"


def size_of(paths: Iterable[Path]) -> Size:
    """Vectors and other samples are not counted: they come from the bank."""
    counted = [path for path in paths if path.suffix in _COUNTED and path.exists()]
    lengths = [len(path.read_text("utf-8").splitlines()) for path in counted]
    return Size(files=len(lengths), lines=sum(lengths))


def row(root: Path, name: str, folder: str) -> tuple[str, ...]:
    """
    One provider's line of the table.

    Args:
        folder: The adapter's own, such as adapters/bank/icbc.
    """
    own = {root / folder, root / "sandbox" / name}
    own_tests = set(_tests(root, name))
    registries = [line for path in sorted(_REGISTRIES) for line in _naming(root / path, name)]
    elsewhere = [
        line
        for path in _sources(root)
        if not own & set(path.parents) and path.relative_to(root).as_posix() not in _REGISTRIES
        for line in _naming(path, name)
    ]
    shared = [line for path in _python(root / "tests") if path not in own_tests for line in _naming(path, name)]
    return (
        name,
        str(size_of(_within(root / folder))),
        str(size_of(own_tests)),
        str(size_of(_within(root / "sandbox" / name))),
        str(size_of([root / "docs" / "providers" / f"{name}.md"]).lines),
        str(len(registries)),
        str(len(elsewhere)),
        str(len(shared)),
    )


def table(root: Path) -> str:
    """Every registered provider, and last what `make new-adapter` writes."""
    rows = [
        row(root, name, builder.partition(":")[0].replace(".", "/"))
        for name, builder in entries(root, ADAPTERS).items()
    ]
    template = root / _TEMPLATE
    _name, *written = row(template, _TEMPLATE_NAME, f"adapters/{_TEMPLATE_NAME}")[:-3]
    rows.append(("as written by `make new-adapter`", *written, "2", "0", "0"))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (_HEAD, ("---",) * len(_HEAD), *rows))


def _tests(root: Path, name: str) -> Iterator[Path]:
    """The adapter's own, and those of its simulator and its journeys, which bear its name."""
    yield from _within(root / "tests" / "adapters" / name)
    for room in ("sandbox", "journeys"):
        yield from sorted(path for path in (root / "tests" / room).glob("*.py") if name in path.stem)


def _within(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _sources(root: Path) -> list[Path]:
    return [path for room in _ROOMS for path in _python(root / room)]


def _python(folder: Path) -> list[Path]:
    return [path for path in _within(folder) if path.suffix == ".py"]


def _naming(path: Path, name: str) -> list[str]:
    """The lines that name the provider, as a word of its own."""
    if not path.exists():
        return []
    word = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])")
    return [line for line in path.read_text("utf-8").splitlines() if word.search(line)]


def main() -> None:
    """Print the table."""
    print(table(Path.cwd()))


if __name__ == "__main__":
    main()
