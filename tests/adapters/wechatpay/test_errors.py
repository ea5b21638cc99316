"""Every row of the sheet's error table, and every way in which no proof comes back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    Operation,
    Provider,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.statement import StatementKind
from tests.adapters.wechatpay import peer
from tests.adapters.wechatpay.peer import error, signed
from tests.conformance import network as faults
from tests.conformance.case import WireAnswer
from tests.conformance.network import playing

PROVIDER = peer.provider()
DAY = datetime(2025, 10, 8, tzinfo=UTC).date()
CALLS: dict[Operation, Callable[[Provider], Any]] = {
    Operation.CREATE: lambda provider: provider.create(peer.payment()),
    Operation.QUERY: lambda provider: provider.query(peer.payment_ref()),
    Operation.CLOSE: lambda provider: provider.close(peer.payment_ref()),
    Operation.REFUND: lambda provider: provider.refund(peer.refund_request()),
    Operation.QUERY_REFUND: lambda provider: provider.query_refund(peer.refund_request()),
    Operation.FETCH_STATEMENT: lambda provider: list(provider.fetch_statement(DAY, StatementKind.TRADES)),
}
ANY = tuple(CALLS)
CREATE, QUERY, CLOSE, REFUND, QUERY_REFUND, STATEMENT = ANY

# HTTP status, code, where, act: the rows of sheet section 5
ROWS: list[tuple[int, str, tuple[Operation, ...], type[ProviderError]]] = [
    (500, "SYSTEM_ERROR", ANY, NoVerdict),
    (500, "BANK_ERROR", (CREATE,), NoVerdict),
    (502, "SERVICE_UNAVAILABLE", ANY, NoVerdict),
    (503, "SERVICE_UNAVAILABLE", ANY, NoVerdict),
    (429, "FREQUENCY_LIMITED", ANY, ProviderUnavailable),
    (429, "RATELIMIT_EXCEEDED", ANY, ProviderUnavailable),
    (429, "FREQUENCY_LIMIT_EXCEED", ANY, ProviderUnavailable),
    (403, "FREQUENCY_LIMITED", ANY, ProviderUnavailable),  # the code decides, not the status
    (202, "USERPAYING", (CREATE,), NoVerdict),
    (401, "SIGN_ERROR", ANY, AccountMisconfigured),
    (400, "PARAM_ERROR", ANY, AccountMisconfigured),
    (400, "INVALID_REQUEST", ANY, RequestRefused),
    (400, "APPID_MCHID_NOT_MATCH", (CREATE,), AccountMisconfigured),
    (500, "OPENID_MISMATCH", (CREATE,), AccountMisconfigured),
    (400, "MCH_NOT_EXISTS", ANY, AccountMisconfigured),
    (404, "MCH_NOT_EXISTS", ANY, AccountMisconfigured),
    (400, "ORDER_CLOSED", (CREATE,), RequestRefused),
    (400, "ORDER_CLOSED", (CLOSE,), NoVerdict),
    (403, "OUT_TRADE_NO_USED", (CREATE,), NoVerdict),
    (400, "ORDERPAID", (CREATE, CLOSE), NoVerdict),
    (403, "ORDER_PAID", (CREATE, CLOSE), NoVerdict),
    (404, "ORDER_NOT_EXIST", (CREATE, REFUND), NoVerdict),
    (404, "RESOURCE_NOT_EXISTS", (REFUND,), RequestRefused),
    (403, "NOT_ENOUGH", (REFUND,), ProviderUnavailable),
    (403, "NOT_ENOUGH", (CREATE,), RequestRefused),
    (403, "USER_ACCOUNT_ABNORMAL", (REFUND,), RequestRefused),
    (403, "NO_AUTH", ANY, AccountMisconfigured),
    (403, "RULE_LIMIT", (CREATE, REFUND), RequestRefused),
    (403, "RULE_LIMIT", (QUERY, CLOSE, QUERY_REFUND), ProviderUnavailable),
    (403, "TRADE_ERROR", (CREATE,), RequestRefused),
    (403, "ACCOUNT_ERROR", (CREATE,), RequestRefused),
    (403, "REQUEST_BLOCKED", (REFUND,), AccountMisconfigured),
    (500, "INVALID_TRANSACTIONID", (REFUND, QUERY, QUERY_REFUND), AccountMisconfigured),
    (400, "STATEMENT_CREATING", (STATEMENT,), ProviderUnavailable),
    (400, "ALREADY_EXISTS", (CREATE,), NoVerdict),
    (400, "NEVER_DOCUMENTED", ANY, NoVerdict),
    (429, "NEVER_DOCUMENTED", ANY, ProviderUnavailable),
]


def raised(call: Callable[[Provider], Any], *replies: Any) -> Any:
    with playing(*replies), pytest.raises(ProviderError) as caught:
        call(PROVIDER)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "operation", "wanted"),
    [
        pytest.param(status, code, operation, wanted, id=f"{status}-{code}-{operation}")
        for status, code, operations, wanted in ROWS
        for operation in operations
    ],
)
@pytest.mark.parametrize(
    "spelling", [str, lambda code: code.replace("_", ""), str.lower], ids=["as", "joined", "lower"]
)
def test_error_code_names_its_decision(
    status: int, code: str, operation: Operation, wanted: type[ProviderError], spelling: Callable[[str], str]
) -> None:
    """By code, in every spelling; the status only where the code is unknown."""
    exc = raised(CALLS[operation], error(status, spelling(code)))

    assert wanted is type(exc)
    if status != 202:
        assert (spelling(code), "08F5B8C2-0") == (exc.code, exc.trace_id)


@pytest.mark.parametrize(("hours", "empty"), [(10, True), (9, False)], ids=["from-ten", "before-ten"])
def test_statement_of_an_empty_day_is_certain_only_from_ten(*, hours: int, empty: bool) -> None:
    """Before ten in the morning "no bill" may also mean "not yet"."""
    clock = peer.FixedClock(datetime(2025, 10, 9, hours - 8, 0, tzinfo=UTC))
    with playing(error(400, "NO_STATEMENT_EXIST")):
        try:
            found: Any = list(peer.provider(clock).fetch_statement(DAY, StatementKind.TRADES))
        except ProviderUnavailable:
            found = None

    assert ([] if empty else None) == found


def test_error_text_shows_code_and_field_but_no_value() -> None:
    """The provider's texts may repeat what we sent."""
    body = peer.compact(
        {
            "code": "PARAM_ERROR",
            "message": f"openid {peer.OPENID}",
            "detail": {"field": "/payer/openid", "value": peer.OPENID, "issue": "x", "location": "body"},
        }
    )
    exc = raised(CALLS[CREATE], WireAnswer(status=400, headers={"Request-ID": "08F-268435461"}, body=body))

    assert str(exc) == "wechatpay answered create: 400 PARAM_ERROR at /payer/openid"
    assert peer.OPENID not in repr(vars(exc))


