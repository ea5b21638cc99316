"""A whole gateway behind a test client. Every answer of the public interface is held against the OpenAPI document."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonschema
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import Client, TestResponse

from gateway.app import World as GatewayWorld
from gateway.app import create_app
from gateway.domain.operator import Operator, Role
from gateway.domain.provider import RawCallback
from gateway.domain.secret import Secret
from gateway.services.work import Worker
from gateway.settings import AppSettings, Settings
from gateway.store import Store, StoreUnavailable
from tests.support.world import AMOUNT_FEN, SETTINGS, World

API_KEY = "test-key-of-the-wallet"
SECOND_API_KEY = "test-key-of-the-wallet-after-rotation"
VILLAGE_KEY = "test-key-of-the-village"
NARROW_KEY = "test-key-of-the-narrow-app"
SIGNER_KEY = "test-key-of-the-signer"
SIGNING_SECRET = "test-signing-secret"
PROBLEM = "application/problem+json"
UNKNOWN_ORDER = "ord_" + "0" * 32
PAYMENT = {"provider": "alpha", "method": "native"}

Json = dict[str, Any]


def digest(api_key: str) -> str:
    return hashlib.sha256(api_key.encode()).hexdigest()


APPS = {
    "wallet": AppSettings(name="wallet", entry="app", api_key_digests=(digest(API_KEY), digest(SECOND_API_KEY))),
    "village": AppSettings(
        name="village", entry="counter", api_key_digests=(digest(VILLAGE_KEY),), regions=frozenset({"340100"})
    ),
    "narrow": AppSettings(
        name="narrow", entry="h5", api_key_digests=(digest(NARROW_KEY),), methods=frozenset({"beta.native"})
    ),
    "signer": AppSettings(
        name="signer", entry="app", api_key_digests=(digest(SIGNER_KEY),), signing_secret=Secret(SIGNING_SECRET)
    ),
}


def resident_id(first_17: str) -> str:
    """An invented person's number with its check digit, for the edge refuses any other (GB 11643-1999)."""
    total = sum(int(d) * pow(2, 17 - i, 11) for i, d in enumerate(first_17))
    return first_17 + "10X98765432"[total % 11]


PERSON = {"name": "测试参保人", "id_type": "resident_id", "id_number": resident_id("34010019000101001")}
SUBJECT = {"region": "340100", "insured_year": 2026, "insurance_kind": "resident_medical", "insured": PERSON}


def order_body(client_order_no: str = "C-1", **changes: Any) -> Json:
    """What an app sends to open an order."""
    return {"client_order_no": client_order_no, "amount_fen": AMOUNT_FEN, "description": "城乡居民医保"} | changes


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def signed_headers(
    method: str, target: str, timestamp: int, nonce: str, body: bytes = b"", *, secret: str = SIGNING_SECRET
) -> dict[str, str]:
    """What an app that signs sends, written from the interface's description and not from its code."""
    lines = [method, target, str(timestamp), nonce, hashlib.sha256(body).hexdigest()]
    signature = hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()
    return {
        **bearer(SIGNER_KEY),
        "Jiaofei-Timestamp": str(timestamp),
        "Jiaofei-Nonce": nonce,
        "Jiaofei-Signature": signature,
    }


OPERATOR_KEY = "test-key-of-the-operator-on-duty"
OPERATORS = {
    "on-duty": Operator(name="on-duty", role=Role.OPERATOR, api_key_digests=(digest(OPERATOR_KEY),)),
}


