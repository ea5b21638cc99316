"""The audit's questions about messages: what providers told us, and what apps are to be told."""

from typing import Any, Final

from sqlalchemy import exists, or_, select

from gateway.domain.order import TaskKind, TaskState
from gateway.domain.states import NotificationState
from gateway.domain.webhook import TYPE_BY_EVENT, MessageState, TryOutcome
from gateway.store.families.audit_check import Check, among
from gateway.store.families.webhooks import MESSAGES, TRIES
from gateway.store.tables import EVENTS, NOTIFICATIONS, PAYMENTS, TASKS

_N, _E, _P, _T, _M = NOTIFICATIONS.c, EVENTS.c, PAYMENTS.c, TASKS.c, MESSAGES.c
_EARLIER: Final = MESSAGES.alias("earlier")
_DEAD_AFTER: Final = 10
_IS_WEBHOOK: Final = _T.kind == TaskKind.WEBHOOK.value
_IS_DUE: Final = _T.state == TaskState.DUE.value


def _tried(*conditions: Any) -> Any:
    return exists().where(TRIES.c.order_id == _M.order_id, TRIES.c.seq == _M.seq, *conditions)


_TAKEN: Final = (
    Check(
        invariant=4,
        name="message_without_effect",
        says="a provider's message was applied or set aside, and no event of its payment's order names it",
        found=select(_N.id)
        .join(PAYMENTS, _P.id == _N.payment_id)
        .where(
            among(_N.state, [NotificationState.APPLIED, NotificationState.QUARANTINED]),
            ~exists().where(_E.order_id == _P.order_id, _E.evidence_id == _N.id),
        ),
    ),
)

_TOLD: Final = (
    Check(
        invariant=7,
        name="webhook_not_looked_at",
        says="a webhook is to be sent and nobody will send it; the id is the order's",
        found=select(_M.order_id).where(
            _M.state == MessageState.PENDING.value,
            ~exists().where(_IS_WEBHOOK, _T.subject_id == _M.order_id, _IS_DUE),
        ),
    ),
    Check(
        invariant=7,
        name="webhook_never_made",
        says="an event is to be told, its order's webhooks were gone through since, and it became none",
        found=select(_E.order_id)
        .join(TASKS, _T.subject_id == _E.order_id)
        .where(
            _IS_WEBHOOK,
            ~_IS_DUE,
            _E.at < _T.due_at,  # of a task that is done, when it was
            or_(*(_E.kind == kind for kind in sorted(TYPE_BY_EVENT))),
            ~exists().where(_M.order_id == _E.order_id, _M.seq == _E.seq),
        ),
    ),
    Check(
        invariant=7,
        name="webhook_overtaken",
        says="a webhook was sent before one ahead of it in the same order had its first try",
        found=select(_M.order_id).where(
            _M.tries > 0,
            exists().where(_EARLIER.c.order_id == _M.order_id, _EARLIER.c.seq < _M.seq, _EARLIER.c.tries == 0),
        ),
    ),
    Check(
        invariant=7,
        name="webhook_delivered_to_nobody",
        says="a webhook counts as delivered, and none of its tries was accepted",
        found=select(_M.order_id).where(
            _M.state == MessageState.DELIVERED.value,
            or_(_M.tries == 0, _tried()),  # the tries of an old message are forgotten, all at once or not
            ~_tried(TRIES.c.outcome == TryOutcome.ACCEPTED.value),
        ),
    ),
    Check(
        invariant=7,
        name="webhook_dead_too_soon",
        says="a webhook was given up before its last try",
        found=select(_M.order_id).where(_M.state == MessageState.DEAD.value, _M.tries < _DEAD_AFTER),
    ),
)

CHECKS: Final = (*_TAKEN, *_TOLD)
