"""A whole gateway with two banks that collect by BBP/1, and the bank's side of the line."""

import json
from dataclasses import replace
from typing import Any

from werkzeug.test import TestResponse

from gateway.app import World as GatewayWorld
from gateway.app import create_app
from gateway.domain.biller_front import BillerAnswer
from gateway.services.work import Worker
from gateway.store import Store
from tests.adapters.bank_bbp import peer
from tests.support.world import AMOUNT_FEN, SETTINGS, account
from tests.web.front import SUBJECT, Front, Json

RURAL = "rural"
DAY = "20260301"


class BankFront(Front):
    """
    Attributes:
        sent: How many requests the bank has made; each has a nonce of its own.
    """

    def __init__(self, store: Store, database_url: str, *, networks: tuple[str, ...] = (), **settings: Any) -> None:
        collectors = {name: account(name, "bank_bbp", callback_networks=networks) for name in (RURAL, "postal")}
        super().__init__(store, database_url, accounts={**SETTINGS.accounts, **collectors})
        fronts = {
            RURAL: peer.front(self.clock.now(), **settings),
            "postal": peer.front(self.clock.now(), inst_id="PSB340"),
        }
        self.deps = replace(self.deps, providers={**self.deps.providers, **fronts})
        self.worker = Worker(self.deps)
        self.app = create_app(self.settings, world=GatewayWorld(settings=self.settings, deps=self.deps))
        self.client = self.app.test_client()
        self.sent = 0

    def bank(self, path: str, tran_code: str, body: Any, *, raw: bytes | None = None, **more: Any) -> TestResponse:
        """One call of the bank, signed anew."""
        self.sent += 1
        content = peer.envelope(tran_code, body) if raw is None else raw
        changes = {"at": self.clock.now(), "nonce": f"{self.sent:032d}"} | more
        address = changes.pop("address", "127.0.0.1")
        headers, data = dict(changes.pop("headers", {})), changes.pop("data", content)
        request = peer.request(path, content, **changes)
        return self.client.post(
            request.path,
            data=data,
            headers={**request.headers, **headers},
            environ_overrides={"REMOTE_ADDR": address},
        )

    def bill(self, client_order_no: str = "C-1", **changes: Any) -> Json:
        return self.opened(client_order_no, subject={**SUBJECT, **changes})

    def pay(self, order: Json, seq: str = "S1", **changes: Any) -> TestResponse:
        more = changes.pop("more", {})
        body = {
            "biller_id": peer.BILLER,
            "bank_seq": seq,
            "bank_date": DAY,
            "bank_time": "101500",
            "bill_no": order["order_id"][4:],
            "amount": AMOUNT_FEN,
            "channel": "APP",
            "payer_name": "测试付款人",
        } | changes
        return self.bank("payments/notify", "PAYNTF", body, **more)

    def ask_bills(self, number: str, **more: Any) -> TestResponse:
        body = {"biller_id": peer.BILLER, "id_type": "01", "id_no": number, "year": "2026"}
        return self.bank("bills/query", "BILLQRY", body, **more)


def code(response: TestResponse) -> tuple[int, str]:
    """HTTP status and ret_code."""
    return response.status_code, json.loads(response.data)["head"]["ret_code"]


def verified(response: TestResponse) -> Json:
    """The answer's members, its signature checked as the bank checks it."""
    answer = BillerAnswer(status=response.status_code, headers=dict(response.headers), body=response.data, code="")
    return peer.checked(answer)
