"""A day's statement of two regions, and the lines that it must give. All names and numbers are invented."""

import base64
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

from gateway.domain.clock import CHINA
from gateway.domain.statement import StatementLine, StatementLineKind
from tests.adapters.shared_account import peer
from tests.adapters.shared_account.sm2 import sm3

DAY: Final = date(2025, 10, 16)
FILES: Final = {
    "340104": (
        f"H|SA1|{peer.APP_ID}|20251016|340104|2\n"
        f"D|{peer.WIRE_NUMBER}|{peer.PAY_ORD_ID}|P|20251016093015|380.01|{peer.MEMBER_ID}|2026\n"
        f"D|{peer.WIRE_NUMBER}|{peer.PAY_ORD_ID}|R|20251016161500|380.01|{peer.MEMBER_ID}|2026\n"
        "T|1|380.01|1|380.01\n"
    ),
    "340124": (
        f"H|SA1|{peer.APP_ID}|20251016|340124|1\n"
        f"D|HF202510160000000002|ORD3401240002|P|20251016235959|400.00|{peer.OWNER_ID}|2026\n"
        "T|1|400.00|0|0.00\n"
    ),
}


def statement_data(text: str, **changes: Any) -> dict[str, Any]:
    content = text.encode()
    return {
        "fileName": "sa_20251016.txt",
        "fileSm3": sm3(content).hex(),
        "rows": str(text.count("\nD|")),
        "fileBody": base64.b64encode(content).decode(),
        **changes,
    }


PAYMENT_LINE: Final = StatementLine(
    line_no=2,
    kind=StatementLineKind.PAYMENT,
    occurred_at=datetime(2025, 10, 16, 9, 30, 15, tzinfo=CHINA),
    out_trade_no=peer.NUMBER,
    provider_trade_no=peer.PAY_ORD_ID,
    amount_fen=38001,
    provider_status="P",
)
REVOKE_LINE: Final = replace(
    PAYMENT_LINE,
    line_no=3,
    kind=StatementLineKind.REFUND,
    occurred_at=datetime(2025, 10, 16, 16, 15, 0, tzinfo=CHINA),
    provider_status="R",
)
OTHER_LINE: Final = replace(
    PAYMENT_LINE,
    line_no=6,
    occurred_at=datetime(2025, 10, 16, 15, 59, 59, tzinfo=UTC),
    out_trade_no="HF202510160000000002",
    provider_trade_no="ORD3401240002",
    amount_fen=40000,
)
