"""What every adapter does with the calls that we make: the right bytes out, and no guess when no proof comes back."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    Instruction,
    InstructionKind,
    NoVerdict,
    Operation,
    OperationUnsupported,
    PaymentAnswer,
    PaymentRef,
    PaymentRequest,
    Provider,
    ProviderAnswer,
    ProviderUnavailable,
    RefundRequest,
)
from gateway.domain.report import ReportedState, Source
from gateway.domain.statement import StatementKind, StatementUnreadable
from tests.conformance import network as faults
from tests.conformance.case import AdapterCase, FixedClock, OutgoingCase, StatementRequest, WireAnswer, WireRequest
from tests.conformance.network import Reply, playing

AWKWARD_DESCRIPTION: Final = '2026年度\n城乡居民医保😀 𠮷家 "A&B=C/D" <b>100%+</b>\\\x00 ' * 12
STATEMENT_ERRORS: Final = (NoVerdict, ProviderUnavailable, StatementUnreadable)
FLIPPED_POSITIONS_MAX: Final = 300


def perform(provider: Provider, call: OutgoingCase) -> Any:
    """Call the operation; a statement is read to its end."""
    argument = call.argument
    if isinstance(argument, StatementRequest):
        return tuple(provider.fetch_statement(argument.day, argument.kind))
    return getattr(provider, call.operation.value)(argument)


def good_replies(call: OutgoingCase, signed_at: datetime) -> list[WireAnswer]:
    return [exchange.answer(signed_at) for exchange in call.exchanges]


def as_request(instruction: Instruction) -> WireRequest:
    """The request that an instruction makes the payer's side send, for adapters that sign it themselves."""
    payload = instruction.payload
    if instruction.kind is InstructionKind.REDIRECT:
        return WireRequest(method="GET", url=payload["url"])
    if instruction.kind is InstructionKind.FORM:
        return WireRequest(method="POST", url=payload["url"], body=urlencode(payload["fields"]).encode())
    assert instruction.kind is InstructionKind.SDK_STRING, "an operation without a call must give a signed instruction"
    return WireRequest(method="", url="", body=payload["text"].encode())


def requests_of(case: AdapterCase, call: OutgoingCase, at: datetime) -> list[WireRequest]:
    """What goes on the wire for this call when our clock says `at`, whatever the answer then means."""
    provider = case.build(FixedClock(at))
    with playing(*good_replies(call, at)) as network:
        try:
            result = perform(provider, call)
        except (NoVerdict, ProviderUnavailable, StatementUnreadable):
            result = None  # the scripted answer speaks of another amount; what was sent is what counts
    if call.exchanges:
        return network.sent[call.questions :]
    assert isinstance(result, PaymentAnswer)
    return [as_request(result.instruction)]


# --- the good case ----------------------------------------------------------------------------------------------------


def check_result(case: AdapterCase, call: OutgoingCase) -> None:
    """A good answer gives exactly its report, instruction or lines."""
    with playing(*good_replies(call, case.now)):
        result = perform(case.build(FixedClock(case.now)), call)

    if call.lines is not None:
        assert call.lines == result
        return
    assert isinstance(result, PaymentAnswer if call.operation is Operation.CREATE else ProviderAnswer)
    assert call.report == result.report
    if isinstance(result, PaymentAnswer):
        assert call.instruction == result.instruction
        assert result.report.source is Source.ANSWER
        assert result.report.state in {ReportedState.PENDING, ReportedState.UNKNOWN}, "an order taken is not paid"


def check_refusal(case: AdapterCase, call: OutgoingCase) -> None:
    """A documented refusal raises exactly its decision."""
    raised = error_of(case.build(FixedClock(case.now)), call, *good_replies(call, case.now))

    assert call.raises is type(raised)


