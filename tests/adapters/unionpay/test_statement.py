"""Settlement files: three layers, fixed columns, bounds, and what an absent file means."""

import base64
import zipfile
import zlib
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

import pytest

from adapters.unionpay import statement
from adapters.unionpay.statement import Bill, read_file
from gateway.domain.clock import CHINA
from gateway.domain.provider import NoVerdict, OperationUnsupported, ProviderUnavailable
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind, StatementUnreadable
from tests.adapters.unionpay import peer
from tests.conformance.case import FixedClock
from tests.conformance.network import playing

BILL: Final = Bill(day=peer.DAY, mer_id=peer.MER_ID)
PAYMENT: Final = peer.row(peer.ZM_PAYMENT)


def lines_of(*rows: bytes, disputes: bytes = b"") -> list[StatementLine]:
    return list(read_file(peer.file_content(*rows, disputes=disputes), BILL))


def changed(number: int, text: str) -> bytes:
    return peer.row({**peer.ZM_PAYMENT, number: text})


def test_lines_are_sliced_by_bytes() -> None:
    """A Chinese name before the fee columns shifts nothing; one that is cut within a character harms nothing."""
    whole = lines_of(PAYMENT)
    place = PAYMENT.index("合".encode("gbk"))
    cut = PAYMENT[:place] + b"\xba " + PAYMENT[place + 2 :]

    assert whole == lines_of(cut)
    assert 228_000 == whole[0].fee_fen_e3


@pytest.mark.parametrize(
    ("txn_type", "kind"),
    [
        ("01", StatementLineKind.PAYMENT),
        ("04", StatementLineKind.REFUND),
        ("31", StatementLineKind.REFUND),
        ("99", StatementLineKind.OTHER),
        ("  ", StatementLineKind.OTHER),
    ],
)
def test_kind_is_decided_by_the_type_column(txn_type: str, kind: StatementLineKind) -> None:
    """Never by the letters of the code; an undo gives money back as a refund does."""
    assert kind is lines_of(changed(20, txn_type))[0].kind


@pytest.mark.parametrize(
    ("day", "moment", "wanted"),
    [
        (date(2027, 1, 1), "1231231500", datetime(2026, 12, 31, 23, 15, tzinfo=CHINA)),
        (date(2027, 1, 1), "0101101500", datetime(2027, 1, 1, 10, 15, tzinfo=CHINA)),
        (date(2026, 3, 1), "0228231500", datetime(2026, 2, 28, 23, 15, tzinfo=CHINA)),
    ],
    ids=["old-year", "new-year", "evening-before"],
)
def test_year_is_the_files(day: date, moment: str, wanted: datetime) -> None:
    """Lines have no year; a clearing day begins at 23:00 of the day before."""
    content = peer.packed(peer.zipped({peer.zm_name(day=day): changed(5, moment)}))

    assert wanted == next(read_file(content, replace(BILL, day=day))).occurred_at


def test_disputes_follow_as_other_lines() -> None:
    """Columns 1 to 8 are known; nothing else is taken from them."""
    columns = {1: "E74", 5: "0228101112", 7: "000000038001"}
    lines = lines_of(PAYMENT, disputes=peer.row(columns, peer.ZME_WIDTHS))

    assert (
        StatementLine(
            line_no=2,
            kind=StatementLineKind.OTHER,
            occurred_at=datetime(2026, 2, 28, 10, 11, 12, tzinfo=CHINA),
            out_trade_no="",
            provider_trade_no="",
            amount_fen=38001,
            provider_status="E74",
        )
        == lines[1]
    )


def test_file_without_disputes_and_without_lines_is_an_empty_day() -> None:
    """ZME may be absent, ZM may be empty."""
    assert [] == list(read_file(peer.packed(peer.zipped({peer.zm_name(): b""})), BILL))


@pytest.mark.parametrize(
    "row",
    [
        PAYMENT[1:],
        b" " + PAYMENT,
        PAYMENT.rstrip(b"\r\n") + b"x\r\n",
        b"\r\n",
        PAYMENT[:3] + b"x" + PAYMENT[4:],
        changed(7, "00000003800x"),
        changed(7, "-00000038001"),
        changed(16, "X000000000228"),
        changed(5, "0230102145"),
        changed(5, "022810214"),
        changed(12, "a&b"),
        changed(28, "777290058110097"),
        changed(10, "号"),
    ],
    ids=["short", "long", "one-more", "blank", "no-space", "amount", "minus", "fee", "day", "time", "number",
         "other-merchant", "not-ascii"],
)  # fmt: skip
def test_malformed_line_makes_the_file_unreadable_before_the_first_line(row: bytes) -> None:
    """Nothing is settled by half a file."""
    with pytest.raises(StatementUnreadable):
        read_file(peer.file_content(PAYMENT, row), BILL)


