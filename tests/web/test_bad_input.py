"""Product, section 6, row by row."""

import io
import json

import pytest

from gateway.domain.provider import ProviderUnavailable
from gateway.store import StoreContended, StoreUnavailable
from tests.support.databases import Database
from tests.web.front import (
    API_KEY,
    NARROW_KEY,
    PAYMENT,
    SUBJECT,
    UNKNOWN_ORDER,
    VILLAGE_KEY,
    Down,
    Front,
    bearer,
    order_body,
    problem,
)

KEYED = {**bearer(API_KEY), "Idempotency-Key": "k"}


def break_store(front: Front, fault: Exception | None = None) -> None:
    front.store._engine = Down(front.store._engine, fault)


def rows_of(database: Database, table: str) -> list[tuple[object, ...]]:
    return database.rows(f"SELECT * FROM {table}")


# --- the rows of product section 6 ---


def test_malformed_or_invalid_request_gets_a_problem_with_every_field_and_stores_nothing(
    front: Front, database: Database
) -> None:
    """All faults at once, however deep; the key is not used up."""
    person = {"name": "", "id_type": "resident_id", "id_number": "34010019000101001A"}
    subject = {"region": "34010", "insured_year": 1999, "insurance_kind": "X", "insured": person, "payer": {}}
    body = {"amount_fen": 0, "description": "a\x00b", "expires_at": "tomorrow", "subject": subject, "colour": 1}
    response = front.post("/v1/orders", body, key="k")
    errors = response.get_json()["errors"]
    again = front.post("/v1/orders", order_body(), key="k")

    assert problem(response) == (422, "invalid_request")
    assert set(errors) == {"client_order_no", "amount_fen", "description", "expires_at", "subject", "colour"}
    assert set(errors["subject"]) == {"region", "insured_year", "insurance_kind", "insured", "payer"}
    assert set(errors["subject"]["insured"]) == {"name", "id_number"}
    assert set(errors["subject"]["payer"]) == {"name", "id_type", "id_number"}
    assert again.status_code == 201
    assert len(rows_of(database, "idempotency_keys")) == 1


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ({"provider": "gamma", "method": "native"}, ["alpha.native", "beta.native"]),
        ({"provider": "alpha", "method": "jsapi"}, ["alpha.native", "beta.native"]),
    ],
    ids=["provider", "method"],
)
def test_unknown_provider_or_method_gets_422_naming_what_is_allowed(
    front: Front, body: dict[str, str], allowed: list[str]
) -> None:
    """So that the developer sees at once what would work."""
    response = front.post(f"/v1/orders/{front.opened()['order_id']}/payments", body)

    assert problem(response) == (422, "method_not_available")
    assert response.get_json()["allowed"] == allowed


def test_method_not_allowed_for_this_app_gets_422_naming_what_is_allowed(front: Front) -> None:
    """The app's own list is the limit."""
    order = front.opened(credential=NARROW_KEY)
    response = front.post(f"/v1/orders/{order['order_id']}/payments", PAYMENT, credential=NARROW_KEY)

    assert problem(response) == (422, "method_not_available")
    assert response.get_json()["allowed"] == ["beta.native"]


def test_region_not_allowed_for_this_app_gets_422_naming_what_is_allowed(front: Front) -> None:
    """A counter of one division cannot collect for another."""
    body = order_body(subject=SUBJECT | {"region": "341200"})
    response = front.post("/v1/orders", body, credential=VILLAGE_KEY)

    assert problem(response) == (422, "region_not_allowed")
    assert response.get_json()["allowed"] == ["340100"]


def test_order_already_paid_gets_409_with_the_state(front: Front) -> None:
    """A paid order takes no more money."""
    order, _ = front.paid_order()
    response = front.post(f"/v1/orders/{order['order_id']}/payments", PAYMENT)

    assert problem(response) == (409, "order_already_paid")
    assert response.get_json()["order_state"] == "paid"


def test_order_closed_gets_409_with_the_state(front: Front) -> None:
    """Closed is closed."""
    order = front.opened()
    front.post(f"/v1/orders/{order['order_id']}/close")
    response = front.post(f"/v1/orders/{order['order_id']}/payments", PAYMENT)

    assert problem(response) == (409, "order_closed")
    assert response.get_json()["order_state"] == "closed"


