"""`config check` and the `db` commands: is this installation fit to run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

import click

from gateway.cli.edge import EXIT_FAILED, echo_json, echo_table
from gateway.cli.wiring import opened_world
from gateway.domain.clock import SystemClock, rfc3339
from gateway.domain.provider import Provider
from gateway.settings import SettingsInvalid, load_settings, load_with_warnings
from gateway.store import schema_is_current, upgrade

_WARN_DAYS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExpiry:
    """When one key or certificate of an account ends."""

    account: str
    key: str
    expires_at: datetime

    def days_left(self, now: datetime) -> int:
        """Whole days; negative once it has ended."""
        return (self.expires_at - now) // timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a check of the configuration brought; usable without faults."""

    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    keys: tuple[KeyExpiry, ...] = ()


@click.group()
def config() -> None:
    """The configuration file."""


@config.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def config_check(*, as_json: bool) -> None:
    """Tell every fault, every warning and when keys end; exit 1 on a fault."""
    now = SystemClock().now()
    findings = examine(now)
    if as_json:
        echo_json(_findings_document(findings, now))
    else:
        _echo_findings(findings, now)
    if findings.faults:
        click.get_current_context().exit(EXIT_FAILED)


def examine(now: datetime) -> Findings:
    """Read the configuration, build every provider, and look at the ends of their keys."""
    try:
        loaded = load_with_warnings()
        with opened_world(loaded.settings) as world:
            keys = key_expiries(world.providers)
    except SettingsInvalid as exc:
        return Findings(faults=tuple(exc.faults))
    faults = tuple(f"accounts.{key.account}: {key.key} has expired" for key in keys if key.expires_at <= now)
    soon = (key for key in keys if key.expires_at > now and key.days_left(now) < _WARN_DAYS)
    warnings = tuple(f"accounts.{key.account}: {key.key} expires in {key.days_left(now)} days" for key in soon)
    return Findings(faults=faults, warnings=loaded.warnings + warnings, keys=keys)


def key_expiries(providers: Mapping[str, Provider]) -> tuple[KeyExpiry, ...]:
    """Every key that ends, the next to end first."""
    found = [
        KeyExpiry(account=account, key=key, expires_at=expires_at)
        for account, provider in providers.items()
        for key, expires_at in provider.key_expiries().items()
    ]
    return tuple(sorted(found, key=lambda key: (key.expires_at, key.account, key.key)))


def _findings_document(findings: Findings, now: datetime) -> dict[str, object]:
    return {
        "faults": findings.faults,
        "warnings": findings.warnings,
        "keys": [
            asdict(key) | {"expires_at": rfc3339(key.expires_at), "days_left": key.days_left(now)}
            for key in findings.keys
        ],
    }


def _echo_findings(findings: Findings, now: datetime) -> None:
    rows = [(key.account, key.key, rfc3339(key.expires_at), key.days_left(now)) for key in findings.keys]
    echo_table(("ACCOUNT", "KEY", "EXPIRES", "DAYS LEFT"), rows)
    for warning in findings.warnings:
        click.echo(f"warning: {warning}", err=True)
    for fault in findings.faults:
        click.echo(fault, err=True)
    if not findings.faults:
        click.echo("the configuration can be used")


@click.group()
def db() -> None:
    """The order database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Apply every migration that is missing; safe to repeat."""
    upgrade(load_settings().database_url.reveal())
    click.echo("the database is at this version's schema")


@db.command("check")
def db_check() -> None:
    """Say whether the database answers and is at this version's schema; exit 1 if not."""
    if not schema_is_current(load_settings().database_url.reveal()):
        raise click.ClickException("the database is not at this version's schema: run jiaofei db upgrade")
    click.echo("the database is at this version's schema")
