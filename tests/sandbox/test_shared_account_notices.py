"""Callbacks of the shared account's platform, its keys, and the platform in the application."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("gmssl_pyx")

from sandbox.app import Sandbox, create_sandbox
from sandbox.clock import SandboxClock
from sandbox.faults import FaultBoard
from sandbox.keyring import Keyring, open_keyring
from sandbox.shared_account.simulator import SharedAccountSimulator
from tests.sandbox.conftest import START
from tests.sandbox.merchants import NOTIFY_URL, Inbox
from tests.sandbox.shared_account_channel import NUMBER, OWNER, Channel, Untrusted


def test_keyring_with_another_key_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    """An RSA key under the SM2 key's name."""
    folder = tmp_path / "ring"
    shutil.copytree(keyring.folder, folder)
    name = "shared_account_app_private_key.pem"
    shutil.copy(keyring.path("alipay_app_private_key.pem"), folder / name)

    with pytest.raises(ValueError, match=name):
        open_keyring(folder)


def test_callback_says_what_was_paid(channel: Channel, inbox: Inbox) -> None:
    """Signed, complete, once: code "0" stops the repeats."""
    channel.charge()
    channel.clock.advance(86_400)
    message = channel.opened(inbox.received[0][2])
    notice_id = message["data"].pop("notifyId")

    assert (message["transType"], len(notice_id), len(inbox.received)) == ("sa.pay.notify", 32, 1)
    assert message["data"] == {
        "callType": "02",
        "outTradeNo": NUMBER,
        "payOrdId": "ORD2026030100000001",
        "ordStas": "6",
        "psnAcctPay": "380.01",
        "tradeTime": "20260301102030",
        "receiptNo": "PJ2026030100000001",
        "memo": "家庭共济缴费",
    }
    assert inbox.received[0][0] == NOTIFY_URL


@pytest.mark.parametrize(
    "answer",
    [(401, b'{"code":"FAIL"}'), (200, b'{"code":0}'), (200, b"success"), (500, b'{"code":"0"}')],
    ids=["refused", "number", "text", "error"],
)
def test_callback_is_repeated_by_the_schedule(channel: Channel, inbox: Inbox, answer: tuple[int, bytes]) -> None:
    """15 s, 30 s, 3 min, 10 min, 30 min, 1 h, 2 h, 6 h; freshly signed, the same notifyId."""
    inbox.default = answer
    channel.charge()
    channel.clock.advance(7 * 86_400)
    gaps = (0, 15, 30, 180, 600, 1800, 3600, 7200, 21_600)
    messages = [channel.opened(body) for _, _, body in inbox.received]

    assert [START + timedelta(seconds=sum(gaps[: count + 1])) for count in range(9)] == inbox.times
    assert len({message["data"]["notifyId"] for message in messages}) == 1
    assert len({message["timestamp"] for message in messages}) == 9


@pytest.mark.parametrize("fault", ["callback_wrong_key", "callback_bad_signature", "signature_der"])
def test_callback_with_a_spoilt_signature_is_no_proof(
    channel: Channel, faults: FaultBoard, inbox: Inbox, fault: str
) -> None:
    """The first delivery is refused by the merchant, the repeat is sound."""
    faults.add(fault, operation="payment_callback", times=1)
    inbox.answers = [(401, b"")]
    channel.charge()
    channel.clock.advance(15)

    with pytest.raises(Untrusted):
        channel.opened(inbox.received[0][2])
    assert channel.opened(inbox.received[1][2])["data"]["ordStas"] == "6"


def test_callback_amount_can_differ_by_one_fen(channel: Channel, faults: FaultBoard, inbox: Inbox) -> None:
    """Validly signed."""
    faults.add("callback_amount_differs")
    channel.charge()
    channel.clock.advance(0)

    assert channel.opened(inbox.received[0][2])["data"]["psnAcctPay"] == "380.02"


@pytest.mark.parametrize(
    ("fault", "times"),
    [("callback_duplicate", [0, 1]), ("callback_delayed", [600]), ("callback_never", [])],
)
def test_callback_can_come_twice_late_or_never(
    channel: Channel, faults: FaultBoard, inbox: Inbox, fault: str, times: list[int]
) -> None:
    """The courier's faults work here as well."""
    faults.add(fault, provider="shared_account")
    channel.charge()
    channel.clock.advance(86_400)

    assert [START + timedelta(seconds=seconds) for seconds in times] == inbox.times
    assert channel.simulator.deliveries()[0]["fault"] == (None if fault != "callback_never" else fault)


