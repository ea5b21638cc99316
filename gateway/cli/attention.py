"""`alarms`: what needs a person now."""

import click

from gateway.cli.edge import EXIT_FAILED, echo_json, echo_table
from gateway.cli.wiring import opened_world
from gateway.domain.clock import rfc3339
from gateway.services.alarms import find_alarms
from gateway.settings import load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.pass_context
def alarms(context: click.Context, *, as_json: bool) -> None:
    """List what does not come right by itself; exit 1 when there is something."""
    with opened_world(load_settings()) as world:
        found = find_alarms(world.deps)
    rows = [(one.name, one.subject, one.count, rfc3339(one.since) if one.since else None) for one in found]
    if as_json:
        echo_json([dict(zip(("alarm", "subject", "count", "since"), row, strict=True)) for row in rows])
    elif rows:
        echo_table(["ALARM", "SUBJECT", "COUNT", "SINCE"], rows)
    else:
        click.echo("nothing needs a person")
    if found:
        context.exit(EXIT_FAILED)
