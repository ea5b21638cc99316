"""A provider's callback: verified, remembered, applied in one commit, answered in the provider's words."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from gateway.domain.order import Payment, TaskKind
from gateway.domain.provider import RawCallback
from gateway.domain.report import ReportedState, Source
from gateway.domain.states import NotificationState, OrderState, PaymentState
from gateway.services.accept_callback import _message, accept_callback
from gateway.services.record_report import record_report
from gateway.store import StoreUnavailable
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.provider import Trade
from tests.support.world import AMOUNT_FEN, World


@pytest.fixture
def pending(world: World) -> Payment:
    """A payment that its payer is about to pay."""
    return world.start(world.open())


def _notification(world: World, key: str) -> Any:
    return world.store.read().notification_by_key("alpha_main", key)


def test_callback_of_a_paid_payment_pays_the_order(world: World, pending: Payment) -> None:
    """State, evidence, ledger and events agree, and the query is no longer needed."""
    paid_at = world.clock.now() - timedelta(seconds=3)
    world.alpha.pay(pending.out_trade_no)
    raw = world.alpha.callback(pending.out_trade_no, dedup_key="n-1", occurred_at=paid_at)
    accepted = world.deliver(pending, raw)
    payment, order = world.payment(pending.id), world.order(pending.order_id)

    assert (accepted.outcome, accepted.reason, accepted.acknowledgement.body) == ("applied", "", b"accepted")
    assert (payment.state, payment.kept, payment.paid_at) == (PaymentState.PAID, True, paid_at)
    assert payment.provider_trade_no == world.alpha.trades[pending.out_trade_no].trade_no
    assert (order.state, order.amount_paid_fen, order.paid_payment_id) == (OrderState.PAID, AMOUNT_FEN, pending.id)
    notification = _notification(world, "n-1")
    assert payment.evidence_id == notification.id
    assert world.vault.unseal(notification.body_sealed, "notification") == raw.body
    assert world.vault.unseal_json(notification.headers_sealed, "notification") == dict(raw.headers)
    assert world.work() == 0
    assert world.task(TaskKind.CLOSE_ORDER, order.id).state == "done"
    assert_invariants(world.store)


def test_callback_delivered_again_changes_nothing(world: World, database: Database, pending: Payment) -> None:
    """A duplicate is acknowledged like the first and costs no write."""
    world.alpha.pay(pending.out_trade_no)
    raw = world.alpha.callback(pending.out_trade_no, dedup_key="n-1")
    world.deliver(pending, raw)
    before = database.everything() if database.engine == "postgresql" else database.rows("SELECT * FROM notifications")
    again = [world.deliver(pending, replace(raw, received_at=world.clock.now())) for _ in range(3)]
    after = database.everything() if database.engine == "postgresql" else database.rows("SELECT * FROM notifications")

    assert [(one.outcome, one.acknowledgement.body) for one in again] == [("duplicate", b"accepted")] * 3
    assert before == after
    assert_invariants(world.store)


def test_callback_with_the_same_news_under_another_id_is_kept_but_changes_nothing(
    world: World, pending: Payment
) -> None:
    """A replay under a different event id does not credit twice."""
    world.pay(pending, dedup_key="n-1")
    order = world.order(pending.order_id)
    accepted = world.pay(pending, dedup_key="n-2")

    assert accepted.outcome == "duplicate"
    assert _notification(world, "n-2").state is NotificationState.DUPLICATE
    assert world.order(order.id) == order
    assert_invariants(world.store)


def test_equal_callbacks_at_once_are_applied_once(world: World, database: Database, pending: Payment) -> None:
    """Providers deliver the same message to several of our processes."""
    world.alpha.pay(pending.out_trade_no)
    raw = world.alpha.callback(pending.out_trade_no, dedup_key="n-1")
    sisters = [World(world.store, seed=seed, sister=world) for seed in range(2, 10)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = [one.outcome for one in pool.map(lambda sister: sister.deliver(pending, raw), sisters * 8)]

    assert sorted(set(outcomes)) == ["applied", "duplicate"]
    assert outcomes.count("applied") == 1
    assert database.rows("SELECT count(*) FROM ledger_entries") == [(1,)]
    assert_invariants(world.store)


NUMBER = "f" * 32


def _early(world: World, **changes: Any) -> RawCallback:
    """A genuine callback about a payment that is not on record yet."""
    world.alpha.trades[NUMBER] = Trade(ReportedState.PAID, AMOUNT_FEN, "alpha-early")
    return world.alpha.callback(NUMBER, dedup_key="early-1", **changes)


def _start_late(world: World) -> Payment:
    order = world.open()
    world.ids.planned.append(NUMBER)
    payment = world.start(order)
    assert payment.out_trade_no == NUMBER
    return payment


def test_callback_before_its_payment_is_orphan_and_applied_when_it_comes_again(world: World) -> None:
    """Our row may be late: kept, to be sent again, then applied under the same notification."""
    raw = _early(world)
    early = [accept_callback(world.deps, "alpha_main", raw) for _ in range(2)]
    orphan = _notification(world, "early-1")
    assert [(one.outcome, one.reason, one.acknowledgement.status) for one in early] == [
        ("orphan", "no_such_payment", 500)
    ] * 2
    assert (orphan.state, orphan.payment_id) == (NotificationState.ORPHAN, None)
    payment = _start_late(world)
    late = world.deliver(payment, raw)

    assert (late.outcome, late.acknowledgement.status) == ("applied", 200)
    assert world.deliver(payment, raw).outcome == "duplicate"
    applied = _notification(world, "early-1")
    assert (applied.id, applied.state, applied.payment_id) == (orphan.id, NotificationState.APPLIED, payment.id)
    assert world.payment(payment.id).evidence_id == orphan.id
    assert_invariants(world.store)


def test_orphan_judged_before_a_rival_applied_it_does_not_undo_that(world: World) -> None:
    """A slow delivery that still saw no payment must not write `orphan` over `applied`."""
    raw = _early(world)
    accept_callback(world.deps, "alpha_main", raw)

    def slow(tx: Any) -> Any:
        view = tx.report_view(account="alpha_main", out_trade_no=NUMBER, dedup_key="early-1")
        if world.store.read().order_by_client_no("wallet", "C-1") is None:
            world.deliver(_start_late(world), raw)
        callback = world.alpha.parse_callback(raw)
        message = _message(world.deps, "alpha_main", raw, callback.dedup_key, callback.event)
        return record_report(tx, world.deps, view, callback.report, message, actor="provider:alpha_main")

    assert world.store.run(slow).state is NotificationState.ORPHAN
    assert _notification(world, "early-1").state is NotificationState.APPLIED


def test_callback_for_another_account_does_not_reach_the_payment(world: World, pending: Payment) -> None:
    """A merchant account answers for its own payments alone."""
    world.alpha.pay(pending.out_trade_no)
    accepted = accept_callback(world.deps, "beta_main", world.alpha.callback(pending.out_trade_no))

    assert accepted.outcome == "orphan"
    assert world.payment(pending.id).state is PaymentState.PENDING


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "amount_less": ({"amount_fen": AMOUNT_FEN - 1}, "amount"),
    "amount_more": ({"amount_fen": AMOUNT_FEN + 1}, "amount"),
    "amount_round": ({"amount_fen": 38000}, "amount"),
    "amount_unstated": ({"amount_fen": None}, "amount_unstated"),
    "currency": ({"currency": "USD"}, "currency"),
    "merchant": ({"contradictions": ("mchid",)}, "mchid"),
    "merchant_and_app": ({"contradictions": ("app_id", "seller_id")}, "app_id,seller_id"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_authentic_callback_that_contradicts_our_record_is_quarantined(
    world: World, pending: Payment, name: str
) -> None:
    """N9, N7: kept and acknowledged, shown to an operator, and no state of money changes."""
    changes, reason = CONTRADICTIONS[name]
    before = world.payment(pending.id)
    raw = world.alpha.callback(pending.out_trade_no, dedup_key="n-1", state=ReportedState.PAID, **changes)
    accepted = world.deliver(pending, raw)

    assert (accepted.outcome, accepted.reason, accepted.acknowledgement.body) == ("quarantined", reason, b"quarantined")
    assert world.payment(pending.id) == before
    assert world.order(pending.order_id).state is OrderState.OPEN
    assert _notification(world, "n-1").state is NotificationState.QUARANTINED
    assert world.kinds(world.order(pending.order_id))[-1] == "report_quarantined"
    again = world.deliver(pending, raw)
    assert (again.outcome, again.acknowledgement.body) == ("quarantined", b"quarantined")
    assert world.kinds(world.order(pending.order_id)).count("report_quarantined") == 1
    assert_invariants(world.store)


AFTER_PAID: dict[str, tuple[dict[str, Any], str]] = {
    "other_trade_number": ({"provider_trade_no": "another"}, "provider_trade_no"),
    "closed": ({"state": ReportedState.CLOSED}, "closed_after_paid"),
    "failed": ({"state": ReportedState.FAILED}, "failed_after_paid"),
}


@pytest.mark.parametrize("name", AFTER_PAID)
def test_callback_that_contradicts_a_proven_payment_is_quarantined(world: World, pending: Payment, name: str) -> None:
    """Paid is proven: a later claim against it is for a person to judge."""
    world.pay(pending)
    changes, reason = AFTER_PAID[name]
    before = world.payment(pending.id)
    accepted = world.deliver(pending, world.alpha.callback(pending.out_trade_no, **changes))

    assert (accepted.outcome, accepted.reason) == ("quarantined", reason)
    assert world.payment(pending.id) == before
    assert world.order(pending.order_id).state is OrderState.PAID
    assert_invariants(world.store)


def test_news_of_a_paid_payment_without_amount_is_no_contradiction(world: World, pending: Payment) -> None:
    """Some answers about refunds tell no total; the payment's amount was proven before."""
    world.pay(pending)

    assert world.deliver(pending, world.alpha.callback(pending.out_trade_no, amount_fen=None)).outcome == "duplicate"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\x00", b'{"dedup_key":1}', b"[]"], ids=repr)
