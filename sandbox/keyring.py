"""
The folder with all key material of both sides, made once; every identity in it is invented and opens nothing.

Each party's files are listed in the docstring of its `keys.py`: the gateway's configuration points its `file:`
references at those marked G; those marked S are the simulators' own. Private keys are unencrypted PKCS#8 PEM; every
file has mode 0600, the folder 0700. A party that is added later, or whose package is, gets its files when the folder is
opened next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sandbox.keyfiles import has_keys, write_private
from sandbox.kind import Sections
from sandbox.registry import all_kinds, available_kinds

KeysT = TypeVar("KeysT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """
    Both sides' keys, parsed once. Its repr shows the folder alone.

    Attributes:
        keys: By the party's name; a party that cannot run here has none.
    """

    folder: Path
    keys: Mapping[str, Any] = field(repr=False)

    def of(self, wanted: type[KeysT]) -> KeysT:
        """The keys of this class; parties that share a class are told apart by `keys` alone."""
        return next(keys for keys in self.keys.values() if isinstance(keys, wanted))

    def path(self, name: str) -> Path:
        """Where one of the files stands."""
        return self.folder / name

    def configuration(self, root_url: str, key_folder: str) -> Sections:
        """The gateway's sections for every party, in order; `key_folder` is this folder as the gateway names it."""
        return {
            name: values
            for provider, keys in self.keys.items()
            for name, values in all_kinds()[provider]
            .configuration(keys, f"{root_url}/{provider}", lambda file: f"file:{key_folder}/{file}")
            .items()
        }


def create_keyring(folder: Path) -> Keyring:
    """
    Make every key and certificate of both sides, write them into the folder, and return them.

    Raises:
        FileExistsError: The folder holds a keyring already; nothing is overwritten.
    """
    there = [provider for provider in all_kinds() if has_keys(folder, provider)]
    if there:
        raise FileExistsError(f"there is a keyring already: {folder} has the keys of {', '.join(there)}")
    return open_keyring(folder)


def open_keyring(folder: Path) -> Keyring:
    """
    Read the folder's keyring, making what it lacks: all of it, or the files of a party that was added later.

    Raises:
        FileNotFoundError: A file is missing from a set that was complete once.
        ValueError: A file does not hold what its name says.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for provider, kind in available_kinds().items():
        if not has_keys(folder, provider):
            for name, content in kind.new_files().items():
                write_private(folder / name, content)
    return load_keyring(folder)


def load_keyring(folder: Path) -> Keyring:
    """
    Read a folder in which every party that can run here has its files.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    return Keyring(
        folder=folder, keys={provider: kind.load_keys(folder) for provider, kind in available_kinds().items()}
    )
