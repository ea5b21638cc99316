"""
The words that stand in rows, histories, answers and metrics. To change one makes what is stored unreadable and what
callers have written wrong: it needs a migration and a new version, not a new literal.
"""

import importlib
import pkgutil
from enum import StrEnum
from typing import Final

import pytest

import gateway.domain
from gateway.domain import (
    biller,
    biller_rows,
    bindings,
    collection,
    entry,
    gate,
    operator,
    order,
    provider,
    replay,
    report,
    review,
    statement,
    states,
    webhook,
)

WORDS: Final[dict[type[StrEnum], str]] = {
    states.OrderState: "open closing paid closed",
    states.PaymentState: "created pending unknown paid closed failed",
    states.RefundState: "requested submitted unknown succeeded failed abnormal",
    states.RefundReason: "asked surplus late policy outside reversed",
    states.NotificationState: "received applied duplicate orphan quarantined malformed",
    order.TaskKind: "query close refund query_refund close_order match_file webhook",
    order.TaskState: "due done dead",
    order.LedgerAccount: "receivable collected refunding settled",
    order.KeyState: "running finished",
    report.Source: "callback query answer statement",
    report.ReportedState: "pending paid closed failed unknown not_found",
    report.ReportedRefundState: "submitted succeeded failed abnormal unknown not_found",
    statement.StatementKind: "trades funds",
    statement.StatementLineKind: "payment refund fee other",
    provider.Operation: "create parse_callback query close refund query_refund fetch_statement",
    provider.InstructionKind: "sdk_params sdk_string redirect form qr_text none",
    provider.Verdict: "accepted ignored quarantined orphan refused unstored",
    gate.BreakerState: "closed open half_open",
    operator.Role: "viewer operator approver admin",
    replay.ReplayKind: "notification query refund webhook task",
    review.ReviewKind: "premium_paid_twice amount_differs proof_reused record_late",
    review.ReviewState: "open resolved",
    review.Resolution: "accepted returned mistaken settled",
    webhook.MessageState: "pending delivered dead",
    webhook.TryOutcome: "started accepted refused unanswered",
    webhook.EndpointState: "enabled disabled",
    collection.CollectionMethod: "cash scan transfer unstated",
    collection.CollectionState: "accepted review rejected",
    collection.LineOutcome: "accepted duplicate review invalid",
    bindings.BindingState: "none active in_review refused unknown",
    bindings.AccountState: "normal frozen closed unknown",
    bindings.ProofKind: "marriage_certificate household_register other",
    entry.Surface: (
        "wechat_page wechat_mini_program alipay_page alipay_mini_program unionpay_page bank_page native_app"
        " phone_browser desktop_browser screen"
    ),
    biller.BillState: "unpaid paid closed",
    biller.Standing: "paid reversed not_found",
    biller.FileState: "pending matched different rejected superseded",
    biller.DifferenceKind: "long short amount bill reversal",
    biller.BillerReason: (
        "signature timestamp nonce institution key format field_missing amount_form call no_person not_in_area no_bill"
        " nothing_owed already_paid amount_differs bill_closed window_closed bill_unknown original_unknown"
        " not_reversible reversed_first reversal_amount key_reused busy undecided"
    ),
    biller_rows.EntryKind: "payment reversal",
    biller_rows.EntryState: "applied reversed void",
    biller_rows.DifferenceState: "open resolved",
}


@pytest.mark.parametrize("enum", WORDS, ids=lambda enum: enum.__qualname__)
def test_words_are_those_that_are_stored_and_shown(enum: type[StrEnum]) -> None:
    """Each is its name in lower case, and none is missing."""
    assert WORDS[enum].split() == [member.value for member in enum] == [member.name.lower() for member in enum]


def test_every_set_of_words_is_listed_here() -> None:
    """A new one needs its line above."""
    modules = [
        importlib.import_module(f"gateway.domain.{m.name}") for m in pkgutil.iter_modules(gateway.domain.__path__)
    ]
    defined = {
        found
        for module in modules
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, StrEnum) and found.__module__ == module.__name__
    }

    assert WORDS.keys() == defined
