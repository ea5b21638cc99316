"""What callbacks mean beyond the conformance suite: recipes, page notifies, other counters' numbers."""

from dataclasses import replace
from typing import Final

import pytest

from gateway.domain.provider import CallbackRefused, RawCallback
from gateway.domain.report import ReportedState
from tests.adapters.bank_ccb import peer
from tests.adapters.bank_ccb.peer import NOW

OTHER_FACTS: Final[tuple[dict[str, str | None], ...]] = (
    {},
    {"PAYMENT": "380.02"},
    {"SUCCESS": "N"},
    {"POSID": "061230009"},
    {"CURCODE": "02"},
)


def posted(raw: RawCallback, more: bytes) -> RawCallback:
    return replace(raw, body=raw.body + more)


def test_callback_names_our_payment() -> None:
    """ORDERID is read back into our own number, without memory."""
    report = peer.provider().parse_callback(peer.notify()).report

    assert report is not None
    assert peer.NUMBER == report.out_trade_no


@pytest.mark.parametrize("order_id", ["JM20260100000001", "Z" * 25, "03etgw870vt033rxszxuqq5fu", "1", "9" * 30])
def test_callback_of_an_order_that_is_not_ours_keeps_its_number(order_id: str) -> None:
    """Another system at the same counter: no payment of ours can have that number."""
    report = peer.provider().parse_callback(peer.notify(ORDERID=order_id)).report

    assert report is not None
    assert order_id == report.out_trade_no


def test_page_notify_is_refused_however_well_signed() -> None:
    """It came through the payer's browser: a hint to query, and nothing more."""
    with pytest.raises(CallbackRefused) as refused:
        peer.provider().parse_callback(peer.notify(ACC_TYPE=None))

    assert "malformed" == refused.value.reason


@pytest.mark.parametrize("name", [name for name in peer.paid() if name != "ACC_TYPE"])
def test_callback_signed_without_a_mandatory_field_is_refused(name: str) -> None:
    """A shorter text signed for another purpose is no notify."""
    with pytest.raises(CallbackRefused):
        peer.provider().parse_callback(peer.notify(NOW, **{name: None}))  # type: ignore[arg-type]


def test_page_notify_that_smuggles_in_the_missing_field_is_refused() -> None:
    """The signed text escapes nothing: a blank ACC_TYPE beside it is not signed, one inside a value is not taken."""
    page = peer.paid(ACC_TYPE=None)
    sign = peer.sign(page)
    smuggled = peer.paid(ACC_TYPE="")
    inside = {**page, "REMARK2": "2026&SUCCESS=Y"}
    del inside["SUCCESS"]
    for fields in (smuggled, inside):
        with pytest.raises(CallbackRefused):
            peer.provider().parse_callback(peer.callback(peer.form([*fields.items(), ("SIGN", sign)])))


def test_failed_try_cannot_be_cut_into_a_paid_one() -> None:
    """A payer's name of `x&SUCCESS=Y` makes a signed text that other fields would make as well."""
    signed = peer.sign(peer.paid(SUCCESS="N", USRINFO="x&SUCCESS=Y"))
    cut = {**peer.paid(), "ACC_TYPE": "12&SUCCESS=N&USRINFO=x", "SUCCESS": "Y"}
    with pytest.raises(CallbackRefused) as refused:
        peer.provider().parse_callback(peer.callback(peer.form([*cut.items(), ("SIGN", signed)])))

    assert "malformed" == refused.value.reason


@pytest.mark.parametrize(
    ("more", "reason"),
    [(b"&PAYMENT=380.01", "malformed"), (b"&SIGN=00", "malformed"), (b"&EXTRA=1", "signature"), (b"&", "malformed")],
    ids=["field-twice", "sign-twice", "unsigned-field", "empty-piece"],
)
def test_anything_beside_what_was_signed_is_refused(more: bytes, reason: str) -> None:
    """Even where it changes nothing that we read."""
    with pytest.raises(CallbackRefused) as refused:
        peer.provider().parse_callback(posted(peer.notify(), more))

    assert reason == refused.value.reason


def test_optional_fields_count_only_where_they_were_posted() -> None:
    """A blank one that was posted is signed; one that was not is no part of the text."""
    blank = peer.notify(TYPE="1", REFERER="", CLIENTIP="", ACCDATE="20260301", USRINFO="", PAYTYPE="WX")

    report = peer.provider().parse_callback(blank).report
    assert report is not None
    assert ReportedState.PAID is report.state
    with pytest.raises(CallbackRefused):
        peer.provider().parse_callback(posted(peer.notify(), b"&REFERER="))


def test_fields_of_a_newer_product_are_proven_in_the_order_received() -> None:
    """Where the bank put them is unknown; that it signed what it posted is not."""
    fields = {}
    for name, value in peer.paid().items():
        fields[name] = value
        if name == "CURCODE":
            fields["DISCOUNT"] = "1.00"
    raw = peer.callback(peer.form([*fields.items(), ("SIGN", peer.sign(fields))]))
    moved = peer.callback(peer.form([("SIGN", peer.sign(fields)), *sorted(fields.items())]))

    assert "notify, signed as received" == peer.provider().parse_callback(raw).event
    with pytest.raises(CallbackRefused):
        peer.provider().parse_callback(moved)


def test_chinese_texts_are_proven_in_whatever_bytes_they_came() -> None:
    """Neither GBK nor UTF-8 is assumed: what was posted is what was signed."""
    for encoding in ("gbk", "utf-8"):
        fields = peer.paid(USRINFO="试验")
        sign = peer.sign(fields, encoding=encoding)
        body = peer.form([*fields.items(), ("SIGN", sign)], encoding)

        assert peer.provider().parse_callback(peer.callback(body)).report is not None


@pytest.mark.parametrize("cases", ["upper", "mixed"])
def test_sign_in_capitals_is_the_same_and_in_mixed_case_is_none(cases: str) -> None:
    """One signature has two texts, not any number of them."""
    fields = peer.paid()
    sign = peer.sign(fields)
    shown = sign.upper() if cases == "upper" else sign[:128] + sign[128:].upper()
    raw = peer.callback(peer.form([*fields.items(), ("SIGN", shown)]))
    if cases == "mixed":
        with pytest.raises(CallbackRefused):
            peer.provider().parse_callback(raw)
        return
    assert peer.provider().parse_callback(peer.notify()) == peer.provider().parse_callback(raw)


def test_facts_that_are_judged_make_the_dedup_key() -> None:
    """A notify of another amount, word or counter never stands in for the true one."""
    raws = [peer.notify(NOW, **changes) for changes in OTHER_FACTS]  # type: ignore[arg-type]
    keys = {peer.provider().parse_callback(raw).dedup_key for raw in raws}

    assert 5 == len(keys)


def test_previous_key_no_longer_configured_proves_nothing() -> None:
    """After the change-over the old key is a foreign one."""
    with pytest.raises(CallbackRefused):
        peer.provider().parse_callback(peer.notify(signer="ccb_next"))


def test_currency_that_is_not_the_yuan_is_told() -> None:
    """The core compares it."""
    report = peer.provider().parse_callback(peer.notify(CURCODE="14")).report

    assert report is not None
    assert "14" == report.currency