def check_wire_bytes(case: AdapterCase, call: OutgoingCase) -> None:
    """What is sent equals the fixture byte for byte: method, address, named headers, body."""
    with playing(*good_replies(call, case.now)) as network:
        error_or_result(case.build(FixedClock(case.now)), call)

    assert len(call.exchanges) == len(network.sent)
    for exchange, sent in zip(call.exchanges, network.sent, strict=True):
        wanted = exchange.request
        named = {name.lower(): value for name, value in wanted.headers.items()}
        assert (wanted.method, wanted.url) == (sent.method, sent.url)
        assert wanted.body == sent.body
        assert named == {name: sent.headers.get(name) for name in named}


def check_requests_stay_at_base_url(case: AdapterCase, call: OutgoingCase) -> None:
    """The configured address is used, as the sandbox and intranets need; downloads may point elsewhere."""
    first = requests_of(case, call, case.now)[0]

    assert first.url == "" or first.url.startswith(case.base_url)


# --- retries and amounts ----------------------------------------------------------------------------------------------


def check_retry_is_the_same(case: AdapterCase, call: OutgoingCase) -> None:
    """After a time-out the same number is sent again with equal business content, whatever the clock says by then."""
    clock = FixedClock(case.now)
    provider = case.build(clock)
    sent: list[WireRequest] = []
    for moment in (case.now, case.now + case.later):
        clock.instant = moment
        with playing(*good_replies(call, moment)[: call.questions], faults.read_timeout()) as network:
            try:
                sent.append(as_request(perform(provider, call).instruction))
            except NoVerdict:
                sent.extend(network.sent[call.questions :])

    first, second = sent
    assert isinstance(call.argument, (PaymentRequest, RefundRequest))
    number = call.argument.out_trade_no if isinstance(call.argument, PaymentRequest) else call.argument.out_refund_no
    assert (number, number) == (case.outgoing.number(first), case.outgoing.number(second))
    assert case.outgoing.business(first) == case.outgoing.business(second)


def check_amount(case: AdapterCase, call: OutgoingCase, amount_fen: int) -> None:
    """The amount on the wire is ours to the fen."""
    assert isinstance(call.argument, (PaymentRequest, RefundRequest))
    argument = replace(call.argument, amount_fen=amount_fen)
    if isinstance(argument, RefundRequest):
        argument = replace(argument, total_fen=amount_fen)

    sent = requests_of(case, replace(call, argument=argument), case.now)

    assert amount_fen == case.outgoing.amount_fen(sent[0])


def check_awkward_description(case: AdapterCase, call: OutgoingCase) -> None:
    """A text that no provider takes whole is cut and cleaned; number and amount stay."""
    assert isinstance(call.argument, PaymentRequest)
    argument = replace(call.argument, description=AWKWARD_DESCRIPTION)

    sent = requests_of(case, replace(call, argument=argument), case.now)

    assert argument.out_trade_no == case.outgoing.number(sent[0])
    assert argument.amount_fen == case.outgoing.amount_fen(sent[0])


# --- faults -----------------------------------------------------------------------------------------------------------


def error_or_result(provider: Provider, call: OutgoingCase) -> Any:
    """The declared error of a call, or its result; any other exception goes through."""
    try:
        return perform(provider, call)
    except (ProviderUnavailable, NoVerdict, StatementUnreadable) as exc:
        return exc
    except Exception as exc:
        if call.raises is not None and isinstance(exc, call.raises):
            return exc
        raise


def error_of(provider: Provider, call: OutgoingCase, *replies: Reply) -> Any:
    """What a call came to when the network answers so."""
    with playing(*replies):
        return error_or_result(provider, call)


CONNECT_FAULTS: Final = {"refused": faults.connection_refused, "connect-timeout": faults.connect_timeout}
BROKEN_FAULTS: Final = {"read-timeout": faults.read_timeout, "reset": faults.connection_reset}


