"""Public JSON of payments."""

from marshmallow import Schema, fields, validate

from gateway.domain.provider import InstructionKind
from gateway.domain.states import PaymentState
from schemas.text import Whole


class PaymentIn(Schema):
    """A payment to be started."""

    provider = fields.String(required=True, validate=Whole(r"[a-z][a-z0-9_]{0,39}"))
    method = fields.String(required=True, validate=Whole(r"[a-z][a-z0-9_]{0,39}"))
    fields_ = fields.Dict(
        keys=fields.String(validate=Whole(r"[a-z][a-z0-9_]{0,39}")),
        values=fields.String(validate=validate.Length(1, 1024)),
        validate=validate.Length(max=20),
        load_default=dict,
        data_key="fields",
        metadata={"description": "The method's own fields, e.g. openid", "example": {"openid": "oTest-not-a-person"}},
    )


class PaymentQuery(Schema):
    """How to read a payment."""

    refresh = fields.Boolean(load_default=False, metadata={"description": "Ask the provider while it is open"})


class InstructionOut(Schema):
    """What the front end needs to open the cashier (调起参数)."""

    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in InstructionKind]))
    payload = fields.Dict(required=True)
    expires_at = fields.String(allow_none=True, required=True)


class PaymentOut(Schema):
    """One try to pay an order."""

    payment_id = fields.String(required=True)
    order_id = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in PaymentState]))
    provider = fields.String(required=True)
    method = fields.String(required=True)
    account = fields.String(required=True)
    amount_fen = fields.Integer(required=True)
    amount_refunded_fen = fields.Integer(required=True)
    out_trade_no = fields.String(required=True)
    provider_trade_no = fields.String(allow_none=True, required=True)
    kept = fields.Boolean(required=True, metadata={"description": "True for the payment that pays the order"})
    evidence_id = fields.String(allow_none=True, required=True)
    paid_at = fields.String(allow_none=True, required=True)
    created_at = fields.String(required=True)
    expires_at = fields.String(required=True)
    instruction = fields.Nested(InstructionOut, allow_none=True, required=True)