def test_order_expired_gets_409_with_the_state(front: Front) -> None:
    """Less than a minute is not enough to pay."""
    order = front.opened()
    front.clock.advance(seconds=7200 - 59)
    response = front.post(f"/v1/orders/{order['order_id']}/payments", PAYMENT)

    assert problem(response) == (409, "order_expired")
    assert response.get_json()["order_state"] == "open"


def test_premium_already_paid_by_another_app_gets_409(front: Front) -> None:
    """One premium, one payment, over all apps; nothing is told about the other order."""
    front.paid_order(subject=SUBJECT)
    response = front.post("/v1/orders", order_body("C-2", subject=SUBJECT), credential=VILLAGE_KEY)

    assert problem(response) == (409, "premium_already_paid")
    assert "order_id" not in response.get_json()


def test_second_live_payment_is_allowed_and_the_earlier_one_is_closed(front: Front) -> None:
    """The way left behind is shut by the worker."""
    order = front.opened()
    first = front.started(order)
    front.started(order, "beta")
    front.clock.advance(seconds=60)
    front.work()

    assert front.get(f"/v1/payments/{first['payment_id']}").get_json()["state"] == "closed"


def test_callback_with_a_bad_signature_gets_the_providers_refusal_and_changes_nothing(
    front: Front, database: Database
) -> None:
    """A counter and a digest, nothing else."""
    payment = front.started(front.opened())
    front.alpha.pay(payment["out_trade_no"])
    genuine = front.alpha.callback(payment["out_trade_no"])
    before = rows_of(database, "notifications")
    response = front.client.post("/callbacks/alpha/alpha_main", data=genuine.body, headers={"X-Signature": "forged"})

    assert (response.status_code, response.data) == (500, b"refused")
    assert rows_of(database, "notifications") == before
    assert front.get(f"/v1/payments/{payment['payment_id']}").get_json()["state"] == "pending"
    metrics = front.client.get("/metrics").text
    assert 'jiaofei_callbacks_total{account="alpha_main",outcome="refused",reason="signature"} 1.0' in metrics


@pytest.mark.parametrize(
    "changes",
    [{"amount_fen": 38000}, {"currency": "USD"}, {"contradictions": ("mchid",)}],
    ids=["amount", "currency", "account"],
)
def test_authentic_callback_that_contradicts_our_record_is_quarantined_and_moves_no_money(
    front: Front, changes: dict[str, object]
) -> None:
    """N7, N9: stored, acknowledged, and the order's history tells the operator."""
    order = front.opened()
    response = front.settled(front.started(order), **changes)
    shown = front.get(f"/v1/orders/{order['order_id']}").get_json()
    events = front.get(f"/v1/orders/{order['order_id']}/events").get_json()["events"]

    assert (response.status_code, response.data) == (200, b"quarantined")
    assert (shown["state"], shown["payments"][0]["state"]) == ("open", "pending")
    assert events[-1]["kind"] == "report_quarantined"


def test_provider_down_gets_503_and_the_same_request_resumes(front: Front) -> None:
    """Never a false `failed`; the payment keeps its number."""
    front.alpha.script("create", ProviderUnavailable("canary-provider-text"))
    path = f"/v1/orders/{front.opened()['order_id']}/payments"
    first = front.post(path, PAYMENT, key="k")
    second = front.post(path, PAYMENT, key="k")

    assert problem(first) == (503, "provider_unavailable")
    assert (first.get_json()["retryable"], first.headers["Retry-After"]) == (True, "5")
    assert second.status_code == 201
    assert second.get_json()["payment_id"] == first.get_json()["payment_id"]
    assert "canary" not in first.text


