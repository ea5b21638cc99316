"""`orders show` and `orders list`: what the console shows of orders, for scripts. No personal data: none is opened."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import click

from gateway.cli.edge import echo_json, echo_table
from gateway.cli.wiring import opened_world
from gateway.domain.clock import rfc3339
from gateway.domain.order import Event, Order, Payment, Refund
from gateway.domain.states import OrderState
from gateway.settings import Settings, load_settings
from gateway.store import Tx

_PAGE: Final = 500
_EVENTS_PAGE: Final = 200
_AFTER_EVERY_ID: Final = "ord_z"
"""Ids are ord_ and hex digits, which sort before it in every collation."""


@click.group()
def orders() -> None:
    """Orders, their payments, refunds and events."""


@orders.command("show")
@click.argument("number", metavar="ORDER_ID|CLIENT_NO")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def orders_show(number: str, *, as_json: bool) -> None:
    """Show an order by our id or by the app's own number; apps may share a number, then each order is shown."""
    settings = load_settings()
    with opened_world(settings) as world:
        tx = world.store.read()
        documents = [_whole_document(tx, order) for order in _find(tx, settings, number)]
    if not documents:
        raise click.ClickException("there is no such order")
    if as_json:
        echo_json(documents)
        return
    for document in documents:
        _echo_order(document)


@orders.command("list")
@click.option("--state", type=click.Choice([state.value for state in OrderState]), help="Only orders in this state.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def orders_list(state: str | None, limit: int, *, as_json: bool) -> None:
    """List the orders of every app, newest first."""
    with opened_world(load_settings()) as world:
        found = (order for order in _every_order(world.store.read()) if state in (None, order.state))
        documents = [_order_document(order) for order in islice(found, limit)]
    if as_json:
        echo_json(documents)
        return
    shown = ("order_id", "app", "client_order_no", "state", "amount_fen", "amount_refunded_fen", "created_at")
    echo_table([name.upper() for name in shown], [[document[name] for name in shown] for document in documents])


def _find(tx: Tx, settings: Settings, number: str) -> list[Order]:
    order = tx.order(number)
    if order is not None:
        return [order]
    found = (tx.order_by_client_no(app, number) for app in settings.apps)
    return [order for order in found if order is not None]


def _every_order(tx: Tx) -> Iterator[Order]:
    """Newest first, a page at a time."""
    before = _AFTER_EVERY_ID
    while page := tx.all_orders_page(before=before, limit=_PAGE):
        yield from page
        before = page[-1].id


def _every_event(tx: Tx, order_id: str) -> Iterator[Event]:
    """Oldest first, a page at a time."""
    after = 0
    while page := tx.events_page(order_id, after=after, limit=_EVENTS_PAGE):
        yield from page
        after = page[-1].seq


# --- documents --------------------------------------------------------------------------------------------------------


def _whole_document(tx: Tx, order: Order) -> dict[str, Any]:
    return _order_document(order) | {
        "payments": [_payment_document(payment) for payment in tx.payments_of_order(order.id)],
        "refunds": [_refund_document(refund) for refund in tx.refunds_of_order(order.id)],
        "events": [_event_document(event) for event in _every_event(tx, order.id)],
    }


def _order_document(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "app": order.app,
        "client_order_no": order.client_order_no,
        "state": order.state.value,
        "amount_fen": order.amount_fen,
        "amount_paid_fen": order.amount_paid_fen,
        "amount_refunded_fen": order.amount_refunded_fen,
        "paid_payment_id": order.paid_payment_id,
        "region": order.region,
        "insured_year": order.insured_year,
        "insurance_kind": order.insurance_kind,
        "created_at": rfc3339(order.created_at),
        "updated_at": rfc3339(order.updated_at),
        "expires_at": rfc3339(order.expires_at),
    }


def _payment_document(payment: Payment) -> dict[str, Any]:
    return {
        "payment_id": payment.id,
        "account": payment.account,
        "method": f"{payment.provider}.{payment.method}",
        "out_trade_no": payment.out_trade_no,
        "provider_trade_no": payment.provider_trade_no,
        "state": payment.state.value,
        "kept": payment.kept,
        "amount_fen": payment.amount_fen,
        "amount_refunding_fen": payment.amount_refunding_fen,
        "amount_refunded_fen": payment.amount_refunded_fen,
        "evidence_id": payment.evidence_id,
        "paid_at": rfc3339(payment.paid_at) if payment.paid_at else None,
        "updated_at": rfc3339(payment.updated_at),
    }


def _refund_document(refund: Refund) -> dict[str, Any]:
    return {
        "refund_id": refund.id,
        "payment_id": refund.payment_id,
        "out_refund_no": refund.out_refund_no,
        "client_refund_no": refund.client_refund_no,
        "provider_refund_no": refund.provider_refund_no,
        "state": refund.state.value,
        "reason": refund.reason.value,
        "amount_fen": refund.amount_fen,
        "evidence_id": refund.evidence_id,
        "updated_at": rfc3339(refund.updated_at),
    }


def _event_document(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": rfc3339(event.at),
        "kind": event.kind,
        "actor": event.actor,
        "evidence_id": event.evidence_id,
        "detail": json.loads(event.detail),
    }


def _echo_order(document: dict[str, Any]) -> None:
    families = ("payments", "refunds", "events")
    echo_table(("ORDER", ""), [(name, value) for name, value in document.items() if name not in families])
    for family in families:
        rows = [
            [json.dumps(cell, ensure_ascii=False) if isinstance(cell, dict) else cell for cell in row.values()]
            for row in document[family]
        ]
        click.echo()
        click.echo(f"{family}: {len(rows)}")
        echo_table([name.upper() for name in document[family][0]] if rows else (), rows)
