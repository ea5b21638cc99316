"""Toys with one fault each, of the kinds that were seen in the field. The suite must catch every one of them."""

import json
import logging
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import requests
from cryptography.hazmat.primitives import serialization

from adapters.kit.http import HttpAnswer
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    NoVerdict,
    Operation,
    PaymentAnswer,
    PaymentRef,
    PaymentRequest,
    ProviderAnswer,
    ProviderError,
    ProviderUnavailable,
    RawCallback,
    RefundRequest,
    RequestRefused,
    Verdict,
)
from gateway.domain.report import ProviderReport, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine
from gateway.domain.strict_json import parse_strict_json_object
from tests.conformance.toy.adapter import ToyProvider

PUBLIC_KEY_PEM: Final = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""
_LOG = logging.getLogger("toy")


class AcceptsUnsigned(ToyProvider):
    def _forgery(self, headers: Mapping[str, str], body: bytes) -> str:
        return super()._forgery(headers, body) if "toy-sign" in headers else ""


class AcceptsAnySignature(ToyProvider):
    def _forgery(self, headers: Mapping[str, str], body: bytes) -> str:
        reason = super()._forgery(headers, body)
        return "" if reason == "signature" else reason


class AcceptsForeignKey(ToyProvider):
    def _forgery(self, headers: Mapping[str, str], body: bytes) -> str:
        reason = super()._forgery(headers, body)
        return "" if reason == "unknown_key" else reason


class KnowsOnlyTheNewKey(ToyProvider):
    def _forgery(self, headers: Mapping[str, str], body: bytes) -> str:
        return "unknown_key" if headers.get("toy-key") == "old" else super()._forgery(headers, body)


class VerifiesReserialisedBody(ToyProvider):
    """Trailing white space and a final line break are lost before the signature is checked."""

    def _forgery(self, headers: Mapping[str, str], body: bytes) -> str:
        return super()._forgery(headers, body.strip())


class ReadsBeforeItVerifies(ToyProvider):
    def parse_callback(self, raw: RawCallback) -> Callback:
        try:
            parse_strict_json_object(raw.body)
        except ValueError:
            raise CallbackUnreadable("not JSON") from None
        return super().parse_callback(raw)


class IgnoresAge(ToyProvider):
    def _check_age(self, headers: Mapping[str, str], at: datetime) -> None:
        return


class IgnoresTheFuture(ToyProvider):
    def _check_age(self, headers: Mapping[str, str], at: datetime) -> None:
        try:
            super()._check_age(headers, at)
        except CallbackRefused as exc:
            if (exc.skew_seconds or 1) > 0:
                raise


class AllowsOneSecondMore(ToyProvider):
    def _check_age(self, headers: Mapping[str, str], at: datetime) -> None:
        try:
            super()._check_age(headers, at)
        except CallbackRefused as exc:
            if abs(exc.skew_seconds or 0) != 301:
                raise


class JudgesAgeByItsOwnClock(ToyProvider):
    """A replay of a stored callback, days later, would be refused."""

    def _check_age(self, headers: Mapping[str, str], at: datetime) -> None:
        super()._check_age(headers, self._clock.now())


class CrashesOnMissingHeader(ToyProvider):
    def _check_age(self, headers: Mapping[str, str], at: datetime) -> None:
        int(headers["toy-time"])
        super()._check_age(headers, at)


class CrashesOnUnreadable(ToyProvider):
    def parse_callback(self, raw: RawCallback) -> Callback:
        callback = super().parse_callback(raw) if raw.body.startswith(b"{") else None
        if callback is None:
            raise ValueError("not JSON")
        return callback


class MapsUnknownToPaid(ToyProvider):
    def _state(self, status: str) -> ReportedState:
        state = super()._state(status)
        return ReportedState.PAID if state is ReportedState.UNKNOWN else state


class MapsUnknownToFailed(ToyProvider):
    def _state(self, status: str) -> ReportedState:
        state = super()._state(status)
        return ReportedState.FAILED if state is ReportedState.UNKNOWN else state


class UsesFloatAmounts(ToyProvider):
    def _amount(self, text: str) -> int:
        return int(float(text) * 100)


