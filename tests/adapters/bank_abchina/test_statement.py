"""The day's statement: packed or plain, checked whole before a line is given."""

import base64
import gzip
from typing import Any

import pytest

from adapters.bank.abchina import statement
from gateway.domain.provider import NoVerdict
from gateway.domain.statement import StatementKind, StatementLineKind, StatementUnreadable
from tests.adapters.bank_abchina import peer
from tests.adapters.bank_abchina.case_calls import LINES, RECORDS
from tests.conformance.network import playing


def fetched(answered: dict[str, Any], **settings: Any) -> list[Any]:
    with playing(peer.answer(answered)):
        return list(peer.provider(**settings).fetch_statement(peer.DAY, StatementKind.TRADES))


def plain(*records: str) -> dict[str, Any]:
    joined = "^^".join((peer.HEADER, *records))
    return {"TrxType": "Settle", "SettleDate": "2026/02/28", "DetailRecords": joined, "ZIPDetailRecords": ""}


def test_statement_unzipped_gives_the_same_lines() -> None:
    """ZIP 0."""
    assert list(LINES) == fetched(plain(*RECORDS), zipped_statements=False)


def test_statement_asks_for_what_is_configured() -> None:
    """ZIP 0 or 1."""
    with playing(peer.answer(plain())) as network:
        peer.provider(zipped_statements=False).fetch_statement(peer.DAY, StatementKind.TRADES)

    assert b'"ZIP":"0"' in network.sent[0].body


def test_statement_with_a_separator_at_its_end_has_no_further_record() -> None:
    """Whether one stands there is unverified."""
    assert list(LINES) == fetched(plain(*RECORDS, ""))


def test_statement_of_a_day_without_trades_has_no_lines() -> None:
    """Its columns alone say that it was made."""
    assert fetched(peer.settled()) == []


def test_statement_record_of_another_kind_is_shown_and_settles_nothing() -> None:
    """WeChat and Alipay flows have words of their own."""
    line = fetched(peer.settled(peer.record("weixinpay", peer.NUMBER, "-3.80")))[0]

    assert (StatementLineKind.OTHER, -380, "weixinpay") == (line.kind, line.amount_fen, line.provider_status)


def test_statement_refund_of_either_sign_goes_back() -> None:
    """The sign of a refund is unverified; its direction is its kind."""
    lines = fetched(peer.settled(*(peer.record("Refund", peer.REFUND_NUMBER, sign + "1.13") for sign in ("", "-"))))

    assert [113, 113] == [line.amount_fen for line in lines]


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param(peer.settled(header="商户号|交易类型|交易时间"), id="other-columns"),
        pytest.param(peer.settled(*RECORDS, "103880000000001|Sale"), id="short-record"),
        pytest.param(peer.settled(*RECORDS, RECORDS[0].replace(peer.MERCHANT, "103880000000002")), id="other-merchant"),
        pytest.param(peer.settled(*RECORDS, peer.record("Sale", peer.NUMBER, "380.001")), id="three-decimals"),
        pytest.param(peer.settled(*RECORDS, peer.record("Sale", peer.NUMBER, "-380.01")), id="payment-below-zero"),
        pytest.param(
            peer.settled(*RECORDS, peer.record("Sale", peer.NUMBER, "1.00", moment="20260230102145")), id="no-such-day"
        ),
        pytest.param(peer.settled(*RECORDS, peer.record("Sale", "0" * 65, "1.00")), id="long-number"),
        pytest.param({"TrxType": "Settle", "ZIPDetailRecords": "!"}, id="not-base64"),
        pytest.param({"TrxType": "Settle", "ZIPDetailRecords": "bnVsbA=="}, id="not-gzip"),
        pytest.param(
            {"TrxType": "Settle", "ZIPDetailRecords": base64.b64encode(gzip.compress(b"x" * 99)[:-9]).decode()},
            id="cut",
        ),
        pytest.param(
            {"TrxType": "Settle", "ZIPDetailRecords": base64.b64encode(gzip.compress(b"x") + b"y").decode()},
            id="something-behind",
        ),
        pytest.param(
            {"TrxType": "Settle", "ZIPDetailRecords": base64.b64encode(gzip.compress(b"\xff\xff")).decode()},
            id="not-gbk",
        ),
    ],
)
def test_statement_that_does_not_hold_gives_no_line(answered: dict[str, Any]) -> None:
    """One bad record spoils the whole, before anybody has seen the first line."""
    with playing(peer.answer(answered)), pytest.raises(StatementUnreadable):
        peer.provider().fetch_statement(peer.DAY, StatementKind.TRADES)


def test_statement_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of packed blanks is a gigabyte."""
    monkeypatch.setattr(statement, "TEXT_BYTES_MAX", 100)

    with pytest.raises(StatementUnreadable):
        fetched(peer.settled(*RECORDS))


def test_statement_of_another_day_is_no_answer() -> None:
    """A signature does not name the question."""
    with pytest.raises(NoVerdict):
        fetched(peer.settled(SettleDate="2026/02/27"))
