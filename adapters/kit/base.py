"""What an adapter is given when it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from adapters.kit.config import AccountSettings
from adapters.kit.http import Transport
from gateway.domain.clock import Clock
from gateway.domain.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterTools:
    """
    The world as an adapter may see it.

    Attributes:
        nonce: Makes 32 unpredictable characters of [0-9A-Za-z].
    """

    clock: Clock
    nonce: Callable[[], str]
    transport: Transport


class BuildProvider(Protocol):
    """What `adapters.registry` maps a provider's name to."""

    def __call__(self, settings: AccountSettings, tools: AdapterTools) -> Provider:
        """
        Build the provider of one merchant account; parse every key now, none later.

        Raises:
            SettingsInvalid: With every fault of the account's settings at once.
        """
        ...
