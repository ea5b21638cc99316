"""The Agricultural Bank before the conformance suite: a merchant with both of its keys. Everything is invented."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final

from adapters.bank.abchina.adapter import AbchinaProvider
from gateway.domain.clock import Clock
from gateway.domain.provider import Acknowledgement, RawCallback, Verdict
from gateway.domain.report import ReportedState, Source
from gateway.domain.secret import Secret
from tests.adapters.bank_abchina import peer
from tests.adapters.bank_abchina.case_calls import CALLS, payment_report
from tests.conformance.case import (
    AcceptedSample,
    AdapterCase,
    Callbacks,
    Outgoing,
    RefusedSample,
    UnreadableSample,
    WireAnswer,
    WireRequest,
)

KEYS: Final = ("bank_expired", "abc_bank")
HTML: Final = "text/html; charset=utf-8"
REMARK: Final = "張三丰的镕祎"
"""Characters of GBK that GB2312 does not have: each is a `?` in what the bank signs."""


def paid(**more: Any) -> Any:
    said = {"amount_fen": 38001, "provider_trade_no": peer.REFERENCE, "occurred_at": peer.PAID_AT}
    return payment_report(Source.CALLBACK, ReportedState.PAID, "0000", **said | more)


def sign(*, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
    return peer.notified(received_at, signer=key)


def yuan(amount_fen: int) -> str:
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def outside_gb2312(charset: str, amount: str) -> RawCallback:
    inner = peer.notify_inner(MerchantRemarks=REMARK, Amount=amount)
    return peer.callback(peer.form(peer.notify_document(inner, charset=charset)))


def unescaped(amount: str) -> RawCallback:
    """Its base64 has a `+`, which the sender did not escape."""
    document = peer.notify_document(peer.notify_inner(Amount=amount))
    body = b"MSG=" + base64.b64encode(document)
    assert b"+" in body
    return peer.callback(body)


def with_signature(signature: str) -> RawCallback:
    document = peer.notify_document(peer.notify_inner())
    head, _, _ = document.partition(b"<Signature>")
    return peer.callback(peer.form(head + b"<Signature>" + signature.encode("ascii") + b"</Signature></MSG>"))


CALLBACKS: Final = Callbacks(
    accepted=(
        AcceptedSample(id="paid", raw=peer.notified(), report=paid(), event="PayResult"),
        AcceptedSample(
            id="paid-outside-gb2312",
            raw=outside_gb2312("gb2312", "1.13"),
            report=paid(amount_fen=113),
            event="PayResult",
        ),
        AcceptedSample(
            id="paid-signed-as-gbk", raw=outside_gb2312("gbk", "1.14"), report=paid(amount_fen=114), event="PayResult"
        ),
        AcceptedSample(id="paid-unescaped", raw=unescaped("1.15"), report=paid(amount_fen=115), event="PayResult"),
        AcceptedSample(
            id="paid-one-decimal", raw=peer.notified(Amount="400.0"), report=paid(amount_fen=40000), event="PayResult"
        ),
        AcceptedSample(
            id="paid-without-more",
            raw=peer.notified(TrxType=None, iRspRef=None, HostDate=None),
            report=paid(provider_trade_no=None, occurred_at=None),
            event="notify",
        ),
        AcceptedSample(  # the bank signs for every merchant with one key: it may be about another one's order
            id="paid-to-nobody-named",
            raw=peer.notified(MerchantID=None),
            report=payment_report(Source.CALLBACK, ReportedState.UNKNOWN, "0000", amount_fen=38001),
            event="PayResult",
        ),
        AcceptedSample(
            id="not-paid",
            raw=peer.notified(ReturnCode="2302"),
            report=payment_report(Source.CALLBACK, ReportedState.UNKNOWN, "2302", amount_fen=38001),
            event="PayResult",
        ),
        AcceptedSample(
            id="another-merchant",
            raw=peer.notified(MerchantID="103880000000002"),
            report=paid(contradictions=("MerchantID",)),
            event="PayResult",
        ),
        AcceptedSample(id="of-a-refund", raw=peer.notified(TrxType="Refund"), report=None, event="Refund"),
    ),
    refused=(
        RefusedSample(id="our-own-key", raw=peer.notified(signer="abc_merchant"), reason="signature"),
        RefusedSample(id="another-field", raw=peer.callback(peer.notified().body + b"&MSG2=x"), reason="malformed"),
        RefusedSample(
            id="message-twice",
            raw=peer.callback(
                peer.form(
                    b"<Message><ReturnCode>0000</ReturnCode></Message>" + peer.notify_document(peer.notify_inner())
                )
            ),
            reason="signature",
        ),
        RefusedSample(id="no-signature", raw=with_signature(""), reason="signature"),
    ),
    unreadable=(
        UnreadableSample(id="amount-malformed", raw=peer.notified(Amount="380,01")),
        UnreadableSample(id="amount-missing", raw=peer.notified(Amount=None)),
        UnreadableSample(id="no-number", raw=peer.notified(OrderNo=None)),
        UnreadableSample(id="no-code", raw=peer.notified(ReturnCode=None)),
        UnreadableSample(id="amount-twice", raw=peer.notified(Amount="380.01</Amount><Amount>1.00")),
    ),
    sign=sign,
    keys=KEYS,
    foreign_key="stranger",
    paid_with_amount=lambda amount_fen: peer.notified(Amount=yuan(amount_fen)),
    unknown_status=peer.notified(ReturnCode="ZZ99"),
    signed_form_fields=("MSG",),
    # What stands around the signed text (the root's name, an XML declaration) is not read.
    free_form_fields=("MSG",),
    signs_decoded_values=True,
)


# --- outgoing calls ---------------------------------------------------------------------------------------------------


def request_of(sent: WireRequest) -> Any:
    return json.loads(sent.body)["Message"]["TrxRequest"]


def number(sent: WireRequest) -> str:
    request = request_of(sent)
    return str(request["Order"]["OrderNo"] if request["TrxType"] == "PayReq" else request["NewOrderNo"])


def amount_fen(sent: WireRequest) -> int:
    request = request_of(sent)
    text = request["Order"]["OrderAmount"] if request["TrxType"] == "PayReq" else request["TrxAmount"]
    whole, point, cents = text.partition(".")
    assert (point, len(cents)) == (".", 2)
    return int(whole + cents)


def unsigned(good: WireAnswer) -> WireAnswer:
    body, comma, _ = good.body.rpartition(b',"Signature-Algorithm"')
    assert comma
    return WireAnswer(status=good.status, headers=good.headers, body=body + b"}}")


# --- the case ---------------------------------------------------------------------------------------------------------


def build(clock: Clock) -> AbchinaProvider:
    known = "".join(peer.text(f"{name}_cert.pem") for name in KEYS)
    return peer.provider(clock, bank_certificates=Secret(known))


def acknowledgement(status: int, body: bytes) -> Acknowledgement:
    return Acknowledgement(status=status, body=body, content_type=HTML)


PAGE: Final = (
    b"<URL>https://pay.example.cn/done?from=abc</URL>\n"
    b'<HTML><HEAD><META http-equiv="refresh" content="0; url=https://pay.example.cn/done?from=abc"></HEAD></HTML>\n'
)
ACKNOWLEDGEMENTS: Final = {
    Verdict.ACCEPTED: acknowledgement(200, PAGE),
    Verdict.IGNORED: acknowledgement(200, PAGE),
    Verdict.QUARANTINED: acknowledgement(200, PAGE),
    Verdict.ORPHAN: acknowledgement(503, b"later"),
    Verdict.REFUSED: acknowledgement(400, b"refused"),
    Verdict.UNSTORED: acknowledgement(503, b"later"),
}


def case() -> AdapterCase:
    middle_of_the_key = peer.text("abc_merchant_private.pem").splitlines()[12]
    assert base64.b64decode(middle_of_the_key)
    return AdapterCase(
        name="bank_abchina",
        now=peer.NOW.astimezone(UTC),
        build=build,
        base_url=peer.BASE_URL,
        callbacks=CALLBACKS,
        acknowledgements=ACKNOWLEDGEMENTS,
        outgoing=Outgoing(calls=CALLS, unsigned=unsigned, business=request_of, number=number, amount_fen=amount_fen),
        canaries=(middle_of_the_key, peer.PAYER_IP, peer.DESCRIPTION, REMARK, "6228480000000000017"),
    )
