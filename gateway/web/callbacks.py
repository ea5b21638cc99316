"""The providers' door: a plain function from bytes to bytes, served by a Flask route or in front of Flask."""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response, request

from gateway.domain.provider import RawCallback
from gateway.domain.refusal import Refusal
from gateway.services.accept_callback import accept_callback
from gateway.services.deps import Deps
from gateway.web.body import read_body
from gateway.web.metrics import Metrics
from gateway.web.networks import Networks

PREFIX: Final = "/callbacks/"
_KINDS: Final = ("", "refunds")
_ROUTE_LABEL: Final = "callbacks"
_LENGTH: Final = re.compile(r"[0-9]{1,9}")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAnswer:
    """What goes back to the provider."""

    status: int
    body: bytes
    content_type: str


class CallbackDesk:
    """
    Answers callbacks.

    No Flask in here: the same desk serves the Flask route and the bare WSGI front, because a framework's share of a
    callback's time is larger than everything that we do with it.
    """

    def __init__(self, deps: Deps, metrics: Metrics) -> None:
        self._deps = deps
        self._metrics = metrics
        self._networks = {name: Networks(account.callback_networks) for name, account in deps.settings.accounts.items()}

    def answer(self, path: str, headers: Mapping[str, str], body: bytes, *, address: str) -> CallbackAnswer | None:
        """
        Answer a callback to {provider}/{account}[/refunds]; None when there is no such account.

        Args:
            headers: Names in lower case.
        """
        account = self.account_of(path)
        if account is None:
            return None
        if not self._networks[account].let_in(address):
            self._count(account, "refused", "address")
            return CallbackAnswer(status=403, body=b"", content_type="text/plain")
        raw = RawCallback(headers=headers, body=body, received_at=self._deps.clock.now())
        accepted = accept_callback(self._deps, account, raw)
        self._count(account, accepted.outcome, accepted.reason if accepted.outcome == "refused" else "")
        self._tell(account, accepted.outcome, accepted.reason, accepted.digest, accepted.skew_seconds)
        ack = accepted.acknowledgement
        return CallbackAnswer(status=ack.status, body=ack.body, content_type=ack.content_type)

    def account_of(self, path: str) -> str | None:
        """The account that {provider}/{account}[/refunds] names, None if there is none."""
        provider, _, rest = path.partition("/")
        account, _, kind = rest.partition("/")
        config = self._deps.settings.accounts.get(account)
        return account if config is not None and config.provider == provider and kind in _KINDS else None

    def _count(self, account: str, outcome: str, reason: str) -> None:
        self._metrics.callbacks.labels(account, outcome, reason).inc()

    @staticmethod
    def _tell(account: str, outcome: str, reason: str, digest: str, skew_seconds: int | None) -> None:
        if outcome in ("applied", "duplicate"):
            _log.debug("callback_accepted", account=account, outcome=outcome)
            return
        _log.warning(
            "callback_not_applied",
            account=account,
            outcome=outcome,
            reason=reason,
            digest=digest,
            skew_seconds=skew_seconds,
        )


def register(app: Flask, desk: CallbackDesk) -> None:
    """Serve callbacks by a Flask route."""

    def view(path: str) -> Response:
        answer = desk.answer(path, headers_of(request.environ), read_body(request), address=request.remote_addr or "")
        if answer is None:
            raise Refusal("not_found", "no account receives callbacks here")
        return Response(answer.body, status=answer.status, content_type=answer.content_type)

    app.add_url_rule(f"{PREFIX}<path:path>", endpoint=_ROUTE_LABEL, methods=["POST"], view_func=view)


WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class BareFront:
    """
    Serves callbacks before the framework sees them; everything else goes on to it.

    Only a well-formed POST with a stated length within the limit is served here, so that every odd request gets the
    framework's careful answer.
    """

    def __init__(self, inner: WsgiApp, desk: CallbackDesk, *, body_bytes_max: int) -> None:
        self._inner = inner
        self._desk = desk
        self._body_bytes_max = body_bytes_max

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = self._plain_length(environ)
        if length is None:
            return self._inner(environ, start_response)
        body: bytes = environ["wsgi.input"].read(length)
        answer = self._answer(environ, body) if len(body) == length else None
        if answer is None:
            return self._inner({**environ, "wsgi.input": io.BytesIO(body)}, start_response)
        reason = HTTPStatus(answer.status).phrase.upper()  # as the framework writes it
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {reason}", headers)
        return [answer.body]

    def _plain_length(self, environ: Mapping[str, Any]) -> int | None:
        """The body's length, if the request is one for us."""
        path: str = environ.get("PATH_INFO", "")
        length: str = environ.get("CONTENT_LENGTH") or ""
        plain = (
            environ.get("REQUEST_METHOD") == "POST"
            and path.startswith(PREFIX)
            and self._desk.account_of(path[len(PREFIX) :]) is not None
            and "HTTP_TRANSFER_ENCODING" not in environ
            and _LENGTH.fullmatch(length) is not None
        )
        return int(length) if plain and int(length) <= self._body_bytes_max else None

    def _answer(self, environ: Mapping[str, Any], body: bytes) -> CallbackAnswer | None:
        path = environ["PATH_INFO"][len(PREFIX) :]
        try:
            return self._desk.answer(path, headers_of(environ), body, address=environ.get("REMOTE_ADDR", ""))
        except Exception:  # the edge of this front: the framework tries again, logs once and answers
            return None


def headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers by their names in lower case, the same for both fronts."""
    names = {name: name[5:] for name in environ if name.startswith("HTTP_")}
    names |= {name: name for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    return {header.replace("_", "-").lower(): environ[name] for name, header in names.items()}
