"""docs/webhooks.md says what the code does, and its examples work."""

import json
import re
import time
from pathlib import Path

import pytest

from gateway.domain.webhook import SURPLUS_REFUNDED, TYPE_BY_EVENT
from tests.services.webhooks.journeys import refund_succeeds
from tests.support.receiver import SECRET, FakeReceiver
from tests.support.world import World, subject

PAGE = (Path(__file__).parents[3] / "docs/webhooks.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def test_every_type_stands_in_the_table() -> None:
    """And no other."""
    section = PAGE.partition("| `type` | when |")[2].partition("\n\n")[0]

    assert sorted({*TYPE_BY_EVENT.values(), SURPLUS_REFUNDED}) == sorted(re.findall(r"^\| `([\w.]+)`", section, re.M))


def test_examples_have_the_members_of_a_real_message(world: World, receiver: FakeReceiver) -> None:
    """In their order, the inner ones too."""
    order, _ = world.paid(subject=subject())
    refund_succeeds(world, order, 10001)
    world.work()
    examples = [json.loads(text) for kind, text in BLOCKS if kind == "json"]

    for example, post in zip(examples, receiver.posts, strict=True):
        told = post.content["data"]
        assert list(example) == list(told)
        for name, value in told.items():
            if isinstance(value, dict):
                assert list(example[name]) == list(value)


def test_verification_by_hand_takes_a_real_message_and_nothing_else(
    world: World, receiver: FakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's own function."""
    world.paid()
    world.work()
    (post,) = receiver.posts
    monkeypatch.setattr(time, "time", lambda: world.clock.now().timestamp() + 200)
    scope: dict[str, object] = {}
    exec(next(text for kind, text in BLOCKS if kind == "python" and "def verified" in text), scope)
    verified = scope["verified"]
    assert callable(verified)

    assert verified(post.headers, post.body, SECRET.reveal())
    assert not verified(post.headers, post.body + b" ", SECRET.reveal())
    assert not verified({**post.headers, "webhook-id": "evt_x"}, post.body, SECRET.reveal())
    monkeypatch.setattr(time, "time", lambda: world.clock.now().timestamp() + 302)
    assert not verified(post.headers, post.body, SECRET.reveal())
