"""EBPP of the Agricultural Bank (农业银行 掌银缴费): the bank asks for bills and tells of payments made in its app."""

from adapters.bank.abchina_ebpp.adapter import EbppInstitution
from adapters.bank.abchina_ebpp.config import read_config
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from gateway.domain.provider import Provider


def build(settings: AccountSettings, tools: AdapterTools) -> Provider:
    """
    Build the front of one merchant; no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    return EbppInstitution(read_config(settings))
