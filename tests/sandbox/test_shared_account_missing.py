"""The sandbox where gmssl-pyx is not installed: everything but the shared account."""

import shutil
import sys
from pathlib import Path

import pytest

from sandbox.app import create_sandbox
from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring, open_keyring


def test_sandbox_runs_without_the_library(
    keyring: Keyring, tmp_path: Path, clock: SandboxClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No files, no simulator, no address, no provider; everything else as ever."""
    folder = tmp_path / "ring"
    shutil.copytree(keyring.folder, folder, ignore=shutil.ignore_patterns("shared_account_*"))
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    opened = open_keyring(folder)
    client = create_sandbox(opened, clock=clock).test_client()

    assert "shared_account" not in opened.keys
    assert [path.name for path in folder.glob("shared_account_*")] == []
    assert client.get("/").status_code == 200
    assert client.post("/shared_account/sa/pay/query").status_code == 404
    assert client.get("/shared_account/bindings").status_code == 404
    assert "gmssl-pyx" in client.get("/control/bindings").json["error"]
    assert client.get("/control/books?provider=shared_account").status_code == 400
    assert client.get("/control/books?provider=unionpay").status_code == 200