def zip_of(**changes: Any) -> bytes:
    return peer.zipped({peer.zm_name(**changes): PAYMENT})


NOT_A_FILE: Final = {
    "blank": "",
    "not-base64": "*" * 8,
    "not-ascii": "é",
    "not-zlib": base64.b64encode(b"x" * 64).decode(),
    "raw-deflate": base64.b64encode(zlib.compress(zip_of())[2:-4]).decode(),
    "cut-off": base64.b64encode(zlib.compress(zip_of())[:-8]).decode(),
    "something-after": base64.b64encode(zlib.compress(zip_of()) + b"x").decode(),
    "not-a-zip": peer.packed(b"x" * 64),
    "half-a-zip": peer.packed(zip_of()[:200]),
    "no-text": peer.packed(peer.zipped({"RD201026022801_777290058110048": b""})),
    "other-merchant": peer.packed(zip_of(mer_id="777290058110097")),
    "other-day": peer.packed(zip_of(day=date(2026, 2, 27))),
    "slipping-name": peer.packed(peer.zipped({f"../{peer.zm_name()}": PAYMENT})),
    "many-members": peer.packed(peer.zipped({peer.zm_name(): PAYMENT} | {f"x{n}": b"" for n in range(20)})),
    "wrong-checksum": peer.packed(
        peer.zipped({peer.zm_name(): PAYMENT}, zipfile.ZIP_STORED).replace(b"S56 ", b"S57 ", 1)
    ),
}


@pytest.mark.parametrize("content", NOT_A_FILE.values(), ids=NOT_A_FILE)
def test_content_that_is_no_file_is_unreadable(content: str) -> None:
    """Every layer is judged, bombs and slips included."""
    with pytest.raises(StatementUnreadable):
        list(read_file(content, BILL))


def test_text_that_unpacks_to_too_much_is_not_even_opened() -> None:
    """Judged by the sizes that the ZIP tells, and zipfile reads no more than those."""
    bomb = peer.packed(peer.zipped({peer.zm_name(): PAYMENT, "other": bytes(8 << 20)}))
    with pytest.raises(StatementUnreadable, match="holds too much"):
        read_file(bomb, BILL)


def test_file_over_the_limit_of_its_middle_layer_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """zlib gives no more than was asked of it."""
    monkeypatch.setattr(statement, "ZIP_BYTES_MAX", 100)
    with pytest.raises(StatementUnreadable, match="too large"):
        read_file(peer.file_content(PAYMENT), BILL)


# --- asking for it ----------------------------------------------------------------------------------------------------


def fetched(answered: dict[str, str | None], now: datetime = peer.NOW) -> list[StatementLine]:
    with playing(peer.answer(answered)):
        return list(peer.provider(FixedClock(now)).fetch_statement(peer.DAY, StatementKind.TRADES))


NO_FILE: Final = peer.file_answer("", fileContent=None, fileName=None, respCode="98")


def test_absent_file_is_an_empty_day_only_when_it_cannot_be_early() -> None:
    """98 means both: the last second of the next day, and the first of the one after."""
    with pytest.raises(ProviderUnavailable):
        fetched(NO_FILE, datetime(2026, 3, 1, 23, 59, 59, tzinfo=CHINA))
    assert [] == fetched(NO_FILE, datetime(2026, 3, 2, 0, 0, 0, tzinfo=CHINA))


@pytest.mark.parametrize(
    "changes", [{"settleDate": "0227"}, {"settleDate": None}, {"merId": "777290058110097"}], ids=str
)
def test_file_of_another_day_or_merchant_is_no_verdict(changes: dict[str, str | None]) -> None:
    """A signature does not name the question."""
    with pytest.raises(NoVerdict):
        fetched(peer.file_answer(peer.file_content(PAYMENT), **changes))


def test_answer_without_content_is_unreadable() -> None:
    """Taken, and nothing in it."""
    with pytest.raises(StatementUnreadable):
        fetched(peer.file_answer("", fileContent=None))


def test_there_is_no_file_of_funds() -> None:
    """Only trades; nothing is asked."""
    with playing() as net, pytest.raises(OperationUnsupported):
        peer.provider().fetch_statement(peer.DAY, StatementKind.FUNDS)
    assert [] == net.sent
