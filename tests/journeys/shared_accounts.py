"""A family and its shared account: the channel's settings, and what an app sends to bind, unbind and pay."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.domain.secret import Secret
from gateway.settings import Settings
from sandbox.keyring import Keyring
from tests.journeys.accounts import SANDBOX_URL, account_of
from tests.journeys.world import AMOUNT_FEN, Answer, World

Json = dict[str, Any]

PROVIDER: Final = "shared_account"
ACCOUNT: Final = "sa"
REGION: Final = "340104"

# Invented, with the sequence 000 that is given to nobody; the check digits are right, for the edge asks for them.
OWNER: Final = {"name": "测试授权人", "id_type": "resident_id", "id_number": "340104198506150002"}
CHILD: Final = {"name": "测试使用人", "id_type": "resident_id", "id_number": "340104201809210003"}
OTHER_CHILD: Final = {"name": "测试二孩", "id_type": "resident_id", "id_number": "340104202203010001"}
HOLDER: Final[Mapping[str, Any]] = {"region": REGION, "owner": OWNER}
PHONE: Final = "13800000000"

MODES: Final[Mapping[str, Json]] = {
    "raw-default": {"sm2_user_id": "default", "sig_format": "raw"},
    "raw-app_secret": {"sm2_user_id": "app_secret", "sig_format": "raw"},
    "der-default": {"sm2_user_id": "default", "sig_format": "der"},
    "der-app_secret": {"sm2_user_id": "app_secret", "sig_format": "der"},
}
"""How real platforms sign, as far as they were seen."""


def with_shared_account(ring: Keyring, settings: Settings, mode: str = "raw-default", **values: Any) -> Settings:
    """The settings with one account more."""
    identity = json.loads(ring.path("shared_account_identity.json").read_text("ascii"))
    own = {
        "base_url": f"{SANDBOX_URL}/{PROVIDER}",
        "app_id": identity["app_id"],
        "app_secret": _file(ring, "app_secret.txt"),
        "app_private_key": _file(ring, "app_private_key.pem"),
        "platform_public_keys": [_file(ring, "platform_public_key.pem")],
    }
    account = account_of(ACCOUNT, PROVIDER, own | MODES[mode] | values, regions=frozenset({REGION}))
    return replace(settings, accounts={**settings.accounts, ACCOUNT: account})


def _file(ring: Keyring, name: str) -> Secret:
    return Secret(ring.path(f"{PROVIDER}_{name}").read_text("ascii"))


class Family:
    """
    The account holder with an app in hand.

    Attributes:
        authorised: How many authorisations the front end has given out; each is good once.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.simulator: Any = world.sandbox.simulators[PROVIDER]
        self.authorised = 0

    # --- bindings ---

    def bind(self, member: Mapping[str, str] = CHILD, *, key: str = "") -> Answer:
        """Ask once."""
        body = {
            **HOLDER,
            "member": member,
            "relation": "child",
            "phone": PHONE,
            "notice_agreed": True,
            "proofs": [{"kind": "household_register", "file_no": "F0001", "sm3": "ab" * 32}],
        }
        return self.world.call("POST", "/v1/shared-accounts/bindings", body, key=key)

    def bound(self, member: Mapping[str, str] = CHILD) -> str:
        """Bind, and be active; the binding's number."""
        answer = self.bind(member)
        assert (answer.status, answer.body["state"]) == (201, "active"), answer.body
        return str(answer.body["bind_id"])

    def unbind(self, bind_id: str, *, key: str = "") -> Answer:
        """Ask once."""
        return self.world.call("POST", "/v1/shared-accounts/bindings/remove", {**HOLDER, "bind_id": bind_id}, key=key)

    def check(self, member: Mapping[str, str] = CHILD) -> Answer:
        return self.world.call("POST", "/v1/shared-accounts/bindings/check", {**HOLDER, "member": member})

    def listed(self) -> list[Json]:
        answer = self.world.call("POST", "/v1/shared-accounts/bindings/search", dict(HOLDER))
        assert answer.status == 200, answer.body
        return list(answer.body["bindings"])

    def balance_fen(self) -> int:
        answer = self.world.call("POST", "/v1/shared-accounts/balance", dict(HOLDER))
        assert answer.status == 200, answer.body
        return int(answer.body["balance_fen"])

    def holds(self, balance_fen: int, state: str = "1") -> None:
        """Say what the account holds, and whether it is normal (1), frozen (2) or closed (3)."""
        self.simulator.set_account(OWNER["id_number"], balance_fen=balance_fen, state=state)

    # --- paying ---

    def order(self, member: Mapping[str, str] = CHILD, *, app: str = "web", year: int = 2026) -> str:
        subject = {"region": REGION, "insured_year": year, "insurance_kind": "resident_medical", "insured": member}
        return self.world.open_order(app=app, amount_fen=AMOUNT_FEN, subject=subject)

    def content(self, bind_id: str) -> Json:
        """What the front end sends to pay: what the order does not say, and a fresh authorisation."""
        self.authorised += 1
        fields = {
            "bind_id": bind_id,
            "owner_name": OWNER["name"],
            "owner_id_number": OWNER["id_number"],
            "pay_auth_no": f"AUTH{self.authorised:08d}",
        }
        return {"provider": PROVIDER, "method": "charge", "fields": fields}

    def start(self, order_id: str, bind_id: str, *, key: str = "") -> Answer:
        """Ask once for a payment."""
        return self.world.call("POST", f"/v1/orders/{order_id}/payments", self.content(bind_id), key=key)

    def pay(self, order_id: str, bind_id: str) -> Json:
        """Ask for a payment until it is made or refused."""
        answer = self.world.insist(f"/v1/orders/{order_id}/payments", self.content(bind_id))
        assert answer.status == 201, answer.body
        return dict(answer.body)

    def paid(self) -> tuple[str, Json]:
        """Bound, charged, and known to be paid."""
        order_id = self.order()
        payment = self.pay(order_id, self.bound())
        self.world.advance(20)
        assert self.world.order(order_id).state == "paid"
        return order_id, payment

    def debits(self) -> list[str]:
        """Our numbers of what the platform has debited."""
        return [str(entry["out_trade_no"]).lower() for entry in self.simulator.books()["payments"]]
