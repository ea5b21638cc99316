"""Calls about collected records (代收): batches as JSON or CSV, and what became of them."""

import io
from collections import Counter
from typing import Any, Final

from gateway.domain.clock import rfc3339
from gateway.domain.collection import Collection, CollectionState, LineOutcome, LineResult, SubmittedLine
from gateway.domain.refusal import Refusal
from gateway.services.collect import collect_batch, preview_batch
from gateway.services.collected_views import collection_of, collections_of
from gateway.services.idempotent import Reply
from gateway.web.routes import Call, Route, json_reply
from schemas.collection import (
    CollectionBatchIn,
    CollectionBatchOut,
    CollectionCsvQuery,
    CollectionListOut,
    CollectionOut,
    CollectionQuery,
    read_record,
)
from schemas.collection_csv import CHARSETS, CSV_BYTES_MAX, CSV_LINES_MAX, FileUnreadable, TooManyLines, read_csv

_BATCH_BYTES_MAX: Final = 1 << 19
_NEWEST: Final = "col_g"  # sorts behind every collection's id


def _collect(call: Call) -> Reply:
    records = call.body["records"]
    lines = [read_record(line_no, members) for line_no, members in enumerate(records, start=1)]
    return _taken(call, lines, preview=call.body["preview"])


def _collect_csv(call: Call) -> Reply:
    raw, charset = call.text
    if charset not in CHARSETS:
        raise Refusal("unsupported_media_type", "declare charset=utf-8 or charset=gb18030")
    try:
        lines = list(read_csv(io.BytesIO(raw), charset, lines_max=CSV_LINES_MAX))
    except TooManyLines as exc:
        raise Refusal("body_too_large", str(exc)) from exc
    except FileUnreadable as exc:
        raise Refusal("malformed_request", str(exc)) from exc
    return _taken(call, lines, preview=call.query["preview"])


def _taken(call: Call, lines: list[SubmittedLine], *, preview: bool) -> Reply:
    app = call.caller.app
    if preview:  # it changes nothing, so nothing is kept under its key either
        return _batch_reply(None, preview_batch(call.deps, app, lines), preview=True)
    return collect_batch(
        call.deps,
        app,
        lines,
        call.idempotency(),
        lambda batch_id, results: _batch_reply(batch_id, results, preview=False),
    )


def _list_collections(call: Call) -> Reply:
    query = call.query
    limit = query["limit"]
    found = collections_of(
        call.deps,
        call.caller.app,
        before=query.get("cursor", _NEWEST),
        limit=limit + 1,
        state=CollectionState(query["state"]) if "state" in query else None,
        batch_id=query.get("batch_id"),
    )
    more = found[limit - 1].id if len(found) > limit else None
    return json_reply(200, {"collections": [_shape(one) for one in found[:limit]], "next_cursor": more})


def _read_collection(call: Call) -> Reply:
    return json_reply(200, _shape(collection_of(call.deps, call.caller.app, call.path["collection_id"])))


# --- shapes -----------------------------------------------------------------------------------------------------------


def _batch_reply(batch_id: str | None, results: list[LineResult], *, preview: bool) -> Reply:
    counts = Counter(result.outcome for result in results)
    return json_reply(
        200,
        {
            "batch_id": batch_id,
            "preview": preview,
            "counts": {outcome.value: counts[outcome] for outcome in LineOutcome},
            "results": [_line_shape(result) for result in results],
        },
    )


def _line_shape(result: LineResult) -> dict[str, Any]:
    return {
        "line": result.line_no,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "state": result.state.value if result.state else None,
        "collection_id": result.collection_id,
        "order_id": result.order_id,
        "payment_id": result.payment_id,
        "review_id": result.review_id,
        "errors": dict(result.errors),
    }


def _shape(collection: Collection) -> dict[str, Any]:
    return {
        "collection_id": collection.id,
        "state": collection.state.value,
        "reason": collection.reason,
        "agent_code": collection.agent_code,
        "proof_no": collection.proof_no,
        "collected_on": collection.collected_on,
        "method": collection.method.value,
        "amount_fen": collection.amount_fen,
        "region": collection.region,
        "insured_year": collection.insured_year,
        "insurance_kind": collection.insurance_kind,
        "batch_id": collection.batch_id,
        "line": collection.line_no,
        "order_id": collection.order_id,
        "payment_id": collection.payment_id,
        "created_at": rfc3339(collection.created_at),
        "updated_at": rfc3339(collection.updated_at),
    }


_BATCH_OUT: Final = CollectionBatchOut()

ROUTES: Final = (
    Route(
        method="POST",
        rule="/v1/collections",
        name="collect",
        summary="Submit premiums that agents have collected (代收), or preview what would become of them",
        view=_collect,
        body=CollectionBatchIn(),
        answers={200: _BATCH_OUT},
        keyed=True,
        body_bytes_max=_BATCH_BYTES_MAX,
    ),
    Route(
        method="POST",
        rule="/v1/collections/csv",
        name="collect_csv",
        summary="Submit a CSV file of collected premiums, or preview it",
        view=_collect_csv,
        query=CollectionCsvQuery(),
        answers={200: _BATCH_OUT},
        keyed=True,
        text="text/csv",
        body_bytes_max=CSV_BYTES_MAX,
    ),
    Route(
        method="GET",
        rule="/v1/collections",
        name="list_collections",
        summary="List collected records, newest first",
        view=_list_collections,
        query=CollectionQuery(),
        answers={200: CollectionListOut()},
    ),
    Route(
        method="GET",
        rule="/v1/collections/<collection_id>",
        name="read_collection",
        summary="Read a collected record",
        view=_read_collection,
        answers={200: CollectionOut()},
    ),
)
"""The calls of apps that submit for agents."""
