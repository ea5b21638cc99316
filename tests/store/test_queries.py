"""Every read, on both databases, against one expected answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.order import TaskKind, TaskState
from gateway.domain.states import NotificationState, OrderState
from gateway.store import DueWork, KnownMessage, ReportView, Store, Tx
from tests.support.clock import START
from tests.support.rows import a_key, a_notification, a_payment, a_refund, a_task, an_event, an_order

FIRST, SECOND, THIRD = an_order("ord_1"), an_order("ord_2", state=OrderState.CLOSED), an_order("ord_3", app="other")
PAYMENTS = (
    a_payment("pay_1", kept=False),
    a_payment("pay_2", amount_refunding_fen=0),
    a_payment("pay_3", "ord_2", account="beta_main"),
)
REFUNDS = (a_refund("ref_1"), a_refund("ref_2", client_refund_no=None), a_refund("ref_3", "pay_2"))
EVENT_1 = an_event()
EVENT_2 = an_event(after_seq=1, after_hash=EVENT_1.hash)
EVENT_3 = an_event(after_seq=2, after_hash=EVENT_2.hash)
TASKS = (
    a_task("pay_1", due_at=START + timedelta(seconds=5)),
    a_task("pay_2", due_at=START + timedelta(seconds=3)),
    a_task("pay_3", due_at=START, state=TaskState.DONE),
    a_task("ref_1", kind=TaskKind.REFUND, due_at=START + timedelta(seconds=9)),
)
LINE = a_notification()
KEY = a_key()

READS: dict[str, tuple[Callable[[Tx], Any], Any]] = {
    "order": (lambda tx: tx.order("ord_2"), SECOND),
    "order_absent": (lambda tx: tx.order("ord_9"), None),
    "order_by_client_no": (lambda tx: tx.order_by_client_no("wallet", "C-ord_1"), FIRST),
    "order_by_client_no_of_another_app": (lambda tx: tx.order_by_client_no("other", "C-ord_1"), None),
    "orders_page": (lambda tx: tx.orders_page("wallet", before="ord_~", limit=9), [SECOND, FIRST]),
    "orders_page_limit": (lambda tx: tx.orders_page("wallet", before="ord_~", limit=1), [SECOND]),
    "orders_page_before": (lambda tx: tx.orders_page("wallet", before="ord_2", limit=9), [FIRST]),
    "orders_page_in_state": (
        lambda tx: tx.orders_page("wallet", before="ord_~", limit=9, state=OrderState.OPEN),
        [FIRST],
    ),
    "all_orders_page": (lambda tx: tx.all_orders_page(before="ord_~", limit=2), [THIRD, SECOND]),
    "slot_holder": (lambda tx: tx.slot_holder("slot-ord_1"), "ord_1"),
    "slot_holder_absent": (lambda tx: tx.slot_holder("slot-ord_2"), None),
    "payment": (lambda tx: tx.payment("pay_3"), PAYMENTS[2]),
    "payments_of_order": (lambda tx: tx.payments_of_order("ord_1"), list(PAYMENTS[:2])),
    "refund": (lambda tx: tx.refund("ref_2"), REFUNDS[1]),
    "refund_by_no": (lambda tx: tx.refund_by_no("no-ref_3"), REFUNDS[2]),
    "refund_by_client_no": (lambda tx: tx.refund_by_client_no("ord_1", "R-ref_1"), REFUNDS[0]),
    "refunds_of_order": (lambda tx: tx.refunds_of_order("ord_1"), list(REFUNDS)),
    "refunds_of_payment": (lambda tx: tx.refunds_of_payment("pay_1"), list(REFUNDS[:2])),
    "events_page": (lambda tx: tx.events_page("ord_1", after=0, limit=2), [EVENT_1, EVENT_2]),
    "events_page_after": (lambda tx: tx.events_page("ord_1", after=2, limit=2), [EVENT_3]),
    "idempotency_key": (lambda tx: tx.idempotency_key("wallet", "key-1"), KEY),
    "idempotency_key_of_another_app": (lambda tx: tx.idempotency_key("other", "key-1"), None),
    "notification": (lambda tx: tx.notification("ntf_1"), LINE),
    "notification_by_key": (lambda tx: tx.notification_by_key("alpha_main", "key-ntf_1"), LINE),
    "notification_of_another_account": (lambda tx: tx.notification_by_key("beta_main", "key-ntf_1"), None),
    "task": (lambda tx: tx.task(TaskKind.REFUND, "ref_1"), TASKS[3]),
    "nonce_is_used": (lambda tx: tx.nonce_is_used("wallet", "n-1"), True),
    "nonce_is_used_by_another_app": (lambda tx: tx.nonce_is_used("other", "n-1"), False),
    "next_due": (lambda tx: tx.next_due(), START + timedelta(seconds=3)),
    "due_work": (
        lambda tx: sorted(tx.due_work(), key=lambda work: work.kind),
        [
            DueWork(kind=TaskKind.QUERY, count=2, oldest_due_at=START + timedelta(seconds=3)),
            DueWork(kind=TaskKind.REFUND, count=1, oldest_due_at=START + timedelta(seconds=9)),
        ],
    ),
    "report_view_whole": (
        lambda tx: tx.report_view(account="alpha_main", out_trade_no="no-pay_1", dedup_key="key-ntf_1"),
        ReportView(
            known=KnownMessage(notification_id="ntf_1", state=NotificationState.APPLIED),
            payment=PAYMENTS[0],
            order=FIRST,
            slot_holder="ord_1",
        ),
    ),
    "report_view_new_message": (
        lambda tx: tx.report_view(account="beta_main", out_trade_no="no-pay_3", dedup_key="key-ntf_1"),
        ReportView(known=None, payment=PAYMENTS[2], order=SECOND, slot_holder=None),
    ),
    "report_view_of_another_account": (
        lambda tx: tx.report_view(account="beta_main", out_trade_no="no-pay_1", dedup_key="x"),
        ReportView(known=None, payment=None, order=None, slot_holder=None),
    ),
    "report_view_orphan": (
        lambda tx: tx.report_view(account="alpha_main", out_trade_no="nowhere", dedup_key="key-ntf_1"),
        ReportView(
            known=KnownMessage(notification_id="ntf_1", state=NotificationState.APPLIED),
            payment=None,
            order=None,
            slot_holder=None,
        ),
    ),
}


@pytest.fixture
def filled(store: Store) -> Store:
    def job(tx: Tx) -> None:
        for row in (FIRST, SECOND, THIRD, *PAYMENTS, *REFUNDS, EVENT_1, EVENT_2, EVENT_3, *TASKS, LINE, KEY):
            tx.insert(row)
        tx.take_slot("slot-ord_1", "ord_1")
        tx.use_nonce("wallet", "n-1", START)

    store.run(job)
    return store


@pytest.mark.parametrize("name", READS)
def test_query_over_known_rows_answers_alike_on_both_engines(filled: Store, name: str) -> None:
    """One expected answer, whatever the engine."""
    read, expected = READS[name]

    assert expected == read(filled.read())


def test_every_query_is_read_by_a_case_here() -> None:
    """A new read without a case shows up."""
    reads = {name for name in dir(Tx) if not name.startswith("_")} - WRITES - FOR_FAMILIES

    assert reads == {
        next(read for read in sorted(reads, key=len, reverse=True) if case.startswith(read)) for case in READS
    }


FOR_FAMILIES = {"rows", "all", "one", "write"}
"""Ways for the families' own modules, each tested with its family."""

WRITES = {
    "insert",
    "insert_first",
    "update",
    "schedule",
    "drop_task",
    "withdraw_task",
    "settle_task",
    "take_slot",
    "free_slot",
    "own_key",
    "release_key",
    "finish_key",
    "use_nonce",
    "purge",
}


def test_next_due_without_work_is_none(store: Store) -> None:
    """An empty queue has no next time."""
    assert store.read().next_due() is None


def test_ping_of_an_open_database_answers(store: Store) -> None:
    """The readiness probe asks for one row."""
    store.ping()
