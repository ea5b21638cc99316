"""Provider names and how to build them. Third parties join by an entry point of the group `jiaofei.adapters`."""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, cast

from adapters.kit.base import BuildProvider

ENTRY_POINT_GROUP: Final = "jiaofei.adapters"

_BUILDERS: Final = {
    "wechatpay": "adapters.wechatpay:build",
    "alipay": "adapters.alipay:build",
    "unionpay": "adapters.unionpay:build",
    "shared_account": "adapters.shared_account:build",
    "bank_ccb": "adapters.bank.ccb:build",
    "bank_abchina": "adapters.bank.abchina:build",
    "bank_icbc": "adapters.bank.icbc:build",
    "bank_bbp": "adapters.bank.bbp:build",
    "bank_abchina_ebpp": "adapters.bank.abchina_ebpp:build",
}


def provider_names() -> tuple[str, ...]:
    """Every provider that an account may name."""
    return tuple(_BUILDERS) + tuple(sorted(entry_points(group=ENTRY_POINT_GROUP).names))


def find_builder(provider: str) -> BuildProvider:
    """
    The build function of a provider.

    Raises:
        KeyError: No adapter of that name.
    """
    if provider in _BUILDERS:
        module, function = _BUILDERS[provider].split(":")
        return cast("BuildProvider", getattr(import_module(module), function))
    return cast("BuildProvider", entry_points(group=ENTRY_POINT_GROUP)[provider].load())
