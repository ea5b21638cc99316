"""`webhooks`: what was told to apps, what was not, and having it told again."""

import json
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import click

from gateway.cli.edge import echo_json, echo_table
from gateway.cli.wiring import opened_world
from gateway.domain.clock import CHINA, rfc3339
from gateway.domain.webhook import MessageState, WebhookMessage, message_place
from gateway.services.deps import Deps
from gateway.services.webhook_desk import (
    Choice,
    EndpointFigures,
    ShownMessage,
    ShownTry,
    chosen_messages,
    enable_endpoint,
    endpoint_figures,
    find_message,
    messages_of_order,
    newest_messages,
    resend,
    show_message,
    tell_order,
)
from gateway.settings import load_settings

_TIMES: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
_PAGE: Final = 100
_LONG: Final = 5
"""So many pages make a progress bar worth its line."""
_STATES: Final = [state.value for state in MessageState]
_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")


@click.group()
def webhooks() -> None:
    """Webhooks to apps: list, show, send again."""


@webhooks.command("list")
@click.option("--app", help="Only of this app.")
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@click.option("--since", type=click.DateTime(_TIMES), help="Only of events from then on, Beijing time.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many, newest first.")
@_as_json
def webhooks_list(app: str | None, state: str | None, since: datetime | None, limit: int, *, as_json: bool) -> None:
    """List messages, newest first."""
    with opened_world(load_settings()) as world:
        chosen = MessageState(state) if state else None
        found = newest_messages(world.deps, app=app, state=chosen, since=_beijing(since), limit=limit)
    _echo_messages(found, as_json=as_json)


@webhooks.command("show")
@click.argument("number", metavar="WEBHOOK_ID|ORDER_ID")
@_as_json
def webhooks_show(number: str, *, as_json: bool) -> None:
    """Show a message, or every message of an order, with its tries and its body."""
    with opened_world(load_settings()) as world:
        shown = [show_message(world.deps, message) for message in _find(world.deps, number)]
    if not shown:
        raise click.ClickException("there is no such message")
    if as_json:
        echo_json([_shown_document(one) for one in shown])
        return
    for one in shown:
        _echo_shown(one)


@webhooks.command("endpoints")
@_as_json
def webhooks_endpoints(*, as_json: bool) -> None:
    """Show each app's receiver: enabled or disabled, since when it fails, what waits for it."""
    with opened_world(load_settings()) as world:
        documents = [_endpoint_document(figures) for figures in endpoint_figures(world.deps)]
    if as_json:
        echo_json(documents)
    else:
        echo_table([name.upper() for name in documents[0]] if documents else (), [list(d.values()) for d in documents])


