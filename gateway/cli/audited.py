"""`audit`: every invariant on the live database, for scripts and for the morning."""

from dataclasses import asdict

import click

from gateway.cli.edge import EXIT_FAILED, echo_json, echo_table
from gateway.cli.wiring import opened_world
from gateway.services.audit import audit as run_audit
from gateway.settings import load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.pass_context
def audit(context: click.Context, *, as_json: bool) -> None:
    """Check every invariant on the live database; exit 1 and the offending ids when one does not hold."""
    with opened_world(load_settings()) as world:
        findings = list(run_audit(world.store))
    found = [finding for finding in findings if finding.offenders]
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        rows = [(f.invariant, f.name, len(f.offenders) or "holds") for f in findings]
        echo_table(["INVARIANT", "CHECK", "OFFENDERS"], rows)
        for finding in found:
            click.echo(f"\n{finding.invariant} {finding.name}: {finding.says}")
            click.echo("\n".join(f"  {offender}" for offender in finding.offenders))
    if found:
        context.exit(EXIT_FAILED)
