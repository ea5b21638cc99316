"""Notifies through the public door: what they mean, what they contradict, and the signed answer to each."""

import json
from typing import Any

import pytest

from gateway.domain.provider import CallbackRefused, CallbackUnreadable, RawCallback, Verdict
from gateway.domain.report import ProviderReport, ReportedState
from tests.adapters.bank_icbc import peer


def report_of(raw: RawCallback, **settings: Any) -> ProviderReport:
    report = peer.provider(**settings).parse_callback(raw).report
    assert report is not None
    return report


# --- meaning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "state", "word"),
    [
        ({"return_code": 0}, ReportedState.PAID, "0"),
        ({"return_code": "0", "pay_status": "0"}, ReportedState.PAID, "0/0"),
        ({"return_code": "0", "pay_status": ""}, ReportedState.PAID, "0"),
        ({"return_code": "0", "pay_status": "1"}, ReportedState.UNKNOWN, "0/1"),
        ({"return_code": "0", "pay_status": "2"}, ReportedState.UNKNOWN, "0/2"),
        ({"return_code": "90001"}, ReportedState.UNKNOWN, "90001"),
        ({"return_code": -1}, ReportedState.UNKNOWN, "-1"),
    ],
    ids=["number", "both", "status-empty", "status-failed", "status-unknown", "business-error", "system-error"],
)
def test_notify_is_paid_only_when_everything_says_so(members: Any, state: ReportedState, word: str) -> None:
    """A failed try is not a failed payment: the payer may pay in the same cashier a minute later."""
    report = report_of(peer.notify(peer.paid(**members)))

    assert (state, word) == (report.state, report.provider_status)
    assert (peer.ORDER_ID if state is ReportedState.PAID else None) == report.provider_trade_no


@pytest.mark.parametrize(
    ("raw", "contradictions"),
    [
        (peer.notify(peer.paid(mer_id="020001020002")), ("mer_id",)),
        (peer.notify(peer.paid(mer_id=None)), ("mer_id",)),
        (peer.notify(peer.paid(mer_id=20001020001)), ("mer_id",)),
        (peer.notify(peer.paid(), app_id="10000000000004000002"), ("app_id",)),
        (peer.notify(peer.paid(), app_id=None), ("app_id",)),
    ],
    ids=["another-merchant", "no-merchant", "merchant-as-number", "another-app", "no-app"],
)
def test_notify_of_others_is_a_contradiction(raw: RawCallback, contradictions: tuple[str, ...]) -> None:
    """The bank signs for all its merchants with one key: the message must name us."""
    assert contradictions == report_of(raw).contradictions


@pytest.mark.parametrize(
    "pay_time", ["20261121", "20261321100200", "", None, 20261121100200, "２０２６１１２１１００２００"]
)
def test_notify_with_an_unreadable_time_has_none(pay_time: Any) -> None:
    """A payment is not refused for its clock."""
    report = report_of(peer.notify(peer.paid(pay_time=pay_time)))

    assert (ReportedState.PAID, None) == (report.state, report.occurred_at)


@pytest.mark.parametrize(
    "members",
    [
        {"total_amt": "38001.0"},
        {"total_amt": "-38001"},
        {"total_amt": "３８００１"},
        {"total_amt": 38001},
        {"total_amt": "10000000001"},
        {"return_code": True},
        {"return_code": 0.0},
        {"return_code": ""},
        {"out_trade_no": "a b"},
        {"pay_status": {}},
    ],
    ids=str,
)
def test_notify_with_a_doubtful_member_is_unreadable(members: dict[str, Any]) -> None:
    """Nothing is guessed from a number that is not one."""
    with pytest.raises(CallbackUnreadable):
        peer.provider().parse_callback(peer.notify(peer.paid(**members)))


def test_notify_whose_content_was_split_over_two_fields_gives_nothing() -> None:
    """The signed text does not escape `&`: the same text can be posted as other fields, but says nothing then."""
    fields = peer.notify_fields(peer.paid(attach="a&bz=1"))
    left, right = fields["biz_content"].split("&bz=")
    with pytest.raises(CallbackUnreadable):
        peer.provider().parse_callback(peer.callback({**fields, "biz_content": left, "bz": right}))


