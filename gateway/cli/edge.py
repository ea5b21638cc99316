"""Where expected errors become lines on stderr and an exit status; a defect keeps its traceback."""

import json
from collections.abc import Sequence
from typing import Any, Final

import click

from gateway.settings import SettingsInvalid
from gateway.store import StoreUnavailable

EXIT_FAILED: Final = 1
EXIT_CONFIGURATION: Final = 2
_OPERATOR_CHARACTERS_MAX: Final = 64


class Commands(click.Group):
    """The top group: every command's expected errors end here."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsInvalid as exc:
            for fault in exc.faults:
                click.echo(fault, err=True)
            ctx.exit(EXIT_CONFIGURATION)
        except StoreUnavailable:
            raise click.ClickException("the database does not answer") from None


def operator_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Callback of `--who`: what stands in histories must be one short printable line."""
    if value is not None and not (
        len(value.strip()) > 0 and len(value) <= _OPERATOR_CHARACTERS_MAX and value.isprintable()
    ):
        raise click.BadParameter(f"must be 1 to {_OPERATOR_CHARACTERS_MAX} printable characters")
    return value


def echo_json(value: object) -> None:
    """For scripts: one JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def echo_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """For eyes: columns as wide as their widest cell; without rows, nothing."""
    if not rows:
        return
    cells = [[*head], *(["-" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
