"""Product, section 6, row by row; then everything that a body, a query or a path can be wrong about."""

import io
import json

import pytest

from gateway.domain.provider import ProviderUnavailable
from gateway.store import StoreContended, StoreUnavailable
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.web.both import BOTH
from tests.web.front import NARROW_KEY, PERSON, SUBJECT, VILLAGE_KEY, Front, bearer, order_body, problem

UNKNOWN_ORDER = "ord_" + "0" * 32
PAYMENT = {"provider": "alpha", "method": "native"}
KEYED = {**bearer("test-key-of-the-wallet"), "Idempotency-Key": "k"}


class BrokenEngine:
    """An engine that does not answer."""

    def __init__(self, inner: object, fault: Exception) -> None:
        self.inner = inner
        self.dialect = inner.dialect
        self._fault = fault

    def read(self, *_: object) -> None:
        raise self._fault

    flush = claim = read

    def close(self) -> None:
        self.inner.close()


def break_store(front: Front, fault: Exception | None = None) -> None:
    front.store._engine = BrokenEngine(front.store._engine, fault or StoreUnavailable("canary-database-text"))


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


# --- JSON ---

MALFORMED = {
    "empty": b"",
    "blank": b" ",
    "truncated": b'{"client_order_no": "C-1", "amount_fen": 38',
    "two-values": b"{}{}",
    "trailing-comma": b'{"a": 1,}',
    "single-quotes": b"{'a': 1}",
    "duplicate-members": b'{"client_order_no": "C-1", "client_order_no": "C-2"}',
    "duplicate-members-below": b'{"subject": {"region": "340100", "region": "340101"}}',
    "duplicate-by-escape": b'{"amount_fen": 1, "amount_\\u0066en": 2}',
    "nan": b'{"amount_fen": NaN}',
    "infinity": b'{"amount_fen": -Infinity}',
    "bom": b"\xef\xbb\xbf{}",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "gbk": '{"description": "医保"}'.encode("gbk"),
    "nul-byte": b'{"a\x00": 1}',
    "nul-behind": b"{}\x00",
    "overlong-utf-8": b'{"description": "\xc0\x80"}',
    "raw-surrogate": b'{"description": "\xed\xa0\x80"}',
    "lone-surrogate-value": b'{"description": "\\ud800"}',
    "lone-surrogate-name": b'{"\\udfff": 1}',
    "lone-surrogate-in-fields": b'{"provider":"alpha","method":"native","fields":{"openid":"\\uD83D"}}',
    "deep-nesting": b"[" * 30000 + b"]" * 30000,
    "deep-objects": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "65-levels": b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    "2000-digits": b'{"amount_fen": ' + b"9" * 2000 + b"}",
    "60000-digits": b'{"amount_fen": ' + b"9" * 60000 + b"}",
    "2000-digits-behind-the-point": b'{"amount_fen": 1.' + b"9" * 2000 + b"}",
    "array": b"[]",
    "text": b'"text"',
    "number": b"1",
    "null": b"null",
    "html": b"<html>",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", ["/v1/orders", f"/v1/orders/{UNKNOWN_ORDER}/payments"], ids=["orders", "payments"])
def test_malformed_json_gets_400(front: Front, path: str, raw: bytes) -> None:
    """One JSON object without ambiguities, or nothing."""
    assert problem(front.post(path, raw)) == (400, "malformed_request")


AMOUNTS = {
    "zero": "0",
    "negative": "-1",
    "one-too-many": "10000000001",
    "float": "1.0",
    "exponent": "1e2",
    "too-great-a-float": "1e999",
    "text": '"38001"',
    "true": "true",
    "null": "null",
    "list": "[38001]",
    "object": "{}",
    "40-digits": "9" * 40,
}


@pytest.mark.parametrize("amount", AMOUNTS.values(), ids=AMOUNTS.keys())
def test_amount_that_is_no_positive_integer_of_fen_gets_422(front: Front, amount: str) -> None:
    """Never rounded, never read from a text."""
    raw = b'{"client_order_no":"C-1","description":"x","amount_fen":%s}' % amount.encode()
    response = front.post("/v1/orders", raw)

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]) == ["amount_fen"]


@pytest.mark.parametrize("amount_fen", [1, 10_000_000_000])
def test_amount_at_the_edge_is_taken(front: Front, amount_fen: int) -> None:
    """The smallest and the greatest."""
    assert front.opened(amount_fen=amount_fen)["amount_fen"] == amount_fen


