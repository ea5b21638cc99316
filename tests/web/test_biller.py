"""The banks' door over HTTP: proven first, then read; nothing is written for what is not proven."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest

from gateway.settings import SettingsInvalid
from gateway.store import Store, StoreUnavailable
from gateway.web.biller import BillerDesk
from gateway.web.metrics import Metrics
from tests.adapters.bank_bbp import peer
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN
from tests.web.bank import DAY, RURAL, BankFront, code, verified
from tests.web.both import BOTH
from tests.web.front import PERSON, Down, problem

NUMBER = PERSON["id_number"]


@pytest.fixture
def front(store: Store, database: Database) -> BankFront:
    return BankFront(store, database.url)


@pytest.fixture
def make(store: Store, database: Database) -> Callable[..., BankFront]:
    return lambda **changes: BankFront(store, database.url, **changes)


def _rows(database: Database) -> list[tuple[Any, ...]]:
    tables = ("biller_entries", "payments", "notifications", "events", "request_nonces", "orders", "biller_files")
    return [database.rows(f"SELECT count(*) FROM {table}")[0] for table in tables]


@BOTH
def test_bank_finds_pays_and_reverses_a_bill(front: BankFront) -> None:
    """The whole way, every answer signed; a retry under a new nonce finds the first."""
    order = front.bill()
    (bill,) = verified(front.ask_bills(NUMBER))["body"]["bills"]
    assert (bill["bill_no"], bill["amount"], bill["can_pay"], bill["name_masked"]) == (
        order["order_id"][4:],
        AMOUNT_FEN,
        True,
        "****人",
    )
    first = verified(front.pay(order, bill_version=bill["version"]))
    again = verified(front.pay(order))
    question = {"biller_id": peer.BILLER, "bank_seq": "S1", "bank_date": DAY}
    found = verified(front.bank("payments/query", "PAYQRY", question))
    paid = front.get(f"/v1/orders/{order['order_id']}").get_json()
    reversal = {**question, "bank_seq": "R1", "orig_bank_seq": "S1", "orig_bank_date": DAY} | {
        "amount": AMOUNT_FEN,
        "reason": "客户撤销",
    }
    back = verified(front.bank("payments/reverse", "PAYREV", reversal))
    gone = front.get(f"/v1/orders/{order['order_id']}").get_json()
    successor = front.get(f"/v1/orders?client_order_no=reversed-{order['order_id'][4:]}").get_json()["orders"]

    assert (first["body"]["duplicate"], again["body"]["duplicate"]) == (False, True)
    assert first["body"]["receipt_no"] == again["body"]["receipt_no"] == found["body"]["receipt_no"]
    assert (found["body"]["status"], found["body"]["amount"]) == ("SUCCESS", AMOUNT_FEN)
    assert (paid["state"], paid["payments"][0]["provider"]) == ("paid", "bank_bbp")
    assert back["body"] == {"order_no": order["order_id"], "reversed": True, "status": "REVERSED"}
    assert [refund["reason"] for refund in gone["refunds"]] == ["reversed"]
    assert [each["state"] for each in successor] == ["open"]
    assert_invariants(front.store)


UNPROVEN: dict[str, tuple[dict[str, Any], str]] = {
    "flipped-body": ({"data": b"{}"}, "A00001"),
    "foreign-key": ({"key": "foreign", "key_id": "ABC340-rsa2"}, "A00001"),
    "no-signature": ({"headers": {"X-Bank-Signature": ""}}, "A00001"),
    "no-time": ({"headers": {"X-Bank-Timestamp": ""}}, "A00002"),
    "old-time": ({"headers": {"X-Bank-Timestamp": "1"}}, "A00002"),
    "short-nonce": ({"nonce": "n"}, "A00003"),
    "unknown-key": ({"key_id": "gone"}, "A00005"),
    "stranger": ({"inst": "XXX"}, "A00004"),
    "other-bank": ({"inst": "PSB340", "key": "foreign", "key_id": "ABC340-rsa2"}, "A00001"),
    "junk-headers": ({"headers": {"X-Bank-Nonce": "\xe9" * 32}}, "A00003"),
}


@pytest.mark.parametrize(("changes", "told"), UNPROVEN.values(), ids=UNPROVEN)
def test_unproven_call_gets_401_and_writes_nothing(
    front: BankFront, database: Database, changes: dict[str, Any], told: str
) -> None:
    """Not even a nonce."""
    order = front.bill()
    before = _rows(database)

    assert code(front.pay(order, more=changes)) == (401, told)
    assert _rows(database) == before


def test_call_from_another_network_gets_401_and_writes_nothing(make: Any, database: Database) -> None:
    """An allow-list, however good the signature."""
    front = make(networks=("10.0.0.0/8",))
    order = front.bill()
    before = _rows(database)

    assert code(front.pay(order, more={"address": "192.0.2.1"})) == (401, "A00004")
    assert _rows(database) == before
    assert code(front.pay(order, more={"address": "10.1.2.3"})) == (200, "000000")


@BOTH
def test_nonce_seen_twice_is_refused_and_a_retry_with_a_new_one_passes(front: BankFront, database: Database) -> None:
    """
    A replay on the wire is no retry of the bank. Of a payment, which the first of the two may have put on record, it
    proves no failure: an HTTP library may send the same bytes again by itself.
    """
    order = front.bill()
    assert code(front.pay(order, more={"nonce": "n" * 32})) == (200, "000000")
    before = _rows(database)

    assert code(front.pay(order, more={"nonce": "n" * 32})) == (500, "S99999")
    assert _rows(database) == before
    assert code(front.pay(order)) == (200, "000000")
    front.clock.advance(seconds=299)
    assert code(front.pay(order, more={"nonce": "n" * 32})) == (500, "S99999")
    question = {"biller_id": peer.BILLER, "bank_date": "20260301"}
    assert code(front.bank("recon/result", "RECQRY", question, nonce="n" * 32)) == (401, "A00003")


def test_nonce_many_times_at_once_passes_once(front: BankFront) -> None:
    order = front.bill()
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: code(front.pay(order, more={"nonce": "n" * 32})), range(24)))

    assert sorted(set(told)) == [(200, "000000"), (500, "S99999")]
    assert told.count((200, "000000")) == 1


def test_nonce_is_forgotten_when_no_time_stamp_can_bring_it_again(front: BankFront, database: Database) -> None:
    """The worker clears the table."""
    front.bill()
    front.ask_bills(NUMBER)
    front.clock.advance(seconds=600)
    front.worker._tidy(front.clock.now())
    assert database.rows("SELECT count(*) FROM request_nonces") == [(1,)]
    front.worker._tidy_at = None
    front.clock.advance(seconds=2)
    front.worker._tidy(front.clock.now())

    assert database.rows("SELECT count(*) FROM request_nonces") == [(0,)]


@pytest.mark.parametrize(
    ("body", "tran_code", "told"),
    [
        ({"biller_id": peer.BILLER}, "PAYNTF", "V00002"),
        ({"bank_date": "20260299"}, "PAYNTF", "V00001"),
        ({}, "PAYREV", "V00004"),
    ],
    ids=["missing", "form", "call"],
)
def test_proven_nonsense_gets_200_and_writes_nothing(
    front: BankFront, database: Database, body: Any, tran_code: str, told: str
) -> None:
    before = _rows(database)
    response = front.bank("payments/notify", tran_code, body)

    assert code(response) == (200, told)
    assert verified(response)["body"] == {}
    assert _rows(database) == before


def test_member_given_twice_is_never_chosen_from(front: BankFront) -> None:
    raw = peer.envelope("PAYNTF", {}).replace(b'"body":{', b'"body":{"amount":1,"amount":2')

    assert code(front.bank("payments/notify", "", None, raw=raw)) == (200, "V00001")


def test_questions_have_a_limit_for_each_bank(make: Any) -> None:
    """Nobody tries numbers one after another; payments are never held back by it."""
    front = make(questions_per_minute=3)
    order = front.bill()
    told = [code(front.ask_bills(NUMBER)) for _ in range(4)]
    assert told == [(200, "000000")] * 3 + [(503, "S99001")]
    assert code(front.pay(order)) == (200, "000000")
    front.clock.advance(seconds=60)

    assert code(front.ask_bills(NUMBER)) == (200, "000000")


def test_bank_hears_busy_or_unknown_while_the_database_fails(front: BankFront) -> None:
    """Down before anything: 503, the same later. Broken while writing: 500, ask first."""
    order, engine = front.bill(), front.store._engine
    front.store._engine = Down(engine)
    assert code(front.pay(order)) == (503, "S99001")
    assert code(front.ask_bills(NUMBER)) == (503, "S99001")
    front.store._engine = engine
    flush, flushes = engine.inner.flush, []

    def cut(batch: Any) -> None:
        flushes.append(batch)
        if len(flushes) == 2:  # the first is the nonce's
            raise StoreUnavailable("cut")
        flush(batch)

    engine.inner.flush = cut
    assert code(front.pay(order)) == (500, "S99999")
    engine.inner.flush = flush

    assert code(front.pay(order)) == (200, "000000")
    assert_invariants(front.store)


def test_unexpected_fault_is_never_a_definite_answer(
    front: BankFront, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    """It is told as undecided, and logged once without any value."""
    order = front.bill()

    def broken(*_: object, **__: object) -> None:
        raise KeyError("canary-value")

    monkeypatch.setattr("gateway.web.biller.serve_biller", broken)
    response = front.pay(order)

    assert code(response) == (500, "S99999")
    assert verified(response)["head"]["ret_code"] == "S99999"
    assert [event["error"] for event in logged if event["event"] == "bank_call_failed"] == ["KeyError"]
    assert "canary" not in str(logged)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_are_not_served(front: BankFront, method: str) -> None:
    assert front.client.open(peer.PREFIX + "bills/query", method=method).status_code == 405


@pytest.mark.parametrize("path", ["/api/v1/bank/biller/none", "/api/v1/bank/other", "/api/v1/bank/biller/bills/query/"])
def test_address_where_no_bank_is_answered_is_not_found(front: BankFront, path: str) -> None:
    assert problem(front.client.post(path, data=b"{}")) == (404, "not_found")


def _upload(front: BankFront, *lines: str, padding: int = 0) -> Any:
    pays = [int(line.split("|")[5]) for line in lines]
    head = f"{len(lines)}|{sum(pays)}|{len(lines)}|{sum(pays)}|0|0\n" + "".join(f"{line}\n" for line in lines)
    content = head.encode() + f"END|{sha256(head.encode()).hexdigest()}\n".encode()
    body = {
        "biller_id": peer.BILLER,
        "bank_date": DAY,
        "file_name": f"{peer.INST}_{peer.BILLER}_{DAY}_01.txt",
        "total_count": len(lines),
        "net_amount": sum(pays),
        "sha256": sha256(content).hexdigest(),
        "mode": "INLINE",
        "content_base64": base64.b64encode(content).decode(),
        "padding": " " * padding,
    }
    return front.bank("recon/files", "RECUPL", body)


@BOTH
def test_day_file_is_kept_compared_and_answered(front: BankFront) -> None:
    """Longer than any other call may be: a payment whose message was lost is taken, one that we alone have is short."""
    lost, ours = front.bill("C-1"), front.bill("C-2", insured_year=2027)
    front.pay(ours, "S2")
    response = _upload(front, f"{DAY}|S1|101500|{lost['order_id'][4:]}||{AMOUNT_FEN}|P|APP|", padding=200_000)
    question = {"biller_id": peer.BILLER, "bank_date": DAY}
    before = verified(front.bank("recon/result", "RECQRY", question))["body"]
    front.work()
    after = verified(front.bank("recon/result", "RECQRY", question))["body"]

    assert verified(response)["body"]["status"] == "PENDING"
    assert before == {"status": "PENDING", "matched_count": 0, "diffs": []}
    assert after == {
        "status": "DIFF",
        "matched_count": 1,
        "diffs": [{"bank_seq": "S2", "type": "SHORT", "bank_amount": None, "our_amount": AMOUNT_FEN}],
    }
    assert front.get(f"/v1/orders/{lost['order_id']}").get_json()["state"] == "paid"
    assert_invariants(front.store)


def test_body_over_its_limit_is_cut_off(front: BankFront) -> None:
    """Each address has its own."""
    for path, limit in (("payments/notify", 65536), ("recon/files", 65536 + (5 << 20))):
        assert front.bank(path, "", None, raw=b"x" * limit).status_code == 200
        assert problem(front.bank(path, "", None, raw=b"x" * (limit + 1))) == (413, "body_too_large")


def test_app_cannot_start_or_refund_a_payment_that_belongs_to_the_bank(front: BankFront) -> None:
    """Both say why, instead of a task that fails for ever."""
    order = front.bill()
    body = {"provider": "bank_bbp", "method": "app"}
    started = front.post(f"/v1/orders/{order['order_id']}/payments", body)
    assert problem(started) == (422, "method_not_available")
    assert "begin in its own app" in started.get_json()["detail"]
    front.pay(order)
    refund = front.post(f"/v1/orders/{order['order_id']}/refunds", {"client_refund_no": "R-1"})

    assert problem(refund)[1] == "refund_offline_only"
    assert front.worker.run_due() == 0


def test_nobodys_name_or_number_is_logged_or_lies_in_clear(
    front: BankFront, database: Database, logged: list[Any]
) -> None:
    """The bank's messages hold payers and numbers; they are sealed, and no log line has them."""
    order = front.bill()
    front.ask_bills(NUMBER)
    front.pay(order)
    front.ask_bills("34010019000101002X")
    seen = database.everything() + str(logged).encode()

    for text in (NUMBER, "测试付款人", PERSON["name"], "34010019000101002X"):
        assert text.encode() not in seen
    told = [(e["account"], e["call"], e["code"]) for e in logged if e["event"] == "bank_call_answered"]
    assert told[:2] == [(RURAL, "biller/bills/query", "000000"), (RURAL, "biller/payments/notify", "000000")]


