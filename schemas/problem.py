"""Problem documents (RFC 9457) and the small answers of health checks."""

from marshmallow import Schema, fields


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


class HealthOut(Schema):
    """Whether a part works."""

    status = fields.String(required=True)
    checks = fields.Dict()
