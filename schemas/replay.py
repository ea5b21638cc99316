"""Public JSON of replays: what an operator wants done again, and what became of it."""

from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from gateway.domain.replay import ReplayKind
from schemas.text import Instant, Text, Whole

ITEMS_MAX: Final = 200
"""So many are done within one request; the command line does more."""


class FilterIn(Schema):
    """Instead of ids: everything in a state, oldest first."""

    state = fields.String(required=True, validate=Whole(r"[a-z_]{1,40}"), metadata={"example": "orphan"})
    account = fields.String(
        load_default="",
        validate=Whole(r"[a-z0-9_:-]{0,40}"),
        metadata={"description": "Of this merchant account alone; for webhooks, of this app"},
    )
    since = Instant(required=True)
    limit = fields.Integer(strict=True, load_default=100, validate=validate.Range(1, ITEMS_MAX))


class ReplayIn(Schema):
    """What is to be done again, and why."""

    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in ReplayKind]))
    ids = fields.List(
        fields.String(validate=Whole(r"[a-z_]{3,40}[:_][0-9a-z_:-]{1,80}")),
        load_default=list,
        validate=validate.Length(max=ITEMS_MAX),
        metadata={"description": "ntf_…, pay_…, ref_…, ord_… (webhooks), or <kind>:<id> for tasks"},
    )
    filter = fields.Nested(FilterIn, load_default=None)
    why = Text(required=True, max_characters=500, metadata={"description": "For the record; kept encrypted"})
    dry_run = fields.Boolean(load_default=False, metadata={"description": "Only say what would change"})

    @validates_schema
    def _ids_or_filter(self, replay: dict[str, Any], **_: Any) -> None:
        if bool(replay["ids"]) == (replay["filter"] is not None):
            raise ValidationError("give ids or a filter, one of the two", "ids")


class ChangeOut(Schema):
    """One row's change: by column, what was and what is."""

    table = fields.String(required=True)
    subject = fields.String(required=True)
    values = fields.Dict(keys=fields.String(), values=fields.List(fields.Raw(allow_none=True)), required=True)


class ReplayItemOut(Schema):
    """What became of one thing, or would."""

    subject_id = fields.String(required=True)
    outcome = fields.String(required=True)
    detail = fields.String(required=True)
    changes = fields.List(fields.Nested(ChangeOut), required=True)


class ReplayOut(Schema):
    """A replay and its items."""

    replay_id = fields.String(required=True, allow_none=True, metadata={"description": "null for a dry run"})
    kind = fields.String(required=True)
    who = fields.String(required=True)
    items = fields.List(fields.Nested(ReplayItemOut), required=True)
