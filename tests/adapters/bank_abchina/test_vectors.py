"""Every vector of the bank's TrustPay, made with its own library: requests, answers, notifies."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from adapters.bank.abchina.config import Config
from adapters.bank.abchina.methods import PRODUCTS
from adapters.bank.abchina.wire import message_text, order_fields, query_fields, refund_fields, settle_fields
from adapters.bank.abchina.wire import signed_envelope as envelope_of
from adapters.bank.trustpay import NotAuthentic, load_bank_keys, open_answer
from gateway.domain.provider import CallbackRefused
from gateway.domain.report import ReportedState
from gateway.domain.secret import Secret
from tests.adapters.bank_abchina import peer

REQUESTS: Final = peer.vector("abc_request")
RESPONSES: Final = peer.vector("abc_response")
NOTIFIES: Final = peer.vector("abc_notify")
BANK_KEYS: Final = load_bank_keys(base64.b64encode((peer.KEYS / "abc_bank_TrustPay.cer").read_bytes()).decode("ascii"))


def each(vectors: Mapping[str, Any]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in vectors["cases"]]


def config_for(case: Mapping[str, Any]) -> Config:
    pfx = base64.b64encode((peer.KEYS / "abc_merchant.pfx").read_bytes()).decode("ascii")
    made = peer.provider(
        sign_private_key=None,
        sign_pfx=Secret(pfx),
        sign_pfx_password=Secret(REQUESTS["pfx_password"]),
        merchant_id=REQUESTS["merchant_id"],
        legacy_refund_text=case["op"] == "refund",
    )
    return made._config


def our_fields(config: Config, op: str) -> Mapping[str, Any]:
    if op == "pay":
        return order_fields(config, PRODUCTS["h5"], peer.payment())
    if op == "query":
        return query_fields("ImmediatePay", "x")
    return refund_fields(peer.refund()) if op == "refund" else settle_fields(peer.DAY, zipped=False)


def filled(ours: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """Our fields in our order, with the vector's values in them and nothing where it has none."""
    given = dict(case["input"])
    fields: dict[str, Any] = {name: given.get(name, "") for name in ours}
    fields["TrxType"] = ours["TrxType"]
    if "Order" in ours:
        item = {name.partition(".")[2]: value for name, value in given.items() if name.startswith("Item1.")}
        fields["Order"] = {name: given.get(f"Order.{name}", "") for name in ours["Order"] if name != "OrderItems"}
        fields["Order"] |= {"OrderItems": [item]} if item else {}
    return fields


@pytest.mark.parametrize("case", each(REQUESTS))
def test_request_is_the_vectors_byte_for_byte(case: Mapping[str, Any]) -> None:
    """Keys in the library's order, its text, its signature, its envelope; a refund in its own malformed text."""
    config = config_for(case)
    fields = filled(our_fields(config, case["op"]), case)

    assert case["message_text"] == message_text(config, fields)
    assert case["envelope"].encode() == envelope_of(config, fields)
    assert case["signature"] in case["envelope"]


@pytest.mark.parametrize("case", each(RESPONSES))
def test_answer_is_proven_or_not_as_the_vector_says(case: Mapping[str, Any]) -> None:
    """Over the raw GBK text of the Message; an unsigned one is neither believed nor disbelieved."""
    body = base64.b64decode(case["body_gbk_base64"])
    if not case["verified"]:
        with pytest.raises(NotAuthentic) as refused:
            open_answer(body, BANK_KEYS)
        assert case["return_code"] == refused.value.said
        return

    message = open_answer(body, BANK_KEYS)

    assert json.loads(case["signed_text"]) == message
    answer = message["TrxResponse"]
    assert case["return_code"] == answer["ReturnCode"]
    assert case["error_message"] == answer["ErrorMessage"]
    assert case["payment_url"] == answer.get("PaymentURL")


@pytest.mark.parametrize("case", each(NOTIFIES))
def test_notify_is_proven_and_paid_as_the_vector_says(case: Mapping[str, Any]) -> None:
    """Verified and not successful is not paid."""
    raw = peer.callback(urlencode(case["form"]).encode("ascii"))
    if not case["verified"]:
        with pytest.raises(CallbackRefused):
            peer.provider().parse_callback(raw)
        return

    report = peer.provider().parse_callback(raw).report

    assert report is not None
    fields = case["fields"]
    whole, _, cents = fields["Amount"].partition(".")
    assert case["success"] == (report.state is ReportedState.PAID)
    assert (case["return_code"], fields["OrderNo"]) == (report.provider_status, report.out_trade_no)
    assert int(whole + cents) == report.amount_fen
    assert report.contradictions == ()
    if case["success"]:
        assert fields["iRspRef"] == report.provider_trade_no