INSTANTS = [
    "2026-03-01T12:00:00",
    "2026-03-01 12:00:00+08:00",
    "2026-03-01T12:00+08:00",
    "2026-02-30T12:00:00+08:00",
    "2026-03-01T12:00:60+08:00",
    "2026-03-01T12:00:00+99:99",
    "2026-03-01T12:00:00.1234567Z",
    "２０２６-03-01T12:00:00Z",
    "0000-03-01T12:00:00Z",
    "",
]


@pytest.mark.parametrize("text", INSTANTS)
def test_time_that_is_not_rfc_3339_gets_422(front: Front, text: str) -> None:
    """A time without offset is a guess."""
    response = front.post("/v1/orders", order_body(expires_at=text))

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]) == ["expires_at"]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z"])
def test_time_at_the_end_of_the_calendar_is_out_of_range(front: Front, text: str) -> None:
    """A time that can be written need not be one that can be reckoned with."""
    assert problem(front.post("/v1/orders", order_body(expires_at=text))) == (422, "expiry_out_of_range")


NUMBERS = {
    "wrong-check-digit": PERSON["id_number"][:-1] + "7",
    "15-digits": "340100900101001",
    "full-width": "３４０１００１９０００１０１００１Ｘ",
    "arabic-digits": "٣٤٠١٠٠١٩٠٠٠١٠١٠٠١X",
    "no-such-day": "34010019000231001X",
    "17": PERSON["id_number"][:-1],
    "blank": "   ",
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
def test_resident_id_that_cannot_be_one_gets_422_and_is_not_repeated(front: Front, number: str) -> None:
    """The answer does not hold the number."""
    subject = SUBJECT | {"insured": PERSON | {"id_number": number}}
    response = front.post("/v1/orders", order_body(subject=subject))

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]["subject"]["insured"]) == ["id_number"]
    assert number.strip() == "" or number not in response.text


FIELDS = {
    "unknown": {"colour": "red"},
    "empty": {"openid": ""},
    "too-long": {"openid": "x" * 65},
    "line-break": {"openid": "a\nb"},
    "not-text": {"openid": 1},
    "null": {"openid": None},
    "bad-name": {"Open Id": "x"},
    "too-many": {f"f{i}": "x" for i in range(21)},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS.keys())
def test_method_fields_that_do_not_fit_get_422(front: Front, fields: dict[str, object]) -> None:
    """Each provider's own fields are checked before anything is put on record."""
    order = front.opened()
    response = front.post(f"/v1/orders/{order['order_id']}/payments", PAYMENT | {"fields": fields})

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]) == ["fields"]
    assert front.alpha.calls == []


# --- addresses and methods ---

NOWHERE = [
    "/",
    "/v1",
    "/v1/",
    "/v1/orders/",
    "//v1/orders",
    "/v1//orders",
    "/v2/orders",
    "/V1/orders",
    "/callbacks/",
    "/static/x",
    "/v1/orders/../../etc/passwd",
    "/%00",
    "/%ff",
]


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_path_gets_404_as_a_problem(front: Front, method: str, path: str) -> None:
    """No redirect, no page."""
    assert problem(front.call(method, path)) == (404, "not_found")


IDS = [
    "ord_x",
    "ord_" + "0" * 31,
    "ord_" + "0" * 33,
    "ORD_" + "0" * 32,
    "%00",
    "ord_%00",
    "%ff",
    "ord_" + "%F0%9F%92%A9",
]


