"""Replays over HTTP, for operators."""

import json
from collections.abc import Iterable
from typing import Any, Final

from gateway.domain.operator import Role
from gateway.domain.replay import ReplayKind
from gateway.services.idempotent import Reply
from gateway.services.replay import Filter, ItemResult, ReplayRequest, find_replay, rehearse, run_replay
from gateway.web.routes import Call, Route, json_reply
from gateway.web.shapes import change_shape
from schemas.replay import ITEMS_MAX, ReplayIn, ReplayOut


def _replay(call: Call) -> Reply:
    wanted = call.body
    chosen = Filter(**wanted["filter"]) if wanted["filter"] else None
    request = ReplayRequest(
        kind=ReplayKind(wanted["kind"]),
        ids=tuple(wanted["ids"]),
        chosen=chosen,
        who=call.caller.operator,
        why=wanted["why"],
    )
    if wanted["dry_run"]:
        return json_reply(200, _shown(None, request, rehearse(call.deps, request)))
    record, results = run_replay(call.deps, request)
    return json_reply(201, _shown(record.id, request, results))


def _shown(replay_id: str | None, request: ReplayRequest, results: Iterable[ItemResult]) -> dict[str, Any]:
    items = [
        {
            "subject_id": result.subject_id,
            "outcome": result.outcome,
            "detail": result.detail,
            "changes": [change_shape(one) for one in result.changes],
        }
        for result in results
    ]
    return {"replay_id": replay_id, "kind": request.kind.value, "who": request.who, "items": items}


def _read_replay(call: Call) -> Reply:
    record, found = find_replay(call.deps, call.path["replay_id"], limit=ITEMS_MAX)
    items = [
        {
            "subject_id": item.subject_id,
            "outcome": item.outcome,
            "detail": item.detail,
            "changes": json.loads(item.changes),
        }
        for item in found
    ]
    return json_reply(200, {"replay_id": record.id, "kind": record.kind.value, "who": record.who, "items": items})


_REPLAY_OUT: Final = ReplayOut()

ROUTES: Final = (
    Route(
        method="POST",
        rule="/ops/v1/replays",
        name="replay",
        summary="Have things done again (补单 / 重放); see beforehand what will change",
        view=_replay,
        body=ReplayIn(),
        answers={200: _REPLAY_OUT, 201: _REPLAY_OUT},
        operator=Role.OPERATOR,
    ),
    Route(
        method="GET",
        rule="/ops/v1/replays/<replay_id>",
        name="read_replay",
        summary="Read what a replay did",
        view=_read_replay,
        answers={200: _REPLAY_OUT},
        operator=Role.VIEWER,
    ),
)
"""The calls of operators. They carry no idempotency key: a second run changes nothing by itself."""
