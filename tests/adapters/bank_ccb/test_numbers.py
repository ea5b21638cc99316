"""Our numbers in the bank's fields: there and back, and never two of ours in one."""

import pytest

from adapters.bank.ccb.numbers import order_id_of, out_trade_no_of, refund_code_of
from tests.adapters.bank_ccb import peer


@pytest.mark.parametrize("number", ["0" * 32, "f" * 32, peer.NUMBER, "0" * 31 + "1", "80" + "0" * 30])
def test_order_id_is_read_back(number: str) -> None:
    """Without memory, in 25 characters of digits and capitals."""
    order_id = order_id_of(number)

    assert (25, True) == (len(order_id), order_id.isalnum() and order_id.isascii() and order_id.upper() == order_id)
    assert peer.base36(int(number, 16), 25) == order_id
    assert number == out_trade_no_of(order_id)


def test_order_ids_of_neighbours_differ() -> None:
    """The largest is the last one that is ours."""
    last = order_id_of("f" * 32)
    after = peer.base36(16**32, 25)

    assert last != after
    assert after == out_trade_no_of(after)


@pytest.mark.parametrize("number", ["", "0" * 31, "0" * 33, "F" * 32, "-" + "0" * 31, "０" * 32, " " + "0" * 31])
def test_number_that_is_not_ours_has_no_order_id(number: str) -> None:
    """Only 32 lower-case hex digits."""
    with pytest.raises(ValueError, match="out_trade_no"):
        order_id_of(number)


def test_refund_code_fits_and_is_stable() -> None:
    """15 characters, the same for the same refund, another for another."""
    codes = {refund_code_of(f"{number:032x}") for number in range(2000)}

    assert 2000 == len(codes)
    assert {15} == {len(code) for code in codes}
    assert peer.REFUND_CODE == refund_code_of(peer.REFUND_NUMBER)
