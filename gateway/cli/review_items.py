"""`reviews list`, `show` and `resolve`: the questions that wait for a person. No person is shown."""

from typing import Any, Final

import click

from gateway.cli.edge import echo_json, echo_table, operator_name
from gateway.cli.wiring import opened_world
from gateway.domain.clock import rfc3339
from gateway.domain.refusal import Refusal
from gateway.domain.review import Resolution, ReviewItem, ReviewState
from gateway.services.resolve_review import find_review, list_reviews, read_note, resolve_review
from gateway.settings import load_settings

_SHOWN: Final = (
    "review_id",
    "kind",
    "region",
    "insured_year",
    "order_id",
    "payment_id",
    "collection_id",
    "state",
    "opened_at",
)
_NOTE_CHARACTERS_MAX: Final = 500


@click.group()
def reviews() -> None:
    """Review items: what the rules cannot decide."""


@reviews.command("list")
@click.option(
    "--state",
    default=ReviewState.OPEN.value,
    show_default=True,
    type=click.Choice([state.value for state in ReviewState]),
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many, oldest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def reviews_list(state: str, limit: int, *, as_json: bool) -> None:
    """List items, oldest first."""
    with opened_world(load_settings()) as world:
        documents = [_document(item) for item in list_reviews(world.deps, ReviewState(state), limit=limit)]
    if as_json:
        echo_json(documents)
        return
    echo_table([name.upper() for name in _SHOWN], [[document[name] for name in _SHOWN] for document in documents])


@reviews.command("show")
@click.argument("review_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def reviews_show(review_id: str, *, as_json: bool) -> None:
    """Show an item with its collected record and what was decided."""
    with opened_world(load_settings()) as world:
        try:
            item, collection = find_review(world.deps, review_id)
        except Refusal as refusal:
            raise click.ClickException(refusal.detail) from None
        document = _document(item) | {"note": read_note(world.deps, item)}
        if collection is not None:
            document |= {
                "agent_code": collection.agent_code,
                "proof_no": collection.proof_no,
                "collected_on": collection.collected_on,
                "collected_fen": collection.amount_fen,
                "collection_state": collection.state.value,
            }
    if as_json:
        echo_json(document)
    else:
        echo_table(("REVIEW", ""), [*document.items()])


@reviews.command("resolve")
@click.argument("review_id")
@click.option(
    "--resolution",
    required=True,
    type=click.Choice([resolution.value for resolution in Resolution]),
    help="accepted: the record counts and pays its order now; returned: the collector gave the money back; "
    "mistaken: the record was wrong; settled: put right in another way.",
)
@click.option("--who", required=True, callback=operator_name, help="Who decides, for the record.")
@click.option("--note", required=True, help="Why; kept encrypted.")
def reviews_resolve(review_id: str, resolution: str, who: str, note: str) -> None:
    """Resolve an open item, once and for good."""
    if not 0 < len(note.strip()) <= _NOTE_CHARACTERS_MAX:
        raise click.BadParameter(f"must be 1 to {_NOTE_CHARACTERS_MAX} characters", param_hint="--note")
    with opened_world(load_settings()) as world:
        try:
            item = resolve_review(world.deps, review_id, Resolution(resolution), who=who, note=note)
        except Refusal as refusal:
            raise click.ClickException(refusal.detail) from None
        _, collection = find_review(world.deps, item.id)
    paid = f"; order {collection.order_id} is paid" if collection is not None and collection.order_id else ""
    click.echo(f"{item.id} is resolved: {resolution}{paid}")


def _document(item: ReviewItem) -> dict[str, Any]:
    return {
        "review_id": item.id,
        "kind": item.kind.value,
        "state": item.state.value,
        "reason": item.reason,
        "region": item.region,
        "insured_year": item.insured_year,
        "order_id": item.order_id,
        "payment_id": item.payment_id,
        "collection_id": item.collection_id,
        "resolution": item.resolution.value if item.resolution else None,
        "resolved_by": item.resolved_by,
        "opened_at": rfc3339(item.opened_at),
        "resolved_at": rfc3339(item.resolved_at) if item.resolved_at else None,
    }
