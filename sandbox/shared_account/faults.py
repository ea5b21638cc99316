"""What can go wrong at the shared account's platform alone."""

from enum import StrEnum


class SharedAccountFault(StrEnum):
    """Charges that wait, bindings that change under them, revokes that fail; docs/sandbox.md holds the effects."""

    SETTLED_LATE = "settled_late"
    BINDING_WAITS = "binding_waits"
    BINDING_REVOKED = "binding_revoked"
    REVOKE_FAILED = "revoke_failed"
    REVOKE_UNKNOWN = "revoke_unknown"
