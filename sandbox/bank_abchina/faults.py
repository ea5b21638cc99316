"""What can go wrong at the Agricultural Bank alone."""

from enum import StrEnum


class BankAbchinaFault(StrEnum):
    """Messages in the bank's own charsets and habits, and refunds that fail late; docs/sandbox.md holds the effects."""

    ANSWER_UNSIGNED = "answer_unsigned"
    ANSWER_PREAMBLE = "answer_preamble"
    CALLBACK_OUTSIDE_GB2312 = "callback_outside_gb2312"
    CALLBACK_SIGNED_AS_GBK = "callback_signed_as_gbk"
    CALLBACK_BLANK_FOR_PLUS = "callback_blank_for_plus"
    REFUND_FAILED_LATER = "refund_failed_later"
