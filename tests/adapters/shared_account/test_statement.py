"""The day's statement: whole, checked in every part, or not at all."""

import base64
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import pytest

from gateway.domain.provider import NoVerdict, OperationUnsupported, ProviderUnavailable
from gateway.domain.statement import StatementKind, StatementLine, StatementUnreadable
from tests.adapters.shared_account import peer
from tests.adapters.shared_account.case_statement import (
    DAY,
    FILES,
    OTHER_LINE,
    PAYMENT_LINE,
    REVOKE_LINE,
    statement_data,
)
from tests.conformance.case import FixedClock, WireAnswer
from tests.conformance.network import playing

GOOD: Final = FILES["340104"]
EMPTY: Final = f"H|SA1|{peer.APP_ID}|20251016|340124|0\nT|0|0.00|0|0.00\n"


def answer(text: str, **changes: Any) -> WireAnswer:
    data = {name: value for name, value in statement_data(text, **changes).items() if value is not None}
    return peer.answer("sa.recon.file", data)


def fetch(*replies: WireAnswer, clock: FixedClock | None = None, **changes: Any) -> list[StatementLine]:
    with playing(*replies):
        return list(peer.provider(clock, **changes).fetch_statement(DAY, StatementKind.TRADES))


def test_files_of_all_regions_are_one_statement() -> None:
    """Positions go on from file to file."""
    assert [PAYMENT_LINE, REVOKE_LINE, OTHER_LINE] == fetch(answer(GOOD), answer(FILES["340124"]))


def test_empty_day_gives_no_line() -> None:
    """Its file is there all the same."""
    assert [PAYMENT_LINE, REVOKE_LINE] == fetch(answer(GOOD), answer(EMPTY))


def test_file_without_a_last_line_break_is_whole() -> None:
    """The trailer is the end."""
    assert 2 == len(fetch(answer(GOOD.removesuffix("\n")), regions=["340104"]))


