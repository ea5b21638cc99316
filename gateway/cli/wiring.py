"""
The command's only ways to the composition root and to the simulators.

They are imported when they are called, so that `jiaofei --help` and `jiaofei init` load neither Flask nor adapters.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.settings import Settings, load_settings

if TYPE_CHECKING:
    from gateway.app import World

SANDBOX_PORT: Final = 8400
SANDBOX_FOLDER: Final = "sandbox"
"""Below secrets/: the keys that `init` made for the simulators and pointed the accounts at."""


@contextmanager
def opened_world(settings: Settings) -> "Iterator[World]":
    """
    The store and the providers, let go of at the end.

    Raises:
        SettingsInvalid: An account's settings are at fault.
    """
    from gateway.app import build_world

    world = build_world(settings)
    try:
        yield world
    finally:
        world.close()


def load_application(_target: str) -> Any:
    """The WSGI application of one web process, from the configuration it finds."""
    from gateway.app import create_app

    settings = load_settings()
    start_logging(settings)
    return create_app(settings)


def start_logging(settings: Settings) -> None:
    """Log lines in the application's form, from here on."""
    from gateway.app import configure_logging

    configure_logging(settings.log_level)


def create_sandbox_keys(folder: Path, *, root_url: str, named: str) -> Mapping[str, Mapping[str, Any]]:
    """Make the simulators' keys; returns the configuration's sections for them, where the folder is called `named`."""
    from sandbox.keyring import create_keyring

    return create_keyring(folder).configuration(root_url, named)


def serve_sandbox(host: str, port: int, folder: Path, gateway_url: str) -> None:
    """Run the simulators in this thread until an exception ends them."""
    from sandbox.app import serve

    serve(host, port, folder, gateway_url)
