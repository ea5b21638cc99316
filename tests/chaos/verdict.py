"""Fair weather, then judgement: nothing acknowledged is lost, nothing happened twice, nothing is left alone."""

import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, cast

from gateway.domain.clock import micros
from gateway.store import open_store
from gateway.store.tables import NOTIFICATIONS, ORDERS, PAYMENTS, REFUNDS, TASKS
from tests.chaos.installation import Installation
from tests.chaos.people import CHANNELS, Front, Journal
from tests.journeys.settled import assert_settled, rows
from tests.journeys.world import World
from tests.support.databases import Database

_STEP_SECONDS: Final = 240
"""Less than the five minutes by which a signature's time may be off: the two clocks are moved one after the other."""

_LOOK_SECONDS: Final = 0.05
_BANK: Final = "bank_biller"
_BANK_HERE: Final = "bank_bbp"
_ROUNDS_MAX: Final = 60
_IDS: Final = ("order_id", "payment_id", "out_trade_no", "refund_id", "batch_id")
_SINCE: Final = {
    "paid": {"paid"},
    "closed": {"closed", "paid"},
    "failed": {"failed", "paid"},
    "succeeded": {"succeeded"},
}
"""States that, once told, can only have become one of these."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Books:
    """A simulator's truth, read over HTTP."""

    installation: Installation
    provider: str

    def books(self) -> Row:
        return dict(self.installation.control("GET", "/books", provider=self.provider))


def calm_down(installation: Installation, journal: Journal, database: Database, *, seconds: float) -> None:
    """
    Move time on until every request has its outcome and no task is due any more.

    Raises:
        AssertionError: It did not come to an end.
    """
    deadline = time.monotonic() + seconds
    front = Front(installation, journal, random.Random(0), "late")
    for _ in range(_ROUNDS_MAX):
        for key, asked in list(journal.unfinished.items()):
            if front.post(asked["path"], asked["body"], key).outcome_known:
                del journal.unfinished[key]
        if not journal.unfinished:
            break
        installation.advance(30)
        time.sleep(_LOOK_SECONDS)
    assert not journal.unfinished, f"no outcome for {journal.unfinished}"
    _bank_asks_until_it_knows(installation, journal)
    while (due := _next_due(database)) is not None:
        assert time.monotonic() < deadline, f"work is left: {_left(database)}"
        ahead = (due - micros(installation.now())) / 1e6
        if ahead > 0:
            installation.advance(min(ahead + 1, _STEP_SECONDS))
        time.sleep(_LOOK_SECONDS)


def _bank_asks_until_it_knows(installation: Installation, journal: Journal) -> None:
    """The collecting bank tells of each payment, and of each reversal, until it has an answer."""
    for _ in range(_ROUNDS_MAX):
        unsure = {each["out_trade_no"] for each in _transfers(installation) if each["state"] == "UNKNOWN"}
        if not unsure | journal.reversals:
            return
        for serial in sorted(unsure):
            installation.control("POST", "/biller/payments/send", {"serial": serial})
        for serial in sorted(journal.reversals - unsure):
            told = installation.control("POST", "/biller/reversals", {"serial": serial})
            journal.reversals -= {serial} if told["state"] == "REVERSED" else set()
        installation.advance(10)
        time.sleep(_LOOK_SECONDS)
    raise AssertionError(f"the bank never heard what became of {unsure} and of reversals {journal.reversals}")


def _transfers(installation: Installation) -> list[Row]:
    orders = installation.control("GET", "/orders")["orders"]
    return [order for order in orders if order["provider"] == _BANK]


def _next_due(database: Database) -> int | None:
    found: int | None = database.rows("SELECT min(due_at) FROM tasks WHERE state = 'due'")[0][0]
    return found


def overdue(installation: Installation, database: Database) -> int:
    """How many tasks are due now."""
    now = micros(installation.now())
    found: int = database.rows(f"SELECT count(*) FROM tasks WHERE state = 'due' AND due_at <= {now}")[0][0]
    return found


def _left(database: Database) -> list[Any]:
    return [
        (task["kind"], task["subject_id"], task["last_error"])
        for task in rows(database, TASKS)
        if task["state"] == "due"
    ][:10]


def judge(installation: Installation, journal: Journal, database: Database) -> None:
    """
    Compare what was acknowledged, our books and the providers'.

    Raises:
        AssertionError: With the first thing that is wrong.
    """
    assert journal.oddities == [], journal.oddities[:5]
    _assert_acknowledged(journal, database)
    _assert_same_answers(installation, journal)
    _assert_callbacks_kept(installation, database)
    _assert_numbers(installation, database)
    _assert_bank(installation, database)
    _assert_told(installation, database)
    store = open_store(database.url)
    try:
        simulators = {provider: _Books(installation, provider) for provider in _providers()}
        world = SimpleNamespace(gateway=SimpleNamespace(store=store), sandbox=SimpleNamespace(simulators=simulators))
        assert_settled(cast("World", world), database, quarantined=0)
    finally:
        store.close()
    audited = installation.jiaofei("audit", "--json")
    broken = [finding for finding in json.loads(audited.stdout) if finding["offenders"]]
    assert audited.returncode == 0, broken


