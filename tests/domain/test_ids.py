"""Names of our own things: never twice, in order of making, and only in their one shape."""

import re
from datetime import UTC, datetime

import pytest

from gateway.domain.ids import ID_PATTERN, TimeOrderedIds, first_id

ZEROS = "0" * 32
OTHER_TEXTS = (
    "",
    "ord_",
    "ord_123",
    f"abc_{ZEROS}",
    f"ord-{ZEROS}",
    f"ord_{ZEROS}0",
    "ord_" + "A" * 32,
    "ord_" + "０" * 32,
)


def test_new_names_are_32_hex_digits_and_never_repeat() -> None:
    """A name fits every provider's alphabet and length as it is."""
    ids = TimeOrderedIds()
    names = [ids.new() for _ in range(2_000)]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)


def test_new_names_sort_by_time_of_making() -> None:
    """Neighbours in time are neighbours in the index, and no name stands before an older one."""
    ids = TimeOrderedIds()
    names = [ids.new() for _ in range(2_000)]

    assert names == sorted(names)


@pytest.mark.parametrize("prefix", ["ord", "pay", "ref", "ntf", "led", "req"])
def test_id_of_each_kind_matches(prefix: str) -> None:
    """Every kind of thing has its prefix."""
    assert ID_PATTERN.fullmatch(f"{prefix}_{TimeOrderedIds().new()}")


@pytest.mark.parametrize("text", OTHER_TEXTS)
def test_other_text_is_no_id(text: str) -> None:
    """Nothing else comes through the interface as an id."""
    assert ID_PATTERN.fullmatch(text) is None


def test_first_id_is_an_id_that_begins_with_its_milliseconds() -> None:
    """Source: RFC 9562 section 5.7, and its example in appendix A.6: 017F22E2-79B0-7… is 2022-02-22 14:22:22 -05:00."""
    at = datetime(2022, 2, 22, 19, 22, 22, 999, tzinfo=UTC)

    assert "ord_017f22e279b000000000000000000000" == first_id("ord", at)
    assert ID_PATTERN.fullmatch(first_id("ord", at))


@pytest.mark.parametrize(("late", "is_after"), [(-1, False), (0, True), (1, True)], ids=["before", "at", "after"])
def test_first_id_parts_the_names_made_before_from_those_made_after(late: int, is_after: bool) -> None:
    """To the millisecond: what is deleted by age must not reach a name that is younger."""
    at = datetime(2026, 3, 1, 2, 20, 30, 123_999, tzinfo=UTC)
    milliseconds = 1_772_331_630_123 + late
    made = f"ord_{milliseconds:012x}70008{0:015x}"

    assert (made >= first_id("ord", at)) is is_after
