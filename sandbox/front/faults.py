"""How a receiver of webhooks can fail."""

from enum import StrEnum


class FrontFault(StrEnum):
    """What it answers instead of 204, or that it does not; docs/sandbox.md holds the effects."""

    WEBHOOK_REFUSED = "webhook_refused"
    WEBHOOK_BUSY = "webhook_busy"
    WEBHOOK_UNANSWERED = "webhook_unanswered"
    WEBHOOK_REDIRECTED = "webhook_redirected"
    WEBHOOK_GONE = "webhook_gone"
