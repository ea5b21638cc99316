"""CCB's notifies: signed with the counter's key, repeated until a 200, and odd where a fault asks."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature

from sandbox.app import create_sandbox
from sandbox.bank_ccb.faults import BankCcbFault
from sandbox.bank_ccb.simulator import NOTIFY_PATH, BankCcbSimulator
from sandbox.clock import SandboxClock
from sandbox.faults import AnyFault, Fault, FaultBoard
from sandbox.frame import GATEWAY_URL
from sandbox.keyring import Keyring
from tests.sandbox.bank_ccb_counter import MANDATORY, NOTIFY_URL, NUMBER, ORDER_ID, Counter
from tests.sandbox.merchants import Inbox


def test_notify_has_the_mandatory_fields_in_their_order(counter: Counter, inbox: Inbox) -> None:
    """To the address that the merchant has set, by POST."""
    counter.paid()
    url, headers, body = inbox.received[0]
    fields = counter.check(body)

    assert (NOTIFY_URL, "application/x-www-form-urlencoded") == (url, headers["Content-Type"])
    assert MANDATORY == [name for name, _ in fields]
    assert (ORDER_ID, "380.01", "Y") == tuple(dict(fields)[name] for name in ("ORDERID", "PAYMENT", "SUCCESS"))


def test_notify_is_repeated_until_a_200(counter: Counter, inbox: Inbox) -> None:
    """The body is not read; the same notify each time."""
    inbox.answers = [(503, b"later"), OSError("reset"), (400, b"success"), (200, b"")]
    counter.paid()
    counter.clock.advance(86_400)

    assert 4 == len(inbox.received)
    assert 1 == len({body for _, _, body in inbox.received})
    assert [False, False, False, True] == [delivery["accepted"] for delivery in counter.simulator.deliveries()]


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (
            BankCcbFault.NOTIFY_OPTIONAL_FIELDS,
            [*MANDATORY, "TYPE", "REFERER", "CLIENTIP", "ACCDATE", "USRINFO", "PAYTYPE"],
        ),
        (BankCcbFault.NOTIFY_NEWER_FIELDS, [*MANDATORY[:5], "DISCOUNT", "INSTALLNUM", *MANDATORY[5:]]),
        (BankCcbFault.NOTIFY_OF_PAGE, [name for name in MANDATORY if name != "ACC_TYPE"]),
        (BankCcbFault.NOTIFY_UPPERCASE_HEX, MANDATORY),
        (Fault.CALLBACK_AMOUNT_DIFFERS, MANDATORY),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_odd_notify_is_signed_like_any_other(
    counter: Counter, inbox: Inbox, faults: FaultBoard, fault: AnyFault, names: list[str]
) -> None:
    """Over what it posts, in that order."""
    faults.add(fault, operation="payment_callback")
    counter.paid()
    body = inbox.received[0][2]
    fields = counter.check(body)

    assert names == [name for name, _ in fields]
    assert ("380.02" if fault is Fault.CALLBACK_AMOUNT_DIFFERS else "380.01") == dict(fields)["PAYMENT"]
    sign = dict(parse_qsl(body.decode()))["SIGN"]
    assert (fault is BankCcbFault.NOTIFY_UPPERCASE_HEX) == (sign == sign.upper())


def test_notify_in_another_order_is_signed_in_the_canonical_one(
    counter: Counter, inbox: Inbox, faults: FaultBoard
) -> None:
    """What is posted is turned round."""
    faults.add(BankCcbFault.NOTIFY_OTHER_ORDER, operation="payment_callback")
    counter.paid()
    body = inbox.received[0][2]
    *posted, sign = body.split(b"&")

    with pytest.raises(InvalidSignature):
        counter.check(body)
    assert MANDATORY == [name for name, _ in counter.check(b"&".join([*reversed(posted), sign]))]


def test_notify_in_gbk_is_signed_over_its_bytes(counter: Counter, inbox: Inbox, faults: FaultBoard) -> None:
    """With a Chinese name among its fields."""
    faults.add(Fault.GBK_BODY, operation="payment_callback")
    counter.paid()

    assert "试验缴费人" == dict(counter.check(inbox.received[0][2], encoding="gbk"))["USRINFO"]


@pytest.mark.parametrize("fault", [Fault.CALLBACK_WRONG_KEY, Fault.CALLBACK_BAD_SIGNATURE])
def test_forged_notify_proves_nothing(counter: Counter, inbox: Inbox, faults: FaultBoard, fault: Fault) -> None:
    """Every field is true."""
    faults.add(fault, operation="payment_callback")
    counter.paid()

    with pytest.raises(InvalidSignature):
        counter.check(inbox.received[0][2])


def test_new_key_signs_and_both_are_taken_in_macs(counter: Counter, inbox: Inbox) -> None:
    """The merchant fetches its public half; until then its orders carry the old PUB."""
    fresh = counter.simulator.rotate_certificate()
    counter.paid()

    assert counter.check(inbox.received[0][2], key=fresh)
    with pytest.raises(InvalidSignature):
        counter.check(inbox.received[0][2])


def test_page_notify_takes_the_browser_back(counter: Counter) -> None:
    """Only where the merchant has set a page; signed, without ACC_TYPE."""
    counter.visit()
    assert "return_url" not in counter.simulator.pay(NUMBER)
    counter.simulator._world.page_url = "https://front.example.cn/paid"
    counter.visit(ORDERID="OTHER0001")
    returned = urlsplit(counter.simulator.pay("OTHER0001")["return_url"])

    assert "front.example.cn" == returned.netloc
    assert [name for name in MANDATORY if name != "ACC_TYPE"] == [
        name for name, _ in counter.check(returned.query.encode())
    ]


def test_notify_address_is_set_by_control_call(keyring: Keyring, clock: SandboxClock, inbox: Inbox) -> None:
    """No order carries it: the merchant platform does."""
    app = create_sandbox(keyring, post=inbox.post, clock=clock)
    simulator = app.extensions["sandbox"].of(BankCcbSimulator)
    counter = Counter(keyring, clock, simulator)
    simulator._base_path = ""
    before = simulator._world.notify_url
    answer = app.test_client().post("/control/bank_ccb/notify_url", json={"notify_url": NOTIFY_URL})
    counter.simulator.answer("GET", "/CCBIS/ccbMain", {}, b"")

    assert (f"{GATEWAY_URL}{NOTIFY_PATH}", 200, NOTIFY_URL) == (before, answer.status_code, simulator._world.notify_url)
    assert 400 == app.test_client().post("/control/bank_ccb/notify_url", json={}).status_code
