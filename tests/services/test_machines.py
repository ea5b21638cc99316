"""Random histories of orders and refunds: none contradicts the banks' own books, and all of them settle."""

import sqlite3
from pathlib import Path

import pytest

from tests.services.machines.run import run_histories
from tests.simulation.planted import PLANTED

_MUST_REACH = {
    *("orders closed", "orders paid"),
    *("payments closed", "payments failed", "payments paid"),
    *("refunds asked", "refunds surplus", "refunds outside", "refunds failed", "refunds succeeded"),
    *("event payment_unknown", "event payment_surplus", "event order_closing", "event refund_issued_again"),
    *("event refund_unknown", "event refund_abnormal", "event report_quarantined"),
    *("event refund_told", "event refund_superseded"),
    *("callback applied", "callback duplicate", "callback quarantined", "callback refused"),
    *("crashed before_commit", "crashed after_commit", "crashed tasks_claimed"),
    "refused provider_unavailable",
}


@pytest.mark.timeout(600)
def test_every_history_agrees_with_the_banks_and_settles(sqlite_template: Path, tmp_path: Path) -> None:
    """The same histories on every run; `make machines` takes others, and more."""
    reached = run_histories(sqlite_template, tmp_path, examples=100, steps=40, seed=9)

    assert set() == _MUST_REACH - set(reached)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["surplus_kept", "no_refund_limit", "no_dedupe", "closed_before_proof"])
def test_planted_defect_is_found_by_a_history(
    name: str, sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what must hold, or by what the database itself refuses; without it the same histories are in order."""
    PLANTED[name](monkeypatch)

    with pytest.raises((AssertionError, sqlite3.IntegrityError)):
        run_histories(sqlite_template, tmp_path, examples=100, steps=40, seed=9, shrink=False)
