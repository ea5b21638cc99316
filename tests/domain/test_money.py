"""Yuan texts and fen: exact both ways, and nothing that only looks like an amount."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.money import AMOUNT_FEN_MAX, fen_from_yuan, signed_fen_from_yuan, yuan_from_fen


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("380.01", 38001),
        ("380.1", 38010),
        ("380", 38000),
        ("380.00", 38000),
        ("0", 0),
        ("0.00", 0),
        ("0.01", 1),
        ("0.1", 10),
        ("1.13", 113),
        ("19.99", 1999),
        ("007.10", 710),
        ("100000000.00", AMOUNT_FEN_MAX),
        ("21474836.49", 2_147_483_649),
        ("999999999999.99", 99_999_999_999_999),
    ],
)
def test_fen_from_yuan_is_exact(text: str, fen: int) -> None:
    """Every cent, also those that floats lose."""
    assert fen_from_yuan(text) == fen


WRONG_AMOUNTS = {
    "empty": "",
    "blank": " ",
    "blank-before": " 1.00",
    "blank-after": "1.00 ",
    "line-end": "1.00\n",
    "plus": "+1.00",
    "minus": "-1.00",
    "three-decimals": "1.001",
    "no-cents-after-point": "1.",
    "no-yuan-before-point": ".01",
    "comma": "1,00",
    "thousands": "1,000.00",
    "underscore": "1_000",
    "exponent": "1e2",
    "hexadecimal": "0x10",
    "nan": "nan",
    "infinity": "inf",
    "full-width": "３８０.０１",
    "arabic-digits": "٣٨٠",
    "chinese": "三百八十",
    "currency": "¥1.00",
    "two-points": "1.0.0",
    "zero-byte": "1.00\x00",
    "thirteen-digits": "1234567890123.00",
    "two-thousand-digits": "9" * 2000,
}


@pytest.mark.parametrize("text", WRONG_AMOUNTS.values(), ids=WRONG_AMOUNTS)
def test_fen_from_yuan_of_anything_else_is_refused(text: str) -> None:
    """Only plain digits with at most two decimals are an amount; the complaint stays short."""
    with pytest.raises(ValueError, match="not an amount") as caught:
        fen_from_yuan(text)

    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("text", "fen"), [("-1.20", -120), ("1.20", 120), ("-0.01", -1), ("0.00", 0), ("-0.00", 0), ("-380", -38000)]
)
def test_signed_fen_from_yuan_is_exact(text: str, fen: int) -> None:
    """Statements show refunds and fees below zero."""
    assert signed_fen_from_yuan(text) == fen


@pytest.mark.parametrize("text", ["--1.00", "-", "- 1.00", "+1.00", "-+1.00", "1.00-", "\u22121.00", "(1.00)"])
def test_signed_fen_from_yuan_takes_one_leading_minus_alone(text: str) -> None:
    """No other notation of a negative amount."""
    with pytest.raises(ValueError, match="not an amount"):
        signed_fen_from_yuan(text)


@pytest.mark.parametrize(
    ("fen", "text"),
    [(0, "0.00"), (1, "0.01"), (10, "0.10"), (100, "1.00"), (38001, "380.01"), (AMOUNT_FEN_MAX, "100000000.00")],
)
def test_yuan_from_fen_has_two_decimals(fen: int, text: str) -> None:
    """As providers want it."""
    assert yuan_from_fen(fen) == text


@pytest.mark.parametrize("fen", [-1, -38001])
def test_yuan_from_fen_of_a_negative_amount_is_refused(fen: int) -> None:
    """-1 is not "-1.99"."""
    with pytest.raises(ValueError, match="not negative"):
        yuan_from_fen(fen)


@given(st.integers(min_value=0, max_value=99_999_999_999_999))
def test_fen_survive_the_way_to_yuan_and_back(fen: int) -> None:
    """Nothing is lost on the wire, for any amount."""
    assert fen_from_yuan(yuan_from_fen(fen)) == fen
    assert signed_fen_from_yuan(f"-{yuan_from_fen(fen)}") == -fen


@given(st.text(max_size=24))
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    """Junk raises the declared error alone, and what is taken is a plain count of fen."""
    try:
        fen = fen_from_yuan(text)
    except ValueError:
        return
    assert type(fen) is int
    assert fen >= 0
    assert text.isascii()
