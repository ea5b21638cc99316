"""WeChat Pay callbacks: shape, signature, encryption, retries, and every fault that can strike them."""

import json
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature

from sandbox.clock import SandboxClock
from sandbox.faults import FaultBoard
from tests.sandbox.merchants import NOTIFY_URL, Inbox, WechatpayMerchant
from tests.sandbox.test_vectors import read

SHAPES = read("wire_shapes.json")["wechatpay"]
NUMBER = "FY202600000001"
GAPS = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600]


def kinds(merchant: WechatpayMerchant, inbox: Inbox) -> list[str]:
    return [json.loads(body)["event_type"] for _, _, body in inbox.received]


def test_payment_callback_verifies_and_has_the_vectors_shape(
    wechatpay: WechatpayMerchant, clock: SandboxClock, inbox: Inbox
) -> None:
    """Direct merchant, platform certificate."""
    wechatpay.paid()
    clock.advance()
    url, headers, body = inbox.received[0]
    envelope, shape = json.loads(body), SHAPES["payment_direct"]

    wechatpay.check(headers, body)
    assert url == NOTIFY_URL
    assert shape["headers"] == sorted(headers)
    assert shape["envelope"] == sorted(name for name in envelope if name != "resource")
    assert shape["resource"] == sorted(envelope["resource"])
    assert shape["associated_data"] == envelope["resource"]["associated_data"]
    assert shape["summary"] == envelope["summary"]
    assert shape["plaintext"] == sorted(wechatpay.opened(body))
    assert wechatpay.opened(body)["amount"]["total"] == 38001


def test_partner_payment_callback_has_the_vectors_shape(
    wechatpay: WechatpayMerchant, clock: SandboxClock, inbox: Inbox
) -> None:
    """sp_ and sub_ names; no promotion, which the sandbox never grants."""
    wechatpay.call("POST", "/v3/pay/partner/transactions/jsapi", wechatpay.partner_order())
    wechatpay.simulator.pay("FY202600000002")
    clock.advance()
    plaintext = wechatpay.opened(inbox.received[0][2])

    assert sorted(set(SHAPES["payment_partner"]["plaintext"]) - {"promotion_detail"}) == sorted(plaintext)
    assert plaintext["payer"] == {"sp_openid": "oSANDBOXsp01", "sub_openid": "oSANDBOXsub01"}


def test_refund_callback_has_the_vectors_shape(wechatpay: WechatpayMerchant, clock: SandboxClock, inbox: Inbox) -> None:
    """REFUND.SUCCESS with refund_status."""
    wechatpay.paid()
    content = wechatpay.refund(NUMBER, "RF1", 38001, 38001, notify_url=NOTIFY_URL)
    wechatpay.call("POST", "/v3/refund/domestic/refunds", content)
    clock.advance(10)
    _, headers, body = inbox.received[-1]

    wechatpay.check(headers, body)
    assert SHAPES["refund_direct"]["plaintext"] == sorted(wechatpay.opened(body))
    assert SHAPES["refund_direct"]["associated_data"] == json.loads(body)["resource"]["associated_data"]
    assert wechatpay.opened(body)["refund_status"] == "SUCCESS"


def test_callback_of_a_public_key_order_is_signed_with_the_public_key(
    wechatpay: WechatpayMerchant, clock: SandboxClock, inbox: Inbox
) -> None:
    """Orders made under PUB_KEY_ID are notified under it."""
    key_id = wechatpay.keys.identity.public_key_id
    wechatpay.call("POST", "/v3/pay/transactions/jsapi", wechatpay.order(), serial=key_id)
    wechatpay.simulator.pay(NUMBER)
    clock.advance()
    _, headers, body = inbox.received[0]

    wechatpay.check(headers, body, "wechatpay_public_key.pem")
    assert key_id == headers["Wechatpay-Serial"]


def test_unacknowledged_callback_is_sent_again_by_the_exact_schedule(
    wechatpay: WechatpayMerchant, clock: SandboxClock, inbox: Inbox
) -> None:
    """16 deliveries over 24 h 4 min: same body, fresh signature each, then no more."""
    inbox.default = (500, b'{"code":"FAIL"}')
    wechatpay.paid()
    clock.advance(10 * 86_400)
    gaps = [(later - earlier).total_seconds() for earlier, later in zip(inbox.times, inbox.times[1:], strict=False)]

    assert gaps == GAPS
    assert timedelta(hours=24, minutes=4) == inbox.times[-1] - inbox.times[0]
    assert len({body for _, _, body in inbox.received}) == 1
    assert len({headers["Wechatpay-Signature"] for _, headers, _ in inbox.received}) == 16
    for _, headers, body in inbox.received:
        wechatpay.check(headers, body)


