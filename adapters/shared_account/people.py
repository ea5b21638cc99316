"""People as the platform names them. Nothing of them is ever shown."""

import re
from dataclasses import dataclass, field
from typing import Final

from stdnum.cn import ric

RESIDENT_ID: Final = "01"

_RESIDENT_NUMBER: Final = re.compile(r"[0-9]{17}[0-9X]")
_OTHER_TYPE: Final = re.compile(r"[0-9A-Za-z]{1,8}")
_OTHER_NUMBER: Final = re.compile(r"[0-9A-Z()\-]{4,32}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """
    An account holder (授权人) or an insured resident (使用人).

    Attributes:
        id_type: `01` is the resident identity card; other types are the platform's own.
    """

    id_type: str = field(default=RESIDENT_ID, repr=False)
    id_no: str = field(repr=False)
    name: str = field(repr=False)


def person_members(role: str, person: Person) -> dict[str, str]:
    """
    A person's members under the prefix `owner` or `member`.

    Source: sheet section 4: upper-case X, 18 characters for type 01, check digit verified.

    Raises:
        ValueError: With the name of the member that cannot be sent, never with its value.
    """
    id_no = person.id_no.strip().upper()
    if _OTHER_TYPE.fullmatch(person.id_type) is None:
        raise ValueError(f"{role}IdType")
    if not _is_number(person.id_type, id_no):
        raise ValueError(f"{role}IdNo")
    if _NAME.fullmatch(person.name) is None or not person.name.strip():
        raise ValueError(f"{role}Name")
    return {f"{role}IdType": person.id_type, f"{role}IdNo": id_no, f"{role}Name": person.name.strip()}


def _is_number(id_type: str, id_no: str) -> bool:
    if id_type != RESIDENT_ID:
        return _OTHER_NUMBER.fullmatch(id_no) is not None
    return _RESIDENT_NUMBER.fullmatch(id_no) is not None and str(ric.calc_check_digit(id_no)) == id_no[-1]
