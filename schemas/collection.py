"""Public JSON of collected records (代收): what an agent's app sends, and what it reads."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from gateway.domain.collection import (
    CollectedRecord,
    CollectionMethod,
    CollectionState,
    LineOutcome,
    SubmittedLine,
)
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.order import Person, PremiumSubject
from schemas.order import SubjectIn, normal_id_number
from schemas.text import FenAmount, Whole

RECORDS_MAX: Final = 500
_WORD: Final = r"[0-9A-Za-z\u4e00-\u9fff]"
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Day(fields.String):
    """A calendar day, YYYY-MM-DD; loads as a date."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        try:
            if _DAY.fullmatch(text) is None:
                raise ValueError(text)
            return date.fromisoformat(text)
        except ValueError:
            raise ValidationError("must be a day, YYYY-MM-DD") from None


class CollectionIn(SubjectIn):
    """One premium that an agent has collected; loads as a CollectedRecord."""

    agent_code = fields.String(required=True, validate=Whole(r"[0-9A-Za-z][0-9A-Za-z_\-]{0,31}"))
    proof_no = fields.String(required=True, validate=Whole(rf"{_WORD}(?:{_WORD}|[._/\-]){{0,39}}"))
    collected_on = Day(required=True)
    method = fields.String(
        load_default=CollectionMethod.UNSTATED.value, validate=validate.OneOf([m.value for m in CollectionMethod])
    )
    amount_fen = FenAmount(required=True, maximum=AMOUNT_FEN_MAX)

    @post_load
    def _record(self, members: dict[str, Any], **_: Any) -> CollectedRecord:
        return CollectedRecord(
            agent_code=members["agent_code"],
            proof_no=members["proof_no"],
            collected_on=members["collected_on"],
            method=CollectionMethod(members["method"]),
            amount_fen=members["amount_fen"],
            subject=PremiumSubject(
                region=members["region"],
                insured_year=members["insured_year"],
                insurance_kind=members["insurance_kind"],
                insured=_person(members["insured"]),
                payer=_person(members["payer"]) if "payer" in members else None,
            ),
        )


def _person(members: Mapping[str, str]) -> Person:
    return Person(name=members["name"], id_type=members["id_type"], id_number=normal_id_number(members["id_number"]))


_record_schema: Final = CollectionIn()


def read_record(line_no: int, members: Mapping[str, Any]) -> SubmittedLine:
    """One line of a batch: the record, or what is wrong with it by dotted field; never a value."""
    try:
        return SubmittedLine(line_no=line_no, record=_record_schema.load(members, unknown=RAISE))
    except ValidationError as exc:
        return SubmittedLine(line_no=line_no, record=None, errors=dict(_flat("", exc.messages)))


def _flat(path: str, messages: Any) -> list[tuple[str, list[str]]]:
    if not isinstance(messages, dict):
        return [(path, [str(message) for message in messages])]
    steps = (
        (f"{path}.{key}" if path and key != "_schema" else path or str(key), below) for key, below in messages.items()
    )
    return [pair for step, below in steps for pair in _flat(step, below)]


class CollectionBatchIn(Schema):
    """A batch of collected records. A record that is at fault is told in its line and stops no other."""

    records = fields.List(
        fields.Dict(keys=fields.String()),
        required=True,
        validate=validate.Length(1, RECORDS_MAX),
        metadata={
            "description": "agent_code, proof_no, collected_on, method, amount_fen, region, insured_year,"
            " insurance_kind, insured, payer: see docs/collections.md",
            "example": [
                {
                    "agent_code": "0000-01",
                    "proof_no": "TEST-0001",
                    "collected_on": "2026-03-01",
                    "method": "cash",
                    "amount_fen": 38001,
                    "region": "341200",
                    "insured_year": 2026,
                    "insurance_kind": "resident_medical",
                    "insured": {"name": "测试甲", "id_type": "passport", "id_number": "TEST0001"},
                }
            ],
        },
    )
    preview = fields.Boolean(
        load_default=False, truthy={True}, falsy={False}, metadata={"description": "Change nothing, tell what would be"}
    )


class CollectionCsvQuery(Schema):
    """How to take a file in."""

    preview = fields.Boolean(load_default=False, metadata={"description": "Change nothing, tell what would be"})


class CollectionQuery(Schema):
    """Which collections to list."""

    state = fields.String(validate=validate.OneOf([state.value for state in CollectionState]))
    batch_id = fields.String(validate=Whole(r"bat_[0-9a-f]{32}"))
    cursor = fields.String(validate=Whole(r"col_[0-9a-f]{32}"))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class LineOut(Schema):
    """What became of one line, or would."""

    line = fields.Integer(required=True, metadata={"description": "Position in the batch, from 1; line of a file"})
    outcome = fields.String(required=True, validate=validate.OneOf([outcome.value for outcome in LineOutcome]))
    reason = fields.String(required=True, metadata={"description": "Why a person must look; empty otherwise"})
    state = fields.String(allow_none=True, required=True)
    collection_id = fields.String(allow_none=True, required=True)
    order_id = fields.String(allow_none=True, required=True)
    payment_id = fields.String(allow_none=True, required=True)
    review_id = fields.String(allow_none=True, required=True)
    errors = fields.Dict(required=True, metadata={"description": "Faults per field, of an invalid line"})


class CountsOut(Schema):
    """How many lines had each outcome."""

    accepted = fields.Integer(required=True)
    duplicate = fields.Integer(required=True)
    review = fields.Integer(required=True)
    invalid = fields.Integer(required=True)


class CollectionBatchOut(Schema):
    """What became of a batch."""

    batch_id = fields.String(allow_none=True, required=True, metadata={"description": "None for a preview"})
    preview = fields.Boolean(required=True)
    counts = fields.Nested(CountsOut, required=True)
    results = fields.List(fields.Nested(LineOut), required=True)


class CollectionOut(Schema):
    """A collected record as it was taken in; people are not shown."""

    collection_id = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in CollectionState]))
    reason = fields.String(required=True)
    agent_code = fields.String(required=True)
    proof_no = fields.String(required=True)
    collected_on = fields.String(required=True)
    method = fields.String(required=True)
    amount_fen = fields.Integer(required=True)
    region = fields.String(required=True)
    insured_year = fields.Integer(required=True)
    insurance_kind = fields.String(required=True)
    batch_id = fields.String(required=True)
    line = fields.Integer(required=True)
    order_id = fields.String(allow_none=True, required=True)
    payment_id = fields.String(allow_none=True, required=True)
    created_at = fields.String(required=True)
    updated_at = fields.String(required=True)


class CollectionListOut(Schema):
    """A page of collections, newest first."""

    collections = fields.List(fields.Nested(CollectionOut), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
