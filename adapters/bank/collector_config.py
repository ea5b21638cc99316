"""Settings that every institution of biller mode has: what it stands for, and how often it may ask."""

import re
from collections.abc import Mapping
from datetime import time
from types import MappingProxyType
from typing import Final

from adapters.kit.config import AccountSettings
from gateway.domain.biller import Institution

BILLER_ID: Final = re.compile(r"[0-9A-Za-z]{1,32}")
REGION: Final = re.compile(r"[0-9]{6}")
_TIME: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_QUESTIONS_PER_MINUTE: Final = 600


def read_institution(settings: AccountSettings, institution_id: str) -> Institution:
    """The common part; every fault is noted in `settings`."""
    if settings.texts("regions", default=()):
        settings.fault("regions", "is not used here: each entry of billers names its divisions")
    apps = settings.texts("apps", pattern=r"[a-z][a-z0-9_\-]{0,31}", default=())
    hours, _, minutes = (settings.text("cut_off", pattern=_TIME, default="00:00") or "00:00").partition(":")
    return Institution(
        id=institution_id,
        billers=_read_billers(settings),
        apps=frozenset(apps) if settings.has("apps") else None,
        questions_per_minute=settings.number(
            "questions_per_minute", least=1, most=100_000, default=_QUESTIONS_PER_MINUTE
        ),
        cut_off=time(int(hours), int(minutes)),
    )


def _read_billers(settings: AccountSettings) -> Mapping[str, frozenset[str]]:
    billers: dict[str, frozenset[str]] = {}
    for biller_id, regions in settings.table("billers").items():
        is_list = isinstance(regions, (list, tuple)) and bool(regions)
        is_good = is_list and all(isinstance(r, str) and REGION.fullmatch(r) for r in regions)
        if not is_good or BILLER_ID.fullmatch(biller_id) is None:
            settings.fault(
                "billers", "must give each biller id (letters and digits) a list of divisions, 6 digits each"
            )
            continue
        billers[biller_id] = frozenset(regions)
    if settings.has("billers") and not billers:
        settings.fault("billers", "must name at least one biller id")
    return MappingProxyType(billers)


def read_names(settings: AccountSettings, key: str, pattern: re.Pattern[str], wanted: str) -> Mapping[str, str]:
    """A table of short texts by a name that matches the pattern."""
    names: dict[str, str] = {}
    for name, text in settings.table(key, default=None).items():
        if pattern.fullmatch(name) is None or not isinstance(text, str) or not 0 < len(text) <= 64:  # noqa: PLR2004  a short text
            settings.fault(key, f"must give {wanted} a short text each")
            continue
        names[name] = text
    return MappingProxyType(names)
