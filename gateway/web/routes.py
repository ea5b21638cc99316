"""The interface as a table: one row per call serves the request and describes it in the OpenAPI document."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from flask import Flask, Request, Response, request
from marshmallow import RAISE, Schema, ValidationError

from gateway.domain.idempotency import fingerprint, read_key
from gateway.domain.ids import ID_PATTERN
from gateway.domain.operator import Role
from gateway.domain.refusal import Refusal
from gateway.domain.strict_json import parse_strict_json_object
from gateway.services.ask_provider import RefreshGate
from gateway.services.deps import Deps
from gateway.services.idempotent import KeyedRequest, Reply
from gateway.web.auth import Caller, Doorkeeper, SignedParts
from gateway.web.body import read_body
from gateway.web.problems import PROBLEM_TYPE, problem_reply

_FIRST_ERROR_STATUS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    One admitted and validated request.

    Attributes:
        path: The path's parameters.
        body: What the body schema loaded; {} without one.
        query: What the query schema loaded.
        text: A body that is no JSON, as it arrived, and the charset it declares; for routes that take one.
        keyed: The request's idempotency; only for routes that have it.
        address: The caller's network address, behind the trusted proxies.
    """

    deps: Deps
    doorkeeper: Doorkeeper
    gate: RefreshGate
    caller: Caller
    path: Mapping[str, str]
    body: Mapping[str, Any]
    query: Mapping[str, Any]
    text: tuple[bytes, str]
    keyed: KeyedRequest | None
    address: str

    def idempotency(self) -> KeyedRequest:
        """The request's idempotency; asking for it on a route without is a bug."""
        if self.keyed is None:
            raise LookupError("this route has no idempotency")
        return self.keyed


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One call of the public interface.

    Attributes:
        rule: With <names>; also part of the idempotency fingerprint.
        answers: Schema per status of success; None for none.
        refusals: Codes of problems that this call has beyond those of reading any request.
        order_token: Payers' browsers may call it with an order token.
        operator: Only operators of this role and above may call it.
        keyed: It changes something: an Idempotency-Key is needed.
        volatile: Body members, dotted, that do not change the request's meaning.
        text: Media type of a body that is no JSON and that the view reads by itself.
        body_bytes_max: Longest body where the configured limit is less.
    """

    method: str
    rule: str
    name: str
    summary: str
    view: Callable[[Call], Reply]
    answers: Mapping[int, Schema]
    body: Schema | None = None
    query: Schema | None = None
    refusals: tuple[str, ...] = ()
    order_token: bool = False
    operator: Role | None = None
    keyed: bool = False
    volatile: tuple[str, ...] = field(default_factory=tuple)
    text: str = ""
    body_bytes_max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What every call of the interface shares."""

    deps: Deps
    doorkeeper: Doorkeeper
    gate: RefreshGate


def register(app: Flask, edge: Edge, routes: tuple[Route, ...]) -> None:
    """Serve every route of the table."""
    for route in routes:
        app.add_url_rule(route.rule, endpoint=route.name, methods=[route.method], view_func=_serve(route, edge))


def _serve(route: Route, edge: Edge) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        return _response(route.view(_read(route, edge, path)))

    return view


def _read(route: Route, edge: Edge, path: Mapping[str, str]) -> Call:
    request.max_content_length = max(request.max_content_length or 0, route.body_bytes_max)
    raw = read_body(request)
    signed = SignedParts(method=request.method, target=_target(request), body=raw)
    if route.operator is not None:
        caller = edge.doorkeeper.admit_operator(request.headers, route.operator)
    else:
        caller = edge.doorkeeper.admit(request.headers, signed, order_token=route.order_token)
    if not all(ID_PATTERN.fullmatch(value) for value in path.values()):
        raise Refusal("not_found", "nothing has such an id")  # also keeps NUL and the like from the database
    key = _idempotency_key(request) if route.keyed else None
    members = _json_body(request, raw) if route.body else {}
    body = _load(route.body, members) if route.body else {}
    query = _load(route.query, _single_values(request)) if route.query else {}
    text = (raw, _text_charset(request, route.text)) if route.text else (b"", "")
    semantic = _semantic(members, route.volatile)
    if route.text:  # the same bytes in another charset say something else
        semantic = {"sha256": hashlib.sha256(raw).hexdigest(), "charset": text[1]}
    content = {"path": dict(path), "body": semantic}
    meaning = fingerprint(route.method, route.rule, content)
    keyed = _keyed(edge.deps, caller, meaning, key) if key is not None else None
    return Call(
        deps=edge.deps,
        doorkeeper=edge.doorkeeper,
        gate=edge.gate,
        caller=caller,
        path=path,
        body=body,
        query=query,
        text=text,
        keyed=keyed,
        address=request.remote_addr or "",
    )


