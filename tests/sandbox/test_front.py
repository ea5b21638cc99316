"""The sandbox's app: it takes what the gateway signs, and nothing else; its page shows it; it fails when told to."""

from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.domain.webhook import signature_headers
from sandbox.app import create_sandbox
from sandbox.clock import SandboxClock
from sandbox.front.keys import FrontKeys
from sandbox.keyring import Keyring
from tests.sandbox.conftest import START
from tests.sandbox.merchants import Inbox

BODY = '{"type":"order.paid","sequence":6,"data":{"order_id":"ord_测试","state":"paid"}}'.encode()


@pytest.fixture
def client(keyring: Keyring, clock: SandboxClock, inbox: Inbox) -> FlaskClient:
    return create_sandbox(keyring, post=inbox.post, clock=clock).test_client()


def deliver(
    client: FlaskClient, key: bytes, *, body: bytes = BODY, name: str = "evt_1_6", at: datetime = START, **headers: str
) -> Any:
    """Post as the gateway does, with its own signature."""
    signed = signature_headers([key], webhook_id=name, sent_at=at, body=body)
    return client.post("/front/hooks", data=body, headers={**signed, **headers})


def received(client: FlaskClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/control/webhooks").json["webhooks"]  # type: ignore[index]
    return found


@pytest.fixture
def key(keyring: Keyring) -> bytes:
    return keyring.of(FrontKeys).webhook_key


def test_signed_message_is_taken_and_shown(client: FlaskClient, key: bytes) -> None:
    """204; the page and the control interface show what it says."""
    assert deliver(client, key).status_code == 204
    (one,) = received(client)
    page = client.get("/front/received").text

    assert (one["webhook_id"], one["verified"], one["fresh"], one["answered"]) == ("evt_1_6", True, True, 204)
    assert one["content"]["data"]["state"] == "paid"
    assert "order.paid" in page
    assert "ord_测试" in page


def test_message_that_comes_again_is_told_apart(client: FlaskClient, key: bytes) -> None:
    """Taken again, marked as known."""
    deliver(client, key)
    deliver(client, key)

    assert [one["fresh"] for one in received(client)] == [False, True]
    assert "重复" in client.get("/front/received").text


SPOILT: dict[str, dict[str, Any]] = {
    "other_body": {"body": b"{}", "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    "other_id": {"webhook-id": "evt_1_7"},
    "other_time": {"webhook-timestamp": "1"},
    "no_signature": {"webhook-signature": ""},
    "other_version": {"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    "not_ascii": {"webhook-signature": "v1,é"},
}


@pytest.mark.parametrize("name", SPOILT)
def test_message_that_is_not_the_gateways_is_refused(client: FlaskClient, key: bytes, name: str) -> None:
    """401, shown as unverified, its content left aside."""
    assert deliver(client, key, **SPOILT[name]).status_code == 401
    (one,) = received(client)

    assert (one["verified"], one["content"]) == (False, {})


def test_one_signature_of_several_is_enough(client: FlaskClient, key: bytes) -> None:
    """As during a change of secrets."""
    signed = signature_headers([b"o" * 32, key], webhook_id="evt_1_6", sent_at=START, body=BODY)

    assert client.post("/front/hooks", data=BODY, headers=signed).status_code == 204


FAULTS = {"webhook_refused": 500, "webhook_busy": 503, "webhook_redirected": 307, "webhook_gone": 410}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_strikes_the_next_message(client: FlaskClient, key: bytes, fault: str) -> None:
    """Chosen on the page; the one after it is taken, and is the first that was."""
    assert client.post("/front/received", data={"fault": fault}).status_code == 303
    assert deliver(client, key).status_code == FAULTS[fault]
    assert deliver(client, key).status_code == 204

    assert [(one["answered"], one["fresh"]) for one in received(client)] == [(204, True), (FAULTS[fault], True)]


def test_busy_receiver_says_how_long(client: FlaskClient, key: bytes) -> None:
    """Retry-After in seconds."""
    client.post("/control/faults", json={"fault": "webhook_busy", "provider": "front"})

    assert deliver(client, key).headers["Retry-After"] == "10"


def test_unknown_fault_is_refused(client: FlaskClient) -> None:
    """The page says so."""
    assert client.post("/front/received", data={"fault": "callback_never"}).status_code == 409


def test_message_without_an_answer_is_shown_as_such(client: FlaskClient, key: bytes) -> None:
    """It arrived; the gateway does not know."""
    client.post("/control/faults", json={"fault": "webhook_unanswered", "provider": "front", "seconds": 0})
    with pytest.raises(ConnectionAbortedError):
        deliver(client, key)

    assert [one["answered"] for one in received(client)] == [None]


@pytest.mark.parametrize("body", [b"", b"[]", b"1", "满".encode()], ids=repr)
def test_signed_junk_breaks_nothing(client: FlaskClient, key: bytes, body: bytes) -> None:
    """Whatever is signed is taken; the page opens."""
    assert deliver(client, key, body=body).status_code == 204
    assert client.get("/front/received").status_code == 200


def test_other_method_is_refused(client: FlaskClient) -> None:
    """Nothing is shown of it."""
    assert client.get("/front/hooks").status_code == 405
    assert received(client) == []
