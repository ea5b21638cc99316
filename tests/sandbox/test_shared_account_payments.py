"""Charges, queries, revokes and statements of the shared account's platform, sound and with faults."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("gmssl_pyx")

from sandbox.clock import SandboxClock
from sandbox.faults import FaultBoard
from sandbox.frame import Surroundings
from sandbox.keyring import Keyring
from sandbox.shared_account import sm
from sandbox.shared_account.keys import SharedAccountKeys
from sandbox.shared_account.simulator import SharedAccountSimulator
from sandbox.wire import PayRefused
from tests.sandbox.merchants import Inbox
from tests.sandbox.shared_account_channel import NUMBER, OTHER, OWNER, REGION, Channel, Untrusted

OTHER_NUMBER = "HF202603010000000002"


def test_charge_debits_the_whole_amount_at_once(channel: Channel) -> None:
    """Answer, query, balance and books agree."""
    paid = channel.charge()
    asked = channel.query()

    assert paid == {
        "outTradeNo": NUMBER,
        "payOrdId": "ORD2026030100000001",
        "ordStas": "6",
        "psnAcctPay": "380.01",
        "payTime": "20260301102030",
        "receiptNo": "PJ2026030100000001",
    }
    assert asked == paid | {"amt": "380.01"}
    assert channel.balance() == "9619.99"
    assert [(entry["out_trade_no"], entry["amount_fen"]) for entry in channel.simulator.books()["payments"]] == [
        (NUMBER, 38001)
    ]


def test_charge_sent_again_debits_nothing(channel: Channel) -> None:
    """The same content is answered as the first; another amount is SA3002."""
    data = channel.charge_data(channel.bind())
    first = channel.ask("sa.pay.charge", data)

    assert first == channel.ask("sa.pay.charge", data | {"reqSn": "R99"})
    assert channel.code("sa.pay.charge", data | {"amt": "380.02"}) == "SA3002"
    assert channel.code("sa.pay.charge", data | {"insuYear": "2027"}) == "SA3002"
    assert channel.balance() == "9619.99"


@pytest.mark.parametrize(("balance_fen", "code"), [(38001, "0"), (38000, "SA2001")])
def test_charge_needs_the_whole_balance(channel: Channel, balance_fen: int, code: str) -> None:
    """To the fen; a refused charge leaves no order and can be sent again."""
    bind_id = channel.bind()
    channel.simulator.set_account(OWNER["ownerIdNo"], balance_fen=balance_fen, state="1")

    assert code == channel.code("sa.pay.charge", channel.charge_data(bind_id))
    assert channel.code("sa.pay.query", {"outTradeNo": NUMBER}) == ("0" if code == "0" else "SA3001")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bindId": "B0000000099"}, "SA2004"),
        ({"memberName": "李大雨"}, "SA2004"),
        (OTHER, "SA2004"),
        ({"amt": "380.1"}, "SA1001"),
        ({"amt": "0.00"}, "SA1001"),
        ({"amt": 38001}, "SA1001"),
        ({"outTradeNo": "HF2026"}, "SA1001"),
        ({"payAuthNo": ""}, "SA1001"),
        ({"expireTime": "20260301102030"}, "SA1001"),
        ({"expireTime": "20260231102030"}, "SA1001"),
    ],
    ids=["binding", "name", "person", "decimal", "nothing", "number", "short", "authorisation", "expired", "no day"],
)
def test_charge_with_a_fault_is_refused(channel: Channel, changes: dict[str, Any], code: str) -> None:
    """Nothing is debited."""
    assert code == channel.code("sa.pay.charge", channel.charge_data(channel.bind()) | changes)
    assert channel.balance() == "10000.00"


def test_person_pays_once_for_a_year(channel: Channel) -> None:
    """SA2007 while paid; after a revoke the way is free, with a fresh authorisation."""
    data = channel.charge_data(channel.bind())
    paid = channel.ask("sa.pay.charge", data)
    again = channel.charge_data(data["bindId"], OTHER_NUMBER)
    twice = channel.code("sa.pay.charge", again)
    channel.ask("sa.pay.revoke", channel.revoke_data(paid))
    used = channel.code("sa.pay.charge", again | {"payAuthNo": data["payAuthNo"]})

    assert (twice, used) == ("SA2007", "SA2012")
    assert channel.ask("sa.pay.charge", again)["ordStas"] == "6"


@pytest.mark.parametrize("seconds", [None, 120], ids=["default", "given"])
def test_charge_can_be_settled_late(channel: Channel, faults: FaultBoard, inbox: Inbox, seconds: float | None) -> None:
    """In progress, another one refused, then paid and told."""
    faults.add("settled_late", times=1, seconds=seconds)
    first = channel.charge()
    second = channel.code("sa.pay.charge", channel.charge_data(channel.bind(), OTHER_NUMBER))
    channel.clock.advance((seconds or 30) - 1)
    early = channel.query()["ordStas"]
    channel.clock.advance(1)

    assert ("psnAcctPay" in first, first["ordStas"], second, early) == (False, "1", "SA3004", "1")
    assert channel.query()["ordStas"] == "6"
    assert channel.opened(inbox.received[0][2])["data"]["ordStas"] == "6"


def test_person_approves_or_refuses_a_waiting_charge(
    keyring: Keyring, clock: SandboxClock, surroundings: Callable[[str], Surroundings]
) -> None:
    """Built to wait for a person: nothing happens by itself."""
    simulator = SharedAccountSimulator(
        keyring.of(SharedAccountKeys), surroundings("shared_account"), settle_seconds=None
    )
    channel = Channel(keyring, clock, simulator)
    channel.charge(expireTime="20260302000000")
    clock.advance(3600)
    waiting = channel.query()["ordStas"]
    simulator.cancel(NUMBER)
    refused = channel.query()["ordStas"]
    channel.charge(OTHER_NUMBER)
    simulator.pay(OTHER_NUMBER)

    assert (waiting, refused, channel.query(OTHER_NUMBER)["ordStas"]) == ("1", "7", "6")
    for number in (NUMBER, OTHER_NUMBER, "HF202603019999999999"):
        with pytest.raises(PayRefused):
            simulator.pay(number)


def test_waiting_charge_closes_at_its_expiry(channel: Channel, faults: FaultBoard) -> None:
    """At the very second, and nothing is debited later."""
    faults.add("settled_late", seconds=60)
    channel.charge(expireTime="20260301102100")
    channel.clock.advance(29)
    before = channel.query()["ordStas"]
    channel.clock.advance(1)
    closed = channel.query()["ordStas"]
    channel.clock.advance(60)

    assert (before, closed, channel.query()["ordStas"]) == ("1", "7", "7")
    assert channel.balance() == "10000.00"


@pytest.mark.parametrize(("seconds", "code", "state"), [(None, "SA2004", None), (20, "0", "14")], ids=["before", "mid"])
def test_binding_is_revoked_around_a_charge(
    channel: Channel, faults: FaultBoard, seconds: float | None, code: str, state: str | None
) -> None:
    """Between check and charge: refused. While it is in progress: failed. Never debited."""
    faults.add("binding_revoked", operation="create", times=1, seconds=seconds)
    answered = channel.code("sa.pay.charge", channel.charge_data(channel.bind()))
    channel.clock.advance(60)

    assert code == answered
    assert state is None or channel.query()["ordStas"] == state
    assert channel.balance() == "10000.00"
    assert channel.ask("sa.bind.list", OWNER)["total"] == "0"


def test_waiting_charge_fails_when_its_balance_is_gone(channel: Channel, faults: FaultBoard, inbox: Inbox) -> None:
    """All or nothing, at the moment of the debit; failures are not called back."""
    faults.add("settled_late", seconds=5)
    channel.charge()
    channel.simulator.set_account(OWNER["ownerIdNo"], balance_fen=38000, state="1")
    channel.clock.advance(60)

    assert channel.query()["ordStas"] == "14"
    assert (channel.balance(), inbox.received) == ("380.00", [])


def test_query_takes_both_numbers_if_they_agree(channel: Channel) -> None:
    """By the platform's number, by both, by none, by two that differ."""
    paid = channel.charge()
    both = {"outTradeNo": NUMBER, "payOrdId": paid["payOrdId"]}

    assert channel.ask("sa.pay.query", {"payOrdId": paid["payOrdId"]}) == channel.ask("sa.pay.query", both)
    assert channel.code("sa.pay.query", both | {"payOrdId": "ORD9"}) == "SA1001"
    assert channel.code("sa.pay.query", {"reqSn": "R1"}) == "SA1001"
    assert channel.code("sa.pay.query", {"outTradeNo": OTHER_NUMBER}) == "SA3001"