def bad_answers(case: AdapterCase, good: WireAnswer, *, signed: bool) -> Mapping[str, WireAnswer]:
    """Answers from which nothing can be concluded; a file that nobody signs has only the broken ones."""
    html = b"<html><body>nginx</body></html>"
    found = {
        "empty-200": WireAnswer(status=200, headers={}, body=b""),
        "html-200": WireAnswer(status=200, headers={"Content-Type": "text/html"}, body=html),
        "html-under-good-headers": replace(good, body=html),
        "half": replace(good, body=good.body[: len(good.body) // 2]),
        "null": WireAnswer(status=200, headers={}, body=b"null"),
        "array": WireAnswer(status=200, headers={}, body=b"[]"),
        "object": WireAnswer(status=200, headers={}, body=b"{}"),
        "not-utf8": WireAnswer(status=200, headers={}, body=b"\xff\xfe\xfa"),
        "deep": WireAnswer(status=200, headers={}, body=b"[" * 100_000),
        "html-403": WireAnswer(status=403, headers={"Content-Type": "text/html"}, body=html),
        "html-404": WireAnswer(status=404, headers={"Content-Type": "text/html"}, body=html),
        "redirect": WireAnswer(status=302, headers={"Location": "https://elsewhere.invalid/"}, body=b""),
        "empty-500": WireAnswer(status=500, headers={}, body=b""),
        "html-502": WireAnswer(status=502, headers={"Content-Type": "text/html"}, body=html),
        "good-body-500": WireAnswer(status=500, headers={}, body=good.body),
    }
    if signed:
        found["too-long"] = replace(good, body=b" " * (2 << 20))
        found["unsigned"] = case.outgoing.unsigned(good)
        found["empty-204"] = WireAnswer(status=204, headers={}, body=b"")
        found["good-proof-500"] = replace(good, status=500)
    return {name: answer for name, answer in found.items() if answer != good}


def faulty_runs(case: AdapterCase, call: OutgoingCase) -> Iterator[tuple[str, list[Reply]]]:
    """Every fault at every exchange of the call, the exchanges before it answered well."""
    good = good_replies(call, case.now)
    for position, exchange in enumerate(call.exchanges):
        before: list[Reply] = list(good[:position])
        for name, fault in BROKEN_FAULTS.items():
            yield f"{name} at exchange {position}", [*before, fault()]
        for name, answer in bad_answers(case, good[position], signed=exchange.answer_is_signed).items():
            yield f"{name} at exchange {position}", [*before, answer, faults.read_timeout()]


def check_no_verdict_without_proof(case: AdapterCase, call: OutgoingCase) -> None:
    """When no proven answer came back, nothing is concluded: not paid, not failed, not refused, not absent."""
    provider = case.build(FixedClock(case.now))
    for name, replies in faulty_runs(case, call):
        result = error_of(provider, call, *replies)
        allowed = STATEMENT_ERRORS if call.operation is Operation.FETCH_STATEMENT else (NoVerdict,)
        assert isinstance(result, allowed), f"{name}: {result!r}"


def check_unreachable_is_unavailable(case: AdapterCase, call: OutgoingCase) -> None:
    """When the request cannot have left, that is said for certain; the number may be tried again."""
    for name, fault in CONNECT_FAULTS.items():
        result = error_of(case.build(FixedClock(case.now)), call, fault())
        assert type(result) is ProviderUnavailable, name


def check_flipped_answer_bytes(case: AdapterCase, call: OutgoingCase) -> None:
    """A signed answer of which one bit changed proves nothing, unless it still says the same."""
    provider = case.build(FixedClock(case.now))
    good = good_replies(call, case.now)
    with playing(*good):
        wanted = perform(provider, call)
    for index, exchange in enumerate(call.exchanges):
        if not exchange.answer_is_signed:
            continue
        body = good[index].body
        for position in range(0, len(body), max(1, -(-len(body) // FLIPPED_POSITIONS_MAX))):
            damaged = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
            replies = [*good[:index], replace(good[index], body=damaged), *good[index + 1 :]]
            result = error_of(provider, call, *replies)
            same = not isinstance(result, Exception) and _said(result) == _said(wanted)
            assert same or isinstance(result, NoVerdict), f"byte {position} of exchange {index}: {result!r}"


def _said(result: Any) -> object:
    return result.report if isinstance(result, (PaymentAnswer, ProviderAnswer)) else result


def check_stale_answer(case: AdapterCase, call: OutgoingCase) -> None:
    """Where answers carry a time, one that was signed long ago is a replay and proves nothing."""
    window = case.callbacks.window_seconds if case.callbacks else None
    signed_at = case.now - timedelta(seconds=(window or 0) + 1)
    stale, good = good_replies(call, signed_at), good_replies(call, case.now)
    if window is None or stale == good:
        return
    result = error_of(case.build(FixedClock(case.now)), call, *stale)
    allowed = STATEMENT_ERRORS if call.operation is Operation.FETCH_STATEMENT else (NoVerdict,)
    assert isinstance(result, allowed)


# --- what it says of itself -------------------------------------------------------------------------------------------

_AT: Final = datetime(2026, 3, 1, 10, 20, 30, tzinfo=CHINA)
_REF: Final = PaymentRef(out_trade_no="0" * 32, amount_fen=38001, method="none-such", created_at=_AT)
_REFUND: Final = RefundRequest(
    out_refund_no="1" * 32,
    out_trade_no="0" * 32,
    amount_fen=1,
    total_fen=38001,
    reason="x",
    method="none-such",
    requested_at=_AT,
    notify_url="https://gateway.invalid/",
)
_ANY_ARGUMENT: Final[Mapping[Operation, Any]] = {
    Operation.QUERY: _REF,
    Operation.CLOSE: _REF,
    Operation.REFUND: _REFUND,
    Operation.QUERY_REFUND: _REFUND,
    Operation.FETCH_STATEMENT: StatementRequest(day=_AT.date(), kind=StatementKind.TRADES),
}


def check_capabilities_are_true(case: AdapterCase) -> None:
    """What is declared is shown by a call of the case; what is not declared raises OperationUnsupported, silently."""
    provider = case.build(FixedClock(case.now))
    shown = {call.operation for call in case.outgoing.calls if call.raises is None}
    shown |= {Operation.PARSE_CALLBACK} if case.callbacks else set()
    assert shown == set(provider.capabilities)

    for operation in sorted(set(_ANY_ARGUMENT) - set(provider.capabilities)):
        call = OutgoingCase(id="undeclared", operation=operation, argument=_ANY_ARGUMENT[operation], exchanges=())
        with playing() as network:
            try:
                perform(provider, call)
                raised: Exception | None = None
            except OperationUnsupported as exc:
                raised = exc
        assert raised is not None, operation
        assert network.sent == []


def check_methods_are_true(case: AdapterCase) -> None:
    """Each method is shown by a create, with fields that fit it and the kind of instruction that it names."""
    provider = case.build(FixedClock(case.now))
    creates = [call for call in case.outgoing.calls if call.operation is Operation.CREATE]
    shown: set[str] = set()
    for call in creates:
        assert isinstance(call.argument, PaymentRequest)
        method = provider.methods[call.argument.method]
        shown |= {method.name}
        assert set(call.argument.fields) <= set(method.fields)
        assert {name for name, field in method.fields.items() if field.required} <= set(call.argument.fields)
        assert call.raises or (call.instruction and method.instruction is call.instruction.kind)
    assert shown == set(provider.methods)
    assert provider.name == case.name


def check_unknown_method(case: AdapterCase, call: OutgoingCase) -> None:
    """A method that the account does not offer is a caller's mistake, found before anything is sent."""
    assert isinstance(call.argument, PaymentRequest)
    wrong = replace(call, argument=replace(call.argument, method="none-such"), raises=OperationUnsupported)
    with playing() as network:
        result = error_or_result(case.build(FixedClock(case.now)), wrong)

    assert isinstance(result, OperationUnsupported)
    assert network.sent == []