def _response(reply: Reply) -> Response:
    content_type = PROBLEM_TYPE if reply.status >= _FIRST_ERROR_STATUS else "application/json"
    response = Response(reply.body, status=reply.status, content_type=content_type)
    if reply.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def json_reply(status: int, members: Any) -> Reply:
    """A JSON answer as the bytes that may be stored and repeated."""
    return Reply(status=status, body=json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode())


# --- reading ---

_PATH_SAFE: Final = "/:@!$&'()*+,;=~"
"""RFC 3986 section 3.3: what a path holds without escapes, besides letters, digits and -._"""


def _target(request: Request) -> str:
    """Path and query as sent; a server that keeps only the decoded path has it escaped again in the usual way."""
    raw: str = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or ""
    if raw.startswith("/"):
        return raw
    decoded: str = request.environ.get("SCRIPT_NAME", "") + request.environ.get("PATH_INFO", "")
    query: str = request.environ.get("QUERY_STRING", "")
    path = quote(decoded.encode("latin-1"), safe=_PATH_SAFE)
    return f"{path}?{query}" if query else path


def _idempotency_key(request: Request) -> str:
    values = request.headers.getlist("Idempotency-Key")
    if not values:
        raise Refusal("idempotency_key_missing", "send a fresh Idempotency-Key with every new request")
    try:
        # Servers join equal headers with a comma, so that in a bare key it can only mean two keys.
        if len(values) > 1 or ("," in values[0] and not values[0].lstrip(" \t").startswith('"')):
            raise ValueError("more than one Idempotency-Key, or a comma in one that is not quoted")
        return read_key(values[0])
    except ValueError as exc:
        raise Refusal("idempotency_key_malformed", str(exc)) from exc


def _json_body(request: Request, raw: bytes) -> dict[str, Any]:
    if request.mimetype != "application/json":
        raise Refusal("unsupported_media_type", "send application/json")
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise Refusal("unsupported_media_type", "send UTF-8")
    try:
        return parse_strict_json_object(raw)
    except ValueError as exc:
        raise Refusal("malformed_request", "the body must be one JSON object without ambiguities") from exc


def _text_charset(request: Request, wanted: str) -> str:
    """The charset that a body of the wanted type declares, in lower case; UTF-8 when it declares none."""
    if request.mimetype != wanted:
        raise Refusal("unsupported_media_type", f"send {wanted}")
    return request.mimetype_params.get("charset", "utf-8").lower()


def _single_values(request: Request) -> dict[str, str]:
    try:
        lists = request.args.to_dict(flat=False)
    except UnicodeDecodeError as exc:
        raise Refusal("malformed_request", "the query must be ASCII with percent-escapes") from exc
    twice = {name: ["is given more than once"] for name, values in lists.items() if len(values) > 1}
    if twice:
        raise Refusal("invalid_request", "the query is not valid", errors=twice)
    return {name: values[0] for name, values in lists.items()}


def _load(schema: Schema, members: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        loaded: Mapping[str, Any] = schema.load(members, unknown=RAISE)
    except ValidationError as exc:
        errors = exc.messages if isinstance(exc.messages, dict) else {"_": exc.messages}
        raise Refusal("invalid_request", "fields are at fault", errors=errors) from exc
    return loaded


def _keyed(deps: Deps, caller: Caller, meaning: str, key: str) -> KeyedRequest:
    # A payer's token must not reach into the app's own keys.
    scope = f"token:{caller.order_id}:" if caller.order_id else "app:"
    return KeyedRequest(
        app=caller.app,
        key=scope + key,
        meaning=deps.vault.blind_index("request", meaning),  # keyed, because the content may be a guessable person
        refuse=problem_reply,
    )


def _semantic(members: dict[str, Any], volatile: tuple[str, ...]) -> dict[str, Any]:
    if not volatile:
        return members
    kept: dict[str, Any] = {}
    for name, value in members.items():
        inner = tuple(v.partition(".")[2] for v in volatile if v.partition(".")[0] == name)
        if "" in inner:
            continue
        kept[name] = _semantic(value, inner) if inner and isinstance(value, dict) else value
    return kept
