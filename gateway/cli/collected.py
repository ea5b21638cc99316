"""`collections import` and `collections find`: collected records (代收) by file, and a person's records again."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.edge import EXIT_FAILED, echo_json, echo_table, operator_name
from gateway.cli.wiring import opened_world
from gateway.domain.clock import rfc3339
from gateway.domain.collection import Collection, LineOutcome, LineResult, SubmittedLine
from gateway.services.collect import Collector, Foresight
from gateway.services.collected_views import collections_about
from gateway.settings import load_settings
from schemas.collection_csv import CHARSETS, FileUnreadable, read_csv, safe_cell
from schemas.order import ID_TYPES, normal_id_number

_LINES_MAX: Final = 100_000
_COLUMNS: Final = ("line", "outcome", "reason", "collection_id", "order_id", "review_id", "errors")
_WIDTHS: Final = (6, 9, 18, 36, 36, 36, 0)


@click.group()
def collections() -> None:
    """Premiums that agents and the tax side have collected."""


@collections.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--app", "app_name", required=True, help="The app that submits; its agents are those that name it.")
@click.option(
    "--charset", default="utf-8", show_default=True, type=click.Choice(list(CHARSETS)), help="How the file is encoded."
)
@click.option("--dry-run", is_flag=True, help="Change nothing; tell what would become of each line.")
@click.option("--who", callback=operator_name, help="Who does it, for the record; needed unless --dry-run.")
@click.option("--json", "form", flag_value="json", help="One JSON document instead of a table.")
@click.option("--csv", "form", flag_value="csv", help="CSV instead of a table, safe to open in a spreadsheet.")
def collections_import(
    file: Path, app_name: str, charset: str, who: str | None, form: str | None, *, dry_run: bool
) -> None:
    """
    Take in a CSV file, line by line; exit 1 if a line was invalid.

    It may be broken off and run again, and the same file twice: what was taken in is a duplicate then.
    """
    settings = load_settings()
    if app_name not in settings.apps:
        raise click.BadParameter("is no app of the configuration", param_hint="--app")
    if who is None and not dry_run:
        raise click.UsageError("--who is needed: the record says who imported it")
    with opened_world(settings) as world, file.open("rb") as stream:
        try:
            for _ in read_csv(stream, charset, lines_max=_LINES_MAX):  # whole, before anything is taken in
                pass
        except FileUnreadable as exc:
            raise click.ClickException(f"nothing was taken in: {exc}") from exc
        stream.seek(0)
        lines = read_csv(stream, charset, lines_max=_LINES_MAX)
        results = (
            _previewed(Foresight(world.deps, app_name), lines)
            if dry_run
            else _taken(
                Collector(world.deps, app_name, batch_id=f"bat_{world.deps.ids.new()}", actor=f"operator:{who}"),
                lines,
            )
        )
        counts = _PRINTERS[form or "table"](results, dry_run=dry_run)
    if counts[LineOutcome.INVALID]:
        click.get_current_context().exit(EXIT_FAILED)


def _taken(collector: Collector, lines: Iterator[SubmittedLine]) -> Iterator[LineResult]:
    return (collector.take(line) for line in lines)


def _previewed(foresight: Foresight, lines: Iterator[SubmittedLine]) -> Iterator[LineResult]:
    return (foresight.look(line) for line in lines)


# --- results, each printed when it is there: a long file is never held whole ------------------------------------------


def _print_table(results: Iterator[LineResult], *, dry_run: bool) -> Counter[LineOutcome]:
    counts: Counter[LineOutcome] = Counter()
    click.echo(_padded([name.upper() for name in _COLUMNS]))
    for result in results:
        counts[result.outcome] += 1
        click.echo(_padded(_cells(result)))
    told = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in LineOutcome)
    click.echo(f"{'would be: ' if dry_run else ''}{told}", err=True)
    return counts


def _padded(cells: list[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _print_json(results: Iterator[LineResult], *, dry_run: bool) -> Counter[LineOutcome]:
    counts: Counter[LineOutcome] = Counter()
    click.echo(f'{{"preview": {json.dumps(dry_run)}, "results": [', nl=False)
    for result in results:
        click.echo(f"{',' if counts else ''}\n{json.dumps(_members(result), ensure_ascii=False)}", nl=False)
        counts[result.outcome] += 1
    click.echo(f'\n], "counts": {json.dumps({outcome.value: counts[outcome] for outcome in LineOutcome})}}}')
    return counts


def _print_csv(results: Iterator[LineResult], *, dry_run: bool) -> Counter[LineOutcome]:
    counts: Counter[LineOutcome] = Counter()
    click.echo(_csv_line(list(_COLUMNS)), nl=False)
    for result in results:
        counts[result.outcome] += 1
        click.echo(_csv_line(_cells(result)), nl=False)
    return counts


_PRINTERS: Final = {"table": _print_table, "json": _print_json, "csv": _print_csv}


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()


def _members(result: LineResult) -> dict[str, Any]:
    return {
        "line": result.line_no,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "collection_id": result.collection_id,
        "order_id": result.order_id,
        "review_id": result.review_id,
        "errors": dict(result.errors),
    }


def _cells(result: LineResult) -> list[str]:
    members = _members(result)
    errors = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in result.errors.items())
    return [*(str(members[name] or "") for name in _COLUMNS[:-1]), errors]


# --- a person's records -----------------------------------------------------------------------------------------------


@collections.command("find")
@click.option("--id-type", default="resident_id", show_default=True, type=click.Choice(list(ID_TYPES)))
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def collections_find(id_type: str, *, as_json: bool) -> None:
    """Find a person's newest records; the number is asked for and not shown."""
    number = normal_id_number(click.prompt("document number", hide_input=True, err=True))
    with opened_world(load_settings()) as world:
        documents = [_document(one) for one in collections_about(world.deps, id_type, number)]
    if as_json:
        echo_json(documents)
        return
    echo_table([name.upper() for name in documents[0]] if documents else (), [[*d.values()] for d in documents])


def _document(collection: Collection) -> dict[str, Any]:
    return {
        "collection_id": collection.id,
        "state": collection.state.value,
        "reason": collection.reason or None,
        "agent_code": collection.agent_code,
        "proof_no": collection.proof_no,
        "collected_on": collection.collected_on,
        "amount_fen": collection.amount_fen,
        "region": collection.region,
        "insured_year": collection.insured_year,
        "order_id": collection.order_id,
        "created_at": rfc3339(collection.created_at),
    }
