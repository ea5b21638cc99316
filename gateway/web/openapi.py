"""The OpenAPI document, made from the route table and the schemas, and a page that shows it without any script."""

import re
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, Response, jsonify, render_template
from marshmallow import Schema

from gateway import __version__
from gateway.web.problems import PROBLEMS
from gateway.web.routes import Route
from schemas.problem import HealthOut, ProblemOut

_PATH_NAME: Final = re.compile(r"<(\w+)>")
_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Fresh for every new request; the same for every try of one request",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

_ANY: Final = ("malformed_request", "unauthorized", "body_too_large", "internal_error", "store_unavailable")
_KEYED: Final = (
    "idempotency_key_missing",
    "idempotency_key_malformed",
    "idempotency_in_flight",
    "idempotency_key_reused",
)


def build_spec(routes: tuple[Route, ...]) -> dict[str, Any]:
    """The document of every public call."""
    spec = APISpec(
        title="Jiaofei 缴费",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        info={"description": "A payment gateway for public premiums. Amounts are integer fen."},
    )
    spec.components.security_scheme("api_key", {"type": "http", "scheme": "bearer"})
    spec.components.security_scheme(
        "order_token", {"type": "http", "scheme": "bearer", "description": "Good for one order until it expires"}
    )
    spec.components.security_scheme(
        "operator_key", {"type": "http", "scheme": "bearer", "description": "API key of an operator"}
    )
    for route in routes:
        spec.path(path=_PATH_NAME.sub(r"{\1}", route.rule), operations={route.method.lower(): _operation(route)})
    for path, summary in (("/healthz", "The process lives"), ("/readyz", "The gateway can do its work")):
        answers = {"200": _json("Works", HealthOut()), "503": _json("Does not", HealthOut())}
        spec.path(path=path, operations={"get": {"summary": summary, "operationId": path[1:], "responses": answers}})
    document: dict[str, Any] = spec.to_dict()
    return document


def _schema_name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__


def _operation(route: Route) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_NAME.findall(route.rule)
    ]
    if route.keyed:
        parameters.append(_KEY_HEADER)
    if route.query is not None:
        parameters.append({"in": "query", "schema": route.query})
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": parameters,
        "security": _security(route),
        "responses": {
            **{str(status): _json("Done", schema) for status, schema in route.answers.items()},
            **_problems(route),
        },
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
    if route.text:
        operation["requestBody"] = {"required": True, "content": {route.text: {"schema": {"type": "string"}}}}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.operator is not None:
        return [{"operator_key": []}]
    names = ("api_key", "order_token") if route.order_token else ("api_key",)
    return [{name: []} for name in names]


def _problems(route: Route) -> dict[str, Any]:
    """The problems that a call may be answered with, by status."""
    by_status: dict[int, list[str]] = {}
    for code in sorted(_codes(route)):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _problem(codes) for status, codes in sorted(by_status.items())}


def _codes(route: Route) -> set[str]:
    parts = (
        (True, _ANY),
        (not route.order_token, ("forbidden",)),
        ("<" in route.rule, ("not_found",)),
        (route.keyed, _KEYED),
        (route.body is not None, ("invalid_request", "unsupported_media_type")),
        (bool(route.text), ("unsupported_media_type",)),
        (route.query is not None, ("invalid_request",)),
        (True, route.refusals),
    )
    return {code for applies, codes in parts if applies for code in codes}


def _problem(codes: list[str]) -> dict[str, Any]:
    return {
        "description": " | ".join(codes),
        "content": {"application/problem+json": {"schema": ProblemOut()}},
    }


def _json(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def register(app: Flask, routes: tuple[Route, ...]) -> None:
    """Serve /openapi.json and /docs; the document is built once."""
    document = build_spec(routes)

    def openapi() -> Response:
        return jsonify(document)

    def docs() -> str:
        return render_template("docs.html", document=document, problems=PROBLEMS)

    app.add_url_rule("/openapi.json", view_func=openapi)
    app.add_url_rule("/docs", view_func=docs)
