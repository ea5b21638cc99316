"""Public JSON of the shared account (医保个人账户共济). People stand in bodies only, never in an address."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from gateway.domain.bindings import AccountState, BindingState, ProofKind
from schemas.order import PersonIn
from schemas.text import Whole


class Agreed(fields.Boolean):
    """JSON true, and no word or number that means it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf([True], error="must be agreed to"), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true")
        return value


class HolderIn(Schema):
    """Whose account is asked about."""

    region = fields.String(
        required=True,
        validate=Whole(r"[0-9]{6}"),
        metadata={"description": "参保地, 行政区划代码", "example": "340104"},
    )
    owner = fields.Nested(PersonIn, required=True, metadata={"description": "授权人, the account holder"})


class MemberIn(HolderIn):
    """Whose account, and who wants to be paid for."""

    member = fields.Nested(PersonIn, required=True, metadata={"description": "使用人, the insured person"})


class ProofIn(Schema):
    """A document of the relation, by its number where it was uploaded."""

    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in ProofKind]))
    file_no = fields.String(required=True, validate=Whole(r"[0-9A-Za-z_\-]{1,64}"))
    sm3 = fields.String(required=True, validate=Whole(r"[0-9a-f]{64}"), metadata={"description": "The file's SM3, hex"})


class BindIn(MemberIn):
    """A binding to be made."""

    relation = fields.String(
        required=True,
        validate=Whole(r"[a-z][a-z0-9_]{0,39}"),
        metadata={"description": "spouse, parent, child, or another word of the region", "example": "child"},
    )
    phone = fields.String(required=True, validate=Whole(r"\+?[0-9]{5,20}"), metadata={"example": "13800000000"})
    notice_agreed = Agreed(
        required=True, metadata={"description": "The account holder agreed to 《职工医保门诊共济家庭账户绑定告知书》"}
    )
    proofs = fields.List(fields.Nested(ProofIn), load_default=list, validate=validate.Length(max=10))


class UnbindIn(HolderIn):
    """A binding to be removed."""

    bind_id = fields.String(required=True, validate=Whole(r"[0-9A-Za-z_\-]{1,64}"))


class BindingOut(Schema):
    """A binding, as the platform tells it now. Only an active one pays."""

    bind_id = fields.String(allow_none=True, required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in BindingState]))
    relation = fields.String(allow_none=True, required=True)
    effective_on = fields.String(allow_none=True, required=True, metadata={"description": "A day, YYYY-MM-DD"})


class ListedBindingOut(BindingOut):
    """A binding in a list, with whom it is for as far as the platform shows it."""

    member_name = fields.String(allow_none=True, required=True)
    member_id_masked = fields.String(allow_none=True, required=True)


class BindingListOut(Schema):
    """Everybody whom an account may pay for, or has asked to."""

    bindings = fields.List(fields.Nested(ListedBindingOut), required=True)


class BalanceOut(Schema):
    """What an account held: advice for a page. Only the charge itself tells whether it is enough."""

    balance_fen = fields.Integer(required=True)
    account_state = fields.String(required=True, validate=validate.OneOf([state.value for state in AccountState]))
    as_of = fields.String(allow_none=True, required=True)
