"""农业银行 (Agricultural Bank), TrustPay V3: its cashier for phones and PCs. Refuses every unproven statement."""

from adapters.bank.abchina.adapter import AbchinaProvider
from adapters.bank.abchina.config import read_config
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings


def build(settings: AccountSettings, tools: AdapterTools) -> AbchinaProvider:
    """
    Build the provider of one merchant account; no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    return AbchinaProvider(read_config(settings), tools)