class SendsRoundedAmounts(ToyProvider):
    def create(self, request: PaymentRequest) -> PaymentAnswer:
        return super().create(replace(request, amount_fen=request.amount_fen // 100 * 100))


class NewDedupKeyEachDelivery(ToyProvider):
    def parse_callback(self, raw: RawCallback) -> Callback:
        return replace(super().parse_callback(raw), dedup_key=f"toy:{raw.headers['toy-time']}")


class CallsOutOnEachCallback(ToyProvider):
    """A certificate fetched while a callback waits."""

    def parse_callback(self, raw: RawCallback) -> Callback:
        try:
            self._transport.send("GET", f"{self._base_url}/certificates", headers={})
        except ProviderError:
            _LOG.debug("no certificates")
        return super().parse_callback(raw)


class LoadsItsKeyEachTime(ToyProvider):
    def parse_callback(self, raw: RawCallback) -> Callback:
        serialization.load_pem_public_key(PUBLIC_KEY_PEM)
        return super().parse_callback(raw)


class OpensItsOwnSocket(ToyProvider):
    def parse_callback(self, raw: RawCallback) -> Callback:
        try:
            socket.create_connection(("192.0.2.1", 443), timeout=1).close()
        except OSError:
            _LOG.debug("no network")
        return super().parse_callback(raw)


class CallsRequestsItself(ToyProvider):
    def query(self, payment: PaymentRef) -> ProviderAnswer:
        try:
            requests.get(f"{self._base_url}/ping", timeout=1)
        except requests.RequestException:
            _LOG.debug("no ping")
        return super().query(payment)


class TrustsUnsignedAnswers(ToyProvider):
    def _require_verdict(self, answer: HttpAnswer) -> None:
        if "toy-sign" in answer.headers:
            super()._require_verdict(answer)


class TrustsOldAnswers(IgnoresAge):
    pass


class TakesTimeOutForFailure(ToyProvider):
    def query(self, payment: PaymentRef) -> ProviderAnswer:
        try:
            return super().query(payment)
        except NoVerdict:
            failed = ReportedState.FAILED
            return ProviderAnswer(report=replace(self._pending(payment.out_trade_no), state=failed))


class TakesServerFaultForRefusal(ToyProvider):
    def _require_verdict(self, answer: HttpAnswer) -> None:
        if answer.status >= 500:
            raise RequestRefused("the server failed")
        super()._require_verdict(answer)


class TakesTimeOutForUnavailable(ToyProvider):
    """Says "nothing was accepted, try again" about a refund that may have gone through."""

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        try:
            return super().refund(refund)
        except NoVerdict as exc:
            raise ProviderUnavailable(str(exc)) from None


class CrashesOnUnreadableAnswer(ToyProvider):
    def _require_verdict(self, answer: HttpAnswer) -> None:
        parse_strict_json_object(answer.content)
        super()._require_verdict(answer)


class NewRefundNumberEachTry(ToyProvider):
    def _refund_number(self, refund: RefundRequest) -> str:
        return refund.out_refund_no[:-6] + self._clock.now().strftime("%H%M%S")


class ExpiryFromItsOwnClock(ToyProvider):
    """The content of a retry differs, and the provider refuses it as another payment."""

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        return super().create(replace(request, expires_at=self._clock.now() + timedelta(hours=2)))


class TakesOrderForPayment(ToyProvider):
    def _pending(self, out_trade_no: str) -> ProviderReport:
        return replace(super()._pending(out_trade_no), state=ReportedState.PAID)


class HardWiredAddress(ToyProvider):
    def _call(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        self._base_url = "https://production.invalid"
        return super()._call(method, path, body)


class CutsTitleBlindly(ToyProvider):
    def create(self, request: PaymentRequest) -> PaymentAnswer:
        if len(request.description) > 60:
            raise ValueError("the title is too long")
        return super().create(request)


class DeclaresTooMuch(ToyProvider):
    capabilities = ToyProvider.capabilities | {Operation.CLOSE}


class DeclaresTooLittle(ToyProvider):
    capabilities = ToyProvider.capabilities - {Operation.REFUND}


class UndeclaredIsAnotherError(ToyProvider):
    def close(self, payment: PaymentRef) -> ProviderAnswer:
        raise RequestRefused("no")


class AcknowledgesRefused(ToyProvider):
    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return super().acknowledge(Verdict.ACCEPTED, raw)


class CrashesOnAnsweringJunk(ToyProvider):
    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return replace(super().acknowledge(verdict, raw), body=json.loads(raw.body)["id"].encode())


class ShowsItsKey(ToyProvider):
    def __repr__(self) -> str:
        return f"ToyProvider({self._own_key.reveal()})"


class LogsItsKey(ToyProvider):
    def _sign(self, moment: str, body: bytes) -> str:
        _LOG.info("signing with %s", self._own_key.reveal())
        return super()._sign(moment, body)


class PrintsItsKey(ToyProvider):
    def _sign(self, moment: str, body: bytes) -> str:
        print("signing with", self._own_key.reveal())
        return super()._sign(moment, body)


class ShowsRequestInError(ToyProvider):
    def _call(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        try:
            return super()._call(method, path, body)
        except NoVerdict:
            raise NoVerdict(f"no answer to {body.decode()}") from None


class ShowsRequestInCause(ToyProvider):
    """The message is clean, but the chain of causes is what a log writes."""

    def _call(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        try:
            return super()._call(method, path, body)
        except NoVerdict as exc:
            raise NoVerdict("no answer") from ValueError(exc, body)


class StatementBelievesAnyFile(ToyProvider):
    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        try:
            yield from super().fetch_statement(day, kind)
        except NoVerdict:
            return


class ReportsAnotherSource(ToyProvider):
    def query(self, payment: PaymentRef) -> ProviderAnswer:
        answer = super().query(payment)
        return replace(answer, report=replace(answer.report, source=Source.CALLBACK))
