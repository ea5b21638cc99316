"""Who calls: apps by API key (and, where configured, HMAC signature), payers' browsers by an order token."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from werkzeug.datastructures import Headers

from gateway.domain.clock import micros, moment
from gateway.domain.operator import Operator, Role, may_act_as
from gateway.domain.refusal import Refusal
from gateway.domain.secret import Secret
from gateway.services.deps import Deps
from gateway.settings import AppSettings
from gateway.store import Tx

SIGNATURE_WINDOW: Final = timedelta(seconds=300)
_NONCE_LIFE: Final = 2 * SIGNATURE_WINDOW + timedelta(seconds=1)  # timestamps are whole seconds
_TOKEN_PREFIX: Final = "jot_"  # noqa: S105  a prefix, no secret
_NONCE: Final = re.compile(r"[0-9A-Za-z_\-]{16,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """
    A known caller.

    Attributes:
        app: "" for an operator.
        order_id: Set for an order token: the only order that the caller may touch.
        operator: The operator's name; "" for an app.
    """

    app: str
    order_id: str | None = None
    operator: str = ""

    def may_touch(self, order_id: str) -> None:
        """
        Raises:
            Refusal: not_found, so that a token does not reveal which orders exist.
        """
        if self.order_id is not None and self.order_id != order_id:
            raise Refusal("not_found", "there is no such order")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedParts:
    """
    What an app's HMAC signature covers.

    Attributes:
        target: Path and query as they stood on the request line, one character per byte.
    """

    method: str
    target: str
    body: bytes

    def text(self, timestamp: str, nonce: str) -> bytes:
        """Five lines: method, path with query, timestamp, nonce, SHA-256 (hex) of the body."""
        body_digest = hashlib.sha256(self.body).hexdigest()
        return f"{self.method}\n{self.target}\n{timestamp}\n{nonce}\n{body_digest}".encode("latin-1", "replace")


class Doorkeeper:
    """Knows every app's keys; built once from the settings."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._token_key = deps.settings.token_key
        self._app_by_digest: dict[str, AppSettings] = {
            digest: app for app in deps.settings.apps.values() for digest in app.api_key_digests
        }
        self._operator_by_digest: dict[str, Operator] = {
            digest: operator for operator in deps.settings.operators.values() for digest in operator.api_key_digests
        }

    def admit(self, headers: Headers, signed: SignedParts, *, order_token: bool) -> Caller:
        """
        The caller of a request.

        Raises:
            Refusal: unauthorized; forbidden when an order token is used where only an app may call.
        """
        scheme, _, credential = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise Refusal("unauthorized", "an Authorization header with a Bearer credential is needed")
        if credential.startswith(_TOKEN_PREFIX):
            caller = self._read_token(credential)
            if not order_token:
                raise Refusal("forbidden", "an order token cannot be used here")
            return caller
        app = self._app_by_digest.get(hashlib.sha256(credential.encode()).hexdigest())
        if app is None:
            raise Refusal("unauthorized", "the API key is not known")
        if app.signing_secret is not None:
            self._check_signature(app, app.signing_secret, headers, signed)
        return Caller(app=app.name)

    def admit_operator(self, headers: Headers, role: Role) -> Caller:
        """
        The operator of a request.

        Raises:
            Refusal: unauthorized; forbidden for an app, an order token, or a role that may not do it.
        """
        scheme, _, credential = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise Refusal("unauthorized", "an Authorization header with a Bearer credential is needed")
        digest = hashlib.sha256(credential.encode()).hexdigest()
        operator = self._operator_by_digest.get(digest)
        if operator is None:
            known = credential.startswith(_TOKEN_PREFIX) or digest in self._app_by_digest
            raise Refusal("forbidden" if known else "unauthorized", "this call is for operators")
        if not may_act_as(operator.role, role):
            raise Refusal("forbidden", f"this call is for the role {role.value} and above")
        return Caller(app="", operator=operator.name)

    # --- HMAC signatures ---

    def _check_signature(self, app: AppSettings, secret: Secret, headers: Headers, signed: SignedParts) -> None:
        timestamp = headers.get("Jiaofei-Timestamp", "")
        nonce = headers.get("Jiaofei-Nonce", "")
        if not re.fullmatch(r"[0-9]{1,12}", timestamp) or _NONCE.fullmatch(nonce) is None:
            raise Refusal("unauthorized", "this app must sign its requests: timestamp and nonce are needed")
        now = self._deps.clock.now()
        skew_seconds = int(timestamp) - int(now.timestamp())
        if abs(skew_seconds) > SIGNATURE_WINDOW.total_seconds():
            raise Refusal("unauthorized", f"the timestamp is {skew_seconds} seconds from ours")
        expected = hmac.new(secret.reveal().encode(), signed.text(timestamp, nonce), hashlib.sha256).hexdigest()
        given = headers.get("Jiaofei-Signature", "").lower()
        if not hmac.compare_digest(expected.encode(), given.encode()):  # texts must be ASCII, bytes need not
            raise Refusal("unauthorized", "the signature does not match")
        self._deps.store.run(lambda tx: _use_nonce(tx, app.name, nonce, now + _NONCE_LIFE))

    # --- order tokens ---

    def issue_token(self, app: str, order_id: str, expires_at: datetime) -> str:
        """A token that is good for one order until the given instant."""
        claims = f"{app}\x1f{order_id}\x1f{micros(expires_at)}".encode()
        return _TOKEN_PREFIX + _base64url(claims + self._token_mac(claims))

    def _token_mac(self, claims: bytes) -> bytes:
        return hmac.new(self._token_key.reveal().encode(), claims, hashlib.sha256).digest()

    def _read_token(self, token: str) -> Caller:
        raw = _from_base64url(token.removeprefix(_TOKEN_PREFIX))
        claims, mac = raw[:-32], raw[-32:]
        if not hmac.compare_digest(self._token_mac(claims), mac):
            raise Refusal("unauthorized", "the order token is not ours")
        app, order_id, expires_at = claims.decode().split("\x1f")
        if moment(int(expires_at)) <= self._deps.clock.now():
            raise Refusal("unauthorized", "the order token has expired")
        if app not in self._deps.settings.apps:
            raise Refusal("unauthorized", "the order token's app is not known any more")
        return Caller(app=app, order_id=order_id)


def _use_nonce(tx: Tx, app: str, nonce: str, expires_at: datetime) -> None:
    if tx.nonce_is_used(app, nonce):
        raise Refusal("unauthorized", "the nonce was used before")
    tx.use_nonce(app, nonce, expires_at)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _from_base64url(text: str) -> bytes:
    """The bytes, none when it is not exactly what `_base64url` writes: the library skips what it does not know."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return b""
    return raw if _base64url(raw) == text else b""
