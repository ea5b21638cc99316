"""What the core of biller mode knows of an account, and of the message that it is acting on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.domain.biller import Institution
from gateway.domain.biller_front import BillerFront
from gateway.domain.order import Order
from gateway.domain.report import Source
from gateway.services.deps import Deps
from gateway.services.record_report import Message

DAY: Final = "%Y%m%d"
"""How the store keeps an accounting date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    The bank's own bytes: a message, or a line of its day file.

    Attributes:
        source: CALLBACK or STATEMENT.
    """

    source: Source
    received_at: datetime
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def message(self, deps: Deps, account: str, *, dedup_key: str, event: str) -> Message:
        """The bytes on their way to become a notification."""
        return Message(
            id=f"ntf_{deps.ids.new()}",
            account=account,
            source=self.source,
            dedup_key=dedup_key,
            event=event,
            received_at=self.received_at,
            body=self.body,
            headers=self.headers,
        )


def front_of(deps: Deps, account: str) -> BillerFront:
    """
    The account's side of its bank's protocol.

    Raises:
        LookupError: The account is none of biller mode: a caller's mistake.
    """
    provider: object = deps.providers.get(account)
    if not isinstance(provider, BillerFront):
        raise LookupError(f"{account} does not collect in biller mode")
    return provider


def out_trade_no_of(payment_id: str) -> str:
    """The number of a payment that was born here: its id without the prefix (see `born_paid.unstarted_payment`)."""
    return payment_id.removeprefix("pay_")


def may_collect(institution: Institution, biller_id: str, order: Order) -> bool:
    """True when this biller of the institution may collect this order at all."""
    regions = institution.billers.get(biller_id, frozenset())
    return order.region in regions and (institution.apps is None or order.app in institution.apps)
