"""`init`: a working configuration with fresh keys, against the simulators. It overwrites nothing."""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, Final

import click

from gateway.cli.wiring import SANDBOX_FOLDER, SANDBOX_PORT, create_sandbox_keys
from gateway.domain.secret import Secret
from schemas.config import gateway_schema

_KEY_BYTES: Final = 32
_API_KEY_PREFIX: Final = "jf_"  # so that a leaked key is recognised by those who search for one
_DEMO_APP: Final = "apps.demo"
"""The table that this module begins and the sandbox may add to."""
_DATABASE_DEFAULT: Final = "sqlite:///gateway.db"


def _database_url(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Refuse what the configuration would be refused for, before anything is written."""
    faults = gateway_schema.validate({"database_url": Secret(value)}, partial=True)
    if faults:
        raise click.BadParameter(faults["database_url"][0])
    return value


@click.command()
@click.option(
    "--folder",
    default=".",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where gateway.toml and secrets/ are written.",
)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Port of jiaofei serve.")
@click.option(
    "--sandbox-port",
    default=SANDBOX_PORT,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port of jiaofei sandbox.",
)
@click.option(
    "--database",
    default=_DATABASE_DEFAULT,
    show_default=True,
    callback=_database_url,
    help="sqlite:///<path>, counted from the folder, or postgresql://<host>/<database>.",
)
def init(folder: Path, port: int, sandbox_port: int, database: str) -> None:
    """Write a working configuration with generated keys against the sandbox."""
    _refuse_to_overwrite(folder)
    vault = folder / "secrets"
    vault.mkdir(mode=0o700, parents=True)
    sections = create_sandbox_keys(
        vault / SANDBOX_FOLDER,
        root_url=f"http://127.0.0.1:{sandbox_port}",
        named=f"secrets/{SANDBOX_FOLDER}",
    )
    api_key = _API_KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    for name in ("data_key", "index_key", "token_key"):
        _write_private(vault / name, base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode())
    _write_private(vault / "demo_api_key", api_key)
    in_clear = database.startswith("sqlite:")
    if not in_clear:
        _write_private(vault / "database_url", database)
    text = _CONFIGURATION.substitute(
        port=port,
        database_url=_toml(database if in_clear else "file:secrets/database_url"),
        api_key_digest=hashlib.sha256(api_key.encode()).hexdigest(),
    )
    demo = _lines(sections.get(_DEMO_APP, {}))
    others = [_section(name, values) for name, values in sections.items() if name != _DEMO_APP]
    _write_private(folder / "gateway.toml", "\n".join([f"{text}{demo}", *others, _AGENT]).rstrip("\n"))
    click.echo(f"written: {folder / 'gateway.toml'} and {vault}{os.sep}")
    click.echo(f"API key of the app demo, shown this once: {api_key}")
    click.echo(f"next: export GATEWAY_CONFIG={folder / 'gateway.toml'}; jiaofei db upgrade; then, each for itself,")
    click.echo(f"  jiaofei sandbox --port {sandbox_port}\n  jiaofei serve --port {port}\n  jiaofei worker")


def _refuse_to_overwrite(folder: Path) -> None:
    for path in (folder / "gateway.toml", folder / "secrets"):
        if path.exists():
            raise click.ClickException(f"{path} exists already; nothing was written")


def _write_private(path: Path, text: str) -> None:
    """A new file that its owner alone may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{text}\n")


def _section(name: str, values: Mapping[str, Any]) -> str:
    """A table of TOML."""
    return f"[{name}]\n{_lines(values)}"


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    """A text, a number or a list of such in TOML; JSON's escapes are a part of TOML's."""
    return json.dumps(value, ensure_ascii=False)


_CONFIGURATION: Final = Template("""\
# Jiaofei against its own sandbox. Every key is explained in docs/configuration.md.
# "file:…" is read from this folder, "env:…" from the environment; no secret stands in this file.

[gateway]
database_url = $database_url
public_base_url = "http://127.0.0.1:$port"
data_keys = ["file:secrets/data_key"]
index_key = "file:secrets/index_key"
token_key = "file:secrets/token_key"

[apps.demo]
entry = "trial"
api_keys = ["sha256:$api_key_digest"]
""")

_AGENT: Final = """\
[agents.first_village]
code = "V-01"
title = "示例代办点"
kind = "village"
apps = ["demo"]
"""
