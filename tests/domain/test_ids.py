"""Names of our own things: never twice, in order of making, and only in their one shape."""

import re

import pytest

from gateway.domain.ids import ID_PATTERN, TimeOrderedIds

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
