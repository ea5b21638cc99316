"""Every registered kind: its keys, what they show, what the configuration says of them, and its place in the pages."""

import importlib
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from sandbox.app import Sandbox, create_sandbox
from sandbox.clock import SandboxClock
from sandbox.frame import Surroundings
from sandbox.keyfiles import has_keys, identity_file
from sandbox.keyring import Keyring, open_keyring
from sandbox.kind import Kind
from sandbox.registry import all_kinds
from tests.sandbox.merchants import Inbox

KINDS = [pytest.param(kind, id=name) for name, kind in all_kinds().items()]
REFERENCE = re.compile(r"file:keys/(.+)")


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    """One kind; a test over a kind that lacks a package here has nothing to look at."""
    wanted: Kind = request.param
    if wanted.lacks():
        pytest.skip(f"{wanted.provider} {wanted.lacks()}")
    return wanted


def files_of(kind: Kind, folder: Path) -> list[Path]:
    """A party's files in a folder."""
    return sorted(folder.glob(f"{kind.provider}_*"))


def test_names_of_parties_do_not_begin_with_each_other() -> None:
    """Key files are told apart by the beginning of their names."""
    names = list(all_kinds())

    assert [] == [(one, other) for one in names for other in names if other.startswith(f"{one}_")]


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_files_are_private_named_in_the_table_and_the_partys_own(kind: Kind, keyring: Keyring) -> None:
    """Mode 0600; each stands in the docstring of keys.py; the identity is the last that is written."""
    files = files_of(kind, keyring.folder)
    table = str(importlib.import_module(kind.load_keys.__module__).__doc__)

    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in files}
    assert [path.name for path in files if path.name not in table] == []
    assert list(kind.new_files())[-1] == identity_file(keyring.folder, kind.provider).name
    assert set(kind.new_files()) == {path.name for path in files}


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_keys_show_no_secret(kind: Kind, keyring: Keyring) -> None:
    """No key object, and no secret text."""
    shown = repr(keyring.keys[kind.provider])
    secrets = [path for path in files_of(kind, keyring.folder) if path.suffix == ".txt"]

    assert "PrivateKey" not in shown
    assert [path.name for path in secrets if path.read_text("utf-8").strip() in shown] == []


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_keyring_made_before_the_party_was_added_is_completed(kind: Kind, keyring: Keyring, tmp_path: Path) -> None:
    """Nothing that was there changes; a second opening finds it complete and changes nothing."""
    folder = tmp_path / "ring"
    shutil.copytree(keyring.folder, folder, ignore=shutil.ignore_patterns(f"{kind.provider}_*"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    open_keyring(folder)
    completed = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = open_keyring(folder)

    assert before.items() <= completed.items()
    assert set(completed) - set(before) == {path.name for path in files_of(kind, keyring.folder)}
    assert completed == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(again.keys) == set(keyring.keys)


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_keyring_with_a_missing_file_is_refused(kind: Kind, keyring: Keyring, tmp_path: Path) -> None:
    """A set that was complete once is never made anew in part."""
    folder = tmp_path / "ring"
    shutil.copytree(keyring.folder, folder)
    missing = next(path for path in files_of(kind, folder) if re.search("private_key|secret", path.name))
    missing.unlink()

    with pytest.raises(FileNotFoundError, match=missing.name):
        open_keyring(folder)
    assert has_keys(folder, kind.provider)


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_configuration_points_at_files_that_are_there(kind: Kind, keyring: Keyring) -> None:
    """Every reference is to a file of the party's own."""
    sections = kind.configuration(
        keyring.keys[kind.provider], f"http://127.0.0.1:8400/{kind.provider}", lambda file: f"file:keys/{file}"
    )
    values = [value for section in sections.values() for value in section.values()]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    named = [match[1] for text in texts if isinstance(text, str) and (match := REFERENCE.fullmatch(text))]

    assert named
    assert {path.name for path in files_of(kind, keyring.folder)} >= set(named)


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_party_has_its_place_in_the_application(
    kind: Kind, keyring: Keyring, clock: SandboxClock, inbox: Inbox
) -> None:
    """Its simulator is there, its cashier knows no stranger, its own pages open and are linked from the index."""
    app = create_sandbox(keyring, post=inbox.post, clock=clock)
    sandbox: Sandbox = app.extensions["sandbox"]
    client = app.test_client()
    index = client.get("/").text

    assert sandbox.of(type(sandbox.simulators[kind.provider])) is sandbox.simulators[kind.provider]
    assert client.get(f"/control/books?provider={kind.provider}").json == {"payments": [], "refunds": []}
    assert client.post("/control/pay", json={"provider": kind.provider, "out_trade_no": "X"}).status_code == 409
    if kind.cashier is not None:
        assert client.get(f"/{kind.provider}{kind.cashier.path}?{kind.cashier.tokens[0]}=x").status_code == 409
    for page in kind.pages:
        address = f"/{kind.provider}{page.path}"
        assert kind.title in client.get(address).text
        assert f'href="{address}"' in index


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_own_faults_and_operations_are_known_to_the_board(kind: Kind, surroundings: Any) -> None:
    """A rule by name gives the party's own fault back."""
    around: Surroundings = surroundings(kind.provider)
    for fault in kind.faults or ():
        assert around.faults.add(fault.value, provider=kind.provider).fault is fault
    for operation in kind.operations:
        assert around.faults.add("half_json", operation=operation).operation == operation
