"""Problem documents (RFC 9457) and the small answers of health checks."""

from marshmallow import INCLUDE, Schema, fields


class ProblemOut(Schema):
    """Why a request was not done."""

    type = fields.String(required=True, metadata={"description": "urn:jiaofei:problem:<code>"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)
    request_id = fields.String(required=True)
    retryable = fields.Boolean(required=True)
    errors = fields.Dict(metadata={"description": "Faults per field"})
    order_id = fields.String(metadata={"description": "The order that has the number already"})
    order_state = fields.String(metadata={"description": "The order's state, where it is the reason"})
    payment_id = fields.String(metadata={"description": "The payment that was put on record"})
    allowed = fields.List(fields.String(), metadata={"description": "What may be used instead"})
    provider_code = fields.String(metadata={"description": "The provider's own code of its refusal"})
    refundable_fen = fields.Integer(metadata={"description": "What is left to refund"})

    class Meta:
        unknown = INCLUDE  # RFC 9457 section 3.2: readers must ignore members that they do not know


class HealthOut(Schema):
    """Whether a part works."""

    status = fields.String(required=True)
    checks = fields.Dict()
