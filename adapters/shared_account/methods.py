"""The one way to pay: the platform debits the account holder, nothing is opened in the payer's front end."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.domain.order import Person
from gateway.domain.provider import InstructionKind, Method, MethodField

CHARGE: Final = "charge"

_RESIDENT_ID: Final = "resident_id"


def _personal(pattern: str, description: str, *, required: bool = True, single_use: bool = False) -> MethodField:
    return MethodField(
        required=required, pattern=pattern, description=description, personal=True, single_use=single_use
    )


_QUERY_PAUSES: Final = (5, 5, 20, 30, 60, 180, 300, 1200, 1800, 3600)
"""To look after 5, 10 and 30 s, then 1, 2, 5, 10, 30 and 60 minutes, then every hour. Source: sheet section 5."""

METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        CHARGE: Method(
            name=CHARGE,
            title="职工医保个人账户共济缴费",
            instruction=InstructionKind.NONE,
            query_pauses=_QUERY_PAUSES,
            fields=MappingProxyType(
                {
                    "bind_id": _personal(r"[0-9A-Za-z_-]{1,64}", "The binding's number at the platform"),
                    "owner_name": _personal(r"[^\x00-\x1f\x7f-\x9f]{1,64}", "Account holder's name (授权人)"),
                    "owner_id_type": _personal(
                        r"[a-z_]{1,40}", "Account holder's kind of document, resident_id unless given", required=False
                    ),
                    "owner_id_number": _personal(r"[0-9A-Za-z()\-]{4,32}", "Account holder's document number"),
                    "pay_auth_no": _personal(
                        r"[!-~]{1,128}", "Single-use authorisation from the front end", single_use=True
                    ),
                }
            ),
            needs_subject=True,
            refunds_whole=True,
        )
    }
)
"""
Source: sheet sections 4.3, 4.5 and 7; our own profile. The insured person, region, year and kind are the order's.
"""


def owner_of(fields: Mapping[str, str]) -> Person:
    return Person(
        name=fields["owner_name"],
        id_type=fields.get("owner_id_type") or _RESIDENT_ID,
        id_number=fields["owner_id_number"],
    )
