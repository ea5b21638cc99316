"""What every service works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.domain.clock import Clock
from gateway.domain.gate import Gate
from gateway.domain.ids import Ids
from gateway.domain.provider import Provider
from gateway.services.webhook_endpoints import Endpoint
from gateway.settings import AccountConfig, Settings
from gateway.store import Store, Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """
    The world, as services see it.

    Attributes:
        providers: One provider per merchant account, by account name.
        gates: What stands before each account's calls, by account name.
        webhooks: The receiver of every app that has one, by app name; the others are told nothing.
    """

    settings: Settings
    store: Store
    vault: Vault
    clock: Clock
    ids: Ids
    providers: Mapping[str, Provider]
    gates: Mapping[str, Gate] = field(default_factory=dict)
    webhooks: Mapping[str, Endpoint] = field(default_factory=dict)

    def account(self, name: str) -> AccountConfig:
        return self.settings.accounts[name]

    def notify_url(self, account: str) -> str:
        """Where the provider of this account posts its callbacks."""
        return f"{self.settings.public_base_url}/callbacks/{self.account(account).provider}/{account}"