@pytest.mark.parametrize(
    ("answer", "deliveries"),
    [((200, b""), 1), ((204, b""), 1), ((302, b""), 2), ((404, b""), 2), (ConnectionError(), 2), (TimeoutError(), 2)],
    ids=["200", "204", "302", "404", "refused", "timeout"],
)
def test_only_2xx_stops_the_retries(
    wechatpay: WechatpayMerchant,
    clock: SandboxClock,
    inbox: Inbox,
    answer: tuple[int, bytes] | OSError,
    deliveries: int,
) -> None:
    """One delivery, or one more after 15 s."""
    inbox.answers = [answer]
    wechatpay.paid()
    clock.advance(3600)

    assert deliveries == len(inbox.received)


def test_callback_after_rotation_is_signed_with_the_new_certificate(
    wechatpay: WechatpayMerchant, clock: SandboxClock, inbox: Inbox
) -> None:
    """The retry of an old message too."""
    inbox.answers = [(500, b"")]
    wechatpay.paid()
    clock.advance()
    serial = wechatpay.simulator.rotate_certificate()
    clock.advance(15)

    assert [wechatpay.keys.identity.platform_serial, serial] == [
        headers["Wechatpay-Serial"] for _, headers, _ in inbox.received
    ]


def test_callback_duplicate_arrives_twice_though_acknowledged(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """Same id, other signature, a second later."""
    faults.add("callback_duplicate")
    wechatpay.paid()
    clock.advance(3600)

    assert len(inbox.received) == 2
    assert inbox.received[0][2] == inbox.received[1][2]
    assert timedelta(seconds=1) == inbox.times[1] - inbox.times[0]


def test_callback_never_is_never_sent(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """The order is paid all the same, and the log says why nothing came."""
    faults.add("callback_never", out_trade_no=NUMBER)
    wechatpay.paid()
    clock.advance(2 * 86_400)

    assert inbox.received == []
    assert [entry["fault"] for entry in wechatpay.simulator.deliveries()] == ["callback_never"]
    assert len(wechatpay.simulator.books()["payments"]) == 1


def test_callback_delayed_comes_after_its_delay(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """Not a second earlier."""
    faults.add("callback_delayed", seconds=90)
    wechatpay.paid()
    clock.advance(89)
    early = len(inbox.received)
    clock.advance(1)

    assert (early, len(inbox.received)) == (0, 1)


def test_callback_reordered_brings_the_refund_before_the_payment(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """The payment notice waits until the refund notice was delivered."""
    faults.add("callback_reordered", out_trade_no=NUMBER)
    wechatpay.paid()
    content = wechatpay.refund(NUMBER, "RF1", 1, 38001, notify_url=NOTIFY_URL)
    wechatpay.call("POST", "/v3/refund/domestic/refunds", content)
    clock.advance(3600)

    assert kinds(wechatpay, inbox) == ["REFUND.SUCCESS", "TRANSACTION.SUCCESS"]


def test_callback_reordered_without_a_refund_comes_late(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """It is held back no longer than its limit."""
    faults.add("callback_reordered", seconds=120)
    wechatpay.paid()
    clock.advance(119)
    early = len(inbox.received)
    clock.advance(1)

    assert (early, len(inbox.received)) == (0, 1)


def test_callback_reordered_on_the_refund_repeats_the_older_payment_notice(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """A retry of an older message after a newer one."""
    wechatpay.paid()
    clock.advance()
    faults.add("callback_reordered", operation="refund_callback")
    content = wechatpay.refund(NUMBER, "RF1", 1, 38001, notify_url=NOTIFY_URL)
    wechatpay.call("POST", "/v3/refund/domestic/refunds", content)
    clock.advance(3600)

    assert kinds(wechatpay, inbox) == ["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "TRANSACTION.SUCCESS"]


@pytest.mark.parametrize("fault", ["callback_wrong_key", "callback_bad_signature"])
def test_callback_with_a_wrong_signature_does_not_verify(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox, fault: str
) -> None:
    """Spoilt once; the retry is sound."""
    faults.add(fault, times=1)
    inbox.answers = [(401, b"")]
    wechatpay.paid()
    clock.advance(15)
    (_, spoilt, body), (_, sound, again) = inbox.received

    with pytest.raises(InvalidSignature):
        wechatpay.check(spoilt, body)
    wechatpay.check(sound, again)
    assert spoilt["Wechatpay-Serial"] == sound["Wechatpay-Serial"]


def test_callback_wrong_serial_names_a_certificate_nobody_has(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """Only the serial is wrong."""
    faults.add("callback_wrong_serial", times=1)
    wechatpay.paid()
    clock.advance()
    _, headers, body = inbox.received[0]

    wechatpay.check(headers, body)
    assert wechatpay.keys.identity.platform_serial != headers["Wechatpay-Serial"]


def test_callback_amount_differs_is_validly_signed(
    wechatpay: WechatpayMerchant, clock: SandboxClock, faults: FaultBoard, inbox: Inbox
) -> None:
    """One fen more than was asked and paid."""
    faults.add("callback_amount_differs")
    wechatpay.paid()
    clock.advance()
    _, headers, body = inbox.received[0]

    wechatpay.check(headers, body)
    assert wechatpay.opened(body)["amount"]["total"] == 38002
    assert wechatpay.simulator.books()["payments"][0]["amount_fen"] == 38001
