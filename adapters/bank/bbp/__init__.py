"""BBP/1: our own biller protocol, for banks that have none of their own to offer. JSON, RSA2 or SM2."""

from adapters.bank.bbp.adapter import BbpInstitution
from adapters.bank.bbp.config import read_config
from adapters.kit.base import AdapterTools
from adapters.kit.config import AccountSettings
from gateway.domain.provider import Provider


def build(settings: AccountSettings, tools: AdapterTools) -> Provider:
    """
    Build the front of one institution; no network.

    Raises:
        SettingsInvalid: With every fault of the account's settings at once.
    """
    return BbpInstitution(read_config(settings), tools)