def test_revoke_gives_everything_back(channel: Channel, inbox: Inbox) -> None:
    """Once; the same again is the same, another is SA3007; told by a callback."""
    paid = channel.charge()
    data = channel.revoke_data(paid)
    first = channel.ask("sa.pay.revoke", data)
    again = channel.ask("sa.pay.revoke", data)
    channel.clock.advance(0)
    told = channel.opened(inbox.received[1][2])["data"]

    assert first == again == {"revokeSn": data["revokeSn"], "refStatus": "SUCC", "revTime": "20260301102030"}
    assert channel.code("sa.pay.revoke", channel.revoke_data(paid)) == "SA3007"
    assert channel.balance() == "10000.00"
    assert {"ordStas": "8", "revokeSn": data["revokeSn"]}.items() <= channel.query().items()
    assert (told["callType"], told["revokeSn"], told["ordStas"]) == ("03", data["revokeSn"], "8")
    assert channel.simulator.books()["refunds"][0]["amount_fen"] == 38001


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amt": "380.00"}, "SA3006"),
        ({"outTradeNo": OTHER_NUMBER}, "SA3001"),
        ({"payOrdId": "ORD9"}, "SA1001"),
        ({"revokeSn": ""}, "SA1001"),
    ],
    ids=["partial", "unknown", "numbers differ", "no number"],
)
def test_revoke_with_a_fault_is_refused(channel: Channel, changes: dict[str, str], code: str) -> None:
    """The order stays paid."""
    paid = channel.charge()

    assert code == channel.code("sa.pay.revoke", channel.revoke_data(paid) | changes)
    assert channel.query()["ordStas"] == "6"


