"""CCB before the conformance suite: one counter. All names and numbers are invented."""

import re
from datetime import UTC, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from adapters.bank.ccb.adapter import CcbProvider
from gateway.domain.clock import Clock
from gateway.domain.provider import Acknowledgement, RawCallback, Verdict
from gateway.domain.report import ReportedState, Source
from gateway.domain.secret import Secret
from tests.adapters.bank_ccb import peer
from tests.adapters.bank_ccb.case_calls import CALLS, GOODS, payment_report
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

KEYS: Final = ("ccb_merchant", "ccb_next")
PLAIN: Final = "text/plain; charset=utf-8"
CANONICAL: Final = "notify, signed canonical"

# --- callbacks --------------------------------------------------------------------------------------------------------


def sign(*, signed_at: Any, received_at: Any, key: str) -> RawCallback:
    return peer.notify(received_at, signer=key)


def paid_with_amount(amount_fen: int) -> RawCallback:
    return peer.notify(PAYMENT=f"{amount_fen // 100}.{amount_fen % 100:02d}")


def reported(state: ReportedState, word: str, amount_fen: int = 38001, **more: Any) -> Any:
    return payment_report(Source.CALLBACK, state, word, amount_fen=amount_fen, currency="CNY", **more)


def accepted(name: str, raw: RawCallback, report: Any, event: str = CANONICAL) -> AcceptedSample:
    return AcceptedSample(id=name, raw=raw, report=report, event=event)


def page_notify() -> RawCallback:
    return peer.notify(ACC_TYPE=None)


def with_more(name: str, value: str) -> RawCallback:
    good = peer.notify()
    return peer.callback(good.body + f"&{name}={value}".encode())


CALLBACKS: Final = Callbacks(
    accepted=(
        accepted("paid", peer.notify(), reported(ReportedState.PAID, "Y")),
        accepted(
            "paid-with-optional-fields",
            peer.notify(
                PAYMENT="0.01", TYPE="1", REFERER="", CLIENTIP=peer.CLIENT_IP, ACCDATE="20260301", PAYTYPE="AL"
            ),
            reported(ReportedState.PAID, "Y", 1),
        ),
        accepted(
            "paid-with-fields-of-a-newer-product",
            peer.notify(PAYMENT="0.02", USRMSG="a b", INSTALLNUM="", ERRMSG=""),
            reported(ReportedState.PAID, "Y", 2),
            "notify, signed as received",
        ),
        accepted(
            "paid-with-chinese-remark",
            peer.notify(PAYMENT="0.03", REMARK1="试验"),
            reported(ReportedState.PAID, "Y", 3),
        ),
        accepted("failed-try", peer.notify(SUCCESS="N"), reported(ReportedState.PENDING, "N")),
        accepted(
            "other-counter",
            peer.notify(POSID="061230009", BRANCHID="341000000"),
            reported(ReportedState.PAID, "Y", contradictions=("POSID", "BRANCHID")),
        ),
    ),
    refused=(
        RefusedSample(id="page-notify", raw=page_notify(), reason="malformed"),
        RefusedSample(id="other-key", raw=peer.notify(signer="ccb_other"), reason="signature"),
        RefusedSample(id="field-twice", raw=with_more("PAYMENT", "380.01"), reason="malformed"),
        RefusedSample(id="unsigned-optional-field", raw=with_more("ACCDATE", "20260301"), reason="signature"),
        RefusedSample(
            id="value-with-an-ampersand", raw=peer.notify(REMARK1="x&ACC_TYPE=12", ACC_TYPE=None), reason="malformed"
        ),
    ),
    unreadable=(
        UnreadableSample(id="amount-malformed", raw=peer.notify(PAYMENT="380,01")),
        UnreadableSample(id="amount-missing", raw=peer.notify(PAYMENT="")),
        UnreadableSample(id="no-number", raw=peer.notify(ORDERID="")),
        UnreadableSample(id="no-word", raw=peer.notify(SUCCESS="")),
    ),
    sign=sign,
    keys=KEYS,
    foreign_key="ccb_other",
    paid_with_amount=paid_with_amount,
    unknown_status=peer.notify(SUCCESS="Z"),
    signed_form_fields=(*peer.paid(), "SIGN"),
    signs_decoded_values=True,
)


# --- outgoing calls ---------------------------------------------------------------------------------------------------


def xml_of(sent: WireRequest) -> str:
    (name, xml), *_ = parse_qsl(sent.body.decode("ascii"), encoding="gb18030", strict_parsing=True)
    assert name == "requestXml"
    return xml


def order_of(sent: WireRequest) -> dict[str, str]:
    """The fields of an order, from the address or the parameter string."""
    query = sent.body.decode("ascii") if sent.body else urlsplit(sent.url).query
    return dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))


def is_refund(sent: WireRequest) -> bool:
    return b"requestXml" in sent.body


def business(sent: WireRequest) -> object:
    return re.sub("<REQUEST_SN>[0-9]{16}</REQUEST_SN>", "", xml_of(sent)) if is_refund(sent) else order_of(sent)


def element(sent: WireRequest, name: str) -> str:
    values = re.findall(f"<{name}>([^<]*)</{name}>", xml_of(sent))
    assert len(values) == 1
    return str(values[0])


def number(sent: WireRequest) -> str:
    if is_refund(sent):
        return {peer.REFUND_CODE: peer.REFUND_NUMBER}[element(sent, "REFUND_CODE")]
    return format(
        sum(peer.DIGITS.index(digit) * 36**place for place, digit in enumerate(order_of(sent)["ORDERID"][::-1])), "032x"
    )


def amount_fen(sent: WireRequest) -> int:
    yuan = element(sent, "MONEY") if is_refund(sent) else order_of(sent)["PAYMENT"]
    match = re.fullmatch(r"(0|[1-9][0-9]*)\.([0-9]{2})", yuan)
    assert match is not None
    return int(match[1]) * 100 + int(match[2])


def unsigned(good: WireAnswer) -> WireAnswer:
    raise AssertionError("the bank signs no answer")


# --- the case ---------------------------------------------------------------------------------------------------------


def build(clock: Clock) -> CcbProvider:
    return peer.provider(clock, previous_public_key=Secret(peer.text("ccb_next_public.hex")))


def acknowledgement(status: int, body: bytes) -> Acknowledgement:
    return Acknowledgement(status=status, body=body, content_type=PLAIN)


ACKNOWLEDGEMENTS: Final = {
    Verdict.ACCEPTED: acknowledgement(200, b"success"),
    Verdict.IGNORED: acknowledgement(200, b"success"),
    Verdict.QUARANTINED: acknowledgement(200, b"success"),
    Verdict.ORPHAN: acknowledgement(503, b"later"),
    Verdict.REFUSED: acknowledgement(400, b"refused"),
    Verdict.UNSTORED: acknowledgement(503, b"later"),
}


def case() -> AdapterCase:
    return AdapterCase(
        name="bank_ccb",
        now=peer.NOW.astimezone(UTC),
        build=build,
        base_url=peer.BANK,
        callbacks=CALLBACKS,
        acknowledgements=ACKNOWLEDGEMENTS,
        outgoing=Outgoing(calls=CALLS, unsigned=unsigned, business=business, number=number, amount_fen=amount_fen),
        canaries=(peer.PUB, peer.PASSWORD, peer.PAYER_NAME, peer.ACCOUNT, peer.CLIENT_IP, GOODS),
        later=timedelta(minutes=7),
    )
