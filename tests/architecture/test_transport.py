"""Nothing switches the check of a certificate off (N17), and nothing asks for that by another name."""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from tests.architecture.test_files import name_of, sources, tree_of

SWITCHES: Final = frozenset({"verify", "check_hostname", "assert_hostname", "cert_reqs", "verify_mode"})
WORDS: Final = frozenset({"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context", "disable_warnings"})


def switched_off(tree: ast.Module) -> Iterator[int]:
    """Lines that switch a check off, by keyword, by assignment or by one of the words for it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in SWITCHES and _is_off(node.value):
            yield node.value.lineno
        if isinstance(node, ast.Assign) and _is_off(node.value):
            names = {getattr(target, "attr", getattr(target, "id", "")) for target in node.targets}
            if names & SWITCHES:
                yield node.lineno
        if getattr(node, "attr", getattr(node, "id", "")) in WORDS:
            yield node.lineno  # type: ignore[attr-defined]


def _is_off(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not value.value


def test_no_code_path_has_the_check_of_certificates_off() -> None:
    """Not for tests, not for a sandbox, not for one provider."""
    found = {name_of(path): list(switched_off(tree_of(path))) for path in sources("gateway", "adapters", "schemas")}

    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "session.get(url, verify=False)",
        "session.get(url, verify=None)",
        "session.verify = False",
        "context.check_hostname = False",
        "context.verify_mode = ssl.CERT_NONE",
        "PoolManager(cert_reqs='')",
        "ssl._create_unverified_context()",
        "urllib3.disable_warnings()",
    ],
)
def test_switch_is_noticed_in_whatever_form(line: str) -> None:
    """What the test above would find."""
    assert list(switched_off(ast.parse(line)))
