"""银联 (UnionPay) 全渠道 ACP 5.1.0: gateway, app and QR payments. Refuses every unproven statement."""

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.unionpay.adapter import UnionpayProvider
from adapters.unionpay.config import read_config


def build(settings: AccountSettings, tools: AdapterTools) -> UnionpayProvider:
    """
    Build the provider of one merchant account; no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    return UnionpayProvider(read_config(settings), tools)