CALLS = [
    ("GET", f"/v1/orders/{UNKNOWN_ORDER}", None),
    ("GET", "/v1/orders", None),
    ("GET", f"/v1/orders/{UNKNOWN_ORDER}/events", None),
    ("GET", f"/v1/payments/pay_{'0' * 32}", None),
    ("GET", f"/v1/refunds/ref_{'0' * 32}", None),
    ("POST", "/v1/orders", order_body()),
    ("POST", f"/v1/orders/{UNKNOWN_ORDER}/payments", PAYMENT),
    ("POST", f"/v1/orders/{UNKNOWN_ORDER}/refunds", {"client_refund_no": "R-1"}),
    ("POST", f"/v1/orders/{UNKNOWN_ORDER}/close", None),
]
CALL_IDS = [f"{method}-{path.replace('0' * 32, 'id')}" for method, path, _ in CALLS]


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=CALL_IDS)
@pytest.mark.parametrize("fault", [StoreUnavailable("canary"), StoreContended("canary")], ids=["down", "contended"])
def test_database_down_gets_503_on_every_call(
    front: Front, method: str, path: str, body: object, fault: Exception
) -> None:
    """Try again, and nothing of the database's words."""
    break_store(front, fault)
    response = front.call(method, path, body=body, headers={"Idempotency-Key": "k"} if method == "POST" else {})

    assert problem(response) == (503, "store_unavailable")
    assert (response.headers["Retry-After"], response.get_json()["retryable"]) == ("2", True)
    assert "canary" not in response.text


def test_database_down_acknowledges_no_callback_and_the_retry_is_applied(front: Front) -> None:
    """The provider sends again until it is durable."""
    payment = front.started(front.opened())
    front.alpha.pay(payment["out_trade_no"])
    callback = front.alpha.callback(payment["out_trade_no"])
    engine = front.store._engine
    break_store(front)
    first = front.deliver_to("alpha_main", callback)
    front.store._engine = engine
    second = front.deliver_to("alpha_main", callback)

    assert (first.status_code, first.data) == (500, b"unstored")
    assert (second.status_code, second.data) == (200, b"accepted")
    assert front.get(f"/v1/payments/{payment['payment_id']}").get_json()["state"] == "paid"


@pytest.mark.parametrize(("excess", "outcome"), [(0, (422, "invalid_request")), (1, (413, "body_too_large"))])
def test_body_at_the_limit_is_read_and_one_over_gets_413(front: Front, excess: int, outcome: tuple[int, str]) -> None:
    """The limit is inclusive."""
    frame = len(b'{"colour":""}')
    body = b'{"colour":"%s"}' % (b"x" * (front.settings.body_bytes_max - frame + excess))

    assert problem(front.post("/v1/orders", body)) == outcome


@pytest.mark.parametrize("path", ["/v1/orders", "/callbacks/alpha/alpha_main"])
def test_chunked_body_over_the_limit_gets_413(front: Front, path: str) -> None:
    """Without a stated length the bytes are counted."""
    stream = io.BytesIO(b"x" * (front.settings.body_bytes_max + 1))
    headers = {**KEYED, "Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    response = front.client.post(
        path, input_stream=stream, headers=headers, environ_overrides={"wsgi.input_terminated": True}
    )

    assert problem(response) == (413, "body_too_large")


def test_chunked_body_within_the_limit_is_read(front: Front) -> None:
    """A client need not know its length beforehand."""
    stream = io.BytesIO(json.dumps(order_body()).encode())
    headers = {**KEYED, "Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    response = front.client.post(
        "/v1/orders", input_stream=stream, headers=headers, environ_overrides={"wsgi.input_terminated": True}
    )

    assert response.status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/merge-patch+json",
        "application/json; charset=gbk",
        "application/json; charset=utf-16",
        "application/json-seq",
        "application",
        ";",
    ],
)
def test_wrong_content_type_gets_415(front: Front, content_type: str) -> None:
    """JSON in UTF-8, or nothing."""
    response = front.post("/v1/orders", order_body(), headers={"Content-Type": content_type})

    assert problem(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "application/json; charset=UTF-8", 'application/json;charset="utf8"'],
)
def test_right_content_type_in_any_spelling_is_read(front: Front, content_type: str) -> None:
    """Case and quotes do not matter (RFC 9110 section 8.3)."""
    assert front.post("/v1/orders", order_body(), headers={"Content-Type": content_type}).status_code == 201