@pytest.mark.parametrize("value", [[1, {"a": None}], 7, "x", None], ids=["array", "number", "text", "null"])
def test_error_detail_of_any_shape_is_survived(value: Any) -> None:
    """`detail` and its value may be of any JSON type."""
    for detail in (value, {"field": value, "value": value}):
        body = peer.compact({"code": "INVALID_REQUEST", "message": "x", "detail": detail})

        assert RequestRefused is type(raised(CALLS[CREATE], WireAnswer(status=400, headers={}, body=body)))


BROKEN: dict[str, Any] = {
    "time-out": faults.read_timeout,
    "reset": faults.connection_reset,
    "empty-500": lambda: WireAnswer(status=500, headers={}, body=b""),
    "html-502": lambda: WireAnswer(status=502, headers={"Content-Type": "text/html"}, body=b"<html>"),
    "html-200": lambda: WireAnswer(status=200, headers={"Content-Type": "text/html"}, body=b"<html>"),
    "html-403": lambda: WireAnswer(status=403, headers={}, body=b"<html>"),
    "half-json-500": lambda: WireAnswer(status=500, headers={}, body=b'{"code":"NO_AU'),
    "redirect": lambda: WireAnswer(status=302, headers={"Location": "https://elsewhere.invalid/"}, body=b""),
    "signed-by-a-stranger": lambda: signed({"prepay_id": "wx1"}, key="unknown"),
    "signed-long-ago": lambda: signed({"prepay_id": "wx1"}, signed_at=peer.NOW - timedelta(seconds=300)),
    "unsigned": lambda: WireAnswer(status=200, headers={}, body=b'{"prepay_id":"wx1"}'),
}


NONSENSE = {
    "html": b"<html>",
    "half-json": b'{"trade_state":"SUCC',
    "array": b"[]",
    "empty-object": b"{}",
    "twice-named": b'{"prepay_id":"a","prepay_id":"b","trade_state":"NOTPAY"}',
}


def _signed_bytes(body: bytes) -> WireAnswer:
    return WireAnswer(status=200, headers=peer.signature_headers(body), body=body)


@pytest.mark.parametrize("operation", ANY)
@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_answer_that_proves_nothing_gives_no_verdict(operation: Operation, fault: Callable[[], Any]) -> None:
    """Nothing is concluded, whatever was asked."""
    assert NoVerdict is type(raised(CALLS[operation], fault(), faults.read_timeout()))


@pytest.mark.parametrize("operation", [operation for operation in ANY if operation is not CLOSE])
@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
def test_proven_nonsense_gives_no_verdict(operation: Operation, body: bytes) -> None:
    """A signature over something unreadable is no answer. (Close reads no body: its report is unknown at best.)"""
    assert NoVerdict is type(raised(CALLS[operation], _signed_bytes(body), faults.read_timeout()))


@pytest.mark.parametrize("operation", ANY)
@pytest.mark.parametrize("fault", [faults.connection_refused, faults.connect_timeout], ids=["refused", "time-out"])
def test_call_that_never_left_is_unavailable(operation: Operation, fault: Callable[[], Exception]) -> None:
    """Surely not accepted."""
    assert ProviderUnavailable is type(raised(CALLS[operation], fault()))


def test_stale_answer_tells_the_skew() -> None:
    """An operator can tell a slow clock from a replay."""
    exc = raised(CALLS[QUERY], signed(peer.paid(), signed_at=peer.NOW - timedelta(seconds=301)))

    assert "301 s from our clock" in str(exc)
