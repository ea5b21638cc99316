"""Makes tasks: what must happen next, written in the commit of what happened."""

from datetime import datetime

from gateway.domain.order import Task, TaskKind, TaskState


class SubjectMissing(Exception):
    """A task names a payment or a refund that does not exist: mark it dead."""


def app_lane(app: str) -> str:
    """Whom a webhook's task waits for, where other tasks name their merchant account; no account has such a name."""
    return f"app:{app}"


def due_task(
    kind: TaskKind, subject_id: str, account: str | None, *, at: datetime, now: datetime, tries: int = 0
) -> Task:
    """A task due at the given instant; `tries` 0 says that no worker has ever begun it."""
    return Task(
        kind=kind,
        subject_id=subject_id,
        account=account,
        state=TaskState.DUE,
        due_at=at,
        tries=tries,
        lease=None,
        last_error="",
        created_at=now,
    )
