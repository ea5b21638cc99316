"""工商银行 (ICBC), API open platform: the aggregated cashier, queries, refunds. Refuses every unproven statement."""

from adapters.bank.icbc.adapter import IcbcProvider
from adapters.bank.icbc.config import read_config
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings


def build(settings: AccountSettings, tools: AdapterTools) -> IcbcProvider:
    """
    Build the provider of one merchant account; no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    return IcbcProvider(read_config(settings), tools)
