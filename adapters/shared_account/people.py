"""People as the platform names them. Nothing of them is ever shown."""

import re
from collections.abc import Mapping
from typing import Final

from stdnum.cn import ric

from gateway.domain.order import Person

RESIDENT_ID: Final = "01"
ID_TYPES: Final[Mapping[str, str]] = {"resident_id": RESIDENT_ID}
"""Our kinds of document in the platform's codes; other kinds are the platform's own. Source: sheet section 4."""

_RESIDENT_NUMBER: Final = re.compile(r"[0-9]{17}[0-9X]")
_OTHER_NUMBER: Final = re.compile(r"[0-9A-Z()\-]{4,32}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}")


def person_members(id_types: Mapping[str, str], role: str, person: Person) -> dict[str, str]:
    """
    A person's members under the prefix `owner` or `member`.

    Source: sheet section 4: upper-case X, 18 characters for type 01, check digit verified.

    Args:
        id_types: The platform's code for each kind of document that the channel takes.

    Raises:
        ValueError: With the name of the member that cannot be sent, never with its value.
    """
    id_no = person.id_number.strip().upper()
    id_type = id_types.get(person.id_type)
    if id_type is None:
        raise ValueError(f"{role}IdType")
    if not _is_number(id_type, id_no):
        raise ValueError(f"{role}IdNo")
    if _NAME.fullmatch(person.name) is None or not person.name.strip():
        raise ValueError(f"{role}Name")
    return {f"{role}IdType": id_type, f"{role}IdNo": id_no, f"{role}Name": person.name.strip()}


def _is_number(id_type: str, id_no: str) -> bool:
    if id_type != RESIDENT_ID:
        return _OTHER_NUMBER.fullmatch(id_no) is not None
    return _RESIDENT_NUMBER.fullmatch(id_no) is not None and str(ric.calc_check_digit(id_no)) == id_no[-1]
