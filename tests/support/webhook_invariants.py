"""Invariant 7, checked by raw SQL: what an app is to be told is delivered, dead, or has a next look; in order."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from gateway.store import Store

_TOLD = {
    "order_paid",
    "order_closing",
    "order_closed",
    "refund_succeeded",
    "refund_outside",
    "refund_failed",
    "refund_abnormal",
}
_COLUMNS = {
    "webhook_messages": "order_id seq app state occurred_at tries settled_at",
    "webhook_tries": "order_id seq number outcome",
    "orders": "id app",
    "events": "order_id seq kind at",
    "tasks": "kind subject_id state",
}


@dataclass(frozen=True)
class _Raw:
    """A statement as the engine takes it."""

    sql: str


def _rows(store: Store, table: str) -> list[dict[str, Any]]:
    names = _COLUMNS[table].split()
    rows = store._engine.read(_Raw(f"SELECT {', '.join(names)} FROM {table}"), ())
    return [dict(zip(names, row, strict=True)) for row in rows]


def assert_webhooks(store: Store) -> None:
    """An app counts as told from its first message on; events from before may have none."""
    messages = _rows(store, "webhook_messages")
    if not messages:
        return
    due = {task["subject_id"] for task in _rows(store, "tasks") if (task["kind"], task["state"]) == ("webhook", "due")}
    _nothing_untold(store, messages, due)
    _states(store, messages, due)
    _in_order(messages)


def _nothing_untold(store: Store, messages: list[dict[str, Any]], due: set[str]) -> None:
    known = {(message["order_id"], message["seq"]) for message in messages}
    since: dict[str, int] = {}
    for message in messages:
        since[message["app"]] = min(since.get(message["app"], message["occurred_at"]), message["occurred_at"])
    app_of = {order["id"]: order["app"] for order in _rows(store, "orders")}
    for event in _rows(store, "events"):
        app = app_of[event["order_id"]]
        if event["kind"] in _TOLD and app in since and event["at"] >= since[app]:
            is_known = (event["order_id"], event["seq"]) in known
            assert is_known or event["order_id"] in due, f"event {event['seq']} of {event['order_id']} is never told"


def _states(store: Store, messages: list[dict[str, Any]], due: set[str]) -> None:
    tries = defaultdict(list)
    for attempt in _rows(store, "webhook_tries"):
        tries[attempt["order_id"], attempt["seq"]].append(attempt)
    for message in messages:
        name = f"message {message['seq']} of {message['order_id']}"
        own = tries[message["order_id"], message["seq"]]
        outcomes = [attempt["outcome"] for attempt in own]
        numbers = sorted(attempt["number"] for attempt in own)
        assert numbers == list(range(1, message["tries"] + 1)), f"the tries of {name} have a gap"
        assert (message["state"] == "pending") == (message["settled_at"] is None), f"{name} is settled and is not"
        if message["state"] == "pending":
            assert message["order_id"] in due, f"nobody looks at {name}"
        elif message["state"] == "delivered":
            assert "accepted" in outcomes, f"{name} is delivered and nobody took it"
        else:
            assert len(outcomes) >= 10, f"{name} is dead after {len(outcomes)} tries"


def _in_order(messages: list[dict[str, Any]]) -> None:
    begun: dict[str, int] = defaultdict(int)
    for message in messages:
        if message["tries"]:
            begun[message["order_id"]] = max(begun[message["order_id"]], message["seq"])
    for message in messages:
        ahead = message["seq"] < begun[message["order_id"]] and not message["tries"]
        assert not ahead, f"message {message['seq']} of {message['order_id']} was overtaken"