class Conformity:
    """Says how an answer differs from what the OpenAPI document promises."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.document: Json = app.test_client().get("/openapi.json").get_json()

    def check(self, response: TestResponse) -> None:
        """Status, problem code and content type are documented, and the body has the documented shape."""
        operation = self._operation(response)
        if operation is None:
            return
        answers = operation["responses"]
        assert str(response.status_code) in answers, f"{response.status_code} is not documented: {response.data!r}"
        if response.content_type == PROBLEM:
            assert response.json["code"] in answers[str(response.status_code)]["description"].split(" | ")
        content = answers[str(response.status_code)]["content"]
        assert response.content_type in content
        schema = content[response.content_type]["schema"] | {"components": self.document["components"]}
        jsonschema.Draft202012Validator(schema).validate(json.loads(response.data))

    def _operation(self, response: TestResponse) -> Json | None:
        """The documented operation that answered; None for addresses and methods that are none."""
        request = response.request
        if request.method in ("HEAD", "OPTIONS"):
            return None
        adapter = self._app.url_map.bind("")
        try:
            rule, _ = adapter.match(request.path, method=request.method, return_rule=True)
        except HTTPException:
            return None
        path = rule.rule.replace("<", "{").replace(">", "}")
        return self.document["paths"].get(path, {}).get(request.method.lower())


class Front(World):
    """
    A gateway with its edge, two fake providers and a clock set by hand.

    Attributes:
        app: The Flask application.
    """

    def __init__(self, store: Store, database_url: str, **changes: Any) -> None:
        super().__init__(store)
        members = {"apps": APPS, "operators": OPERATORS, "database_url": Secret(database_url)} | changes
        self.settings: Settings = replace(SETTINGS, **members)
        self.deps = replace(self.deps, settings=self.settings)
        self.worker = Worker(self.deps)
        self.app = create_app(self.settings, world=GatewayWorld(settings=self.settings, deps=self.deps))
        self.conformity = Conformity(self.app)
        self.client: Client = self.app.test_client()
        self._keys = 0

    def new_key(self) -> str:
        self._keys += 1
        return f"key-{self._keys}"

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        credential: str | None = API_KEY,
        headers: Mapping[str, str] | None = None,
        client: Client | None = None,
    ) -> TestResponse:
        """
        One request with JSON and no idempotency key; its answer must be a documented one.

        Args:
            body: An object to send as JSON, or bytes to send as they are.
        """
        all_headers = {**(bearer(credential) if credential else {}), **(headers or {})}
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body, ensure_ascii=False).encode()
        if raw is not None:
            all_headers = {"Content-Type": "application/json", **all_headers}
        response = (client or self.client).open(path, method=method, data=raw, headers=all_headers)
        self.conformity.check(response)
        return response

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **more: Any) -> TestResponse:
        """A POST with a new idempotency key, or with the given one."""
        headers = {"Idempotency-Key": key or self.new_key()} | dict(more.pop("headers", None) or {})
        return self.call("POST", path, body=body, headers=headers, **more)

    # --- journeys ---

    def opened(self, client_order_no: str = "C-1", *, credential: str = API_KEY, **changes: Any) -> Json:
        response = self.post("/v1/orders", order_body(client_order_no, **changes), credential=credential)
        assert response.status_code == 201, response.data
        return response.get_json()

    def started(self, order: Json, provider: str = "alpha", *, credential: str = API_KEY, **fields: str) -> Json:
        body = {"provider": provider, "method": "native", "fields": fields}
        response = self.post(f"/v1/orders/{order['order_id']}/payments", body, credential=credential)
        assert response.status_code == 201, response.data
        return response.get_json()

    def settled(self, payment: Json, **changes: Any) -> TestResponse:
        """The payer pays and the provider's callback arrives over HTTP."""
        provider = {"alpha": self.alpha, "beta": self.beta}[payment["provider"]]
        provider.pay(payment["out_trade_no"])
        return self.deliver_to(payment["account"], provider.callback(payment["out_trade_no"], **changes))

    def deliver_to(self, account: str, raw: RawCallback, *, client: Client | None = None, **more: Any) -> TestResponse:
        provider = self.settings.accounts[account].provider
        client = client or self.client
        path = f"/callbacks/{provider}/{account}"
        return client.post(path, data=raw.body, headers=dict(raw.headers), **more)

    def paid_order(self, client_order_no: str = "C-1", **changes: Any) -> tuple[Json, Json]:
        """An order and its payment, as the interface shows them after the money came."""
        order = self.opened(client_order_no, **changes)
        payment = self.started(order)
        assert self.settled(payment).status_code == 200
        order = self.get(f"/v1/orders/{order['order_id']}").get_json()
        assert order["state"] == "paid"
        return order, order["payments"][0]


class Down:
    """An engine that does not answer."""

    def __init__(self, inner: Any, fault: Exception | None = None) -> None:
        self.inner = inner
        self.dialect = inner.dialect
        self._fault = fault or StoreUnavailable("canary-database-text")

    def read(self, *_: object) -> None:
        raise self._fault

    flush = claim = read

    def close(self) -> None:
        self.inner.close()


def problem(response: TestResponse) -> tuple[int, str]:
    """Status and code of a problem document."""
    assert response.content_type == PROBLEM, (response.status, response.data)
    members = response.get_json()
    assert members["status"] == response.status_code
    assert members["type"] == f"urn:jiaofei:problem:{members['code']}"
    assert members["request_id"].startswith("req_")
    return response.status_code, members["code"]


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