def test_revoke_of_a_waiting_closed_or_old_payment_is_refused(channel: Channel, faults: FaultBoard) -> None:
    """SA3004, SA3003, SA3005 after ninety days."""
    faults.add("settled_late", times=1)
    waiting = channel.charge()
    pending = channel.code("sa.pay.revoke", channel.revoke_data(waiting))
    channel.simulator.cancel(NUMBER)
    closed = channel.code("sa.pay.revoke", channel.revoke_data(waiting))
    paid = channel.charge(OTHER_NUMBER)
    channel.clock.advance(90 * 86_400 + 1)

    assert (pending, closed) == ("SA3004", "SA3003")
    assert channel.code("sa.pay.revoke", channel.revoke_data(paid)) == "SA3005"


def test_revoke_can_be_unknown_first_and_done_later(channel: Channel, faults: FaultBoard) -> None:
    """EXP, the order still paid, another revoke refused; then done, by query and by asking again."""
    faults.add("revoke_unknown", operation="refund", times=1)
    paid = channel.charge()
    data = channel.revoke_data(paid)
    first = channel.ask("sa.pay.revoke", data)
    second = channel.code("sa.pay.revoke", channel.revoke_data(paid))
    before = channel.query()
    channel.clock.advance(10)

    assert (first["refStatus"], second, before["ordStas"], "revokeSn" in before) == ("EXP", "SA3004", "6", False)
    assert (channel.query()["ordStas"], channel.ask("sa.pay.revoke", data)["refStatus"]) == ("8", "SUCC")


def test_revoke_can_fail(channel: Channel, faults: FaultBoard) -> None:
    """FAIL leaves the order paid; a new revoke may succeed."""
    faults.add("revoke_failed", times=1)
    paid = channel.charge()
    failed = channel.ask("sa.pay.revoke", channel.revoke_data(paid))["refStatus"]

    assert (failed, channel.query()["ordStas"]) == ("FAIL", "6")
    assert channel.ask("sa.pay.revoke", channel.revoke_data(paid))["refStatus"] == "SUCC"