def test_calls_of_banks_are_counted_by_code(front: BankFront) -> None:
    front.ask_bills(NUMBER)
    front.ask_bills(NUMBER, inst="XXX")
    text = front.get("/metrics", credential=None).get_data(as_text=True)

    assert 'jiaofei_bank_calls_total{account="rural",call="biller/bills/query",code="Q10001"} 1.0' in text
    assert 'jiaofei_bank_calls_total{account="",call="biller/bills/query",code="A00004"} 1.0' in text


def test_two_accounts_of_one_institution_cannot_be_told_apart(make: Any) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        make(inst_id="PSB340")

    assert raised.value.faults == ["accounts.postal: is the same institution as accounts.rural"]


def test_institution_of_an_app_that_does_not_exist_is_a_fault(make: Any) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        make(apps=["wallet", "none"])

    assert raised.value.faults == ["accounts.rural.apps: names an app that does not exist"]


def test_desk_without_banks_answers_nobody(front: BankFront) -> None:
    """An installation without biller mode has no such door."""
    deps = type(front.deps)(
        **{name: getattr(front.deps, name) for name in front.deps.__dataclass_fields__}
        | {"providers": {"alpha_main": front.alpha}}
    )
    desk = BillerDesk(deps, Metrics(deps))

    assert desk.answer(peer.PREFIX + "bills/query", {}, b"", address="") is None
