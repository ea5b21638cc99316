"""The shared account before the conformance suite: the channel of the vectors. All names and numbers are invented."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    AccountMisconfigured,
    Acknowledgement,
    Instruction,
    InstructionKind,
    NoVerdict,
    Operation,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
    Verdict,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.statement import StatementKind
from tests.adapters.shared_account import peer
from tests.adapters.shared_account.case_callbacks import CALLBACKS, REVOKED_AT, paid_report, report, revoked_report
from tests.adapters.shared_account.case_statement import (
    DAY,
    FILES,
    OTHER_LINE,
    PAYMENT_LINE,
    REVOKE_LINE,
    statement_data,
)
from tests.conformance.case import (
    AdapterCase,
    Exchange,
    Outgoing,
    OutgoingCase,
    StatementRequest,
    WireAnswer,
    WireRequest,
)

JSON: Final = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
QUERY_DATA: Final = {"outTradeNo": peer.WIRE_NUMBER}
REVOKE_DATA: Final = {
    "outTradeNo": peer.WIRE_NUMBER,
    "payOrdId": peer.PAY_ORD_ID,
    "revokeSn": peer.WIRE_REFUND_NUMBER,
    "amt": "380.01",
    "reason": "重复缴费退款",
}
REVERSAL_DATA: Final = {
    "outTradeNo": peer.WIRE_NUMBER,
    "revokeSn": peer.WIRE_NUMBER,
    "amt": "380.01",
    "reason": "冲正",
}
REVOKED: Final = {"revokeSn": peer.WIRE_REFUND_NUMBER, "refStatus": "SUCC", "revTime": "20251018100000"}
REVOKED_QUERY: Final = {"ordStas": "8", "revokeSn": peer.WIRE_REFUND_NUMBER, "revTime": "20251018100000"}


def exchange(trans_type: str, data: dict[str, Any], answer: Callable[[datetime], WireAnswer]) -> Exchange:
    url = peer.BASE_URL + "/" + trans_type.replace(".", "/")
    body = peer.request_body(trans_type, data)
    return Exchange(request=WireRequest(method="POST", url=url, headers=JSON, body=body), answer=answer)


CHECK: Final = exchange("sa.bind.check", peer.CHECK_DATA, peer.bound)


def charge(answer: Callable[[datetime], WireAnswer]) -> tuple[Exchange, ...]:
    return CHECK, exchange("sa.pay.charge", peer.CHARGE_DATA, answer)


def refused(code: str, raises: type[ProviderError]) -> OutgoingCase:
    return OutgoingCase(
        id=f"create-{code}",
        operation=Operation.CREATE,
        argument=peer.payment(),
        exchanges=charge(lambda at: peer.refusal("sa.pay.charge", code, at)),
        raises=raises,
    )


def query(name: str, told: ProviderReport, **changes: Any) -> OutgoingCase:
    return OutgoingCase(
        id=f"query-{name}",
        operation=Operation.QUERY,
        argument=peer.payment_ref(),
        exchanges=(exchange("sa.pay.query", QUERY_DATA, lambda at: peer.queried(at, **changes)),),
        report=told,
    )


def told_of_revoke(source: Source, word: str, state: ReportedRefundState, **more: Any) -> ProviderReport:
    refund = RefundReport(out_refund_no=peer.REFUND_NUMBER, state=state, **more)
    ended = state in (ReportedRefundState.SUCCEEDED, ReportedRefundState.FAILED)
    return report(source, ReportedState.PAID if ended else ReportedState.UNKNOWN, word, refund=refund)


def statement_exchange(region: str) -> Exchange:
    data = {"stmtDate": "20251016", "insuplcAdmdvs": region}
    return exchange("sa.recon.file", data, lambda at: peer.answer("sa.recon.file", statement_data(FILES[region]), at))


# --- the calls --------------------------------------------------------------------------------------------------------

CALLS: Final = (
    OutgoingCase(
        id="create",
        operation=Operation.CREATE,
        argument=peer.payment(),
        exchanges=charge(peer.charged),
        report=report(Source.ANSWER, ReportedState.PENDING, "6", amount_fen=38001, provider_trade_no=peer.PAY_ORD_ID),
        instruction=Instruction(kind=InstructionKind.NONE, payload={}),
        questions=1,
    ),
    refused("SA2001", RequestRefused),
    refused("SA1008", ProviderUnavailable),
    refused("SA1002", AccountMisconfigured),
    refused("SA5999", NoVerdict),
    OutgoingCase(
        id="create-not-bound",
        operation=Operation.CREATE,
        argument=peer.payment(),
        exchanges=(exchange("sa.bind.check", peer.CHECK_DATA, lambda at: peer.bound(at, bindStas="2")),),
        raises=RequestRefused,
    ),
    query("paid", paid_report(Source.QUERY)),
    query(
        "processing",
        report(
            Source.QUERY,
            ReportedState.PENDING,
            "1",
            amount_fen=38001,
            currency="CNY",
            provider_trade_no=peer.PAY_ORD_ID,
        ),
        ordStas="1",
        psnAcctPay=None,
        payTime=None,
    ),
    query(
        "revoked",
        revoked_report(Source.QUERY, occurred_at=datetime(2025, 10, 18, 9, 30, 15, tzinfo=CHINA)),
        **REVOKED_QUERY,
    ),
    OutgoingCase(
        id="query-unknown-there",
        operation=Operation.QUERY,
        argument=peer.payment_ref(),
        exchanges=(exchange("sa.pay.query", QUERY_DATA, lambda at: peer.refusal("sa.pay.query", "SA3001", at)),),
        report=report(Source.QUERY, ReportedState.NOT_FOUND, "SA3001"),
    ),
    OutgoingCase(
        id="close",
        operation=Operation.CLOSE,
        argument=peer.payment_ref(),
        exchanges=(
            exchange(
                "sa.pay.revoke", REVERSAL_DATA, lambda at: peer.answer("sa.pay.revoke", {"refStatus": "SUCC"}, at)
            ),
        ),
        report=report(Source.ANSWER, ReportedState.UNKNOWN, "0"),
    ),
    OutgoingCase(
        id="refund",
        operation=Operation.REFUND,
        argument=peer.refund_request(),
        exchanges=(exchange("sa.pay.revoke", REVOKE_DATA, lambda at: peer.answer("sa.pay.revoke", REVOKED, at)),),
        report=told_of_revoke(Source.ANSWER, "SUCC", ReportedRefundState.SUCCEEDED, occurred_at=REVOKED_AT),
    ),
    OutgoingCase(
        id="query-refund",
        operation=Operation.QUERY_REFUND,
        argument=peer.refund_request(),
        exchanges=(
            exchange(
                "sa.pay.query",
                {**QUERY_DATA, "payOrdId": peer.PAY_ORD_ID},
                lambda at: peer.queried(at, **REVOKED_QUERY),
            ),
        ),
        report=revoked_report(Source.QUERY, occurred_at=datetime(2025, 10, 18, 9, 30, 15, tzinfo=CHINA)),
    ),
    OutgoingCase(
        id="statement",
        operation=Operation.FETCH_STATEMENT,
        argument=StatementRequest(day=DAY, kind=StatementKind.TRADES),
        exchanges=(statement_exchange("340104"), statement_exchange("340124")),
        lines=(PAYMENT_LINE, REVOKE_LINE, OTHER_LINE),
    ),
)


def unsigned(good: WireAnswer) -> WireAnswer:
    members = json.loads(good.body)
    del members["signData"]
    return replace(good, body=peer.compact(members).encode())


def business(sent: WireRequest) -> object:
    kept = {name: value for name, value in peer.data_of(sent).items() if name != "reqSn"}
    return sent.method, sent.url, peer.trans_type_of(sent), kept


def number(sent: WireRequest) -> str:
    data = peer.data_of(sent)
    return str(data.get("revokeSn") or data["outTradeNo"]).lower()


def amount_fen(sent: WireRequest) -> int:
    whole, cents = peer.data_of(sent)["amt"].split(".")
    assert len(cents) == 2
    return int(whole) * 100 + int(cents)


STOP: Final = Acknowledgement(status=200, body=b'{"code":"0","message":"OK"}', content_type="application/json")
AGAIN: Final = Acknowledgement(status=503, body=b'{"code":"FAIL","message":"later"}', content_type="application/json")
INVALID: Final = Acknowledgement(
    status=401, body=b'{"code":"FAIL","message":"invalid"}', content_type="application/json"
)


def case() -> AdapterCase:
    return AdapterCase(
        name="shared_account",
        now=peer.NOW,
        build=peer.provider,
        base_url=peer.BASE_URL,
        callbacks=CALLBACKS,
        acknowledgements={
            Verdict.ACCEPTED: STOP,
            Verdict.IGNORED: STOP,
            Verdict.QUARANTINED: STOP,
            Verdict.ORPHAN: STOP,
            Verdict.UNSTORED: AGAIN,
            Verdict.REFUSED: INVALID,
        },
        outgoing=Outgoing(calls=CALLS, unsigned=unsigned, business=business, number=number, amount_fen=amount_fen),
        canaries=(
            peer.APP_SECRET,
            peer.OWNER_ID,
            peer.MEMBER_ID,
            peer.OWNER_NAME,
            peer.MEMBER_NAME,
            peer.PAY_AUTH_NO,
            peer.KEYS["app"]["d_hex"],
            peer.KEYS["app"]["private_key_base64_32"],
            peer.channel_key().decode(),
        ),
    )
