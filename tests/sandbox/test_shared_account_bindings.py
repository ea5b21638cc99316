"""Bindings, reviews and balances of the shared account's platform, and what it thinks of requests it cannot trust."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("gmssl_pyx")

from sandbox.faults import FaultBoard
from sandbox.frame import Surroundings
from sandbox.shared_account.keys import SharedAccountKeys
from sandbox.shared_account.simulator import ROUTES, SharedAccountSimulator
from sandbox.wire import PayRefused
from tests.sandbox.merchants import Inbox
from tests.sandbox.shared_account_channel import MEMBER, OTHER, OWNER, REGION, Channel, Untrusted


def test_binding_lives_from_add_to_remove(channel: Channel) -> None:
    """Check, add, check, list with a masked number, remove, check."""
    people = OWNER | MEMBER | REGION
    before = channel.ask("sa.bind.check", people)
    bind_id = channel.bind()
    bound = channel.ask("sa.bind.check", people)
    listed = channel.ask("sa.bind.list", OWNER)
    removed = channel.ask("sa.bind.remove", OWNER | {"bindId": bind_id, "reqSn": "R9"})
    after = channel.ask("sa.bind.check", people)

    assert before == {"bindStas": "0"}
    assert bound == {"bindId": bind_id, "relCode": "03", "bindStas": "1", "effTime": "20260301"}
    assert (listed["total"], listed["bindList"][0]["memberIdNo"]) == ("1", "340104**********03")
    assert removed == {"bindId": bind_id, "bindStas": "0"}
    assert after == {"bindStas": "0"}
    assert channel.ask("sa.bind.list", OWNER) == {"total": "0"}


def test_binding_added_again_is_the_same(channel: Channel) -> None:
    """By reqSn and by people; a reqSn with other content is refused."""
    data = channel.bind_data()
    first = channel.ask("sa.bind.add", data)

    assert first == channel.ask("sa.bind.add", data)
    assert first["bindId"] == channel.bind()
    assert channel.code("sa.bind.add", data | {"relCode": "02"}) == "SA1007"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"noticeAgreed": "0"}, "SA2014"),
        ({"relCode": "07"}, "SA2005"),
        ({"memberIdNo": "340104201809210004"}, "SA1001"),
        ({"phone": 13800000000}, "SA1001"),
        ({"phone": ""}, "SA1001"),
        ({"proofs": [{"proofType": "01", "fileSn": "F1"}]}, "SA2014"),
        ({"proofs": [{"proofType": "77", "fileSn": "F1", "sm3": "0" * 64}]}, "SA1001"),
        ({"proofs": "F1"}, "SA1001"),
    ],
    ids=["notice", "relation", "check digit", "number", "missing", "proof", "proof type", "no list"],
)
def test_binding_with_a_fault_is_refused(channel: Channel, changes: dict[str, Any], code: str) -> None:
    """Each with the sheet's code, and nothing is bound."""
    assert code == channel.code("sa.bind.add", channel.bind_data(**changes))
    assert channel.ask("sa.bind.list", OWNER)["total"] == "0"


def test_binding_under_another_name_is_refused(channel: Channel) -> None:
    """The number was bound under its name before."""
    channel.bind()

    assert channel.code("sa.bind.check", OWNER | MEMBER | REGION | {"memberName": "李大雨"}) == "SA2004"
    assert channel.code("sa.bind.remove", OWNER | OTHER | {"bindId": "B9", "reqSn": "R9"}) == "SA2004"


def test_binding_waits_for_a_persons_review(channel: Channel, faults: FaultBoard) -> None:
    """No charge before 通过; a refused one can be asked for again."""
    faults.add("binding_waits", provider="shared_account", operation="bind")
    bind_id = channel.bind()
    waiting = channel.code("sa.pay.charge", channel.charge_data(bind_id))
    channel.simulator.decide(bind_id, "refuse")
    refused = channel.code("sa.pay.charge", channel.charge_data(bind_id))
    again = channel.bind()
    channel.simulator.decide(again, "approve")

    assert (waiting, refused) == ("SA2013", "SA2004")
    assert again != bind_id
    assert channel.ask("sa.pay.charge", channel.charge_data(again))["ordStas"] == "6"
    with pytest.raises(PayRefused):
        channel.simulator.decide(again, "approve")


def test_binding_is_approved_by_itself_after_the_faults_seconds(channel: Channel, faults: FaultBoard) -> None:
    """The edge and one past it."""
    faults.add("binding_waits", times=1, seconds=60)
    channel.bind()
    people = OWNER | MEMBER | REGION
    channel.clock.advance(59)
    early = channel.ask("sa.bind.check", people)["bindStas"]
    channel.clock.advance(1)

    assert (early, channel.ask("sa.bind.check", people)["bindStas"]) == ("2", "1")


