"""What needs a person: found in the database, told by the worker's log, the metrics and `jiaofei alarms`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from gateway.domain.clock import rfc3339
from gateway.domain.webhook import EndpointState
from gateway.services.deps import Deps
from gateway.services.review import open_reviews
from gateway.services.webhook_desk import endpoint_figures
from gateway.store.families import open_work
from gateway.store.families.open_work import OpenWork

PAYMENT_OVERDUE: Final = timedelta(hours=1)
"""So long after the last moment that any payment may have been finished, its verdict is late."""

REFUND_OVERDUE: Final = timedelta(days=7)
"""A refund to a bank card takes three working days, and a long holiday lies between."""

FAILED_SHOWN: Final = timedelta(hours=24)
"""A failed refund stays failed; its app decides, and operators hear of it for a day."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """
    Something that does not come right by itself.

    Attributes:
        name: payments_unresolved | refunds_unresolved | refunds_abnormal | refunds_failed | tasks_dead |
            webhooks_dead | webhook_endpoint_disabled | reviews_open.
        subject: The account, the app or the kind that it is about.
        since: Of the oldest of them; None where that is not on record.
    """

    name: str
    subject: str
    count: int
    since: datetime | None = None


def find_alarms(deps: Deps) -> list[Alarm]:
    """
    Everything that needs a person now.

    Raises:
        StoreUnavailable: The database does not answer, which is an alarm of its own (`jiaofei_store_up`).
    """
    return [*_unresolved(deps), *_given_up(deps), *_untold(deps), *_undecided(deps)]


def tell_alarms(deps: Deps) -> None:
    """One line in the log for each alarm."""
    for alarm in find_alarms(deps):
        since = rfc3339(alarm.since) if alarm.since else None
        _log.error("alarm_raised", alarm=alarm.name, subject=alarm.subject, count=alarm.count, since=since)


def payment_age_max(deps: Deps) -> timedelta:
    """No payment may be without a verdict for longer: its life, which the settings limit, and the time to ask after."""
    return timedelta(seconds=deps.settings.payment_ttl_seconds) + PAYMENT_OVERDUE


def _unresolved(deps: Deps) -> Iterator[Alarm]:
    tx, now, age_max = deps.store.read(), deps.clock.now(), payment_age_max(deps)
    payments, refunds = open_work.unresolved_payments(tx), open_work.unresolved_refunds(tx)
    yield from (_alarm("payments_unresolved", one) for one in payments if now - one.oldest_at > age_max)
    yield from (_alarm("refunds_unresolved", one) for one in refunds if now - one.oldest_at > REFUND_OVERDUE)


def _given_up(deps: Deps) -> Iterator[Alarm]:
    tx, now = deps.store.read(), deps.clock.now()
    yield from (_alarm("refunds_abnormal", one) for one in open_work.abnormal_refunds(tx))
    yield from (_alarm("refunds_failed", one) for one in open_work.failed_refunds(tx, since=now - FAILED_SHOWN))
    yield from (_alarm("tasks_dead", one) for one in open_work.dead_tasks(tx))


def _alarm(name: str, work: OpenWork) -> Alarm:
    return Alarm(name=name, subject=work.name, count=work.count, since=work.oldest_at)


def _untold(deps: Deps) -> Iterator[Alarm]:
    for figures in endpoint_figures(deps):
        known = figures.endpoint
        if figures.dead:
            yield Alarm(name="webhooks_dead", subject=known.app, count=figures.dead)
        if known.state is EndpointState.DISABLED:
            name = "webhook_endpoint_disabled"
            yield Alarm(name=name, subject=known.app, count=figures.pending, since=known.changed_at)


def _undecided(deps: Deps) -> Iterator[Alarm]:
    for kind, count in open_reviews(deps).items():
        if count:
            yield Alarm(name="reviews_open", subject=kind.value, count=count)