BAD: Final[dict[str, Callable[[str], str]]] = {
    "another format": lambda text: text.replace("SA1", "SA2"),
    "another channel": lambda text: text.replace(peer.APP_ID, "F81122B486CD19A8CF841411CCAF0F57"),
    "another day": lambda text: text.replace("|20251016|", "|20251017|"),
    "another region": lambda text: text.replace("|340104|2\n", "|340124|2\n"),
    "header counts more": lambda text: text.replace("|340104|2\n", "|340104|3\n"),
    "header counts oddly": lambda text: text.replace("|340104|2\n", "|340104|02\n"),
    "header with a ninth": lambda text: text.replace("|340104|2\n", "|340104|2|\n"),
    "trailer missing": lambda text: text[: text.index("T|")],
    "trailer twice": lambda text: text + "T|1|380.01|1|380.01\n",
    "trailer counts more": lambda text: text.replace("T|1|", "T|2|"),
    "trailer sums more": lambda text: text.replace("T|1|380.01|", "T|1|380.02|"),
    "trailer sums revokes less": lambda text: text.replace("|1|380.01\n", "|1|380.00\n").replace(
        "T|1|380.00", "T|1|380.01"
    ),
    "trailer with one decimal": lambda text: text.replace("T|1|380.01|", "T|1|380.1|"),
    "row of another letter": lambda text: text.replace("|R|", "|X|"),
    "row with seven": lambda text: text.replace("|R|", "|"),
    "row with nine": lambda text: text.replace("|R|", "|R||"),
    "row twice": lambda text: text.replace("|R|", "|P|").replace("T|1|380.01|1|380.01", "T|2|760.02|0|0.00"),
    "amount with one decimal": lambda text: text.replace("15|380.01|", "15|380.1|"),
    "amount below zero": lambda text: text.replace("15|380.01|", "15|-380.01|"),
    "time of no day": lambda text: text.replace("20251016093015", "20251316093015"),
    "number in small letters": lambda text: text.replace(peer.WIRE_NUMBER, peer.NUMBER),
    "number missing": lambda text: text.replace(peer.PAY_ORD_ID, ""),
    "line ends of windows": lambda text: text.replace("\n", "\r\n"),
    "empty line": lambda text: text.replace("\nT|", "\n\nT|"),
    "byte order mark": lambda text: "\ufeff" + text,
    "nothing": lambda _text: "",
    "one line": lambda text: text.splitlines()[0],
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_file_that_does_not_check_gives_no_line(spoil: Callable[[str], str]) -> None:
    """Even when its digest is right, and even when another region's file came before it."""
    bad = spoil(GOOD)
    assert bad != GOOD

    with pytest.raises(StatementUnreadable):
        fetch(answer(bad), answer(EMPTY))


def test_bad_file_of_the_second_region_refuses_the_whole_day() -> None:
    """Nothing is applied from a day with a refused file."""
    with playing(answer(GOOD), answer(EMPTY.replace("T|0", "T|1"))), pytest.raises(StatementUnreadable):
        peer.provider().fetch_statement(DAY, StatementKind.TRADES)


@pytest.mark.parametrize(
    "changes",
    [
        {"fileSm3": "0" * 64},
        {"fileSm3": None},
        {"fileSm3": "编" * 64},
        {"fileBody": None},
        {"fileBody": "!!!!"},
        {"fileBody": base64.b64encode(b"\xff\xfe").decode()},
        {"rows": "3"},
        {"rows": None},
        {"rows": "02"},
    ],
    ids=str,
)
def test_file_under_another_name_gives_no_line(changes: dict[str, Any]) -> None:
    """What the signed answer says of the file must hold."""
    with pytest.raises(StatementUnreadable):
        fetch(answer(GOOD, **changes), regions=["340104"])


def test_digest_in_capitals_and_count_as_number_are_read() -> None:
    """Both are spellings of the same."""
    digest = statement_data(GOOD)["fileSm3"].upper()

    assert 2 == len(fetch(answer(GOOD, fileSm3=digest, rows=2), regions=["340104"]))


def test_great_file_is_read() -> None:
    """The limit of 65 536 bytes is not for statements."""
    rows = "".join(
        f"D|HF{number:018d}|ORD{number}|P|20251016093015|0.01|{peer.MEMBER_ID}|2026\n" for number in range(3000)
    )
    text = f"H|SA1|{peer.APP_ID}|20251016|340104|3000\n{rows}T|3000|30.00|0|0.00\n"

    assert 3000 == len(fetch(answer(text), regions=["340104"]))


def test_sum_may_exceed_the_limit_of_one_amount() -> None:
    """Many large payments."""
    rows = "".join(
        f"D|HF{number:018d}|ORD{number}|P|20251016093015|99999999.99|{peer.MEMBER_ID}|2026\n" for number in range(12)
    )
    text = f"H|SA1|{peer.APP_ID}|20251016|340104|12\n{rows}T|12|1199999999.88|0|0.00\n"

    assert 12 == len(fetch(answer(text), regions=["340104"]))


@pytest.mark.parametrize(
    ("instant", "hour", "is_ready"),
    [
        (datetime(2025, 10, 17, 1, 59, 59, tzinfo=UTC), 10, False),
        (datetime(2025, 10, 17, 2, 0, 0, tzinfo=UTC), 10, True),
        (datetime(2025, 10, 16, 15, 59, 59, tzinfo=UTC), 0, False),
        (datetime(2025, 10, 16, 16, 0, 0, tzinfo=UTC), 0, True),
    ],
)
def test_statement_is_not_asked_for_before_its_hour(instant: datetime, hour: int, *, is_ready: bool) -> None:
    """10:00 of the next day in Beijing, unless the region says otherwise."""
    provider = peer.provider(FixedClock(instant), statement_hour=hour)
    data = statement_data(GOOD)
    with playing(
        peer.answer("sa.recon.file", data, instant), peer.answer("sa.recon.file", statement_data(EMPTY), instant)
    ):
        if is_ready:
            assert 2 == len(list(provider.fetch_statement(DAY, StatementKind.TRADES)))
            return
        with pytest.raises(ProviderUnavailable):
            provider.fetch_statement(DAY, StatementKind.TRADES)


def test_statement_that_is_not_ready_comes_later() -> None:
    """SA3008."""
    with pytest.raises(ProviderUnavailable):
        fetch(peer.refusal("sa.recon.file", "SA3008"))


def test_unproven_statement_is_no_verdict() -> None:
    """A file that anybody may have made."""
    with pytest.raises(NoVerdict):
        fetch(peer.answer("sa.recon.file", statement_data(GOOD), version="1.0.0"))


def test_funds_statement_is_unsupported() -> None:
    """The platform has none."""
    with playing() as network, pytest.raises(OperationUnsupported):
        peer.provider().fetch_statement(date(2025, 10, 16), StatementKind.FUNDS)

    assert network.sent == []