def test_balance_follows_the_account(channel: Channel) -> None:
    """Ten thousand yuan at first, then what control says."""
    first = channel.ask("sa.acct.balance", OWNER | REGION)
    channel.simulator.set_account(OWNER["ownerIdNo"], balance_fen=38001, state="2")

    assert first == {"balc": "10000.00", "acctStas": "1", "asOf": "20260301102030"}
    assert channel.ask("sa.acct.balance", OWNER | REGION)["balc"] == "380.01"
    assert channel.code("sa.pay.charge", channel.charge_data(channel.bind())) == "SA2002"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"appId": "F81122B486CD19A8CF841411CCAF0F57"}, "SA1005"),
        ({"signType": "SM3"}, "SA1001"),
        ({"encType": "sm4"}, "SA1001"),
        ({"version": "1.0.0"}, "SA1001"),
        ({"transType": "sa.acct.balance"}, "SA1001"),
        ({"timestamp": "1772331029"}, "SA1001"),
        ({"timestamp": 1772331630000}, "0"),
        ({"timestamp": "1772332230000"}, "0"),
        ({"timestamp": "1772332230001"}, "SA1004"),
        ({"timestamp": "1772331029999"}, "SA1004"),
    ],
    ids=["app", "sign", "encrypt", "version", "operation", "seconds", "number", "late", "too late", "too early"],
)
def test_envelope_with_a_fault_is_refused(channel: Channel, changes: dict[str, Any], code: str) -> None:
    """Signed rightly all the same; the refusal is signed, and has no data."""
    sealed = channel.sealed("sa.bind.list", OWNER, **changes)
    message = channel.opened(channel.post("sa.bind.list", sealed).body)

    assert (message["code"], message["success"]) == (code, code == "0")
    assert ("data" in message) is (code == "0")


@pytest.mark.parametrize("spoiled", ["encData", "signData", "extra member", "plain data"])
def test_request_that_was_altered_is_refused(channel: Channel, spoiled: str) -> None:
    """Decryption and signature give one and the same answer."""
    sealed = channel.sealed("sa.bind.list", OWNER)
    last = "0" if sealed["encData"][-1] != "0" else "1"
    changed = {
        "encData": {"encData": sealed["encData"][:-1] + last},
        "signData": {"signData": base64.b64encode(bytes(64)).decode()},
        "extra member": {"opter": "1"},
        "plain data": {"data": OWNER},
    }[spoiled]
    code = channel.opened(channel.post("sa.bind.list", sealed | changed).body)["code"]

    assert code == ("SA1001" if spoiled == "plain data" else "SA1002")


def test_unsigned_extra_is_ignored(channel: Channel) -> None:
    """It is never signed and never trusted."""
    sealed = channel.sealed("sa.bind.list", OWNER) | {"extra": {"ownerIdNo": "x"}}

    assert channel.opened(channel.post("sa.bind.list", sealed).body)["code"] == "0"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xef\xbb\xbf{}", b"\xff", b"x" * 65_537], ids=range(6))
def test_junk_is_answered_sealed(channel: Channel, body: bytes) -> None:
    """SA1001, and nothing breaks."""
    answer = channel.simulator.answer("POST", "/sa/pay/charge", {}, body)

    assert channel.opened(answer.body)["code"] == "SA1001"


def test_unknown_address_and_closed_operations_are_refused(channel: Channel) -> None:
    """404 outside, SA1006 for freezing first."""
    assert channel.simulator.answer("POST", "/sa/pay/x", {}, b"").status == 404
    assert channel.simulator.answer("GET", "/sa/pay/query", {}, b"").status == 404
    assert channel.code("sa.pay.reserve", {"outTradeNo": "X"}) == "SA1001"
    assert channel.code("sa.pay.reserve", {"outTradeNo": "HF20260301"}) == "SA1006"
    assert all(path == "/" + route.trans_type.replace(".", "/") for path, route in ROUTES.items())


@pytest.mark.parametrize("form", ["raw", "der"])
@pytest.mark.parametrize("user_id", ["default", "app_secret"])
def test_both_signature_forms_and_user_ids_work_end_to_end(
    channel: Channel, inbox: Inbox, surroundings: Callable[[str], Surroundings], form: str, user_id: str
) -> None:
    """Request, answer and callback; the other form and the other user ID are refused."""
    keyring, clock = channel.keyring, channel.clock
    simulator = SharedAccountSimulator(
        keyring.of(SharedAccountKeys), surroundings("shared_account"), signature_form=form, sm2_user_id=user_id
    )
    channel = Channel(keyring, clock, simulator, der=form == "der")
    other = channel.secret.encode()
    channel.user_id, other = (channel.user_id, other) if user_id == "default" else (other, channel.user_id)
    paid = channel.charge()
    clock.advance(0)
    told = channel.opened(inbox.received[0][2])
    wrong_form = Channel(keyring, clock, simulator, der=form != "der", user_id=channel.user_id)
    wrong_user = Channel(keyring, clock, simulator, der=form == "der", user_id=other)

    assert (paid["ordStas"], told["data"]["outTradeNo"]) == ("6", paid["outTradeNo"])
    for wrong in (wrong_form, wrong_user):
        answer = wrong.call("sa.bind.list", OWNER)
        assert channel.opened(answer.body)["code"] == "SA1002"


def test_rotated_platform_key_signs_from_now_on(channel: Channel) -> None:
    """The old public key verifies no more; the new one is told as base64 of 65 bytes."""
    public_key = channel.simulator.rotate_certificate()

    assert len(base64.b64decode(public_key)) == 65
    with pytest.raises(Untrusted):
        channel.ask("sa.bind.list", OWNER)