def test_authentic_callback_that_cannot_be_read_is_kept_once_and_refused(
    world: World, database: Database, body: bytes
) -> None:
    """N16: nobody's process dies of it, and an operator can see it."""
    raw = RawCallback(headers={"x-signature": "genuine"}, body=body, received_at=world.clock.now())
    outcomes = [accept_callback(world.deps, "alpha_main", raw) for _ in range(3)]

    assert {(one.outcome, one.reason, one.acknowledgement.body) for one in outcomes} == {
        ("malformed", "not_json", b"refused")
    }
    assert database.rows("SELECT state, reason, digest FROM notifications") == [
        ("malformed", "not_json", sha256(body).hexdigest())
    ]


def test_callback_that_is_not_authentic_leaves_only_a_digest(world: World, database: Database) -> None:
    """Nothing of it is stored."""
    raw = RawCallback(headers={"x-signature": "forged"}, body=b"x", received_at=world.clock.now())
    accepted = accept_callback(world.deps, "alpha_main", raw)

    assert (accepted.outcome, accepted.reason, accepted.digest) == ("refused", "signature", sha256(b"x").hexdigest())
    assert accepted.acknowledgement.body == b"refused"
    assert database.rows("SELECT count(*) FROM notifications") == [(0,)]


def test_callback_of_an_event_that_we_do_not_use_is_kept_and_acknowledged(world: World, database: Database) -> None:
    """So that the provider stops sending it."""
    raw = world.alpha.message(None, dedup_key="n-1")
    outcomes = [accept_callback(world.deps, "alpha_main", raw) for _ in range(2)]

    assert [(one.outcome, one.acknowledgement.body) for one in outcomes] == [("ignored", b"ignored")] * 2
    assert database.rows("SELECT state, reason FROM notifications") == [("applied", "event_not_used")]


