"""建设银行 (CCB): H5 and app cashier, aggregate QR, callback, and its client program for queries and refunds."""

from adapters.bank.ccb.adapter import CcbProvider
from adapters.bank.ccb.config import read_config
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings


def build(settings: AccountSettings, tools: AdapterTools) -> CcbProvider:
    """
    Build the provider of one counter (柜台); no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    return CcbProvider(read_config(settings), tools)
