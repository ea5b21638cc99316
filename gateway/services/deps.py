"""What every service works with."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.clock import Clock
from gateway.domain.ids import Ids
from gateway.domain.provider import Provider
from gateway.settings import AccountConfig, Settings
from gateway.store import Store, Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """
    The world, as services see it.

    Attributes:
        providers: One provider per merchant account, by account name.
    """

    settings: Settings
    store: Store
    vault: Vault
    clock: Clock
    ids: Ids
    providers: Mapping[str, Provider]

    def account(self, name: str) -> AccountConfig:
        return self.settings.accounts[name]

    def notify_url(self, account: str) -> str:
        """Where the provider of this account posts its callbacks."""
        return f"{self.settings.public_base_url}/callbacks/{self.account(account).provider}/{account}"
