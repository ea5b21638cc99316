"""Public JSON of orders: what an app sends, and what it reads."""

import re
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from stdnum.cn import ric

from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.states import OrderState
from schemas.payment import PaymentOut
from schemas.refund import RefundOut
from schemas.text import ClientNo, FenAmount, Instant, Text, Whole

ID_TYPES: Final = ("resident_id", "residence_permit", "passport", "other")
_OTHER_NUMBER: Final = re.compile(r"[0-9A-Z()\-]{4,32}")


class PersonIn(Schema):
    """A person by name and identity document."""

    name = Text(required=True, max_characters=64, metadata={"description": "姓名", "example": "测试甲"})
    id_type = fields.String(required=True, validate=validate.OneOf(ID_TYPES))
    id_number = Text(
        required=True,
        max_characters=32,
        metadata={"description": "Document number; a resident id must pass its check digit"},
    )

    @validates_schema(skip_on_field_errors=False)  # so that every fault is told at once
    def _number_fits_type(self, person: dict[str, Any], **_: Any) -> None:
        if "id_type" not in person or "id_number" not in person:
            return
        number = normal_id_number(person["id_number"])
        good = ric.is_valid(number) if person["id_type"] == "resident_id" else _OTHER_NUMBER.fullmatch(number)
        if not good:
            raise ValidationError("not a number of that document type", "id_number")


def normal_id_number(number: str) -> str:
    """Upper case without blanks, so that one document has one spelling."""
    return re.sub(r"\s+", "", number).upper()


class SubjectIn(Schema):
    """The premium that an order pays for."""

    region = fields.String(
        required=True,
        validate=Whole(r"[0-9]{6}"),
        metadata={"description": "行政区划代码", "example": "341200"},
    )
    insured_year = fields.Integer(required=True, strict=True, validate=validate.Range(2000, 2100))
    insurance_kind = fields.String(
        required=True,
        validate=Whole(r"[a-z][a-z0-9_]{0,39}"),
        metadata={"example": "resident_medical"},
    )
    insured = fields.Nested(PersonIn, required=True, metadata={"description": "参保人"})
    payer = fields.Nested(PersonIn, metadata={"description": "缴费人, if another person"})


class OrderIn(Schema):
    """A charge to be paid."""

    client_order_no = ClientNo(required=True, metadata={"description": "Your number; unique for ever"})
    amount_fen = FenAmount(required=True, maximum=AMOUNT_FEN_MAX)
    description = Text(required=True, max_characters=127, metadata={"description": "What the payer reads"})
    expires_at = Instant(metadata={"description": "Last moment to pay; 2 minutes to 400 days ahead"})
    subject = fields.Nested(SubjectIn)


class OrderQuery(Schema):
    """Which orders to list."""

    client_order_no = ClientNo()
    state = fields.String(validate=validate.OneOf([state.value for state in OrderState]))
    cursor = fields.String(validate=Whole(r"ord_[0-9a-f]{32}"))
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class EventQuery(Schema):
    """Which part of an order's history."""

    cursor = fields.Integer(load_default=0, validate=validate.Range(0, 2**31 - 1))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))


class SubjectOut(Schema):
    """The premium, without the people."""

    region = fields.String()
    insured_year = fields.Integer()
    insurance_kind = fields.String()


class OrderOut(Schema):
    """An order with everything that belongs to it."""

    order_id = fields.String(required=True)
    client_order_no = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in OrderState]))
    amount_fen = fields.Integer(required=True)
    amount_paid_fen = fields.Integer(required=True)
    amount_refunded_fen = fields.Integer(required=True)
    currency = fields.Constant("CNY", required=True)
    description = fields.String(required=True)
    subject = fields.Nested(SubjectOut, allow_none=True, required=True)
    expires_at = fields.String(required=True)
    created_at = fields.String(required=True)
    paid_payment_id = fields.String(allow_none=True, required=True)
    payments = fields.List(fields.Nested(PaymentOut), required=True)
    refunds = fields.List(fields.Nested(RefundOut), required=True)
    next_steps = fields.List(fields.String(), required=True)
    order_token = fields.String(metadata={"description": "For front ends that keep no secret; given with the order"})


class OrderListOut(Schema):
    """A page of orders, newest first."""

    orders = fields.List(fields.Nested(OrderOut), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class EventOut(Schema):
    """One line of an order's history."""

    seq = fields.Integer(required=True)
    kind = fields.String(required=True)
    at = fields.String(required=True)
    actor = fields.String(required=True)
    evidence_id = fields.String(allow_none=True, required=True)
    detail = fields.Dict(required=True)
    hash = fields.String(required=True)


class EventListOut(Schema):
    """A page of an order's history, oldest first."""

    events = fields.List(fields.Nested(EventOut), required=True)
    next_cursor = fields.Integer(allow_none=True, required=True)
