"""医保个人账户共济 (shared account): an employee's personal account pays a relative's premium, whole or not at all."""

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.shared_account.adapter import SharedAccountProvider
from adapters.shared_account.config import read_config
from gateway.domain.provider import Provider


def build(settings: AccountSettings, tools: AdapterTools) -> Provider:
    """
    Build the provider of one channel; no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    return SharedAccountProvider(read_config(settings), tools)
