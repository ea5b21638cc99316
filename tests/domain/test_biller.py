"""Which day a bank books under, and which of our orders a bill's number names."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pytest

from gateway.domain.biller import (
    BillQuestion,
    DayFile,
    Institution,
    PaymentNotice,
    ReversalNotice,
    bill_no_of,
    order_id_of,
)
from gateway.domain.biller_front import Admitted, BillerRequest
from gateway.domain.clock import CHINA

DAY: Final = date(2026, 3, 1)
NEXT: Final = date(2026, 3, 2)
DIGITS: Final = "0199c9d1e0007000800000000000000a"


def bank(**more: Any) -> Institution:
    return Institution(id="first", billers={}, apps=None, questions_per_minute=60, **more)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-01T{text}").replace(tzinfo=CHINA)


@pytest.mark.parametrize(
    ("clock_time", "day"),
    [("00:00:00", DAY), ("22:29:59.999999", DAY), ("22:30:00", NEXT), ("22:30:00.000001", NEXT), ("23:59:59", NEXT)],
)
def test_bank_with_a_cut_off_books_its_evening_under_the_next_day(clock_time: str, day: date) -> None:
    """From the cut-off itself on."""
    assert day == bank(cut_off=time(22, 30)).accounting_day(at(clock_time))


@pytest.mark.parametrize("clock_time", ["00:00:00", "00:00:01", "12:00:00", "23:59:59.999999"])
def test_bank_without_a_cut_off_books_under_the_day_itself(clock_time: str) -> None:
    """Midnight is no cut-off: else every booking were tomorrow's."""
    assert DAY == bank().accounting_day(at(clock_time))


def test_accounting_day_is_that_of_beijing() -> None:
    """Whatever zone the instant came in."""
    assert DAY == bank().accounting_day(datetime(2026, 2, 28, 16, tzinfo=UTC))
    assert NEXT == bank(cut_off=time(22, 30)).accounting_day(datetime(2026, 3, 1, 14, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("cut_off", "clock_time", "day"),
    [
        (time(22, 30), time(22, 29, 59), DAY),
        (time(22, 30), time(22, 30), date(2026, 2, 28)),
        (time(22, 30), time(23, 59, 59), date(2026, 2, 28)),
        (time(22, 30), time(0), DAY),
        (time.min, time(23, 59, 59), DAY),
        (time.min, time(0), DAY),
    ],
    ids=str,
)
def test_booking_of_the_evening_was_done_the_day_before_its_accounting_day(
    cut_off: time, clock_time: time, day: date
) -> None:
    """Its clock's time is of the evening before; the instant lies in the day that it is booked under."""
    institution = bank(cut_off=cut_off)
    booked = institution.booked_at(DAY, clock_time)

    assert (datetime.combine(day, clock_time, CHINA), DAY) == (booked, institution.accounting_day(booked))
    assert timedelta(hours=8) == booked.utcoffset()


@pytest.mark.parametrize(
    ("clock_time", "days"),
    [
        ("21:59:59", {DAY}),
        ("22:00:00", {DAY, NEXT}),
        ("22:30:00", {DAY, NEXT}),
        ("22:59:59", {DAY, NEXT}),
        ("23:00:00", {NEXT}),
    ],
)
def test_two_accounting_days_are_open_for_half_an_hour_around_the_cut_off(clock_time: str, days: set[date]) -> None:
    """The bank's change of day may lie so far from ours."""
    assert days == bank(cut_off=time(22, 30)).open_days(at(clock_time))


def test_bill_number_is_the_orders_without_its_prefix_and_back() -> None:
    """Banks show digits in capitals; the order is the same."""
    assert DIGITS == bill_no_of(f"ord_{DIGITS}")
    assert f"ord_{DIGITS}" == order_id_of(DIGITS) == order_id_of(DIGITS.upper())


@pytest.mark.parametrize(
    "number", ["", DIGITS[1:], DIGITS + "0", "g" + DIGITS[1:], " " + DIGITS[1:], "0" * 31 + "０", f"ord_{DIGITS[4:]}"]
)
def test_number_that_no_bill_of_ours_can_have_names_no_order(number: str) -> None:
    """32 hex digits, nothing else."""
    assert order_id_of(number) is None


def test_what_a_bank_did_not_say_is_taken_as_its_protocol_takes_it() -> None:
    """The whole first page of a list; a channel that is none of the known; a file without a fault."""
    question = BillQuestion(biller_id="b", id_type="resident_id", id_number="x", insured_year=2026)
    paid = PaymentNotice(
        biller_id="b", bank_date=DAY, bank_seq="1", occurred_at=at("12:00:00"), bill_no=DIGITS, amount_fen=38001
    )
    reversed_ = ReversalNotice(
        biller_id="b", bank_date=DAY, bank_seq="2", original_date=DAY, original_seq="1", amount_fen=38001
    )
    file = DayFile(biller_id="b", bank_date=DAY, file_name="f", content=b"")

    assert (1, 50, None, None) == (question.first, question.count, question.region, question.name)
    assert ("other", None, "") == (paid.channel, paid.bill_version, reversed_.note)
    assert (0, "") == (file.lines, file.fault)


def test_bank_gives_refused_money_back_unless_it_says_otherwise() -> None:
    """And its day ends at midnight."""
    assert (True, time(0)) == (bank().refunds_refused, bank().cut_off)


def test_call_tells_of_money_only_when_its_front_says_so() -> None:
    """Such a call is kept whatever comes; a question is not."""
    asked = BillerRequest(path="/", headers={}, body=b"", received_at=at("12:00:00"))

    assert Admitted(request=asked, nonce=None, message=None).tells_of_money is False
