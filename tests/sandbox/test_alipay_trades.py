"""Alipay trades: pages, create, precreate, query, close, cancel, repeat, expire, signatures, both key modes."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509

from sandbox.certificates import certificate_sn
from sandbox.clock import SandboxClock
from sandbox.wire import PayRefused
from tests.sandbox.merchants import NOTIFY_URL, AlipayMerchant, query_of
from tests.sandbox.test_vectors import read

SHAPES = read("wire_shapes.json")["alipay"]
NUMBER = "FY20260301000001"


@pytest.fixture(params=[False, True], ids=["key mode", "certificate mode"])
def either(alipay: AlipayMerchant, request: pytest.FixtureRequest) -> AlipayMerchant:
    alipay.cert_mode = request.param
    return alipay


@pytest.mark.parametrize("method", ["page", "wap", "app"])
def test_page_order_exists_when_the_payer_arrives_and_is_paid(either: AlipayMerchant, method: str) -> None:
    """TRADE_NOT_EXIST, WAIT_BUYER_PAY, TRADE_SUCCESS; all answers signed."""
    before = either.query()
    arrived = either.page(method)
    waiting = either.query()
    either.simulator.pay(NUMBER)
    paid = either.query()

    assert before["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert arrived.status == 302
    assert "/cashier?visit=" in arrived.headers["Location"]
    assert waiting["trade_status"] == "WAIT_BUYER_PAY"
    assert (paid["trade_status"], paid["total_amount"]) == ("TRADE_SUCCESS", "380.01")


def test_certificate_mode_answer_has_the_vectors_members(alipay: AlipayMerchant) -> None:
    """Node, alipay_cert_sn, sign."""
    alipay.cert_mode = True
    alipay.page()

    envelope = json.loads(alipay.call("alipay.trade.query", {"out_trade_no": NUMBER}).body)

    assert list(envelope) == SHAPES["cert_answer"]
    assert envelope["alipay_cert_sn"] == certificate_sn(alipay.keys.certificate)


def test_rotated_certificate_can_be_downloaded_and_chains(alipay: AlipayMerchant) -> None:
    """Leaf then issuer, by the number the answers show."""
    alipay.cert_mode = True
    number = alipay.simulator.rotate_certificate()
    answer = alipay.call("alipay.open.app.alipaycert.download", {"alipay_cert_sn": number})
    envelope = json.loads(answer.body)
    content = envelope["alipay_open_app_alipaycert_download_response"]["alipay_cert_content"]
    leaf, issuer = x509.load_pem_x509_certificates(base64.b64decode(content))

    leaf.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(alipay.keys.roots[0])
    assert envelope["alipay_cert_sn"] == certificate_sn(leaf) == number


def test_create_makes_the_trade_at_once(either: AlipayMerchant) -> None:
    """trade_no is there before payment."""
    made = either.node("alipay.trade.create", either.order(buyer_open_id="open-sandbox-1"), notify_url=NOTIFY_URL)

    assert either.query()["trade_no"] == made["trade_no"]
    assert either.query()["buyer_open_id"] == "open-sandbox-1"


def test_create_without_buyer_is_refused(alipay: AlipayMerchant) -> None:
    """ACQ.INVALID_PARAMETER."""
    assert alipay.node("alipay.trade.create", alipay.order())["sub_code"] == "ACQ.INVALID_PARAMETER"


def test_precreate_makes_no_trade_until_the_scan(alipay: AlipayMerchant) -> None:
    """Opening the code's page is the scan."""
    made = alipay.node("alipay.trade.precreate", alipay.order())
    before = alipay.query()
    alipay.simulator.cashier(query_of(made["qr_code"])["visit"])

    assert before["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert alipay.query()["trade_status"] == "WAIT_BUYER_PAY"


def test_code_not_scanned_in_time_is_dead(alipay: AlipayMerchant, clock: SandboxClock) -> None:
    """Two hours unless the request says otherwise; still no trade."""
    made = alipay.node("alipay.trade.precreate", alipay.order(qr_code_timeout_express="90m"))
    clock.advance(90 * 60)

    with pytest.raises(PayRefused):
        alipay.simulator.cashier(query_of(made["qr_code"])["visit"])
    assert alipay.query()["sub_code"] == "ACQ.TRADE_NOT_EXIST"


@pytest.mark.parametrize("change", [{"total_amount": "380.02"}, {"subject": "别的"}], ids=["amount", "subject"])
def test_same_number_with_other_content_is_inconsistent(alipay: AlipayMerchant, change: dict[str, Any]) -> None:
    """ACQ.CONTEXT_INCONSISTENT; the first stays."""
    alipay.node("alipay.trade.precreate", alipay.order())

    again = alipay.node("alipay.trade.precreate", alipay.order(**change))

    assert again["sub_code"] == "ACQ.CONTEXT_INCONSISTENT"


def test_same_number_again_is_the_same_trade(alipay: AlipayMerchant) -> None:
    """Same amount and subject."""
    first, second = (alipay.node("alipay.trade.create", alipay.order(buyer_id="2088999900000098")) for _ in range(2))

    assert first == second


def test_same_number_after_payment_or_close_is_refused(alipay: AlipayMerchant) -> None:
    """TRADE_HAS_SUCCESS and TRADE_HAS_CLOSE."""
    alipay.paid()
    alipay.page(out_trade_no="FY2")
    alipay.node("alipay.trade.close", {"out_trade_no": "FY2"})

    answers = [alipay.node("alipay.trade.precreate", alipay.order(number)) for number in (NUMBER, "FY2")]

    assert [answer["sub_code"] for answer in answers] == ["ACQ.TRADE_HAS_SUCCESS", "ACQ.TRADE_HAS_CLOSE"]


def test_page_of_a_paid_order_is_an_error_page(alipay: AlipayMerchant) -> None:
    """The browser sees why; nothing is charged twice."""
    alipay.paid()

    answer = alipay.page()

    assert answer.status == 200
    assert "ACQ.TRADE_HAS_SUCCESS" in answer.body.decode()


def test_close_makes_the_trade_unpayable(alipay: AlipayMerchant) -> None:
    """TRADE_CLOSED; closing twice or when paid says why not."""
    alipay.page()
    alipay.paid("FY2")
    closed = alipay.node("alipay.trade.close", {"out_trade_no": NUMBER})
    again = alipay.node("alipay.trade.close", {"out_trade_no": NUMBER})
    paid = alipay.node("alipay.trade.close", {"out_trade_no": "FY2"})
    unknown = alipay.node("alipay.trade.close", {"out_trade_no": "FY3"})

    assert closed["code"] == "10000"
    assert [again["sub_code"], paid["sub_code"], unknown["sub_code"]] == [
        "ACQ.REASON_TRADE_STATUS_INVALID",
        "ACQ.TRADE_STATUS_ERROR",
        "ACQ.TRADE_NOT_EXIST",
    ]
    with pytest.raises(PayRefused):
        alipay.simulator.pay(NUMBER)


def test_cancel_closes_or_refunds_and_repeats(alipay: AlipayMerchant) -> None:
    """Face-to-face only; without a trade nothing happens."""
    buyer = {"buyer_id": "2088999900000098"}
    alipay.node("alipay.trade.create", alipay.order("FY1", **buyer))
    alipay.node("alipay.trade.create", alipay.order("FY2", **buyer))
    alipay.simulator.pay("FY2")
    alipay.page(out_trade_no="FY3")
    answers = [
        alipay.node("alipay.trade.cancel", {"out_trade_no": number}) for number in ("FY1", "FY2", "FY2", "FY4", "FY3")
    ]

    assert [answer.get("action") for answer in answers] == ["close", "refund", "refund", None, None]
    assert answers[4]["sub_code"] == "ACQ.CANCEL_NOT_ALLOWED"
    assert [entry["amount_fen"] for entry in alipay.simulator.books()["refunds"]] == [38001]


@pytest.mark.parametrize(
    ("field", "value", "seconds"),
    [
        ("timeout_express", "5m", 300),
        ("timeout_express", "1c", 13 * 3600 + 39 * 60 + 30),
        ("time_expire", "2026-03-01 10:30:30", 600),
    ],
    ids=["minutes", "midnight", "absolute"],
)
def test_trade_past_its_time_is_closed(
    alipay: AlipayMerchant, clock: SandboxClock, field: str, value: str, seconds: int
) -> None:
    """One second before, and at the edge."""
    alipay.page(**{field: value})
    clock.advance(seconds - 1)
    before = alipay.query()["trade_status"]
    clock.advance(1)

    assert (before, alipay.query()["trade_status"]) == ("WAIT_BUYER_PAY", "TRADE_CLOSED")


INVALID_ORDERS = {
    "number with hyphen": {"out_trade_no": "FY-1"},
    "number too long": {"out_trade_no": "F" * 65},
    "no subject": {"subject": ""},
    "slash in subject": {"subject": "a/b"},
    "amount zero": {"total_amount": "0.00"},
    "three decimals": {"total_amount": "1.001"},
    "negative": {"total_amount": "-1.00"},
    "exponent": {"total_amount": "1e2"},
    "another seller": {"seller_id": "2088999900000002"},
    "wrong product": {"product_code": "QUICK_WAP_PAY"},
    "timeout with decimals": {"timeout_express": "1.5h"},
    "time in minutes": {"time_expire": "2026-03-01 10:30"},
    "body too long": {"body": "x" * 129},
}


@pytest.mark.parametrize("change", INVALID_ORDERS.values(), ids=INVALID_ORDERS.keys())
def test_invalid_order_is_refused(alipay: AlipayMerchant, change: dict[str, Any]) -> None:
    """ACQ.INVALID_PARAMETER, and nothing is kept."""
    answer = alipay.node("alipay.trade.precreate", alipay.order() | change)

    assert answer["sub_code"] == "ACQ.INVALID_PARAMETER"
    assert alipay.simulator.orders() == []


def sent(alipay: AlipayMerchant, fields: dict[str, str]) -> dict[str, Any]:
    """The error_response of a request with these parameters, all in the query."""
    answer = alipay.simulator.answer("POST", f"/gateway.do?{urlencode(fields)}", {}, b"")
    return dict(json.loads(answer.body))


@pytest.mark.parametrize(
    ("name", "sub_code"),
    [
        ("app_id", "isv.missing-app-id"),
        ("method", "isv.missing-method"),
        ("sign", "isv.missing-signature"),
        ("sign_type", "isv.missing-signature-type"),
        ("timestamp", "isv.missing-timestamp"),
        ("version", "isv.missing-version"),
    ],
)
def test_request_without_a_public_parameter_is_refused(alipay: AlipayMerchant, name: str, sub_code: str) -> None:
    """40001."""
    fields = alipay.fields("alipay.trade.query", {"out_trade_no": NUMBER})
    del fields[name]

    error = sent(alipay, fields)["error_response"]

    assert (error["code"], error["sub_code"]) == ("40001", sub_code)


@pytest.mark.parametrize(
    ("name", "value", "sub_code"),
    [
        ("app_id", "2099000000000009", "isv.invalid-app-id"),
        ("method", "alipay.trade.surprise", "isv.invalid-method"),
        ("sign_type", "RSA", "isv.invalid-signature-type"),
        ("sign", "AAAA", "isv.invalid-signature"),
        ("version", "1.1", "isv.invalid-signature"),
        ("biz_content", "{}", "isv.invalid-signature"),
        ("app_cert_sn", "00", "isv.app-cert-not-exist"),
        ("charset", "latin-9", "isv.invalid-charset"),
    ],
)
def test_request_altered_after_signing_is_refused(alipay: AlipayMerchant, name: str, value: str, sub_code: str) -> None:
    """40002, with the sub_code that says which."""
    fields = alipay.fields("alipay.trade.query", {"out_trade_no": NUMBER}) | {name: value}

    error = sent(alipay, fields)["error_response"]

    assert (error["code"], error["sub_code"]) == ("40002", sub_code)


def test_invalid_signature_shows_the_string_the_gateway_built(alipay: AlipayMerchant) -> None:
    """HTML-escaped, to be compared by the caller."""
    fields = alipay.fields("alipay.trade.query", {"out_trade_no": NUMBER}) | {"sign": "AAAA"}

    error = sent(alipay, fields)["error_response"]

    assert f"app_id={fields['app_id']}&amp;biz_content=" in error["sub_msg"]


def test_charset_in_the_body_alone_breaks_a_chinese_request(alipay: AlipayMerchant) -> None:
    """The body is then read as GBK."""
    fields = alipay.fields("alipay.trade.precreate", alipay.order())
    late = {name: fields.pop(name) for name in ("biz_content", "charset")}

    answer = alipay.simulator.answer("POST", f"/gateway.do?{urlencode(fields)}", {}, urlencode(late).encode())

    assert b"charset" in answer.body
    assert alipay.simulator.orders() == []


def test_parameter_given_twice_is_refused(alipay: AlipayMerchant) -> None:
    """Once in the query and once in the form."""
    fields = alipay.fields("alipay.trade.query", {"out_trade_no": NUMBER})

    answer = alipay.simulator.answer("POST", f"/gateway.do?{urlencode(fields)}", {}, b"version=1.0")

    assert json.loads(answer.body)["error_response"]["sub_code"] == "isv.invalid-parameter"


@pytest.mark.parametrize(("hours", "code"), [(0, "40004"), (8, "40002")])
def test_server_call_eight_hours_off_is_refused(alipay: AlipayMerchant, hours: int, code: str) -> None:
    """A machine that writes UTC; with the right hour the answer is merely `no such trade`."""
    stamp = f"2026-03-01 {10 - hours:02d}:20:30"

    assert alipay.node("alipay.trade.query", {"out_trade_no": NUMBER}, timestamp=stamp)["code"] == code


def test_page_order_may_be_opened_hours_after_it_was_made(alipay: AlipayMerchant, clock: SandboxClock) -> None:
    """The timestamp of a page order is not held against the clock."""
    biz = alipay.order(product_code="FAST_INSTANT_TRADE_PAY")
    fields = alipay.fields("alipay.trade.page.pay", biz)
    clock.advance(8 * 3600)

    assert alipay.simulator.answer("GET", f"/gateway.do?{urlencode(fields)}", {}, b"").status == 302


def test_wrongly_signed_page_order_is_an_error_page(alipay: AlipayMerchant) -> None:
    """HTML for the browser, and no trade."""
    biz = alipay.order(product_code="FAST_INSTANT_TRADE_PAY")
    fields = alipay.fields("alipay.trade.page.pay", biz) | {"sign": "AAAA"}

    answer = alipay.simulator.answer("GET", f"/gateway.do?{urlencode(fields)}", {}, b"")

    assert "isv.invalid-signature" in answer.body.decode()
    assert alipay.simulator.orders() == []


def test_unknown_auth_token_is_refused(alipay: AlipayMerchant) -> None:
    """20001; the sandbox's own token passes."""
    own = alipay.keys.identity.app_auth_token
    biz = {"out_trade_no": NUMBER}

    assert alipay.node("alipay.trade.query", biz, app_auth_token="other")["code"] == "20001"
    assert alipay.node("alipay.trade.query", biz, app_auth_token=own)["code"] == "40004"


def test_return_address_is_signed_and_shaped_like_the_vector(either: AlipayMerchant) -> None:
    """The browser goes back with the amounts, never with a trade_status."""
    either.page()
    address = either.simulator.pay(NUMBER)["return_url"]
    fields = query_of(address)

    either.check_notice(fields)
    assert sorted(fields) == SHAPES["return"]
    assert fields["total_amount"] == "380.01"


def test_full_sandbox_says_so(alipay: AlipayMerchant) -> None:
    """Five trades fit; the sixth gets a clear error."""
    for number in range(5):
        assert alipay.node("alipay.trade.precreate", alipay.order(f"FY{number}"))["code"] == "10000"

    answer = alipay.node("alipay.trade.precreate", alipay.order("FY6"))

    assert answer["sub_code"] == "ACQ.ACCESS_FORBIDDEN"
    assert "5 orders" in answer["sub_msg"]
