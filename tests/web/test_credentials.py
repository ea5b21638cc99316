"""API keys and order tokens: who is let in, and to what."""

from datetime import timedelta

import pytest

from tests.web.front import (
    API_KEY,
    APPS,
    NARROW_KEY,
    PAYMENT,
    SECOND_API_KEY,
    VILLAGE_KEY,
    Front,
    Json,
    b64url,
    bearer,
    digest,
    order_body,
    problem,
)

FOREIGN_CALLS = [
    ("GET", "/v1/orders/{order}"),
    ("GET", "/v1/orders/{order}/events"),
    ("GET", "/v1/payments/{payment}"),
    ("GET", "/v1/payments/{payment}?refresh=true"),
    ("GET", "/v1/refunds/{refund}"),
    ("POST", "/v1/orders/{order}/payments"),
    ("POST", "/v1/orders/{order}/refunds"),
    ("POST", "/v1/orders/{order}/close"),
]
BODIES = {"payments": PAYMENT, "refunds": {"client_refund_no": "R-2"}}


@pytest.fixture
def refunded(front: Front) -> dict[str, str]:
    """The ids of a paid order of the wallet with a refund."""
    order, payment = front.paid_order()
    refund = front.post(f"/v1/orders/{order['order_id']}/refunds", {"client_refund_no": "R-1", "amount_fen": 1})
    return {
        "order": order["order_id"],
        "payment": payment["payment_id"],
        "refund": refund.get_json()["refund_id"],
    }


def ask(front: Front, method: str, path: str, credential: str, **headers: str) -> tuple[int, str]:
    body = BODIES.get(path.rpartition("/")[2])
    keyed = {"Idempotency-Key": front.new_key()} if method == "POST" else {}
    return problem(front.call(method, path, body=body, credential=credential, headers=keyed | headers))


# --- API keys ---


@pytest.mark.parametrize("api_key", [API_KEY, SECOND_API_KEY], ids=["first", "second"])
def test_both_live_keys_of_an_app_are_the_same_app(front: Front, api_key: str) -> None:
    """So that a key can be exchanged without a pause."""
    order = front.opened()

    assert front.get(f"/v1/orders/{order['order_id']}", credential=api_key).status_code == 200


CREDENTIALS = {
    "none": {},
    "empty": {"Authorization": ""},
    "scheme-only": {"Authorization": "Bearer"},
    "blank": {"Authorization": "Bearer "},
    "unknown": bearer("test-key-of-nobody"),
    "basic": {"Authorization": "Basic dGVzdDp0ZXN0"},
    "key-without-scheme": {"Authorization": API_KEY},
    "key-cut": bearer(API_KEY[:-1]),
    "key-longer": bearer(API_KEY + "x"),
    "key-in-other-case": bearer(API_KEY.upper()),
    "digest-as-key": bearer(digest(API_KEY)),
    "two-blanks": {"Authorization": f"Bearer  {API_KEY}"},
    "not-ascii": bearer("schlüssel"),
    "very-long": bearer("x" * 60000),
    "token-prefix-alone": bearer("jot_"),
    "token-of-junk": bearer("jot_" + "A" * 200),
    "token-not-ascii": bearer("jot_schlüssel"),
}


@pytest.mark.parametrize("headers", CREDENTIALS.values(), ids=CREDENTIALS.keys())
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/x"], ids=["app-only", "token-too"])
def test_caller_without_a_good_credential_gets_401(front: Front, path: str, headers: dict[str, str]) -> None:
    """Before anything else is looked at; the scheme is named."""
    response = front.get(path, credential=None, headers=headers)

    assert problem(response) == (401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_scheme_is_read_in_any_case(front: Front) -> None:
    """RFC 9110 section 11.1."""
    assert front.get("/v1/orders", credential=None, headers={"Authorization": f"bEARER {API_KEY}"}).status_code == 200


@pytest.mark.parametrize(("method", "path"), FOREIGN_CALLS, ids=[f"{m}-{p}" for m, p in FOREIGN_CALLS])
def test_key_of_another_app_finds_nothing(front: Front, refunded: dict[str, str], method: str, path: str) -> None:
    """404, as for what does not exist."""
    assert ask(front, method, path.format(**refunded), VILLAGE_KEY) == (404, "not_found")


def test_two_apps_may_use_one_client_number_and_one_key(front: Front) -> None:
    """Numbers and idempotency keys are each app's own."""
    first = front.post("/v1/orders", order_body("C-1"), key="k")
    second = front.post("/v1/orders", order_body("C-1", amount_fen=1), key="k", credential=NARROW_KEY)

    assert [first.status_code, second.status_code] == [201, 201]
    assert first.get_json()["order_id"] != second.get_json()["order_id"]


# --- order tokens ---


def token_calls(order: Json, payment: Json) -> list[str]:
    return [
        f"/v1/orders/{order['order_id']}",
        f"/v1/orders?client_order_no={order['client_order_no']}",
        f"/v1/payments/{payment['payment_id']}",
    ]


def test_order_token_reads_and_pays_its_own_order(front: Front) -> None:
    """All that a payer's page needs."""
    order = front.opened()
    payment = front.started(order, credential=order["order_token"])

    statuses = [front.get(path, credential=order["order_token"]).status_code for path in token_calls(order, payment)]
    assert statuses == [200, 200, 200]


def test_order_token_finds_no_other_order(front: Front) -> None:
    """Not even one of the same app: 404, so that it does not tell which orders exist."""
    mine, other = front.opened("C-1"), front.opened("C-2")
    payment = front.started(other)
    answers = [problem(front.get(path, credential=mine["order_token"])) for path in token_calls(other, payment)]
    answers.append(ask(front, "POST", f"/v1/orders/{other['order_id']}/payments", mine["order_token"]))

    assert answers == [(404, "not_found")] * 4


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/orders"),
        ("GET", "/v1/orders"),
        ("GET", "/v1/orders/{order}/events"),
        ("POST", "/v1/orders/{order}/close"),
        ("POST", "/v1/orders/{order}/refunds"),
        ("GET", "/v1/refunds/ref_00000000000000000000000000000000"),
    ],
)
def test_order_token_on_an_apps_call_gets_403(front: Front, method: str, path: str) -> None:
    """Only an app may call these."""
    order = front.opened()

    assert ask(front, method, path.format(order=order["order_id"]), order["order_token"]) == (403, "forbidden")


