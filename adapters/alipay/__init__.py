"""Alipay (支付宝) by OpenAPI v2 with RSA2 signatures."""

from adapters.alipay.adapter import Alipay
from adapters.alipay.config import read_account
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings


def build(settings: AccountSettings, tools: AdapterTools) -> Alipay:
    """
    Build the provider of one Alipay account.

    Raises:
        SettingsInvalid: With every fault of the account's settings.
    """
    return Alipay(read_account(settings), tools)