@BOTH
@pytest.mark.parametrize("order_id", [*IDS, UNKNOWN_ORDER, f"pay_{'0' * 32}"])
def test_id_of_nothing_gets_404(front: Front, order_id: str) -> None:
    """Whatever stands in its place; a NUL would break PostgreSQL."""
    assert problem(front.get(f"/v1/orders/{order_id}")) == (404, "not_found")
    assert problem(front.post(f"/v1/orders/{order_id}/payments", PAYMENT)) == (404, "not_found")
    assert problem(front.post(f"/v1/orders/{order_id}/close")) == (404, "not_found")
    assert problem(front.get(f"/v1/payments/{order_id}")) == (404, "not_found")
    assert problem(front.get(f"/v1/refunds/{order_id}")) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/orders", "GET, HEAD, OPTIONS, POST"),
        ("PUT", f"/v1/orders/{UNKNOWN_ORDER}", "GET, HEAD, OPTIONS"),
        ("GET", f"/v1/orders/{UNKNOWN_ORDER}/payments", "OPTIONS, POST"),
        ("PATCH", f"/v1/payments/pay_{'0' * 32}", "GET, HEAD, OPTIONS"),
        ("GET", "/callbacks/alpha/alpha_main", "OPTIONS, POST"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("TRACE", "/v1/orders", "GET, HEAD, OPTIONS, POST"),
        ("JUNK", "/v1/orders", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_wrong_method_gets_405_with_what_is_allowed(front: Front, method: str, path: str, allow: str) -> None:
    """RFC 9110 section 15.5.6: the answer must say what is allowed."""
    response = front.call(method, path)

    assert problem(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == allow


def test_head_is_answered_like_get_without_the_body(front: Front) -> None:
    """And needs the same credentials."""
    order = front.opened()
    path = f"/v1/orders/{order['order_id']}"
    get, head = front.get(path), front.call("HEAD", path)

    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(get.data)))
    assert front.call("HEAD", path, credential=None).status_code == 401


def test_options_tells_the_methods_and_nothing_else(front: Front) -> None:
    """No credentials needed, nothing read."""
    response = front.call("OPTIONS", f"/v1/orders/{UNKNOWN_ORDER}", credential=None)

    assert (response.status_code, response.data) == (200, b"")
    assert sorted(response.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


@pytest.mark.parametrize("host", ["", "a b", "\xff", "x" * 5000, "host:port", "[::1", "a\x00b", "evil.test"])
def test_junk_in_the_host_header_is_no_crash(front: Front, host: str) -> None:
    """The host is never used."""
    response = front.client.get("/v1/orders", headers=bearer("x"), environ_overrides={"HTTP_HOST": host})

    assert response.status_code in (400, 401)
    assert problem(response)[1] in ("malformed_request", "unauthorized")


def test_junk_bytes_in_the_query_are_no_crash(front: Front) -> None:
    """A query is bytes; not every server refuses those that are not ASCII."""
    headers = bearer("test-key-of-the-wallet")
    response = front.client.get("/v1/orders", headers=headers, environ_overrides={"QUERY_STRING": "colour=\xff"})

    assert problem(response) == (400, "malformed_request")


def test_thousand_headers_are_no_crash(front: Front) -> None:
    """The server in front limits them; the application must not mind."""
    headers = {f"X-Header-{i}": "x" * 100 for i in range(1000)}

    assert front.get("/v1/orders", headers=headers).status_code == 200


def test_unexpected_fault_gets_500_that_shows_nothing_of_it(front: Front, logged: list[dict[str, object]]) -> None:
    """One log line with the kind and the place of the fault, without its text."""
    front.alpha.script("create", ZeroDivisionError("canary-of-the-fault"))
    order = front.opened()
    response = front.post(f"/v1/orders/{order['order_id']}/payments", PAYMENT)
    events = [event for event in logged if event["event"] == "request_failed"]

    assert problem(response) == (500, "internal_error")
    assert [event["error"] for event in events] == ["ZeroDivisionError"]
    assert events[0]["request_id"] == response.get_json()["request_id"]
    assert "canary" not in response.text + str(logged)
    assert "ZeroDivisionError" not in response.text


def test_unexpected_fault_leaves_the_key_open_and_the_books_whole(front: Front) -> None:
    """5xx are not stored: after the lease the same request resumes under the same number."""
    front.alpha.script("create", ZeroDivisionError("x"))
    order = front.opened()
    path = f"/v1/orders/{order['order_id']}/payments"
    front.post(path, PAYMENT, key="k")
    soon = front.post(path, PAYMENT, key="k")
    front.clock.advance(seconds=60)
    later = front.post(path, PAYMENT, key="k")

    assert problem(soon) == (409, "idempotency_in_flight")
    assert later.status_code == 201
    assert len(set(front.alpha.numbers("create"))) == 1
    assert_invariants(front.store)


def test_every_answer_has_its_request_id_and_is_not_cached(front: Front, logged: list[dict[str, object]]) -> None:
    """In the header, in the log and, for a problem, in the body: one and the same."""
    logged.clear()
    responses = [front.get("/v1/orders"), front.get("/nowhere"), front.client.get("/healthz")]
    ids = [response.headers["X-Request-Id"] for response in responses]

    assert len(set(ids)) == 3
    assert responses[1].get_json()["request_id"] == ids[1]
    assert [event["request_id"] for event in logged if event["event"] == "request_answered"] == ids
    assert {response.headers["Cache-Control"] for response in responses} == {"no-store"}
    assert {response.headers["X-Content-Type-Options"] for response in responses} == {"nosniff"}
