"""The key material of both sides."""

import stat
from pathlib import Path

import pytest

from sandbox.keyring import Keyring, create_keyring, load_keyring


def test_keyring_files_are_private(keyring: Keyring) -> None:
    """Mode 0600 for every file."""
    modes = {stat.S_IMODE(path.stat().st_mode) for path in keyring.folder.iterdir()}

    assert {0o600} == modes


def test_keyring_loaded_again_is_the_same(keyring: Keyring) -> None:
    """Identities, secrets and certificates survive the files."""
    again = load_keyring(keyring.folder)

    assert keyring.identities == again.identities
    assert keyring.apiv3_key == again.apiv3_key
    assert keyring.alipay_roots == again.alipay_roots
    assert keyring.alipay_certificate == again.alipay_certificate
    assert keyring.platform_private_key.private_numbers() == again.platform_private_key.private_numbers()


def test_keyring_is_never_overwritten(keyring: Keyring) -> None:
    """A second creation in the same folder is refused."""
    with pytest.raises(FileExistsError):
        create_keyring(keyring.folder)


def test_keyring_of_an_empty_folder_is_missing(tmp_path: Path) -> None:
    """The caller may then create one."""
    with pytest.raises(FileNotFoundError):
        load_keyring(tmp_path)


def test_keyring_repr_shows_no_secret(keyring: Keyring) -> None:
    """No key object and not the APIv3 key."""
    assert keyring.apiv3_key.decode() not in repr(keyring)
    assert "PrivateKey" not in repr(keyring)


def test_keyring_docstring_names_every_file(keyring: Keyring) -> None:
    """The list the gateway's configuration is made from is complete."""
    import sandbox.keyring as module

    assert [path.name for path in keyring.folder.iterdir() if path.name not in str(module.__doc__)] == []