@pytest.mark.parametrize(("microseconds", "status"), [(-1, 200), (0, 401)], ids=["last-instant", "end"])
def test_order_token_ends_a_week_after_its_order(front: Front, microseconds: int, status: int) -> None:
    """A payer can still see that it is paid; at the instant itself it has ended."""
    order = front.opened()
    front.clock.advance(days=7, seconds=7200, microseconds=microseconds)

    assert front.get(f"/v1/orders/{order['order_id']}", credential=order["order_token"]).status_code == status


def test_order_token_with_any_character_changed_is_refused(front: Front) -> None:
    """Every character, the last one too, where two letters may stand for the same bytes."""
    order = front.opened()
    token = order["order_token"]
    accepted = []
    for place in range(4, len(token)):
        for letter in "Aab-_0!":
            changed = token[:place] + letter + token[place + 1 :]
            if changed != token:
                response = front.get(f"/v1/orders/{order['order_id']}", credential=changed)
                accepted += [(place, letter)] if response.status_code != 401 else []

    assert accepted == []


@pytest.mark.parametrize("change", ["{}=", "{}==", "{}!", "{}A", "{}\n", "{}.", "jot_{}"], ids=repr)
def test_order_token_with_something_added_is_refused(front: Front, change: str) -> None:
    """One token has one spelling."""
    order = front.opened()
    changed = change.format(order["order_token"]).replace("\n", "%0A")

    assert front.get(f"/v1/orders/{order['order_id']}", credential=changed).status_code == 401


def test_order_token_cut_anywhere_is_refused(front: Front) -> None:
    """No length of it is enough but the whole."""
    order = front.opened()
    token = order["order_token"]
    path = f"/v1/orders/{order['order_id']}"

    assert {front.get(path, credential=token[:end]).status_code for end in range(len(token))} == {401}


def test_order_token_with_foreign_claims_is_refused(front: Front) -> None:
    """Claims under a MAC that is not ours."""
    order = front.opened()
    forged = "jot_" + b64url(f"wallet\x1f{order['order_id']}\x1f9999999999999999".encode() + b"\x00" * 32)

    assert front.get(f"/v1/orders/{order['order_id']}", credential=forged).status_code == 401


def test_order_token_of_an_app_that_was_removed_is_refused(make_front: object) -> None:
    """The configuration decides who may come, tokens in the world or not."""
    order = make_front().opened()
    without = make_front(apps={name: app for name, app in APPS.items() if name != "wallet"})
    response = without.get(f"/v1/orders/{order['order_id']}", credential=order["order_token"])

    assert problem(response) == (401, "unauthorized")


def test_order_token_does_not_reach_the_apps_idempotency_keys(front: Front) -> None:
    """A payer who guesses the app's key neither sees its answer nor blocks it."""
    order = front.opened()
    path = f"/v1/orders/{order['order_id']}/payments"
    by_payer = front.post(path, PAYMENT, key="k", credential=order["order_token"])
    by_app = front.post(path, PAYMENT, key="k")
    by_other_meaning = front.post("/v1/orders", order_body("C-2"), key="k")

    assert [by_payer.status_code, by_app.status_code] == [201, 201]
    assert by_payer.get_json()["payment_id"] != by_app.get_json()["payment_id"]
    assert problem(by_other_meaning) == (422, "idempotency_key_reused")


def test_order_token_cannot_pretend_to_be_the_apps_key_scope(front: Front) -> None:
    """Nor by a key that looks like another scope."""
    first, second = front.opened("C-1"), front.opened("C-2")
    key = f"token:{first['order_id']}:k"
    front.post(f"/v1/orders/{first['order_id']}/payments", PAYMENT, key="k", credential=first["order_token"])
    answers = [
        front.post(f"/v1/orders/{second['order_id']}/payments", PAYMENT, key=key),
        front.post(f"/v1/orders/{second['order_id']}/payments", PAYMENT, key=key, credential=second["order_token"]),
    ]

    assert [response.status_code for response in answers] == [201, 201]


def test_order_tokens_of_one_order_live_as_long_as_the_order(front: Front) -> None:
    """An order with a life of its own gives a token with the same life."""
    expires_at = (front.clock.now() + timedelta(days=30)).isoformat()
    order = front.opened(expires_at=expires_at)
    front.clock.advance(days=29)

    assert front.get(f"/v1/orders/{order['order_id']}", credential=order["order_token"]).status_code == 200
