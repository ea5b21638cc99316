"""`replay`: has things done again; what it will change can be seen before."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Final

import click

from gateway.cli.edge import EXIT_FAILED, echo_json, operator_name
from gateway.cli.wiring import opened_world
from gateway.domain.clock import CHINA
from gateway.domain.refusal import Refusal
from gateway.domain.replay import Change, ReplayKind
from gateway.services.replay import ITEMS_MAX, Filter, ItemResult, ReplayRequest, rehearse, run_replay
from gateway.settings import load_settings

_WHY_CHARACTERS_MAX: Final = 500
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=CHINA)


@click.command()
@click.argument("kind", type=click.Choice([kind.value for kind in ReplayKind]))
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--state", help="Instead of ids: all in this state, e.g. orphan, unknown, abnormal, dead.")
@click.option("--account", default="", help="With --state: of this merchant account (webhooks: app) alone.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="With --state; Beijing time.")
@click.option("--limit", default=1_000, show_default=True, type=click.IntRange(1, ITEMS_MAX), help="With --state.")
@click.option("--who", required=True, callback=operator_name, help="Who asks for it, for the record.")
@click.option("--why", required=True, help="Why, for the record; kept encrypted.")
@click.option("--dry-run", is_flag=True, help="Show what would change and change nothing; providers are only queried.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.pass_context
def replay(
    context: click.Context,
    kind: str,
    ids: tuple[str, ...],
    *,
    state: str | None,
    account: str,
    since: datetime | None,
    limit: int,
    who: str,
    why: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Judge stored messages anew, ask providers about payments, go on with refunds, send webhooks, make work due.

    IDs are those of notifications (ntf_…), payments (pay_…), refunds (ref_…), orders (ord_…, for webhooks), or
    <kind>:<id> for tasks. A second run changes nothing. Exit 1 when an item failed.
    """
    if not 0 < len(why.strip()) <= _WHY_CHARACTERS_MAX:
        raise click.BadParameter(f"must be 1 to {_WHY_CHARACTERS_MAX} characters", param_hint="--why")
    begins = since.replace(tzinfo=CHINA) if since else _EPOCH
    chosen = Filter(state=state, since=begins, account=account, limit=limit) if state else None
    request = ReplayRequest(kind=ReplayKind(kind), ids=ids, chosen=chosen, who=who or "", why=why)
    with opened_world(load_settings()) as world:
        try:
            results = rehearse(world.deps, request) if dry_run else run_replay(world.deps, request)[1]
            failed = _echo_all_json(results) if as_json else _echo_all(results, dry_run=dry_run)
        except Refusal as refusal:
            raise click.ClickException(refusal.detail) from None
    if failed:
        context.exit(EXIT_FAILED)


def _echo_all_json(results: Iterable[ItemResult]) -> int:
    documents = [asdict(result) for result in results]
    echo_json(documents)
    return sum(document["outcome"] == "failed" for document in documents)


def _echo_all(results: Iterable[ItemResult], *, dry_run: bool) -> int:
    """As they come: a long replay is watched while it runs."""
    count = failed = changed = 0
    for result in results:
        count += 1
        failed += result.outcome == "failed"
        changed += bool(result.changes)
        click.echo(f"{result.subject_id}  {result.outcome}  {result.detail}".rstrip())
        for change in result.changes:
            click.echo(f"    {change_line(change)}")
    verb = "would change" if dry_run else "changed"
    click.echo(f"{count} items, {changed} {verb} something, {failed} failed")
    return failed


def change_line(change: Change) -> str:
    """One row's change for eyes."""
    told = [
        f"{name}={after}" if before is None else f"{name}: {before} → {after}"
        for name, (before, after) in change.values.items()
        if (before, after) != (None, None)
    ]
    return f"{change.table} {change.subject or '(new)'}  {', '.join(told)}"
