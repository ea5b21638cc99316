"""A provider's statement (对账单) of one day, line by line, in one shape."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class StatementKind(StrEnum):
    """Which file: `trades` lists payments and refunds, `funds` lists movements of the account's balance."""

    TRADES = "trades"
    FUNDS = "funds"


class StatementLineKind(StrEnum):
    """What one line records."""

    PAYMENT = "payment"
    REFUND = "refund"
    FEE = "fee"
    OTHER = "other"


class StatementUnreadable(Exception):
    """The file arrived but its checksum or a line does not hold. Keep the file, tell an operator, settle nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """
    One line of a statement.

    Attributes:
        line_no: Position in the file, from 1.
        amount_fen: Never negative for payments and refunds (direction is in `kind`); signed for other kinds.
        fee_fen_e3: The provider's fee in thousandths of a fen (WeChat writes five decimals of a yuan), None if unsaid.
        provider_status: The provider's own word.
    """

    line_no: int
    kind: StatementLineKind
    occurred_at: datetime | None
    out_trade_no: str
    provider_trade_no: str
    amount_fen: int
    out_refund_no: str = ""
    provider_refund_no: str = ""
    fee_fen_e3: int | None = None
    provider_status: str = ""
