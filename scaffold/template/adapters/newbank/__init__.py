"""
newbank: QR and web payments, queries, closing, refunds. Refuses every unproven statement.

Fact to replace: the bank's name, the product, and the version and date of its interface document (source: title page).
"""

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.newbank.adapter import NewbankProvider
from adapters.newbank.config import read_config


def build(settings: AccountSettings, tools: AdapterTools) -> NewbankProvider:
    """
    Build the provider of one merchant account; no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    return NewbankProvider(read_config(settings), tools)