def write_down(installation: Installation) -> None:
    """What the simulators know ends with them; whoever looks into a finding needs it."""
    known = {path: installation.control("GET", path) for path in ("/orders", "/callbacks", "/webhooks")}
    known |= {provider: _Books(installation, provider).books() for provider in _providers()}
    text = json.dumps(known, ensure_ascii=False, indent=1)
    (installation.folder / "simulators.json").write_text(text, encoding="utf-8")


def _providers() -> list[str]:
    return sorted({channel.provider for channel in CHANNELS})


def _assert_acknowledged(journal: Journal, database: Database) -> None:
    """Each id that was given out stands in our books, in the state told or one that may follow; one key, one effect."""
    now = {row["id"]: row["state"] for table in (ORDERS, PAYMENTS, REFUNDS) for row in rows(database, table)}
    given: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in journal.entries:
        body = entry["body"]
        for name in _IDS:
            if entry["key"] and name in body:
                given[entry["key"], name].add(body[name])
        kind = next((name for name in ("refund_id", "payment_id", "order_id") if name in body), None)
        if kind is None:
            continue
        state = now.get(body[kind])
        assert state is not None, f"lost: {entry}"
        assert state in _SINCE.get(body["state"], {state}), f"told {body['state']}, now {state}: {entry}"
        for payment in body.get("payments", ()):
            assert payment["payment_id"] in now, f"lost: {payment}"
    for (key, name), ids in given.items():
        assert len(ids) == 1, f"one key, {len(ids)} effects: {key} {name} {ids}"


def _assert_same_answers(installation: Installation, journal: Journal) -> None:
    """Whoever asks under a key, then or now, gets one answer, byte for byte."""
    front = Front(installation, journal, random.Random(0), "again")
    for key, told in journal.told.items():
        given = sorted(told.answers)
        assert len(given) == 1, f"{key} {told.path}: several answers: {given}"
        again = front.post(told.path, told.asked, key)
        assert [(again.status, again.content)] == given, (
            f"{key} {told.path}: told {given}, now {again.status} {again.content}"
        )


def _assert_callbacks_kept(installation: Installation, database: Database) -> None:
    """What we acknowledged to a provider is on record as a message of that payment."""
    kept: dict[str, int] = defaultdict(int)
    for message in rows(database, NOTIFICATIONS):
        if message["source"] == "callback":
            kept[message["payment_id"]] += 1
    ours = {_folded(payment["out_trade_no"]): payment["id"] for payment in rows(database, PAYMENTS)}
    accepted: dict[str, set[str]] = defaultdict(set)
    for delivery in installation.control("GET", "/callbacks")["deliveries"]:
        if delivery.get("accepted"):
            accepted[_folded(delivery["out_trade_no"])].add(delivery["notice_id"])
    for number, notices in accepted.items():
        assert kept[ours[number]] >= len(notices), (
            f"{len(notices)} notices of {number} taken, {kept[ours[number]]} kept"
        )


def _assert_numbers(installation: Installation, database: Database) -> None:
    """No provider knows a number that is not on record, or one of ours twice."""
    ours = [_folded(payment["out_trade_no"]) for payment in rows(database, PAYMENTS)]
    assert len(set(ours)) == len(ours)
    orders = installation.control("GET", "/orders")["orders"]
    theirs = [_folded(order["out_trade_no"]) for order in orders if order["provider"] != _BANK]
    assert len(set(theirs)) == len(theirs), "a number was used twice"
    strange = set(theirs) - set(ours)
    assert not strange, f"not on record: {strange}"
    refunds = [refund["out_refund_no"] for refund in rows(database, REFUNDS)]
    assert len(set(refunds)) == len(refunds)


def _assert_bank(installation: Installation, database: Database) -> None:
    """What the collecting bank holds for us is what we say it collected, entry by entry and to the fen."""
    transfers = _transfers(installation)
    held = {each["out_trade_no"]: each["amount_fen"] for each in transfers if each["state"] == "PAID"}
    known = database.rows("SELECT bank_seq FROM biller_entries WHERE kind = 'payment' ORDER BY bank_seq")
    assert set(held) <= {serial for (serial,) in known}, "a payment that the bank was told of as taken is not here"
    ours = [payment for payment in rows(database, PAYMENTS) if payment["provider"] == _BANK_HERE]
    collected = sum(payment["amount_fen"] - payment["amount_refunded_fen"] for payment in ours)
    assert collected == sum(held.values()), f"the bank holds {sum(held.values())} fen, we have {collected}"


def _assert_told(installation: Installation, database: Database) -> None:
    """Every message for the app was delivered, and the app has verified each that it was sent."""
    states = database.rows("SELECT state, count(*) FROM webhook_messages GROUP BY state")
    assert [state for state, _ in states] in ([], ["delivered"]), states
    received = installation.control("GET", "/webhooks")["webhooks"]
    assert all(message["verified"] for message in received)


def _folded(number: str) -> str:
    return number.lower()
