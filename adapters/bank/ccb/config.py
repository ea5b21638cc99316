"""The settings of one counter (柜台). Refuses a machine that could not verify the bank's signatures."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from adapters.bank.ccb.keys import CounterKey, load_counter_key, machine_can_verify
from adapters.bank.ccb.tables import NO_RECORD
from adapters.kit.config import AccountSettings
from gateway.domain.secret import Secret

_BASE_URL: Final = r"https://[^\s/?#@]+(/[^\s?#]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[^\s?#]*)?"
_PRODUCTION_URL: Final = "https://ibsbjstar.ccb.com.cn/CCBIS/ccbMain"
"""Source: sheet section 2.2."""

_TCP: Final = re.compile(r"tcp://(?P<host>[0-9A-Za-z.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>[1-9][0-9]{0,4})")
_EBS_ADDRESS: Final = rf"{_TCP.pattern}|https?://[^\s/?#@]+(/[^\s?#]*)?"
_PORT_MAX: Final = 65535
_RETURN_CODE: Final = r"[0-9A-Za-z]{4,20}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAddress:
    """Where the bank's client program listens for plain TCP."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One counter, keys already parsed.

    Attributes:
        key: Signs callbacks now; its PUB goes into the MACs.
        previous_key: The one before it, still taken in callbacks while the bank changes over.
        ebs_address: Of the bank's client program (外联平台): TCP, or an http(s) URL.
        operator: USER_ID there.
        no_record_codes: RETURN_CODEs that say "no such record".
        refund_refusal_codes: RETURN_CODEs that the branch calls final for a refund.
        pay_time: How long a payment may be paid from its creation on, at most.
    """

    base_url: str
    merchant_id: str
    pos_id: str
    branch_id: str
    key: CounterKey
    previous_key: CounterKey | None
    ebs_address: TcpAddress | str
    operator: str
    password: Secret = field(repr=False)
    no_record_codes: frozenset[str]
    refund_refusal_codes: frozenset[str]
    gateway: str
    referer: str
    third_app_info: str
    shows_goods: bool
    h5_timeout: bool
    pay_time: timedelta


def read_config(settings: AccountSettings) -> Config:
    """
    Read one `[accounts.<name>]` table.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    key = settings.loaded("public_key", load_counter_key)
    previous_key = settings.loaded("previous_public_key", load_counter_key, default=None)
    if not machine_can_verify():
        settings.fault("public_key", "cannot be used: this machine refuses MD5withRSA of 1024 bits, as in FIPS mode")
    password = settings.secret("ebs_password")
    values: dict[str, Any] = {
        "base_url": settings.text("base_url", pattern=_BASE_URL, default=_PRODUCTION_URL),
        "merchant_id": settings.text("merchant_id", pattern=r"[0-9A-Za-z]{15}"),
        "pos_id": settings.text("pos_id", pattern=r"[0-9A-Za-z]{9}"),
        "branch_id": settings.text("branch_id", pattern=r"[0-9A-Za-z]{9}"),
        "ebs_address": _read_address(settings),
        "operator": settings.text("ebs_operator", pattern=r"[0-9A-Za-z-]{1,21}"),
        "no_record_codes": frozenset(settings.texts("no_record_codes", pattern=_RETURN_CODE, default=(NO_RECORD,))),
        "refund_refusal_codes": frozenset(settings.texts("refund_refusal_codes", pattern=_RETURN_CODE, default=())),
        "gateway": settings.text("gateway", pattern=r"[0-9A-Za-z]{1,20}", default=""),
        "referer": settings.text("referer", pattern=r"[!-%'-~]{1,100}", default=""),
        "third_app_info": settings.text("third_app_info", pattern=r"[0-9A-Za-z]{1,60}", default=""),
        "shows_goods": settings.choice("goods_text", ("escaped", "none"), default="escaped") == "escaped",
        "h5_timeout": settings.choice("h5_timeout", ("no", "yes"), default="no") == "yes",
        "pay_time": timedelta(minutes=settings.number("pay_minutes", least=1, most=1440, default=30)),
    }
    settings.finish()
    if key is None or password is None:
        raise AssertionError("finish let a missing key pass")
    return Config(key=key, previous_key=previous_key, password=password, **values)


def _read_address(settings: AccountSettings) -> TcpAddress | str:
    """The scheme chooses the way: `tcp://host:port`, or an HTTP URL."""
    text = settings.text("ebs_address", pattern=_EBS_ADDRESS)
    match = _TCP.fullmatch(text)
    if match is None:
        return text
    if int(match["port"]) > _PORT_MAX:
        settings.fault("ebs_address", f"has a port above {_PORT_MAX}")
    return TcpAddress(host=match["host"].strip("[]"), port=int(match["port"]))
