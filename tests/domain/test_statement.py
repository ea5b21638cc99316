"""The words of a statement, as they are stored and printed."""

import pytest

from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (["trades", "funds"], StatementKind),
        (["payment", "refund", "fee", "other"], StatementLineKind),
    ],
    ids=["files", "lines"],
)
def test_statement_words_stay_what_they_are(words: list[str], kinds: type[StatementKind | StatementLineKind]) -> None:
    """Rows and reports hold them."""
    assert words == [kind.value for kind in kinds]


def test_line_that_says_nothing_more_is_empty_there() -> None:
    """An unsaid fee is None, which is not a fee of nothing."""
    line = StatementLine(
        line_no=1,
        kind=StatementLineKind.PAYMENT,
        occurred_at=None,
        out_trade_no="a" * 32,
        provider_trade_no="4200",
        amount_fen=38001,
    )

    assert ("", "", None, "") == (line.out_refund_no, line.provider_refund_no, line.fee_fen_e3, line.provider_status)
