"""What is still open and what waits for a person, counted by one look at a partial index each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, Table, bindparam, distinct, func, literal_column, select

from gateway.domain.clock import micros, moment
from gateway.domain.order import TaskKind, TaskState
from gateway.domain.states import PaymentState, RefundState
from gateway.store.families.audit_check import among
from gateway.store.tables import IS_TROUBLED, PAYMENTS, REFUNDS, TASKS

if TYPE_CHECKING:
    from gateway.store.tx import Tx

_R, _T = REFUNDS.c, TASKS.c


def _literal(state: str) -> Any:
    """Written into the statement, so that the partial index serves."""
    return literal_column(f"'{state}'")


def _followed(table: Table, states: Sequence[StrEnum], kinds: Sequence[TaskKind]) -> Select[Any]:
    """
    Rows in these states that a due task is about. The due tasks are few and have their index, which the engine must
    take: so the kind is asked for in a form that no key serves.
    """
    row = table.c
    return (
        select(row.account, func.count(distinct(row.id)), func.min(row.created_at))
        .join_from(TASKS, table, row.id == _T.subject_id)
        .where(
            _T.state == _literal(TaskState.DUE.value),
            among(_T.kind + "", kinds),
            among(row.state, states),
        )
        .group_by(row.account)
        .order_by(row.account)
    )


_PAYMENTS: Final = _followed(
    PAYMENTS,
    (PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN),
    (TaskKind.QUERY, TaskKind.CLOSE),
)
_REFUNDS: Final = _followed(
    REFUNDS,
    (RefundState.REQUESTED, RefundState.SUBMITTED, RefundState.UNKNOWN),
    (TaskKind.REFUND, TaskKind.QUERY_REFUND),
)
_DEAD: Final = (
    select(_T.kind, func.count(), func.min(_T.created_at))
    .where(_T.state == _literal(TaskState.DEAD.value))
    .group_by(_T.kind)
    .order_by(_T.kind)
)
_TROUBLED: Final = (
    select(_R.account, func.count(), func.min(_R.updated_at))
    .where(IS_TROUBLED, _R.state == bindparam("state"), _R.updated_at >= bindparam("since"))
    .group_by(_R.account)
    .order_by(_R.account)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWork:
    """
    So many things of one account, or of one kind.

    Attributes:
        name: The account's, or the kind's.
        oldest_at: Since when the oldest of them is there.
    """

    name: str
    count: int
    oldest_at: datetime


def _read(tx: "Tx", query: Any, **values: Any) -> list[OpenWork]:
    return [
        OpenWork(name=name, count=count, oldest_at=moment(oldest)) for name, count, oldest in tx.rows(query, **values)
    ]


def unresolved_payments(tx: "Tx") -> list[OpenWork]:
    """
    Payments without a verdict, by account, since they were started; found by the tasks that ask for it. That none is
    without such a task, `audit` checks (payment_not_looked_at).
    """
    return _read(tx, _PAYMENTS)


def unresolved_refunds(tx: "Tx") -> list[OpenWork]:
    """Refunds without an end, by account, since they were asked for; likewise (refund_not_looked_at)."""
    return _read(tx, _REFUNDS)


def abnormal_refunds(tx: "Tx") -> list[OpenWork]:
    """Refunds that the provider could not pay out (退款异常), by account, since they were last told of."""
    return _read(tx, _TROUBLED, state=RefundState.ABNORMAL.value, since=0)


def failed_refunds(tx: "Tx", *, since: datetime) -> list[OpenWork]:
    """Refunds that have failed since then, by account."""
    return _read(tx, _TROUBLED, state=RefundState.FAILED.value, since=micros(since))


def dead_tasks(tx: "Tx") -> list[OpenWork]:
    """Tasks that were given up, by kind, since they were first asked for."""
    return _read(tx, _DEAD)
