"""The binding desk (共济绑定) on the wire: what is asked, and how the answers read. Nothing here moves money."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.shared_account.config import Config
from adapters.shared_account.people import person_members
from adapters.shared_account.tables import NOTICE_OR_PROOF_MISSING, PROOF_TYPES, RELATION_NOT_ALLOWED
from adapters.shared_account.wire import optional_text_of, read_instant, read_yuan, text_of
from gateway.domain.bindings import (
    AccountState,
    Balance,
    Binding,
    BindingRequest,
    BindingState,
    Proof,
    Unbinding,
)
from gateway.domain.provider import RequestRefused

_NUMBER: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_WORD: Final = re.compile(r"[0-9]{1,2}")
_DAY: Final = re.compile(r"20[0-9]{6}")
_MASKED: Final = re.compile(r"[0-9A-Z*()\-]{2,32}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,64}")
_PHONE: Final = re.compile(r"\+?[0-9]{5,20}")
_SM3: Final = re.compile(r"[0-9a-f]{64}")
_TOTAL: Final = re.compile(r"[0-9]{1,6}")

_BINDING_STATES: Final = {
    "0": BindingState.NONE,
    "1": BindingState.ACTIVE,
    "2": BindingState.IN_REVIEW,
    "3": BindingState.REFUSED,
}
_ACCOUNT_STATES: Final = {"1": AccountState.NORMAL, "2": AccountState.FROZEN, "3": AccountState.CLOSED}
"""Source: sheet sections 4.1, 4.2."""


# --- requests ---------------------------------------------------------------------------------------------------------


def add_data(config: Config, request: BindingRequest) -> dict[str, Any]:
    """
    Source: sheet section 4.1, add; vector `envelope.json`, bind request.

    Raises:
        RequestRefused: The notice, a proof or the relation is not what the region asks for; nothing is sent.
        ValueError: With the name of the member that cannot be sent.
    """
    relation = config.relations.get(request.relation)
    if relation is None:
        raise RequestRefused("the region does not bind this relation", code=RELATION_NOT_ALLOWED)
    missing = set(config.proof_rules.get(request.relation, ())) - {proof.kind for proof in request.proofs}
    if not request.notice_agreed or missing:
        raise RequestRefused("the notice is not agreed to, or a proof is missing", code=NOTICE_OR_PROOF_MISSING)
    members = {
        **person_members(config.id_types, "owner", request.owner),
        **person_members(config.id_types, "member", request.member),
        "relCode": relation,
        "phone": _checked(_PHONE, "phone", request.phone),
        "noticeAgreed": "1",
        "proofs": [_proof_members(proof) for proof in request.proofs],
        "reqSn": _checked(_NUMBER, "reqSn", request.req_sn),
    }
    return {name: value for name, value in members.items() if value != []}


def remove_data(config: Config, request: Unbinding) -> dict[str, Any]:
    """
    Source: sheet section 4.1, remove.

    Raises:
        ValueError: With the name of the member that cannot be sent.
    """
    return {
        **person_members(config.id_types, "owner", request.owner),
        "bindId": _checked(_NUMBER, "bindId", request.bind_id),
        "reqSn": _checked(_NUMBER, "reqSn", request.req_sn),
    }


def _proof_members(proof: Proof) -> dict[str, str]:
    return {
        "proofType": PROOF_TYPES[proof.kind],
        "fileSn": _checked(_NUMBER, "fileSn", proof.file_no),
        "sm3": _checked(_SM3, "sm3", proof.sm3_hex),
    }


def _checked(pattern: re.Pattern[str], name: str, value: str) -> str:
    if pattern.fullmatch(value) is None:
        raise ValueError(name)
    return value


# --- answers ----------------------------------------------------------------------------------------------------------


def read_binding(config: Config, data: Mapping[str, Any]) -> Binding:
    """
    One binding, of a check, an addition, a removal or a list.

    Raises:
        ValueError: With the name of the member that is missing or malformed.
    """
    effective = read_instant(f"{optional_text_of(data, 'effTime', _DAY) or ''}000000")
    return Binding(
        state=_BINDING_STATES.get(text_of(data, "bindStas", _WORD), BindingState.UNKNOWN),
        bind_id=optional_text_of(data, "bindId", _NUMBER) or "",
        relation=_relation(config, optional_text_of(data, "relCode", _WORD)),
        effective_on=effective.date() if effective else None,
        member_id_masked=optional_text_of(data, "memberIdNo", _MASKED) or "",
        member_name=optional_text_of(data, "memberName", _NAME) or "",
    )


def _relation(config: Config, rel_code: str | None) -> str:
    return next((word for word, code in config.relations.items() if code == rel_code), "")


def read_bindings(config: Config, data: Mapping[str, Any]) -> tuple[Binding, ...]:
    """
    An account holder's bindings, all of them.

    Raises:
        ValueError: As `read_binding`; or the list is not as long as it says.
    """
    items: Sequence[Any] = data.get("bindList") or ()
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, Mapping) for item in items):
        raise ValueError("bindList")
    if text_of({"total": str(data.get("total"))}, "total", _TOTAL) != str(len(items)):
        raise ValueError("total")
    return tuple(read_binding(config, item) for item in items)


def read_balance(data: Mapping[str, Any]) -> Balance:
    """
    Source: sheet section 4.2.

    Raises:
        ValueError: As `read_binding`.
    """
    return Balance(
        balance_fen=read_yuan(data.get("balc")),
        state=_ACCOUNT_STATES.get(text_of(data, "acctStas", _WORD), AccountState.UNKNOWN),
        as_of=read_instant(data.get("asOf")),
    )
