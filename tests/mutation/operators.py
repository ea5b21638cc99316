"""What is changed: one comparison, constant, table entry, statement … at a time, in the syntax tree."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """
    One change.

    Attributes:
        node: Position of the changed node in the walk over the tree.
        edit: Which of the changes that this node allows.
    """

    node: int
    edit: int
    line: int
    what: str


Edit = tuple[str, Callable[[], None]]

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_SAME_EITHER_WAY: Final = ("compare_digest", "max", "min")
_REMOVABLE: Final = (ast.Expr, ast.Raise, ast.AugAssign, ast.Assign, ast.Break, ast.Continue)
_TYPES: Final = frozenset({"Callable", "TypeVar", "dict", "list", "tuple"})
_NOT_CODE: Final = {"annotation", "returns", "decorator_list", "bases"}


def mutants(source: str) -> list[Mutant]:
    """All changes of a module, in the order of the walk."""
    tree = ast.parse(source)
    return [
        Mutant(node=number, edit=edit, line=getattr(node, "lineno", 0), what=what)
        for number, node in enumerate(_walk(tree))
        for edit, (what, _) in enumerate(_edits(node))
    ]


def changed(source: str, mutant: Mutant) -> ast.Module:
    """The module with one change."""
    tree = ast.parse(source)
    node = list(_walk(tree))[mutant.node]
    _edits(node)[mutant.edit][1]()
    return ast.fix_missing_locations(tree)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Code alone: no annotations, no types, no decorators, no texts for people."""
    yield node
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        if name in _NOT_CODE:
            continue
        for child in children:
            if isinstance(child, ast.AST) and not _is_text(child) and not _is_type(child):
                yield from _walk(child)


def _is_text(node: ast.AST) -> bool:
    """Docstrings, and f-strings and texts with a blank, which are for people."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.Constant) and " " in str(part.value) for part in node.values)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def _is_type(node: ast.AST) -> bool:
    """Names of types that stand where a value could: they do nothing when the code runs."""
    named = node.value if isinstance(node, ast.Subscript) else node.func if isinstance(node, ast.Call) else node
    return isinstance(named, ast.Name) and named is not node and named.id in _TYPES


def _edits(node: ast.AST) -> list[Edit]:
    """Every change that this node allows."""
    return [edit for kind, edits in _EDITS.items() if isinstance(node, kind) for edit in edits(node)]


def _comparison(node: ast.Compare) -> Iterator[Edit]:
    for place, old in enumerate(node.ops):
        for new in _COMPARISONS[type(old)]:
            yield (f"{_name(old)} becomes {new.__name__}", _putter(node.ops, place, new()))


def _boolean(node: ast.BoolOp) -> Iterator[Edit]:
    new: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield (f"{_name(node.op)} becomes {_name(new)}", _setter(node, "op", new))


def _negation(node: ast.UnaryOp) -> Iterator[Edit]:
    if isinstance(node.op, ast.Not):
        yield ("not removed", _setter(node, "operand", _negated(node.operand)))
    elif isinstance(node.op, ast.USub):
        yield ("minus removed", _setter(node, "op", ast.UAdd()))


def _arithmetic(node: ast.BinOp) -> Iterator[Edit]:
    new = _ARITHMETIC.get(type(node.op))
    if new is not None:
        yield (f"{_name(node.op)} becomes {new.__name__}", _setter(node, "op", new()))


def _constant(node: ast.Constant) -> Iterator[Edit]:
    value = node.value
    if isinstance(value, bool):
        yield (f"{value} becomes {not value}", _setter(node, "value", not value))
    elif isinstance(value, int):
        yield (f"{value} becomes {value + 1}", _setter(node, "value", value + 1))
    elif isinstance(value, str):
        yield (f"{value!r} becomes {value + 'X'!r}", _setter(node, "value", value + "X"))
    elif isinstance(value, bytes):
        yield (f"{value!r} becomes {value + b'X'!r}", _setter(node, "value", value + b"X"))


def _return(node: ast.Return) -> Iterator[Edit]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield (f"return of {ast.unparse(node.value)[:40]} becomes None", _setter(node, "value", ast.Constant(None)))


def _condition(node: ast.If | ast.While) -> Iterator[Edit]:
    yield (f"if {ast.unparse(node.test)[:40]} is negated", _setter(node, "test", _negated(node.test)))


def _choice(node: ast.IfExp) -> Iterator[Edit]:
    yield (f"the choice by {ast.unparse(node.test)[:40]} is swapped", _setter(node, "test", _negated(node.test)))


def _call(node: ast.Call) -> Iterator[Edit]:
    if ast.unparse(node.func).endswith(_SAME_EITHER_WAY):
        return
    if len(node.args) > 1 and not any(isinstance(arg, ast.Starred) for arg in node.args[:2]):
        swapped = [node.args[1], node.args[0], *node.args[2:]]
        yield (f"the first arguments of {ast.unparse(node.func)} are swapped", _setter(node, "args", swapped))


def _entry(node: ast.Dict) -> Iterator[Edit]:
    for place, key in enumerate(node.keys):
        if key is not None:
            keys = node.keys[:place] + node.keys[place + 1 :]
            values = node.values[:place] + node.values[place + 1 :]
            yield (
                f"the entry {ast.unparse(key)} is removed",
                _both(_setter(node, "keys", keys), _setter(node, "values", values)),
            )


def _member(node: ast.Set | ast.Tuple | ast.List) -> Iterator[Edit]:
    if not isinstance(node.ctx if isinstance(node, ast.Tuple | ast.List) else ast.Load(), ast.Load):
        return
    if isinstance(node, ast.Set) and len(node.elts) < 2:
        return
    for place, member in enumerate(node.elts):
        rest = node.elts[:place] + node.elts[place + 1 :]
        yield (f"the member {ast.unparse(member)[:40]} is removed", _setter(node, "elts", rest))


def _statement(node: ast.AST) -> Iterator[Edit]:
    """A statement that does something is taken out; one that only names a value is not: its absence is plain."""
    blocks: list[Any] = [getattr(node, name, None) for name in ("body", "orelse", "finalbody")]
    for block in (found for found in blocks if isinstance(found, list)):
        for place, statement in enumerate(block):
            if isinstance(statement, _REMOVABLE) and not _is_text(statement) and not _names_only(statement):
                yield (f"removed: {ast.unparse(statement)[:60]}", _putter(block, place, ast.Pass()))


def _names_only(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Assign) and all(isinstance(t, ast.Name | ast.Tuple) for t in statement.targets)


_EDITS: Final[dict[type[ast.AST], Callable[..., Iterator[Edit]]]] = {
    ast.Compare: _comparison,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _negation,
    ast.BinOp: _arithmetic,
    ast.Constant: _constant,
    ast.Return: _return,
    ast.If: _condition,
    ast.While: _condition,
    ast.IfExp: _choice,
    ast.Call: _call,
    ast.Dict: _entry,
    ast.Set: _member,
    ast.Tuple: _member,
    ast.List: _member,
    ast.AST: _statement,
}


def _name(node: ast.AST) -> str:
    return type(node).__name__


def _negated(node: ast.expr) -> ast.expr:
    return ast.UnaryOp(op=ast.Not(), operand=node)


def _setter(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _putter(items: list[Any], place: int, value: ast.AST) -> Callable[[], None]:
    return lambda: items.__setitem__(place, value)


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def act() -> None:
        first()
        second()

    return act