@pytest.mark.parametrize("kind", ["report", "malformed"])
def test_callback_while_the_database_is_down_is_not_acknowledged(
    world: World, pending: Payment, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The provider sends it again; then it is applied."""
    world.alpha.pay(pending.out_trade_no)
    raw = world.alpha.callback(pending.out_trade_no)
    sent = raw if kind == "report" else replace(raw, body=b"{")

    def broken(_batch: Any) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(world.store._engine, "inner", _Broken(world.store._engine.inner, broken))
        down = world.deliver(pending, sent)
    assert (down.outcome, down.reason, down.acknowledgement.body) == ("unstored", "StoreUnavailable", b"unstored")
    assert world.payment(pending.id).state is PaymentState.PENDING

    assert world.deliver(pending, raw).outcome == "applied"
    assert_invariants(world.store)


class _Broken:
    """An engine whose commits do not come back."""

    def __init__(self, inner: Any, flush: Any) -> None:
        self._inner = inner
        self.flush = flush

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_callback_with_a_hundred_headers_keeps_the_first_ones(world: World, pending: Payment) -> None:
    """What a stranger can add is bounded."""
    world.alpha.pay(pending.out_trade_no)
    raw = world.alpha.callback(pending.out_trade_no, dedup_key="n-1")
    headers = dict(raw.headers) | {f"x-{number}": "v" for number in range(100)}
    world.deliver(pending, replace(raw, headers=headers))

    kept = world.vault.unseal_json(_notification(world, "n-1").headers_sealed, "notification")
    assert len(kept) == 64


def test_statement_of_a_source_is_stored_with_its_evidence(world: World, pending: Payment) -> None:
    """What changed something by a query is evidence like a callback."""
    world.alpha.pay(pending.out_trade_no)
    world.clock.advance(seconds=10)
    world.work()

    evidence = world.store.read().notification(world.payment(pending.id).evidence_id)
    assert (evidence.source, evidence.event, evidence.state) == (Source.QUERY, "query", NotificationState.APPLIED)
    assert world.vault.unseal(evidence.body_sealed, "notification") == b'{"trade":true}'


def test_query_that_changes_nothing_leaves_nothing(world: World, database: Database, pending: Payment) -> None:
    """A payment without a verdict is asked about for days; that must not fill the database."""
    world.clock.advance(seconds=10)
    world.work()  # learns the provider's number
    counts = "SELECT (SELECT count(*) FROM notifications), (SELECT count(*) FROM events)"
    before = database.rows(counts)
    for _ in range(5):
        world.clock.advance(minutes=5)
        world.work()

    assert world.alpha.count("query") == 6
    assert database.rows(counts) == before
