"""
Calls about shared accounts (医保个人账户共济): who may pay for whom.

Questions are POSTs as well: identity numbers belong in no address, which every proxy logs.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.domain.bindings import Binding, BindingState, Proof, ProofKind
from gateway.domain.clock import rfc3339
from gateway.services.idempotent import Reply
from gateway.services.shared_accounts import (
    BindingDraft,
    Holder,
    bind,
    check_binding,
    list_bindings,
    read_balance,
    unbind,
)
from gateway.web.routes import Call, Route, json_reply
from gateway.web.shapes import person_from
from schemas.shared_account import BalanceOut, BindIn, BindingListOut, BindingOut, HolderIn, MemberIn, UnbindIn


def _holder(call: Call) -> Holder:
    return Holder(app=call.caller.app, region=call.body["region"], owner=person_from(call.body["owner"]))


def _list_bindings(call: Call) -> Reply:
    found = list_bindings(call.deps, _holder(call))
    return json_reply(200, {"bindings": [_listed_shape(binding) for binding in found]})


def _check_binding(call: Call) -> Reply:
    binding = check_binding(call.deps, _holder(call), person_from(call.body["member"]))
    return json_reply(200, _shape(binding))


def _read_balance(call: Call) -> Reply:
    balance = read_balance(call.deps, _holder(call))
    return json_reply(
        200,
        {
            "balance_fen": balance.balance_fen,
            "account_state": balance.state.value,
            "as_of": rfc3339(balance.as_of) if balance.as_of else None,
        },
    )


def _bind(call: Call) -> Reply:
    body = call.body
    draft = BindingDraft(
        holder=_holder(call),
        member=person_from(body["member"]),
        relation=body["relation"],
        phone=body["phone"],
        notice_agreed=body["notice_agreed"],
        proofs=tuple(_proof(members) for members in body["proofs"]),
    )
    return bind(call.deps, draft, call.idempotency(), lambda binding: _changed(201, binding))


def _unbind(call: Call) -> Reply:
    return unbind(
        call.deps, _holder(call), call.body["bind_id"], call.idempotency(), lambda binding: _changed(200, binding)
    )


def _changed(status: int, binding: Binding) -> Reply:
    """202 tells that the outcome is unknown: the same request goes on under the same number."""
    return json_reply(202 if binding.state is BindingState.UNKNOWN else status, _shape(binding))


def _proof(members: Mapping[str, Any]) -> Proof:
    return Proof(kind=ProofKind(members["kind"]), file_no=members["file_no"], sm3_hex=members["sm3"])


def _shape(binding: Binding) -> dict[str, Any]:
    """A binding for `BindingOut`; people are not shown."""
    return {
        "bind_id": binding.bind_id or None,
        "state": binding.state.value,
        "relation": binding.relation or None,
        "effective_on": binding.effective_on.isoformat() if binding.effective_on else None,
    }


def _listed_shape(binding: Binding) -> dict[str, Any]:
    """A binding for `ListedBindingOut`: its holder must see who it is for."""
    return _shape(binding) | {
        "member_name": binding.member_name or None,
        "member_id_masked": binding.member_id_masked or None,
    }


_BINDING_OUT: Final = BindingOut()
_REFUSALS: Final = ("method_not_available", "provider_refused", "provider_unavailable", "region_not_allowed")

ROUTES: Final = (
    Route(
        method="POST",
        rule="/v1/shared-accounts/bindings/search",
        name="list_bindings",
        summary="List whom a shared account may pay for (已绑定家庭成员)",
        view=_list_bindings,
        body=HolderIn(),
        refusals=_REFUSALS,
        answers={200: BindingListOut()},
    ),
    Route(
        method="POST",
        rule="/v1/shared-accounts/bindings/check",
        name="check_binding",
        summary="Ask whether a shared account may pay for a person",
        view=_check_binding,
        body=MemberIn(),
        refusals=_REFUSALS,
        answers={200: _BINDING_OUT},
    ),
    Route(
        method="POST",
        rule="/v1/shared-accounts/bindings",
        name="bind",
        summary="Bind a relative to a shared account (共济绑定)",
        view=_bind,
        body=BindIn(),
        refusals=_REFUSALS,
        answers={201: _BINDING_OUT, 202: _BINDING_OUT},
        keyed=True,
    ),
    Route(
        method="POST",
        rule="/v1/shared-accounts/bindings/remove",
        name="unbind",
        summary="Remove a binding (解绑)",
        view=_unbind,
        body=UnbindIn(),
        refusals=_REFUSALS,
        answers={200: _BINDING_OUT, 202: _BINDING_OUT},
        keyed=True,
    ),
    Route(
        method="POST",
        rule="/v1/shared-accounts/balance",
        name="read_balance",
        summary="Read what a shared account holds; advice for a page",
        view=_read_balance,
        body=HolderIn(),
        refusals=_REFUSALS,
        answers={200: BalanceOut()},
    ),
)
"""The calls of apps; an order token is of no use here."""
