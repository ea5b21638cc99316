"""What a simulated gateway is configured with: providers, the collecting bank, an agent, an app's endpoint."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from gateway.domain.collection import Agent
from gateway.domain.secret import Secret
from gateway.services.webhook_endpoints import Endpoint
from gateway.services.webhook_wire import Unanswered, WebhookAnswer
from gateway.settings import AccountConfig, Settings
from sandbox.bank_biller.keys import BankBillerKeys
from sandbox.front.keys import FrontKeys
from sandbox.keyring import Keyring
from sandbox.registry import all_kinds
from sandbox.simulator import Simulator
from tests.journeys.accounts import API_KEYS, account_of, settings_for

AGENT: Final = Agent(
    name="village", code="SIM-01", title="模拟村代办点", kind="village", regions=None, apps=frozenset(API_KEYS)
)
TOLD_APP: Final = "counter"
"""The app that is told by webhooks; the other one asks."""

BANK_ACCOUNT: Final = "bank_bbp"


def installation(ring: Keyring, database_url: str) -> Settings:
    """The journeys' settings, with the bank that collects in its own app and an agent who collects cash."""
    settings = settings_for(ring, database_url)
    return replace(
        settings,
        accounts={**settings.accounts, BANK_ACCOUNT: _bank(ring)},
        agents={AGENT.name: AGENT},
    )


def _bank(ring: Keyring) -> AccountConfig:
    def read(name: str) -> str:
        return ring.path(name).read_text("ascii")

    sections = all_kinds()["bank_biller"].configuration(ring.of(BankBillerKeys), "", read)
    account: dict[str, Any] = dict(sections[f"accounts.{BANK_ACCOUNT}"])
    keys = {name: Secret(str(key)) for name, key in sections[f"accounts.{BANK_ACCOUNT}.bank_keys"].items()}
    values = account | {
        "signing_key": Secret(account["signing_key"]),
        "billers": dict(sections[f"accounts.{BANK_ACCOUNT}.billers"]),
        "bank_keys": keys,
    }
    return account_of(BANK_ACCOUNT, str(values.pop("provider")), values)


def telling(
    ring: Keyring, app: Callable[[], Simulator], point: Callable[[str], None]
) -> AbstractContextManager[object]:
    """
    Inside, every gateway that is built tells the simulated app.

    Args:
        point: Called before and after each post: the power can fail there.
    """

    def post(headers: dict[str, str], body: bytes) -> WebhookAnswer:
        point("before_post")
        answer = app().answer("POST", "/front/hooks", headers, body)
        point("after_post")
        if answer.lost:
            raise Unanswered("broken")
        return WebhookAnswer(status=answer.status, retry_after=answer.headers.get("Retry-After", ""))

    endpoint = Endpoint(address_digest="a" * 64, keys=(ring.of(FrontKeys).webhook_key,), post=post)
    return patch("gateway.app.build_endpoints", lambda _settings: {TOLD_APP: endpoint})
