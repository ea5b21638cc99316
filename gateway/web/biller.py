"""The banks' door in biller mode: finds the institution, has the call proven, and lets the core decide."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from flask import Flask, Response, request

from gateway.domain.biller import (
    BillerOutcome,
    BillerReason,
    BillerRefused,
    BillQuestion,
    PaymentNotice,
    ReversalNotice,
)
from gateway.domain.biller_front import Admitted, BillerAnswer, BillerFront, BillerRequest, NotAdmitted
from gateway.domain.faults import frames_of
from gateway.domain.refusal import Refusal
from gateway.services.biller import keep_unreadable, serve_biller, use_nonce
from gateway.services.deps import Deps
from gateway.settings import SettingsInvalid
from gateway.web.body import read_body
from gateway.web.callbacks import headers_of
from gateway.web.metrics import Metrics
from gateway.web.networks import Networks

PREFIX: Final = "/api/v1/bank/"
_ROUTE_LABEL: Final = "bank"
_MINUTE: Final = timedelta(minutes=1)
_FIRST_ERROR_STATUS: Final = 400

_log = structlog.get_logger(__name__)


class QuestionGate:
    """Lets so many questions of each account through in a minute, so that nobody can try numbers one after another."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._mutex = threading.Lock()
        self._minutes: dict[str, tuple[datetime, int]] = {}

    def passes(self, account: str, limit: int) -> bool:
        """True, and counted, while the account's minute has room."""
        now = self._now()
        with self._mutex:
            began, count = self._minutes.get(account, (now, 0))
            if now - began >= _MINUTE:
                began, count = now, 0
            self._minutes[account] = began, count + 1
            return count < limit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """One institution at the door."""

    name: str
    front: BillerFront
    networks: Networks


class BillerDesk:
    """
    Answers banks. No Flask in here.

    Raises:
        SettingsInvalid: Two accounts are the same institution, or one may collect for an app that does not exist.
    """

    def __init__(self, deps: Deps, metrics: Metrics) -> None:
        self._deps = deps
        self._metrics = metrics
        self._gate = QuestionGate(deps.clock.now)
        self._accounts = [
            _Account(name=name, front=front, networks=Networks(deps.account(name).callback_networks))
            for name, front in _fronts(deps)
        ]
        faults = list(_faults(deps))
        if faults:
            raise SettingsInvalid(faults)

    def body_bytes_max(self, path: str) -> int | None:
        """The longest body of a call to this address; None when nobody listens there."""
        return next((a.front.body_bytes_max(path) for a in self._accounts if a.front.speaks(path)), None)

    def answer(self, path: str, headers: Mapping[str, str], body: bytes, *, address: str) -> BillerAnswer | None:
        """
        Answer one call; None when nobody listens at this address.

        Args:
            headers: Names in lower case.
        """
        call = BillerRequest(path=path, headers=headers, body=body, received_at=self._deps.clock.now())
        speakers = [account for account in self._accounts if account.front.speaks(path)]
        if not speakers:
            return None
        account = next((account for account in speakers if account.front.is_addressed(call)), None)
        if account is None:
            answer = speakers[0].front.turn_away(call, BillerReason.INSTITUTION, answer_no=self._deps.ids.new())
        else:
            answer = self._serve(account, call, address)
        self._tell(account.name if account else "", path, answer)
        return answer

    def _serve(self, account: _Account, call: BillerRequest, address: str) -> BillerAnswer:
        answer_no = self._deps.ids.new()
        try:
            if not account.networks.let_in(address):
                raise NotAdmitted(BillerReason.INSTITUTION)
            admitted = account.front.admit(call)
        except NotAdmitted as refused:
            return account.front.turn_away(call, refused.reason, answer_no=answer_no)
        try:
            outcome = self._outcome(account, admitted)
        except Exception as exc:  # an edge: whatever broke, the bank must not conclude that nothing was written
            _log.error("bank_call_failed", account=account.name, error=type(exc).__name__, frames=frames_of(exc))
            outcome = BillerReason.UNDECIDED
        if outcome is BillerReason.NONCE:
            return account.front.turn_away(call, outcome, answer_no=answer_no)
        return account.front.answer(admitted, outcome, answer_no=answer_no)

    def _outcome(self, account: _Account, admitted: Admitted) -> BillerOutcome:
        try:
            ask = account.front.read(admitted)
        except BillerRefused as refused:
            if not admitted.tells_of_money or refused.reason is BillerReason.CALL:
                return refused.reason
            return keep_unreadable(self._deps, account.name, admitted, refused.reason)
        limit = account.front.institution.questions_per_minute
        if isinstance(ask, BillQuestion) and not self._gate.passes(account.name, limit):
            return BillerReason.BUSY
        reason = use_nonce(self._deps, account.name, admitted.nonce) if admitted.nonce is not None else None
        if reason is BillerReason.NONCE and isinstance(ask, PaymentNotice | ReversalNotice):
            return BillerReason.UNDECIDED  # these very bytes came before, and may have been written
        return reason or serve_biller(self._deps, account.name, admitted, ask)

    def _tell(self, account: str, path: str, answer: BillerAnswer) -> None:
        call = path.removeprefix(PREFIX)
        self._metrics.bank_calls.labels(account, call, answer.code).inc()
        log = _log.warning if answer.status >= _FIRST_ERROR_STATUS else _log.info
        log("bank_call_answered", account=account, call=call, code=answer.code, status=answer.status)


def _fronts(deps: Deps) -> Iterator[tuple[str, BillerFront]]:
    for name, provider in deps.providers.items():
        candidate: object = provider
        if isinstance(candidate, BillerFront):
            yield name, candidate


def _faults(deps: Deps) -> Iterator[str]:
    owners: dict[tuple[str, str], str] = {}
    for name, front in _fronts(deps):
        owner = owners.setdefault((deps.account(name).provider, front.institution.id), name)
        if owner != name:
            yield f"accounts.{name}: is the same institution as accounts.{owner}"
        for app in sorted(front.institution.apps or ()):
            if app not in deps.settings.apps:
                yield f"accounts.{name}.apps: names an app that does not exist"


def register(app: Flask, desk: BillerDesk) -> None:
    """Serve the banks' calls by one Flask route."""

    def view(_call: str) -> Response:
        limit = desk.body_bytes_max(request.path)
        if limit is None:
            raise Refusal("not_found", "no bank is answered here")
        request.max_content_length = limit
        body = read_body(request)
        answer = desk.answer(request.path, headers_of(request.environ), body, address=request.remote_addr or "")
        if answer is None:
            raise Refusal("not_found", "no bank is answered here")
        return Response(answer.body, status=answer.status, headers=dict(answer.headers))

    app.add_url_rule(f"{PREFIX}<path:_call>", endpoint=_ROUTE_LABEL, methods=["POST"], view_func=view)
