"""Shared accounts over HTTP: bindings, balance, a payment out of one, and nobody's name where it does not belong."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.domain.bindings import Binding, BindingState
from gateway.domain.provider import NoVerdict, ProviderUnavailable, RequestRefused
from tests.support.databases import Database
from tests.support.desk import FakeDesk, give_desk
from tests.web.both import BOTH
from tests.web.front import SUBJECT, Front, Json, problem, resident_id

SEARCH, CHECK = "/v1/shared-accounts/bindings/search", "/v1/shared-accounts/bindings/check"
BIND, UNBIND = "/v1/shared-accounts/bindings", "/v1/shared-accounts/bindings/remove"
BALANCE = "/v1/shared-accounts/balance"

OWNER = {"name": "金丝雀授权人", "id_type": "resident_id", "id_number": resident_id("34010019850615000")}
MEMBER = {"name": "金丝雀使用人", "id_type": "resident_id", "id_number": resident_id("34010020180921000")}
PHONE, PAY_AUTH_NO, FILE_NO = "13800007777", "AUTH-CANARY-4711", "FILE-CANARY-1"
HOLDER: Json = {"region": "340100", "owner": OWNER}
PAIR: Json = HOLDER | {"member": MEMBER}
PROOF = {"kind": "household_register", "file_no": FILE_NO, "sm3": "ab" * 32}
ADDITION: Json = PAIR | {"relation": "child", "phone": PHONE, "notice_agreed": True, "proofs": [PROOF]}
REMOVAL: Json = HOLDER | {"bind_id": "B1"}
MADE = {"bind_id": "B1", "state": "active", "relation": "child", "effective_on": None}
CALLS = [(SEARCH, HOLDER), (CHECK, PAIR), (BIND, ADDITION), (UNBIND, REMOVAL), (BALANCE, HOLDER)]
PREMIUM: Json = SUBJECT | {"insured": MEMBER}
FIELDS = {"bind_id": "B1", "pay_auth_no": PAY_AUTH_NO}
CHARGE: Json = {"provider": "alpha", "method": "charge", "fields": FIELDS}

EACH_CALL = pytest.mark.parametrize(("path", "body"), CALLS, ids=[path.rpartition("/")[2] for path, _ in CALLS])
EACH_CHANGE = pytest.mark.parametrize(("path", "body"), [(BIND, ADDITION), (UNBIND, REMOVAL)], ids=["bind", "unbind"])


@pytest.fixture
def desk(front: Front) -> FakeDesk:
    return give_desk(front)


# --- the calls ---


@BOTH
def test_binding_is_made_found_and_removed(front: Front, desk: FakeDesk) -> None:
    """What each call shows of it; the member's name in the holder's own list alone."""
    made = front.post(BIND, ADDITION)
    checked = front.call("POST", CHECK, body=PAIR)
    listed = front.call("POST", SEARCH, body=HOLDER)
    removed = front.post(UNBIND, REMOVAL)
    after = front.call("POST", CHECK, body=PAIR)

    assert (made.status_code, made.get_json()) == (201, MADE)
    assert (checked.status_code, checked.get_json()) == (200, MADE)
    masked = MEMBER["id_number"][:6] + "**********" + MEMBER["id_number"][-2:]
    assert listed.get_json() == {"bindings": [MADE | {"member_name": MEMBER["name"], "member_id_masked": masked}]}
    assert (removed.status_code, removed.get_json()) == (200, MADE | {"state": "none"})
    assert after.get_json() == {"bind_id": None, "state": "none", "relation": None, "effective_on": None}


def test_balance_is_told_in_fen(front: Front, desk: FakeDesk) -> None:
    """With its moment, for it may be another one in the next."""
    answer = front.call("POST", BALANCE, body=HOLDER)

    assert (answer.status_code, answer.get_json()["balance_fen"], answer.get_json()["account_state"]) == (
        200,
        123405,
        "normal",
    )


def test_addition_reaches_the_desk_as_it_was_sent(front: Front, desk: FakeDesk) -> None:
    """Numbers in one spelling."""
    spelt = OWNER | {"id_number": f" {OWNER['id_number'][:6]} {OWNER['id_number'][6:].lower()}"}
    front.post(BIND, ADDITION | {"owner": spelt})
    request = desk.requests[0]

    assert (request.owner.id_number, request.member.name) == (OWNER["id_number"], MEMBER["name"])
    assert (request.relation, request.phone, request.notice_agreed) == ("child", PHONE, True)
    assert [(proof.kind, proof.file_no, proof.sm3_hex) for proof in request.proofs] == [
        ("household_register", FILE_NO, "ab" * 32)
    ]


@EACH_CHANGE
def test_change_without_verdict_gets_202_and_goes_on(front: Front, desk: FakeDesk, path: str, body: Json) -> None:
    """The same key is the same number at the platform; the answer that came is then the stored one."""
    front.post(BIND, ADDITION)
    operation = "add_binding" if path == BIND else "remove_binding"
    desk.calls.clear()
    desk.script(operation, NoVerdict("time-out"))
    answers = [front.post(path, body, key="k") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, *([201] * 2 if path == BIND else [200] * 2)]
    assert answers[0].get_json()["state"] == "unknown"
    assert answers[1].data == answers[2].data
    assert len(set(desk.numbers(operation))) == 1
    assert len(desk.numbers(operation)) == 2


@EACH_CHANGE
def test_change_needs_an_idempotency_key(front: Front, desk: FakeDesk, path: str, body: Json) -> None:
    """It happens at the platform, where a second one may be a second one."""
    assert problem(front.call("POST", path, body=body)) == (400, "idempotency_key_missing")
    assert desk.calls == []


def test_key_of_another_addition_is_refused(front: Front, desk: FakeDesk) -> None:
    """Another phone is another request."""
    front.post(BIND, ADDITION, key="k")

    assert problem(front.post(BIND, ADDITION | {"phone": "13800000000"}, key="k")) == (422, "idempotency_key_reused")


@EACH_CALL
def test_platform_that_is_away_gets_503(front: Front, desk: FakeDesk, path: str, body: Json) -> None:
    """Retryable, and never "not bound"."""
    for operation in ("list_bindings", "check_binding", "add_binding", "remove_binding", "read_balance"):
        desk.script(operation, ProviderUnavailable("down"))
    answer = front.post(path, body)

    assert problem(answer) == (503, "provider_unavailable")
    assert (answer.get_json()["retryable"], answer.headers["Retry-After"]) == (True, "5")


@EACH_CALL
def test_platforms_refusal_gets_its_code(front: Front, desk: FakeDesk, path: str, body: Json) -> None:
    """By which a page finds the words for the payer."""
    for operation in ("list_bindings", "check_binding", "add_binding", "remove_binding", "read_balance"):
        desk.script(operation, RequestRefused("no", code="SA2003"))
    answer = front.post(path, body)

    assert (problem(answer), answer.get_json()["provider_code"]) == ((422, "provider_refused"), "SA2003")


@EACH_CALL
def test_order_token_is_of_no_use(front: Front, desk: FakeDesk, path: str, body: Json) -> None:
    """A payer's browser pays; whose account is bound to whom is between the app and its user."""
    token = front.opened(subject=PREMIUM)["order_token"]

    assert problem(front.post(path, body, credential=token)) == (403, "forbidden")
    assert desk.calls == []


