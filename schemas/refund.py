"""Public JSON of refunds."""

from marshmallow import Schema, fields, validate

from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.states import RefundReason, RefundState
from schemas.text import ClientNo, FenAmount, Text


class RefundIn(Schema):
    """A refund to be made."""

    client_refund_no = ClientNo(required=True, metadata={"description": "Your number; unique within the order"})
    amount_fen = FenAmount(maximum=AMOUNT_FEN_MAX, metadata={"description": "Left out: all that is left"})
    note = Text(max_characters=80, load_default="退款", metadata={"description": "Shown to the payer where possible"})


class RefundOut(Schema):
    """One refund, followed to its end."""

    refund_id = fields.String(required=True)
    order_id = fields.String(required=True)
    payment_id = fields.String(required=True)
    client_refund_no = fields.String(allow_none=True, required=True)
    out_refund_no = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in RefundState]))
    reason = fields.String(required=True, validate=validate.OneOf([reason.value for reason in RefundReason]))
    amount_fen = fields.Integer(required=True)
    evidence_id = fields.String(allow_none=True, required=True)
    created_at = fields.String(required=True)
    succeeded_at = fields.String(allow_none=True, required=True)