@webhooks.command("resend")
@click.argument("numbers", metavar="[WEBHOOK_ID|ORDER_ID]...", nargs=-1)
@click.option("--app", help="Instead of numbers: messages of this app …")
@click.option("--state", default="dead", show_default=True, type=click.Choice(_STATES), help="… in this state …")
@click.option("--since", type=click.DateTime(_TIMES), help="… of events from then on, Beijing time …")
@click.option("--until", type=click.DateTime(_TIMES), help="… and before then.  [default: now]")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent again.")
@_as_json
def webhooks_resend(
    numbers: tuple[str, ...],
    app: str | None,
    state: str,
    since: datetime | None,
    until: datetime | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Have messages sent again at once, under their old webhook-id and in their order; the worker sends them.

    An order's id also brings what the order never told, such as events from before its app had a receiver.
    """
    if bool(numbers) == bool(app):
        raise click.UsageError("name messages and orders, or an app with --app")
    if app and since is None:
        raise click.UsageError("--app needs --since")
    with opened_world(load_settings()) as world:
        deps = world.deps
        if app:
            begin, end = _beijing(since) or deps.clock.now(), _beijing(until) or deps.clock.now()
            choice = Choice(app=app, state=MessageState(state), since=begin, until=end)
            chosen = [message for page in chosen_messages(deps, choice) for message in page]
        else:
            chosen = list({message.id: message for number in numbers for message in _found(deps, number)}.values())
        if dry_run:
            _echo_messages(chosen, as_json=as_json)
            return
        count = _resend(deps, chosen, quiet=as_json)
        for number in numbers:
            _tell_untold(deps, number)
    if as_json:
        echo_json({"resent": count})
    else:
        click.echo(f"to be sent again: {count}")


@webhooks.command("enable")
@click.option("--app", required=True, help="Whose receiver.")
@_as_json
def webhooks_enable(app: str, *, as_json: bool) -> None:
    """Enable an app's disabled receiver; all that waits for it is sent at once."""
    with opened_world(load_settings()) as world:
        if app not in world.deps.webhooks:
            raise click.ClickException("that app has no webhook_url")
        count = enable_endpoint(world.deps, app)
    if as_json:
        echo_json({"app": app, "orders_waiting": count})
    else:
        click.echo(f"enabled; orders that were waiting: {count}")


# --- finding ----------------------------------------------------------------------------------------------------------


def _beijing(naive: datetime | None) -> datetime | None:
    return naive.replace(tzinfo=CHINA) if naive else None


def _find(deps: Deps, number: str) -> list[WebhookMessage]:
    """By webhook-id or by order id; none is found by a text that is neither."""
    try:
        message = find_message(deps, *message_place(number))
    except ValueError:
        return messages_of_order(deps, number)
    return [message] if message else []


def _found(deps: Deps, number: str) -> list[WebhookMessage]:
    found = _find(deps, number)
    if not found and deps.store.read().order(number) is None:
        raise click.ClickException(f"there is no message and no order {number}")
    return found


def _tell_untold(deps: Deps, number: str) -> None:
    """An order without a message is looked at by the worker, which makes messages of what it has to tell."""
    order = deps.store.read().order(number)
    if order is not None and not messages_of_order(deps, number):
        tell_order(deps, order)


def _resend(deps: Deps, chosen: list[WebhookMessage], *, quiet: bool) -> int:
    pages = [chosen[start : start + _PAGE] for start in range(0, len(chosen), _PAGE)]
    if quiet or len(pages) < _LONG:
        return sum(resend(deps, page) for page in pages)
    with click.progressbar(pages, label="sending again", file=sys.stderr) as shown:
        return sum(resend(deps, page) for page in shown)


# --- documents --------------------------------------------------------------------------------------------------------


def _echo_messages(found: Iterable[WebhookMessage], *, as_json: bool) -> None:
    documents = [_message_document(message) for message in found]
    if as_json:
        echo_json(documents)
        return
    shown = ("webhook_id", "app", "type", "state", "occurred_at", "tries", "due_at")
    echo_table([name.upper() for name in shown], [[document[name] for name in shown] for document in documents])


def _message_document(message: WebhookMessage) -> dict[str, Any]:
    return {
        "webhook_id": message.id,
        "app": message.app,
        "order_id": message.order_id,
        "sequence": message.seq,
        "type": message.type,
        "state": message.state.value,
        "occurred_at": rfc3339(message.occurred_at),
        "tries": message.tries,
        "due_at": rfc3339(message.due_at) if message.state is MessageState.PENDING else None,
        "settled_at": rfc3339(message.settled_at) if message.settled_at else None,
    }


def _try_document(shown: ShownTry) -> dict[str, Any]:
    attempt = shown.attempt
    seconds = (attempt.ended_at - attempt.started_at) / timedelta(seconds=1) if attempt.ended_at else None
    return {
        "try": attempt.number,
        "started_at": rfc3339(attempt.started_at),
        "seconds": seconds,
        "outcome": attempt.outcome.value,
        "answer_status": attempt.answer_status,
        "error": attempt.error or None,
        "answer": shown.answer.decode("utf-8", "backslashreplace"),
    }


def _shown_document(shown: ShownMessage) -> dict[str, Any]:
    tries = [_try_document(one) for one in shown.tries]
    return _message_document(shown.message) | {"body": json.loads(shown.body), "attempts": tries}


def _echo_shown(shown: ShownMessage) -> None:
    echo_table(("MESSAGE", ""), list(_message_document(shown.message).items()))
    click.echo(f"body: {shown.body.decode()}")
    rows = [list((_try_document(one) | {"answer": ascii(one.answer)[2:-1]}).values()) for one in shown.tries]
    echo_table([name.upper() for name in _try_document(shown.tries[0])] if shown.tries else (), rows)
    click.echo()


def _endpoint_document(figures: EndpointFigures) -> dict[str, Any]:
    known = figures.endpoint
    moments = {
        "failing_since": known.failing_since,
        "quiet_until": known.quiet_until,
        "oldest_pending_at": figures.oldest_pending_at,
    }
    return {
        "app": known.app,
        "state": known.state.value,
        "reason": known.reason,
        "pending": figures.pending,
        "dead": figures.dead,
        **{name: rfc3339(at) if at else None for name, at in moments.items()},
    }
