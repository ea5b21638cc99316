"""Which simulators there are, in the order in which pages and `jiaofei init` show them. A new one is one line here."""

from functools import cache
from importlib import import_module
from typing import Final, cast

from sandbox.kind import Kind

_KINDS: Final = {
    "wechatpay": "sandbox.wechatpay.kind",
    "alipay": "sandbox.alipay.kind",
    "unionpay": "sandbox.unionpay.kind",
    "shared_account": "sandbox.shared_account.kind",
    "bank_ccb": "sandbox.bank_ccb.kind",
    "bank_abchina": "sandbox.bank_abchina.kind",
    "bank_icbc": "sandbox.bank_icbc.kind",
    "bank_biller": "sandbox.bank_biller.kind",
    "front": "sandbox.front.kind",
}
"""Name of the party, and the module whose `KIND` describes it."""


@cache
def all_kinds() -> dict[str, Kind]:
    """Every kind by its party's name, those too that lack a package here."""
    kinds = [cast("Kind", import_module(module).KIND) for module in _KINDS.values()]
    return {kind.provider: kind for kind in kinds}


def available_kinds() -> dict[str, Kind]:
    """The kinds that can run here."""
    return {name: kind for name, kind in all_kinds().items() if not kind.lacks()}
