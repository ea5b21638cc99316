"""
The XML of the bank's client program (外联平台, EBS): written, and taken apart with document types and entities refused.

Nothing read here is signed. It comes from inside our network, and counts only as far as it repeats our question.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

ENCODING: Final = "GB18030"
"""Written and read: GBK and GB2312, which the bank's samples name, are parts of it. Source: sheet section 2.4."""

_DEPTH_MAX: Final = 6
_ELEMENTS_MAX: Final = 20_000
_BOM: Final = "\ufeff"


class Malformed(ValueError):
    """Not such an XML."""


@dataclass(slots=True, kw_only=True)
class Element:
    """One element: its own text, or those within it."""

    name: str
    text: str = field(default="", repr=False)
    children: list["Element"] = field(default_factory=list, repr=False)

    def all(self, name: str) -> Sequence["Element"]:
        """The children of this name."""
        return [child for child in self.children if child.name == name]

    def get(self, name: str) -> str:
        """
        The text of the one child of this name, "" if there is none.

        Raises:
            Malformed: There are several.
        """
        found = self.all(name)
        if len(found) > 1:
            raise Malformed(name)
        return found[0].text.strip() if found else ""


Tree = Mapping[str, "str | Tree"]


def write(root: str, tree: Tree) -> bytes:
    """A document of the given elements in their order."""
    body = f"<{root}>{''.join(_written(tree))}</{root}>"
    return f'<?xml version="1.0" encoding="{ENCODING}" standalone="yes" ?>{body}'.encode(ENCODING)


def read(raw: bytes) -> Element:
    """
    The root of a document, whatever encoding it says that it has.

    Raises:
        Malformed: Not GB18030, not well-formed, a document type, or too deep or large.
    """
    builder = _Builder()
    try:
        builder.parse(raw.decode(ENCODING).removeprefix(_BOM).strip())
    except UnicodeDecodeError:
        raise Malformed("encoding") from None
    except expat.ExpatError as exc:
        raise Malformed(f"not well-formed ({exc.code})") from None
    return builder.root


def _written(tree: Tree) -> Iterator[str]:
    for name, value in tree.items():
        inner = escape(value) if isinstance(value, str) else "".join(_written(value))
        yield f"<{name}>{inner}</{name}>"


class _Builder:
    """Builds the tree of one document."""

    def __init__(self) -> None:
        self._top = Element(name="")
        self._open = [self._top]
        self._count = 0

    def parse(self, text: str) -> None:
        parser = expat.ParserCreate("utf-8")  # outweighs what the document declares
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.Parse(text.encode(), True)  # noqa: FBT003  expat's own signature

    @property
    def root(self) -> Element:
        return self._top.children[0]

    def _start(self, name: str, _attributes: object) -> None:
        self._count += 1
        if self._count > _ELEMENTS_MAX or len(self._open) > _DEPTH_MAX:
            raise Malformed("too large")
        element = Element(name=name)
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        self._open[-1].text += text


def _refuse(*_declaration: object) -> None:
    raise Malformed("a document type")