@EACH_CALL
def test_region_without_a_shared_account_gets_422(front: Front, path: str, body: Json) -> None:
    """And is told what there is."""
    answer = front.post(path, body)

    assert problem(answer) == (422, "method_not_available")
    assert answer.get_json()["allowed"] == ["alpha.native", "beta.native"]


INVALID = {
    "region": {"region": "3401"},
    "no_region": {"region": None},
    "check_digit": {"owner": OWNER | {"id_number": "340100198506150000"}},
    "member_missing": {"member": None},
    "notice_refused": {"notice_agreed": False},
    "notice_a_word": {"notice_agreed": "true"},
    "notice_a_number": {"notice_agreed": 1},
    "relation_code": {"relation": "03"},
    "phone": {"phone": "call me"},
    "proof_kind": {"proofs": [PROOF | {"kind": "02"}]},
    "proof_digest": {"proofs": [PROOF | {"sm3": "AB" * 32}]},
    "too_many_proofs": {"proofs": [PROOF] * 11},
    "surprise": {"balance_fen": 1},
}


@pytest.mark.parametrize("changes", INVALID.values(), ids=INVALID.keys())
def test_invalid_addition_is_refused_before_anybody_hears_of_it(
    front: Front, desk: FakeDesk, changes: dict[str, Any]
) -> None:
    """Each field at fault is named; the key stays free."""
    body = {name: value for name, value in (ADDITION | changes).items() if value is not None}
    answer = front.post(BIND, body, key="k")

    assert problem(answer) == (422, "invalid_request")
    assert set(answer.get_json()["errors"]) == set(changes)
    assert desk.calls == []
    assert front.post(BIND, ADDITION, key="k").status_code == 201


