"""Public JSON of refunds that were made outside the gateway and are put on record by an operator."""

from marshmallow import Schema, fields, validate

from gateway.domain.money import AMOUNT_FEN_MAX
from schemas.collection import Day
from schemas.replay import ChangeOut
from schemas.text import FenAmount, Text, Whole


class OfflineRefundIn(Schema):
    """A refund that was made where the money was collected."""

    payment_id = fields.String(required=True, validate=Whole(r"pay_[0-9a-f]{32}"))
    reference = Text(
        required=True,
        max_characters=64,
        metadata={
            "description": "Number of the paper (退款凭证号); names the refund within the payment; kept encrypted"
        },
    )
    amount_fen = FenAmount(
        maximum=AMOUNT_FEN_MAX, load_default=None, metadata={"description": "Left out: all that is left"}
    )
    returned_on = Day(required=True, metadata={"description": "The day in Beijing when the payer got it"})
    why = Text(required=True, max_characters=500, metadata={"description": "For the record; kept encrypted"})
    dry_run = fields.Boolean(load_default=False, metadata={"description": "Only say what would change"})


class OfflineRefundOut(Schema):
    """What became of it, or would."""

    payment_id = fields.String(required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(["recorded", "unchanged"]))
    amount_fen = fields.Integer(required=True)
    refund_id = fields.String(required=True, allow_none=True, metadata={"description": "null for a dry run"})
    who = fields.String(required=True)
    changes = fields.List(fields.Nested(ChangeOut), required=True)
