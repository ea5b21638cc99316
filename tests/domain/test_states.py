"""The arrows, written down a second time: the tests that walk them take them from the table itself."""

from enum import StrEnum
from typing import Final

import pytest

from gateway.domain.states import (
    ORDER_ARROWS,
    PAYMENT_ARROWS,
    REFUND_ARROWS,
    PaymentState,
    payment_is_open,
)

ARROWS: Final = {
    "order": {
        "open": "closed closing paid",
        "closing": "closed paid",
        "closed": "paid",
        "paid": "",
    },
    "payment": {
        "created": "closed failed paid pending unknown",
        "pending": "closed failed paid unknown",
        "unknown": "closed failed paid pending",
        "closed": "paid",
        "failed": "paid",
        "paid": "",
    },
    "refund": {
        "requested": "abnormal failed submitted succeeded unknown",
        "submitted": "abnormal failed succeeded unknown",
        "unknown": "abnormal failed submitted succeeded",
        "abnormal": "failed submitted succeeded",
        "succeeded": "",
        "failed": "",
    },
}


def plain(table: dict[StrEnum, frozenset[StrEnum]]) -> dict[str, str]:
    return {state.value: " ".join(sorted(after.value for after in arrows)) for state, arrows in table.items()}


@pytest.mark.parametrize(
    ("name", "table"),
    [("order", ORDER_ARROWS), ("payment", PAYMENT_ARROWS), ("refund", REFUND_ARROWS)],
    ids=["order", "payment", "refund"],
)
def test_arrows_are_those_that_were_decided(name: str, table: dict[StrEnum, frozenset[StrEnum]]) -> None:
    """Money that moved is never dropped: every state without it leads to `paid`, and nothing leads away from there."""
    assert ARROWS[name] == plain(table)


@pytest.mark.parametrize("state", PaymentState)
def test_payment_is_open_until_there_is_a_verdict(state: PaymentState) -> None:
    """While it is, the payer may still be paying."""
    assert payment_is_open(state) is (state.value in {"created", "pending", "unknown"})
