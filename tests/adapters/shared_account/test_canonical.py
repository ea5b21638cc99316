"""The signed text of members that the vectors have no case of, and the depth at which reading ends."""

import pytest

from adapters.shared_account.canonical import ASCII_ORDER, NOCASE_ORDER, canonical_text, read_members


def test_array_beside_the_object_is_signed_as_json() -> None:
    """Like an object: sorted names inside, scalars as texts, what is nothing left out."""
    message = {"list": [{"b": 1, "a": True}, None, "", [], "x"], "n": 1, "no": []}

    assert 'list=[{"a":"true","b":"1"},"x"]&n=1&key=s' == canonical_text(message, "s")


def test_orders_have_the_names_of_the_setting() -> None:
    """An operator has written them."""
    assert ("ascii", "nocase") == (ASCII_ORDER, NOCASE_ORDER)


@pytest.mark.parametrize("text", ["[1.5]", '[{"b":1.5}]', f"[{1 << 53}]", f'{{"b":[-{1 << 53}]}}'])
def test_number_that_not_every_reader_reads_alike_is_refused_inside_arrays_too(text: str) -> None:
    """The greatest that all read alike is one less."""
    assert {"a": [(1 << 53) - 1]} == read_members(f'{{"a":[{(1 << 53) - 1}]}}')

    with pytest.raises(ValueError, match="a JSON number that not every reader reads alike"):
        read_members(f'{{"a":{text}}}')


@pytest.mark.parametrize("pair", ["[]", "{}"], ids=["arrays", "objects"])
def test_sixteen_levels_are_read_and_seventeen_are_not(pair: str) -> None:
    """The outer object is the first."""
    opening, closing = ("[", "]") if pair == "[]" else ('{"b":', "}")

    def nested(levels: int) -> str:
        return '{"a":' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}"

    assert {"a"} == read_members(nested(16)).keys()
    with pytest.raises(ValueError, match="JSON is nested too deeply"):
        read_members(nested(17))