# --- paying out of one ---


def test_premium_is_told_from_the_order(front: Front, desk: FakeDesk) -> None:
    """Person, region, year and kind are the order's; the front end sends what the order lacks."""
    order = front.opened(subject=PREMIUM)
    answer = front.post(f"/v1/orders/{order['order_id']}/payments", CHARGE, credential=order["order_token"])
    subject = desk.requests[0].subject

    assert answer.status_code == 201
    assert (subject.region, subject.insured_year, subject.insurance_kind) == ("340100", 2026, "resident_medical")
    assert (subject.insured.name, subject.insured.id_number) == (MEMBER["name"], MEMBER["id_number"])
    assert desk.requests[0].fields == FIELDS


def test_order_without_a_premium_cannot_be_paid_so(front: Front, desk: FakeDesk) -> None:
    """A clear 422; by another method it can."""
    order = front.opened()
    answer = front.post(f"/v1/orders/{order['order_id']}/payments", CHARGE)

    assert problem(answer) == (422, "subject_required")
    assert desk.calls == []
    assert front.started(order, "beta")["state"] == "pending"


@pytest.mark.parametrize("name", ["member_id_no", "member_name", "insuplc_admdvs", "insu_year"])
def test_premium_cannot_be_typed_again(front: Front, desk: FakeDesk, name: str) -> None:
    """What the order says has no second place."""
    order = front.opened(subject=PREMIUM)
    body = CHARGE | {"fields": FIELDS | {name: "2027"}}

    assert problem(front.post(f"/v1/orders/{order['order_id']}/payments", body)) == (422, "invalid_request")


def test_other_providers_are_told_of_nobody(front: Front, desk: FakeDesk) -> None:
    """A cashier needs no identity number."""
    front.started(front.opened(subject=PREMIUM), "beta")

    assert front.beta.requests[0].subject is None


def test_charge_without_verdict_goes_on_with_the_same_authorisation(front: Front, desk: FakeDesk) -> None:
    """It is not stored: the same request brings it again, and any other authorisation is another request."""
    path = f"/v1/orders/{front.opened(subject=PREMIUM)['order_id']}/payments"
    desk.script("create", NoVerdict("time-out"))
    first = front.post(path, CHARGE, key="k")
    other = front.post(path, CHARGE | {"fields": FIELDS | {"pay_auth_no": "AUTH-OTHER"}}, key="k")
    second = front.post(path, CHARGE, key="k")

    assert (first.status_code, second.status_code) == (202, 201)
    assert problem(other) == (422, "idempotency_key_reused")
    assert desk.requests[0] == desk.requests[1]
    assert desk.requests[1].fields == FIELDS


def test_refused_charge_tells_the_platforms_code(front: Front, desk: FakeDesk) -> None:
    """SA2001 is a balance too small: the page can say so, and offer another way."""
    path = f"/v1/orders/{front.opened(subject=PREMIUM)['order_id']}/payments"
    desk.script("create", RequestRefused("too small", code="SA2001"))
    answer = front.post(path, CHARGE)

    assert (problem(answer), answer.get_json()["provider_code"]) == ((422, "provider_refused"), "SA2001")


def paid(front: Front) -> str:
    """An order paid out of a shared account; its address."""
    order = front.opened(subject=PREMIUM)
    path = f"/v1/orders/{order['order_id']}"
    payment = front.post(f"{path}/payments", CHARGE).get_json()
    assert front.settled(payment).status_code == 200
    return path