def test_statement_lists_the_day_of_a_region(channel: Channel) -> None:
    """Ready at ten the next morning; another region's file is empty."""
    paid = channel.charge()
    channel.ask("sa.pay.revoke", channel.revoke_data(paid))
    asked = {"stmtDate": "20260301"} | REGION
    channel.clock.advance(23 * 3600 + 39 * 60 + 29)
    early = channel.code("sa.recon.file", asked)
    channel.clock.advance(1)
    file = channel.ask("sa.recon.file", asked)
    content = base64.b64decode(file["fileBody"])
    empty = base64.b64decode(channel.ask("sa.recon.file", asked | {"insuplcAdmdvs": "341202"})["fileBody"])
    day = f"{paid['payOrdId']}|%s|20260301102030|380.01|340104201809210003|2026"

    assert early == "SA3008"
    assert (file["rows"], file["fileSm3"]) == ("2", sm.sm3_hex(content))
    assert content.decode().splitlines() == [
        f"H|SA1|{channel.app_id}|20260301|340104|2",
        f"D|{NUMBER}|{day % 'P'}",
        f"D|{NUMBER}|{day % 'R'}",
        "T|1|380.01|1|380.01",
    ]
    assert empty.decode() == f"H|SA1|{channel.app_id}|20260301|341202|0\nT|0|0.00|0|0.00\n"
    assert channel.code("sa.recon.file", {"stmtDate": "20260231"} | REGION) == "SA1001"


@pytest.mark.parametrize("fault", ["timeout_after_commit", "error_5xx_after_commit", "half_json", "html_answer"])
def test_lost_or_spoilt_answer_has_debited_once(channel: Channel, faults: FaultBoard, fault: str) -> None:
    """The query and the same charge again tell the truth."""
    faults.add(fault, provider="shared_account", operation="create", times=1)
    data = channel.charge_data(channel.bind())
    spoilt = channel.call("sa.pay.charge", data)

    with pytest.raises((ValueError, KeyError)):
        channel.opened(spoilt.body)
    assert spoilt.lost is (fault == "timeout_after_commit")
    assert channel.ask("sa.pay.charge", data)["ordStas"] == channel.query()["ordStas"] == "6"
    assert channel.balance() == "9619.99"


@pytest.mark.parametrize("fault", ["timeout_before_commit", "error_5xx_before_commit", "rate_limited"])
def test_fault_before_the_commit_has_debited_nothing(channel: Channel, faults: FaultBoard, fault: str) -> None:
    """SA1008 for too many requests; the order is unknown afterwards."""
    faults.add(fault, operation="create", out_trade_no=NUMBER, times=1)
    answer = channel.call("sa.pay.charge", channel.charge_data(channel.bind()))

    if fault == "rate_limited":
        assert channel.opened(answer.body)["code"] == "SA1008"
    assert channel.code("sa.pay.query", {"outTradeNo": NUMBER}) == "SA3001"


@pytest.mark.parametrize("fault", ["answer_bad_signature", "signature_der"])
def test_answer_that_cannot_be_trusted_has_debited(channel: Channel, faults: FaultBoard, fault: str) -> None:
    """A strange key, or a genuine signature in a form that was not agreed."""
    faults.add(fault, operation="create", times=1)

    with pytest.raises(Untrusted):
        channel.charge()
    assert channel.query()["ordStas"] == "6"


def test_paid_order_can_be_not_found_for_a_while(channel: Channel, faults: FaultBoard) -> None:
    """SA3001 for a minute."""
    faults.add("not_found_then_paid")
    channel.charge()
    missing = channel.code("sa.pay.query", {"outTradeNo": NUMBER})
    channel.clock.advance(60)

    assert (missing, channel.query()["ordStas"]) == ("SA3001", "6")


def test_full_sandbox_is_busy(channel: Channel) -> None:
    """Five orders, and the sixth is SA5001 with nothing done."""
    bind_id = channel.bind()
    codes = [
        channel.code("sa.pay.charge", channel.charge_data(bind_id, f"HF20260301{year}", insuYear=str(year)))
        for year in range(2026, 2032)
    ]

    assert codes == ["0"] * 5 + ["SA5001"]
    assert channel.balance() == "8099.95"
