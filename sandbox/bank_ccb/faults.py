"""What can go wrong at CCB alone."""

from enum import StrEnum


class BankCcbFault(StrEnum):
    """Notifies of other shapes, tries that fail or wait, records out of place; docs/sandbox.md holds the effects."""

    NOTIFY_OPTIONAL_FIELDS = "notify_optional_fields"
    NOTIFY_NEWER_FIELDS = "notify_newer_fields"
    NOTIFY_OTHER_ORDER = "notify_other_order"
    NOTIFY_UPPERCASE_HEX = "notify_uppercase_hex"
    NOTIFY_OF_PAGE = "notify_of_page"
    TRY_FAILS = "try_fails"
    WAITS_FOR_BANK = "waits_for_bank"
    KIND_MIXED_UP = "kind_mixed_up"
    REFUND_REFUSED = "refund_refused"
    REFUND_CODE_HIDDEN = "refund_code_hidden"
