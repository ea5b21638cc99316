"""The OpenAPI document: valid, complete, and true under generated requests."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.collecting import TAX
from tests.web.front import API_KEY, OPERATOR_KEY, SUBJECT, Front, Json, bearer, order_body, problem

OPERATIONS = [
    ("GET", "/v1/orders"),
    ("POST", "/v1/orders"),
    ("GET", "/v1/orders/{order_id}"),
    ("GET", "/v1/orders/{order_id}/events"),
    ("POST", "/v1/orders/{order_id}/close"),
    ("POST", "/v1/orders/{order_id}/payments"),
    ("POST", "/v1/orders/{order_id}/refunds"),
    ("GET", "/v1/payments/{payment_id}"),
    ("GET", "/v1/refunds/{refund_id}"),
    ("POST", "/v1/collections"),
    ("POST", "/v1/collections/csv"),
    ("GET", "/v1/collections"),
    ("GET", "/v1/collections/{collection_id}"),
    ("POST", "/v1/shared-accounts/bindings"),
    ("POST", "/v1/shared-accounts/bindings/check"),
    ("POST", "/v1/shared-accounts/bindings/remove"),
    ("POST", "/v1/shared-accounts/bindings/search"),
    ("POST", "/v1/shared-accounts/balance"),
    ("POST", "/ops/v1/replays"),
    ("GET", "/ops/v1/replays/{replay_id}"),
    ("POST", "/ops/v1/offline-refunds"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture
def front(make_front: Callable[..., Front]) -> Front:
    """One agent more than elsewhere, so that there is a collected record to read."""
    return make_front(agents={TAX.name: TAX})


@pytest.fixture
def document(front: Front) -> Json:
    return front.client.get("/openapi.json").get_json()


def test_document_is_valid_openapi_3_1(document: Json) -> None:
    """By the published schema of OpenAPI 3.1."""
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_document_describes_every_call(document: Json, front: Front) -> None:
    """What is served and not described is a secret; what is described and not served is a lie."""
    described = {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs}
    served = {
        (method, rule.rule.replace("<", "{").replace(">", "}"))
        for rule in front.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint not in ("callbacks", "bank", "metrics", "openapi", "docs")
    }

    assert described == served == set(OPERATIONS)


def test_document_names_each_operation_once(document: Json) -> None:
    """Generated clients take their method names from these."""
    names = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]

    assert len(names) == len(set(names))


def test_document_tells_where_an_order_token_is_enough(document: Json) -> None:
    """Four calls, and no other."""
    open_to_payers = {
        operation["operationId"]
        for verbs in document["paths"].values()
        for operation in verbs.values()
        if {"order_token": []} in operation.get("security", [])
    }

    assert open_to_payers == {"read_order", "list_orders", "start_payment", "read_payment"}


def test_document_shows_no_schema_without_its_properties(document: Json) -> None:
    """An empty shape tells a reader nothing."""
    schemas = document["components"]["schemas"]

    assert {name for name, schema in schemas.items() if not schema.get("properties")} == set()


def patterns_in(node: Any) -> list[str]:
    """Every `pattern` below a node of the document."""
    children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    here = [node["pattern"]] if isinstance(node, dict) and isinstance(node.get("pattern"), str) else []
    return here + [pattern for child in children for pattern in patterns_in(child)]


def test_document_holds_patterns_that_every_language_reads(document: Json) -> None:
    r"""JSON Schema's are ECMA-262's, for which \\Z is the letter Z."""
    patterns = patterns_in(document)

    assert len(patterns) >= 5
    assert {pattern for pattern in patterns if not (pattern.startswith("^") and pattern.endswith("$"))} == set()
    assert {pattern for pattern in patterns if "\\Z" in pattern or "\\A" in pattern or "(?" in pattern} == set()


@pytest.mark.parametrize("member", ["client_order_no", "region", "insurance_kind"])
def test_text_with_a_line_break_behind_it_is_refused(front: Front, member: str) -> None:
    """Python's $ would let it through."""
    body = order_body("C-1\n") if member == "client_order_no" else order_body(subject=SUBJECT | {member: "340100\n"})

    assert problem(front.post("/v1/orders", body)) == (422, "invalid_request")


def known_ids(front: Front) -> dict[str, str]:
    """Ids of things that exist, so that generated requests reach more than 404."""
    order, payment = front.paid_order("C-1", subject=SUBJECT)
    refund = front.post(f"/v1/orders/{order['order_id']}/refunds", {"client_refund_no": "R-1", "amount_fen": 1})
    record = {"agent_code": TAX.code, "proof_no": "T-1", "collected_on": "2026-03-01", "amount_fen": 1} | SUBJECT
    collected = front.post("/v1/collections", {"records": [record]})
    wanted = {"kind": "query", "ids": [payment["payment_id"]], "why": "because"}
    replay = front.call("POST", "/ops/v1/replays", body=wanted, credential=OPERATOR_KEY)
    return {
        "replay_id": replay.get_json()["replay_id"],
        "order_id": order["order_id"],
        "payment_id": payment["payment_id"],
        "refund_id": refund.get_json()["refund_id"],
        "collection_id": collected.get_json()["results"][0]["collection_id"],
    }


GENERATED = [
    pytest.param(method, path, mode, id=f"{mode.value}-{method}-{path}")
    for method, path in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE
    or path.startswith(("/v1/", "/ops/"))  # the others have nothing that could be wrong
]


@pytest.mark.parametrize(("method", "path", "mode"), GENERATED)
@pytest.mark.timeout(60)
def test_generated_requests_get_documented_answers(front: Front, method: str, path: str, mode: GenerationMode) -> None:
    """No 500, no status, content type or shape that is not in the document, and nothing invalid is accepted."""
    ids = known_ids(front)
    credential = OPERATOR_KEY if path.startswith("/ops/") else API_KEY
    operation = schemathesis.openapi.from_wsgi("/openapi.json", front.app)[path][method]

    @settings(
        max_examples=60,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def answers_as_documented(case: Any, known: bool) -> None:
        if known and case.path_parameters:
            case.path_parameters |= {name: ids[name] for name in case.path_parameters}
        case.call_and_validate(headers=bearer(credential), checks=CHECKS)

    answers_as_documented()
