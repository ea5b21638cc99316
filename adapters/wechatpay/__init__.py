"""微信支付 (WeChat Pay) APIv3, ordinary payments of direct and partner merchants. Refuses every unsigned statement."""

from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from adapters.wechatpay.adapter import WechatpayProvider
from adapters.wechatpay.client import Client
from adapters.wechatpay.config import read_config
from gateway.domain.provider import Provider


def build(settings: AccountSettings, tools: AdapterTools) -> Provider:
    """
    Build the provider of one merchant account; no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    config = read_config(settings, tools.clock.now())
    return WechatpayProvider(config, tools, Client(config, tools))