def test_callbacks_of_payment_and_revoke_can_change_places(channel: Channel, faults: FaultBoard, inbox: Inbox) -> None:
    """The revoke is told first."""
    faults.add("callback_reordered", operation="payment_callback", times=1)
    paid = channel.charge()
    channel.ask("sa.pay.revoke", channel.revoke_data(paid))
    channel.clock.advance(60)

    assert [channel.opened(body)["data"]["callType"] for _, _, body in inbox.received] == ["03", "02"]


def test_charge_without_an_address_tells_nobody(channel: Channel, inbox: Inbox) -> None:
    """Neither the request nor the channel names one."""
    assert channel.charge(notifyUrl="")["ordStas"] == "6"
    assert (channel.clock.waiting(), inbox.received) == (0, [])


@pytest.mark.parametrize("choice", ["pay", "cancel"])
def test_person_decides_in_the_browser(keyring: Keyring, clock: SandboxClock, inbox: Inbox, choice: str) -> None:
    """Over HTTP: bind, wait for review, 通过, charge, the page, 支付 or 取消."""
    app = create_sandbox(keyring, post=inbox.post, clock=clock, options={"shared_account": {"settle_seconds": None}})
    sandbox: Sandbox = app.extensions["sandbox"]
    channel = Channel(keyring, clock, sandbox.of(SharedAccountSimulator), prefix="/shared_account")
    client = app.test_client()
    client.post("/control/faults", json={"fault": "binding_waits", "operation": "bind"})
    bind_id = channel.bind()
    shown = client.get("/shared_account/bindings").text
    approved = client.post("/shared_account/bindings", data={"bind_id": bind_id, "decision": "approve"})
    body = json.dumps(channel.sealed("sa.pay.charge", channel.charge_data(bind_id)))
    answer = client.post("/shared_account/sa/pay/charge", data=body)
    address = "/shared_account/cashier?visit=" + sandbox.orders()[0]["prepay"]
    page = client.get(address).text
    done = client.post(address, data={"choice": choice})

    assert ("通过" in shown, "李小雨" in shown, approved.status_code) == (True, False, 303)
    assert channel.opened(answer.data)["data"]["ordStas"] == "1"
    assert ("380.01" in page, "2026年度城乡居民医保缴费" in page) == (True, True)
    assert done.status_code == 200
    assert channel.query()["ordStas"] == ("6" if choice == "pay" else "7")
    assert client.post(address, data={"choice": "pay"}).status_code == 409
    assert "去支付" not in client.get("/").text


def test_control_drives_the_shared_account(keyring: Keyring, clock: SandboxClock, inbox: Inbox) -> None:
    """Account, bindings, faults, pay, books, callbacks and rotation."""
    app = create_sandbox(keyring, post=inbox.post, clock=clock)
    sandbox: Sandbox = app.extensions["sandbox"]
    channel = Channel(keyring, clock, sandbox.of(SharedAccountSimulator), prefix="/shared_account")
    client = app.test_client()
    named = {"provider": "shared_account", "out_trade_no": NUMBER}
    client.post("/control/account", json={"owner_id_no": OWNER["ownerIdNo"], "balance_fen": 50000})
    client.post("/control/faults", json={"fault": "settled_late", **named})
    channel.charge()

    paid = client.post("/control/pay", json=named)
    again = client.post("/control/pay", json=named)
    client.post("/control/clock/advance", json={"seconds": 0})
    books = client.get("/control/books?provider=shared_account").json
    bindings = client.get("/control/bindings").json["bindings"]
    removed = client.post("/control/bindings", json={"bind_id": bindings[0]["bind_id"], "decision": "remove"}).json

    assert (paid.status_code, again.status_code) == (200, 409)
    assert [(entry["out_trade_no"], entry["amount_fen"]) for entry in books["payments"]] == [(NUMBER, 38001)]
    assert channel.balance() == "119.99"
    assert removed["bindings"][0]["state"] == "0"
    assert [entry["provider"] for entry in client.get("/control/callbacks").json["deliveries"]] == ["shared_account"]
    assert client.post("/control/rotate", json={"provider": "shared_account"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/control/bindings", {"bind_id": "B1", "decision": "x"}),
        ("/control/account", {"owner_id_no": "1", "balance_fen": -1}),
        ("/control/account", {"owner_id_no": "1", "balance_fen": "1"}),
        ("/control/account", {"owner_id_no": "1", "balance_fen": 1, "state": "9"}),
    ],
    ids=["decision", "below zero", "text", "state"],
)
def test_control_refuses_what_it_does_not_understand(
    keyring: Keyring, clock: SandboxClock, path: str, content: dict[str, object]
) -> None:
    """400 with the reason."""
    assert create_sandbox(keyring, clock=clock).test_client().post(path, json=content).status_code == 400
