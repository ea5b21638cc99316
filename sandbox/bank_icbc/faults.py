"""What can go wrong at ICBC alone."""

from enum import StrEnum


class IcbcFault(StrEnum):
    """Codes that leave the outcome in doubt, tries and refunds that fail, another path in what is signed."""

    NEGATIVE_CODE_BEFORE_COMMIT = "negative_code_before_commit"
    NEGATIVE_CODE_AFTER_COMMIT = "negative_code_after_commit"
    CALLBACK_OTHER_PATH = "callback_other_path"
    PAYMENT_DECLINED = "payment_declined"
    REFUND_FAILED = "refund_failed"