def test_part_of_a_shared_accounts_payment_is_not_refunded(front: Front, desk: FakeDesk) -> None:
    """Whole or not at all, said at once and not a day later."""
    path = paid(front)
    part = front.post(f"{path}/refunds", {"client_refund_no": "R-1", "amount_fen": 38000})
    whole = front.post(f"{path}/refunds", {"client_refund_no": "R-2", "amount_fen": 38001})

    assert (problem(part), part.get_json()["refundable_fen"]) == ((422, "refund_must_be_whole"), 38001)
    assert whole.status_code == 202


# --- privacy ---


@pytest.fixture
def standard_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What libraries log."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def canary_journey(front: Front, desk: FakeDesk) -> list[str]:
    """Every call well and badly; the texts of the answers that are errors, or that are stored."""
    answers = [front.post(path, body) for path, body in CALLS if path not in (SEARCH, UNBIND)]
    path = paid(front)
    answers += [front.get(path), front.get(f"{path}/events"), front.post(UNBIND, REMOVAL)]
    for fault in (NoVerdict(PHONE), ProviderUnavailable(PAY_AUTH_NO), RequestRefused(PHONE), ZeroDivisionError(PHONE)):
        for operation in ("list_bindings", "check_binding", "add_binding", "remove_binding", "read_balance"):
            desk.script(operation, fault)
        answers += [front.post(call, body) for call, body in CALLS]
    answers += [
        front.post(BIND, ADDITION | {"phone": f"x{PHONE}", "owner": OWNER | {"id_type": "card"}}),
        front.post(BIND, ADDITION | {"proofs": [PROOF | {"file_no": f"{FILE_NO}?"}]}),
        front.post(UNBIND, REMOVAL | {"bind_id": f"{PHONE} "}),
        front.call("POST", f"{CHECK}/{OWNER['id_number']}"),
    ]
    order = f"/v1/orders/{front.opened('C-9')['order_id']}/payments"
    answers += [
        front.post(order, CHARGE),
        front.post(order, CHARGE | {"fields": FIELDS | {"pay_auth_no": f"{PAY_AUTH_NO} "}}),
    ]
    return [f"{answer.headers} {answer.text}" for answer in answers]


@BOTH
def test_nobody_and_no_authorisation_leaves_by_a_side_door(
    front: Front,
    desk: FakeDesk,
    database: Database,
    logged: list[Any],
    standard_log: pytest.LogCaptureFixture,
) -> None:
    """Numbers, names, phone, file and payAuthNo: not in logs, metrics or answers, and not in clear in the database."""
    texts = canary_journey(front, desk)
    outlets = {
        "log": repr(logged) + standard_log.text,
        "answers": "\n".join(texts),
        "metrics": front.client.get("/metrics").text,
        "stored": database.everything().decode("utf-8", "replace"),
    }
    canaries = [PHONE, PAY_AUTH_NO, FILE_NO, *OWNER.values(), *MEMBER.values()]
    canaries = [canary for canary in canaries if canary != "resident_id"]

    assert len(texts) > 30
    assert [(outlet, canary) for outlet, text in outlets.items() for canary in canaries if canary in text] == []


def test_single_use_authorisation_is_not_stored_even_sealed(front: Front, desk: FakeDesk, database: Database) -> None:
    """The binding's number is, encrypted; the authorisation is known by the keyed digest of its request alone."""
    paid(front)
    sealed = database.rows("SELECT fields_sealed FROM payments")[0][0]

    assert front.vault.unseal_json(bytes(sealed), "payment_fields") == {"bind_id": "B1"}


def test_values_show_nobody(front: Front, desk: FakeDesk) -> None:
    """A repr may end in a traceback."""
    front.post(BIND, ADDITION)
    paid(front)
    shown = repr([*desk.requests, *desk.bound.values(), Binding(state=BindingState.NONE, member_name=MEMBER["name"])])

    assert [canary for canary in (PHONE, PAY_AUTH_NO, OWNER["name"], MEMBER["id_number"]) if canary in shown] == []
