"""Names, schedule and signature of webhooks."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.order import Event
from gateway.domain.secret import Secret
from gateway.domain.states import RefundReason
from gateway.domain.webhook import (
    PAUSES,
    MessageState,
    WebhookMessage,
    WebhookReceiver,
    message_id,
    message_place,
    message_type,
    pause_before,
    signature_headers,
    signing_key,
)

NOW = datetime(2026, 3, 1, 2, 20, 30, 999999, tzinfo=UTC)
MESSAGE = WebhookMessage(
    order_id="ord_" + "a" * 32,
    seq=7,
    app="wallet",
    type="order.paid",
    state=MessageState.PENDING,
    occurred_at=NOW,
    due_at=NOW,
    tries=0,
    step=0,
    lease_until=None,
    settled_at=None,
)


def test_signature_is_that_of_the_published_vector() -> None:
    """Source: standard-webhooks, libraries/javascript/src/webhook.test.ts, "sign function works"."""
    key = signing_key(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    sent_at = datetime.fromtimestamp(1614265330, UTC)
    headers = signature_headers(
        [key], webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", sent_at=sent_at, body=b'{"test": 2432232314}'
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_key_signs_in_turn() -> None:
    """A blank between; the first key's signature first."""
    keys = [b"a" * 24, b"b" * 64]

    def signature(*which: bytes) -> str:
        return signature_headers(which, webhook_id="evt_1_1", sent_at=NOW, body=b"{}")["webhook-signature"]

    assert signature(*keys) == f"{signature(keys[0])} {signature(keys[1])}"
    assert signature(keys[0]) != signature(keys[1])


@pytest.mark.parametrize("length", [24, 32, 64])
def test_secret_of_a_lawful_length_is_a_key(length: int) -> None:
    """24 to 64 bytes."""
    assert signing_key(Secret("whsec_" + base64.b64encode(b"k" * length).decode())) == b"k" * length


BAD_SECRETS = {
    "short": "whsec_" + base64.b64encode(b"k" * 23).decode(),
    "long": "whsec_" + base64.b64encode(b"k" * 65).decode(),
    "empty": "whsec_",
    "nothing": "",
    "no_prefix": base64.b64encode(b"k" * 32).decode(),
    "not_base64": "whsec_" + "*" * 44,
    "not_ascii": "whsec_" + "密" * 44,
    "line_break": "whsec_" + base64.b64encode(b"k" * 32).decode() + "\n",
    "private_key": "whsk_" + base64.b64encode(b"k" * 32).decode(),
}


@pytest.mark.parametrize("name", BAD_SECRETS)
def test_secret_of_another_form_is_refused_without_being_shown(name: str) -> None:
    """The fault says the form alone."""
    with pytest.raises(ValueError, match="must be whsec_ and the base64 of 24 to 64 bytes"):
        signing_key(Secret(BAD_SECRETS[name]))


def test_schedule_is_the_standards_example() -> None:
    """Ten tries, 75 hours 35 minutes 5 seconds."""
    assert timedelta(hours=75, minutes=35, seconds=5) == timedelta(seconds=sum(PAUSES))
    assert len(PAUSES) == 10


@pytest.mark.parametrize("step", range(10))
def test_pause_has_up_to_a_tenth_more_and_is_always_the_same(step: int) -> None:
    """The jitter of a message is its own, and no dice."""
    others = {pause_before(replace(MESSAGE, seq=seq), step) for seq in range(200)}
    pauses = {pause.total_seconds() for pause in others if pause is not None}

    assert pause_before(MESSAGE, step) == pause_before(replace(MESSAGE, tries=5), step)
    assert PAUSES[step] <= min(pauses)
    assert max(pauses) <= PAUSES[step] * 1.1
    assert len(pauses) > 150 or step == 0


def test_pause_after_the_last_try_is_none() -> None:
    """The message is dead."""
    assert pause_before(MESSAGE, 10) is None


def test_webhook_id_names_order_and_event() -> None:
    """There and back; no full stop in it, because the signature joins with those."""
    webhook_id = message_id(MESSAGE.order_id, 7)

    assert webhook_id == MESSAGE.id == "evt_" + "a" * 32 + "_7"
    assert message_place(webhook_id) == (MESSAGE.order_id, 7)


@pytest.mark.parametrize(
    "text", ["", "evt_", "evt_a", "evt__1", "evt_a_", "ord_a_1", "evt_a_x", "evt_a_１", "evt_a_" + "1" * 10]
)
def test_text_that_is_no_webhook_id_is_refused(text: str) -> None:
    """Whatever an operator types."""
    with pytest.raises(ValueError, match="not a webhook-id"):
        message_place(text)


def test_receiver_shows_neither_address_nor_secret() -> None:
    """The path may be a password of its own."""
    shown = repr(WebhookReceiver(url="https://app.example.test/canary", secrets=(Secret("canary"),)))

    assert "canary" not in shown


TOLD = {
    "order_paid": "order.paid",
    "order_closing": "order.closing",
    "order_closed": "order.closed",
    "refund_succeeded": "refund.succeeded",
    "refund_outside": "refund.succeeded",
    "refund_failed": "refund.failed",
    "refund_abnormal": "refund.abnormal",
    "payment_started": None,
    "refund_requested": None,
    "nothing_known": None,
}


def event(kind: str, detail: str = "{}") -> Event:
    return Event(
        order_id=MESSAGE.order_id, seq=7, kind=kind, at=NOW, actor="worker", evidence_id=None, detail=detail, hash="h"
    )


@pytest.mark.parametrize("kind", TOLD)
def test_event_is_told_under_its_name_or_not_at_all(kind: str) -> None:
    """A refund in the provider's console is told like every other; steps on the way are not."""
    assert TOLD[kind] == message_type(event(kind))


_GONE_BACK = ("refund_succeeded", "refund_outside")


@pytest.mark.parametrize("detail", ['{"reason":"surplus"}', '{"kept":false}'])
@pytest.mark.parametrize("kind", [kind for kind in TOLD if kind not in _GONE_BACK])
def test_only_money_that_went_back_is_told_as_a_surplus_refunded(kind: str, detail: str) -> None:
    """Until then there is nothing to tell of it."""
    assert TOLD[kind] == message_type(event(kind, detail))


@pytest.mark.parametrize("kind", _GONE_BACK)
@pytest.mark.parametrize("reason", RefundReason)
def test_refund_of_a_payment_too_many_is_told_as_such(kind: str, reason: RefundReason) -> None:
    """Surplus and late ones: the app did not ask for them."""
    told = message_type(event(kind, f'{{"reason":"{reason.value}"}}'))

    assert told == ("payment.surplus_refunded" if reason.value in {"surplus", "late"} else "refund.succeeded")


@pytest.mark.parametrize(("kept", "name"), [("false", "payment.surplus_refunded"), ("true", "refund.succeeded")])
def test_refund_in_a_console_is_told_by_whether_its_payment_counts(kept: str, name: str) -> None:
    """Nobody gave it a reason; a payment that does not pay its order was one too many."""
    assert name == message_type(event("refund_outside", f'{{"kept":{kept}}}'))
