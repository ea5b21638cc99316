"""The one way to pay: the platform debits the account holder, nothing is opened in the payer's front end."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.shared_account.people import RESIDENT_ID, Person
from gateway.domain.provider import InstructionKind, Method, MethodField

CHARGE: Final = "charge"

_NUMBER: Final = r"[0-9A-Za-z()\-]{4,32}"
_NAME: Final = r"[^\x00-\x1f\x7f-\x9f]{1,64}"
_ID_TYPE: Final = r"[0-9A-Za-z]{1,8}"


def _personal(pattern: str, description: str, *, required: bool = True) -> MethodField:
    return MethodField(required=required, pattern=pattern, description=description, personal=True)


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        CHARGE: Method(
            name=CHARGE,
            title="职工医保个人账户共济缴费",
            instruction=InstructionKind.NONE,
            fields=MappingProxyType(
                {
                    "bind_id": _personal(r"[0-9A-Za-z_-]{1,64}", "The binding's number at the platform"),
                    "owner_id_type": _personal(
                        _ID_TYPE, "Account holder's kind of document, 01 unless given", required=False
                    ),
                    "owner_id_no": _personal(_NUMBER, "Account holder's document number"),
                    "owner_name": _personal(_NAME, "Account holder's name"),
                    "member_id_type": _personal(
                        _ID_TYPE, "Insured person's kind of document, 01 unless given", required=False
                    ),
                    "member_id_no": _personal(_NUMBER, "Insured person's document number"),
                    "member_name": _personal(_NAME, "Insured person's name"),
                    "insuplc_admdvs": MethodField(
                        required=True, pattern=r"[0-9]{6}", description="Division where the person is insured (参保地)"
                    ),
                    "insu_year": MethodField(
                        required=True, pattern=r"20[0-9]{2}", description="Insured year, not the year of payment"
                    ),
                    "pay_auth_no": _personal(r"[!-~]{1,128}", "Single-use authorisation from the front end"),
                }
            ),
        )
    }
)
"""Source: sheet section 4.3; our own profile."""


def owner_of(fields: Mapping[str, str]) -> Person:
    return _person("owner", fields)


def member_of(fields: Mapping[str, str]) -> Person:
    return _person("member", fields)


def _person(role: str, fields: Mapping[str, str]) -> Person:
    return Person(
        id_type=fields.get(f"{role}_id_type") or RESIDENT_ID,
        id_no=fields[f"{role}_id_no"],
        name=fields[f"{role}_name"],
    )
