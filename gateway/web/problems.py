"""Problem documents: the one table from refusal codes to HTTP answers, and the edge's error handlers."""

import json
from dataclasses import dataclass
from typing import Any, Final

import structlog
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from gateway.domain.faults import frames_of
from gateway.domain.refusal import Refusal
from gateway.services.idempotent import Reply
from gateway.store import StoreContended, StoreUnavailable

PROBLEM_TYPE: Final = "application/problem+json"
_RETRY_AFTER_SECONDS: Final = 2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemKind:
    """How a refusal code is answered."""

    status: int
    title: str
    retryable: bool = False


PROBLEMS: Final = {
    "malformed_request": ProblemKind(status=400, title="The request cannot be read"),
    "idempotency_key_missing": ProblemKind(status=400, title="An Idempotency-Key is needed"),
    "idempotency_key_malformed": ProblemKind(status=400, title="The Idempotency-Key is not well-formed"),
    "unauthorized": ProblemKind(status=401, title="The caller is not known"),
    "forbidden": ProblemKind(status=403, title="The caller may not do this"),
    "not_found": ProblemKind(status=404, title="Not found"),
    "method_not_allowed": ProblemKind(status=405, title="Method not allowed"),
    "idempotency_in_flight": ProblemKind(status=409, title="The first request is still running", retryable=True),
    "order_already_paid": ProblemKind(status=409, title="The order is paid"),
    "order_closed": ProblemKind(status=409, title="The order is closed"),
    "payment_expired": ProblemKind(status=409, title="The payment has expired"),
    "order_expired": ProblemKind(status=409, title="The order has expired"),
    "order_not_paid": ProblemKind(status=409, title="The order is not paid"),
    "premium_already_paid": ProblemKind(status=409, title="The premium is already paid"),
    "refund_offline_only": ProblemKind(status=409, title="The money was collected outside"),
    "refund_through_provider": ProblemKind(status=409, title="The provider gives the money back"),
    "too_many_payments": ProblemKind(status=409, title="Too many payments"),
    "refund_exceeds_payment": ProblemKind(status=409, title="The refund exceeds the payment"),
    "body_too_large": ProblemKind(status=413, title="The body is too large"),
    "unsupported_media_type": ProblemKind(status=415, title="The content type is not supported"),
    "invalid_request": ProblemKind(status=422, title="The request is not valid"),
    "idempotency_key_reused": ProblemKind(status=422, title="The Idempotency-Key was used for another request"),
    "client_order_no_reused": ProblemKind(status=422, title="The client_order_no belongs to another order"),
    "client_refund_no_reused": ProblemKind(status=422, title="The client_refund_no belongs to another refund"),
    "refund_reference_reused": ProblemKind(status=422, title="The reference stands for another refund"),
    "subject_required": ProblemKind(status=422, title="The order names no insured person"),
    "refund_must_be_whole": ProblemKind(status=422, title="Only the whole payment can be refunded"),
    "region_not_allowed": ProblemKind(status=422, title="The region is not allowed"),
    "expiry_out_of_range": ProblemKind(status=422, title="The expiry is out of range"),
    "method_not_available": ProblemKind(status=422, title="The method is not available"),
    "provider_refused": ProblemKind(status=422, title="The provider refused"),
    "refresh_too_soon": ProblemKind(status=429, title="Asked too often", retryable=True),
    "internal_error": ProblemKind(status=500, title="Internal error", retryable=True),
    "provider_unavailable": ProblemKind(status=503, title="The provider cannot be reached", retryable=True),
    "store_unavailable": ProblemKind(status=503, title="The database is not available", retryable=True),
}

_CODE_BY_STATUS: Final = {
    400: "malformed_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


def problem_reply(refusal: Refusal) -> Reply:
    """A refusal as problem document; an unknown code is a bug and raises KeyError."""
    kind = PROBLEMS[refusal.code]
    members: dict[str, Any] = {
        "type": f"urn:jiaofei:problem:{refusal.code}",
        "title": kind.title,
        "status": kind.status,
        "code": refusal.code,
        "detail": refusal.detail,
        "request_id": g.request_id,
        "retryable": kind.retryable,
        **refusal.extra,
    }
    if refusal.errors is not None:
        members["errors"] = refusal.errors
    return Reply(status=kind.status, body=json.dumps(members, ensure_ascii=False).encode())


def problem_response(refusal: Refusal) -> Response:
    """A refusal as HTTP answer."""
    reply = problem_reply(refusal)
    response = Response(reply.body, status=reply.status, content_type=PROBLEM_TYPE)
    if refusal.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(refusal.retry_after_seconds)
    if reply.status == 401:  # noqa: PLR2004  the status that must name a scheme
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def install(app: Flask) -> None:
    """Answer every error of the edge with a problem document; each unexpected one is logged once."""
    app.register_error_handler(Refusal, problem_response)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(StoreUnavailable, _store_down)
    app.register_error_handler(StoreContended, _store_down)
    app.register_error_handler(Exception, _unexpected)


def _http_exception(exc: HTTPException) -> Response:
    code = _CODE_BY_STATUS.get(exc.code or 500, "malformed_request" if (exc.code or 500) < 500 else "internal_error")  # noqa: PLR2004  the border between their faults and ours
    response = problem_response(Refusal(code, exc.name))
    valid_methods = getattr(exc, "valid_methods", None)
    if valid_methods:
        response.headers["Allow"] = ", ".join(sorted(valid_methods))
    return response


def _store_down(exc: Exception) -> Response:
    _log.error("store_unavailable", error=type(exc).__name__, request_id=g.request_id)
    return problem_response(
        Refusal(
            "store_unavailable",
            "nothing is lost; send the same request again",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        )
    )


def _unexpected(exc: Exception) -> Response:
    _log.error("request_failed", error=type(exc).__name__, frames=frames_of(exc), request_id=g.request_id)
    return problem_response(Refusal("internal_error", "the fault is ours and is logged under this request_id"))
