"""A line in the registry is all it takes: a client of the gateway, which no module of the sandbox has heard of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from sandbox import registry
from sandbox.app import Sandbox, create_sandbox
from sandbox.clock import SandboxClock
from sandbox.keyring import Keyring, load_keyring, open_keyring
from tests.sandbox.client_kind import Counter, CounterFault
from tests.sandbox.merchants import Inbox

GATEWAY_URL = "https://pay.example.cn/biller"


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Keyring]:
    """A sandbox of that client alone."""
    monkeypatch.setattr(registry, "_KINDS", {"counter": "tests.sandbox.client_kind"})
    registry.all_kinds.cache_clear()
    yield open_keyring(tmp_path / "ring")
    registry.all_kinds.cache_clear()


@pytest.fixture
def app(ring: Keyring, clock: SandboxClock, inbox: Inbox) -> Flask:
    return create_sandbox(ring, post=inbox.post, clock=clock, options={"counter": {"gateway_url": GATEWAY_URL}})


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_client_has_keys_and_a_section_of_its_own(ring: Keyring) -> None:
    """Whatever section it names."""
    assert ring.keys == load_keyring(ring.folder).keys
    assert ring.configuration("http://127.0.0.1:8400", "secrets/sandbox") == {
        "counters.one": {
            "number": "C-1",
            "url": "http://127.0.0.1:8400/counter",
            "identity": "file:secrets/sandbox/counter_identity.json",
        }
    }


def test_client_is_driven_by_its_page_and_by_its_control_call(client: FlaskClient, inbox: Inbox) -> None:
    """Both go out to the address that it was built with."""
    posted = client.post("/counter/desk", data={"number": "A-1"})
    called = client.post("/control/counter", json={"number": "A-2", "amount_fen": 38002})
    index = client.get("/").text

    assert (posted.status_code, posted.headers["Location"]) == (303, "/counter/desk")
    assert called.json["amount_fen"] == 38002
    assert [(url, body) for url, _, body in inbox.received] == [(GATEWAY_URL, b"A-1"), (GATEWAY_URL, b"A-2")]
    assert "2 笔" in client.get("/counter/desk").text
    assert ["柜面：收款" in index, "已收款" in index, "380.02" in index, "去支付" in index] == [True, True, True, False]
    assert len(client.get("/control/callbacks").json["deliveries"]) == 2


def test_client_waits_for_an_answer_as_long_as_its_kind_says(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP; providers differ in how long they wait for an acknowledgement."""
    waits: list[float] = []

    def post(_url: str, *, timeout: float, **_more: object) -> requests.Response:
        waits.append(timeout)
        raise requests.ConnectTimeout

    monkeypatch.setattr("sandbox.app.requests.post", post)
    sandbox: Sandbox = create_sandbox(ring).extensions["sandbox"]

    with pytest.raises(OSError, match=r"^$"):
        sandbox.of(Counter).take("A-1", 1)
    assert [7] == waits


def test_client_that_is_refused_says_so(client: FlaskClient, inbox: Inbox) -> None:
    """409 on the page and in the control interface, 400 for what nobody understands."""
    inbox.default = (500, b"")
    answers = [
        client.post("/counter/desk", data={"number": "A-1"}),
        client.post("/control/counter", json={"number": "A-2", "amount_fen": 1}),
        client.post("/control/counter", json={"number": "A-2", "amount_fen": True}),
        client.post("/control/counter", json={"number": 2, "amount_fen": 1}),
    ]

    assert [409, 409, 400, 400] == [answer.status_code for answer in answers]
    assert "对方未受理" in answers[0].text
    assert client.get("/control/orders").json == {"orders": []}


def test_client_has_faults_of_its_own(app: Flask, client: FlaskClient, inbox: Inbox) -> None:
    """Known by name to the board, listed, and given back as the client's own member."""
    sandbox: Sandbox = app.extensions["sandbox"]
    rule = client.post("/control/faults", json={"fault": "forgetful", "provider": "counter", "operation": "take"})
    sandbox.of(Counter).take("A-1", 1)

    assert rule.json["fault"] == "forgetful"
    assert sandbox.faults.in_force()[0].fault is CounterFault.FORGETFUL
    assert inbox.received == []
    assert client.post("/control/faults", json={"fault": "half_json", "provider": "wechatpay"}).status_code == 400


def test_client_has_nothing_that_providers_have(client: FlaskClient) -> None:
    """No address that answers requests, no cashier, no key that changes, no money received."""
    named = {"provider": "counter", "out_trade_no": "A-1"}

    assert client.post("/counter/api", data=b"{}").status_code == 404
    assert client.get("/counter/cashier?visit=x").status_code == 404
    assert client.get("/control/books?provider=counter").json == {"payments": [], "refunds": []}
    assert [409, 409] == [client.post(f"/control/{call}", json=named).status_code for call in ("pay", "cancel")]
    assert client.post("/control/rotate", json=named).status_code == 400