def test_notify_with_a_blank_for_each_plus_of_its_sign_is_proven() -> None:
    """A poster that does not escape base64: the blank can be nothing else."""
    fields = peer.notify_fields(peer.paid(msg_id="n7"))
    assert "+" in fields["sign"]
    fields["sign"] = fields["sign"].replace("+", " ")

    assert report_of(peer.callback(fields)).state is ReportedState.PAID


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "idna", "\xff"])
def test_notify_in_an_unknown_charset_is_refused(charset: str) -> None:
    """A charset is a name from a table, not from Python's."""
    with pytest.raises(CallbackRefused) as refused:
        peer.provider().parse_callback(peer.callback(peer.notify_fields(peer.paid(), charset=charset)))
    assert refused.value.reason == "malformed"


def test_sealed_notify_is_opened() -> None:
    """With encrypt_key the content is decrypted after the proof."""
    raw = peer.notify(peer.sealed(peer.compact(peer.paid())), encrypt_type="AES")

    assert report_of(raw, **peer.encrypting()) == report_of(peer.notify(peer.paid()))


def test_sealed_notify_under_another_key_is_unreadable() -> None:
    """Authentic, but not ours to read."""
    raw = peer.notify(peer.sealed(peer.compact(peer.paid()))[:-24], encrypt_type="AES")
    with pytest.raises(CallbackUnreadable):
        peer.provider(**peer.encrypting()).parse_callback(raw)


def test_constant_signed_path_is_configurable() -> None:
    """Some installations have the bank sign a constant."""
    raw = peer.notify(peer.paid(), path="/notifyUrlServlet")

    assert report_of(raw, notify_sign_path="/notifyUrlServlet").state is ReportedState.PAID


# --- our answer -------------------------------------------------------------------------------------------------------


def content_of(body: bytes) -> dict[str, Any]:
    content = json.loads(body)["response_biz_content"]
    plain: dict[str, Any] = json.loads(peer.unsealed(content)) if isinstance(content, str) else content
    return plain


def test_answer_to_a_sealed_notify_is_sealed() -> None:
    """The quoted ciphertext is what is signed."""
    raw = peer.notify(peer.sealed(peer.compact(peer.paid())), encrypt_type="AES")
    told = peer.provider(**peer.encrypting()).acknowledge(Verdict.ACCEPTED, raw)
    plain = '{"return_code":0,"return_msg":"success.","msg_id":"n01001"}'

    assert (200, peer.acknowledgement_body(f'"{peer.sealed(plain)}"')) == (told.status, told.body)


@pytest.mark.parametrize("msg_id", [None, "", 17, "a" * 65, "a b", "名"], ids=repr)
def test_answer_to_a_notify_without_a_usable_msg_id_is_still_signed(msg_id: Any) -> None:
    """Money is not told again and again for a label."""
    told = peer.provider().acknowledge(Verdict.ACCEPTED, peer.notify(peer.paid(msg_id=msg_id)))

    assert {"return_code": 0, "return_msg": "success."} == content_of(told.body)


def test_answer_escapes_what_the_msg_id_brings() -> None:
    """A quote in it ends nothing."""
    told = peer.provider().acknowledge(Verdict.ACCEPTED, peer.notify(peer.paid(msg_id='x","return_code":1')))

    assert 'x","return_code":1' == content_of(told.body)["msg_id"]
    assert 0 == content_of(told.body)["return_code"]


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.ORPHAN, Verdict.UNSTORED])
def test_refusals_repeat_nothing_of_the_callback(verdict: Verdict) -> None:
    """Nobody can have us sign a text of his choice."""
    told = {
        peer.provider().acknowledge(verdict, raw).body
        for raw in (peer.notify(peer.paid()), peer.notify(peer.paid(msg_id="n2"), signer=peer.APP), peer.callback(b""))
    }

    assert len(told) == 1
    assert -12345 == content_of(told.pop())["return_code"]
