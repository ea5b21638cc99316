"""`offline-refund`: puts on record that money went back where it was collected, by a paper."""

from dataclasses import asdict
from datetime import datetime
from typing import Final

import click

from gateway.cli.edge import echo_json, operator_name
from gateway.cli.replayed import change_line
from gateway.cli.wiring import opened_world
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.refusal import Refusal
from gateway.services.offline_refund import OfflineRefund, record_offline_refund
from gateway.settings import load_settings

_WHY_CHARACTERS_MAX: Final = 500
_REFERENCE_CHARACTERS_MAX: Final = 64


def _short_text(_context: click.Context, option: click.Parameter, value: str) -> str:
    limit = _REFERENCE_CHARACTERS_MAX if option.name == "reference" else _WHY_CHARACTERS_MAX
    text = value.strip()
    if not 0 < len(text) <= limit or not text.isprintable():
        raise click.BadParameter(f"must be 1 to {limit} printable characters")
    return text


@click.command("offline-refund")
@click.argument("payment_id")
@click.option(
    "--reference",
    required=True,
    callback=_short_text,
    help="Number of the paper; names the refund within the payment; kept encrypted.",
)
@click.option("--amount-fen", type=click.IntRange(1, AMOUNT_FEN_MAX), help="Left out: all that is left.")
@click.option(
    "--on", "returned_on", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day when the payer got it."
)
@click.option("--who", required=True, callback=operator_name, help="Who records it, for the record.")
@click.option("--why", required=True, callback=_short_text, help="Why, for the record; kept encrypted.")
@click.option("--dry-run", is_flag=True, help="Show what would change and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def offline_refund(
    payment_id: str,
    *,
    reference: str,
    amount_fen: int | None,
    returned_on: datetime,
    who: str,
    why: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Record that money went back where it was collected: by an agent, the tax side, or a bank that collects for itself.

    A payment whose provider can give it back is refused here. The same paper a second time changes nothing.
    """
    wanted = OfflineRefund(
        payment_id=payment_id,
        reference=reference,
        amount_fen=amount_fen,
        returned_on=returned_on.date(),
        who=who,
        why=why,
    )
    with opened_world(load_settings()) as world:
        try:
            done = record_offline_refund(world.deps, wanted, rehearse=dry_run)
        except Refusal as refusal:
            raise click.ClickException(refusal.detail) from None
    if as_json:
        echo_json({"payment_id": payment_id} | asdict(done))
        return
    click.echo(f"{payment_id}  {done.outcome}  {done.amount_fen} fen  {done.refund_id or ''}".rstrip())
    for change in done.changes:
        click.echo(f"    {change_line(change)}")
