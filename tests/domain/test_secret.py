"""A secret is revealed at the one place that needs it, and nowhere else."""

import copy
import json
import logging
import pickle
from dataclasses import dataclass, field

import pytest

from gateway.domain.secret import Secret

CANARY = "canary-0001-缴费"


@dataclass(frozen=True)
class Holder:
    key: Secret = field(default_factory=lambda: Secret(CANARY))


SHOWN = {
    "repr": repr,
    "str": str,
    "format": lambda secret: f"{secret} {secret!r} {secret!s} {secret!a}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # the old way shows it as little
    "list": lambda secret: repr([secret]),
    "dict": lambda secret: repr({"k": secret}),
    "dataclass": lambda _secret: repr(Holder()),
    "error": lambda secret: repr(ValueError(secret)),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_secret_is_not_shown(show: object) -> None:
    """By whatever way it is turned into text."""
    assert callable(show)
    assert CANARY not in show(Secret(CANARY))


def test_secret_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nor in a log line."""
    logging.getLogger("t").error("key %s %r", Secret(CANARY), {"k": Secret(CANARY)})

    assert "***" in caplog.text
    assert CANARY not in caplog.text


def test_secret_is_not_json() -> None:
    """It cannot be written out by accident."""
    with pytest.raises(TypeError):
        json.dumps({"k": Secret(CANARY)})


def test_secret_has_no_dict() -> None:
    """Tools that print an object's members find none."""
    assert not hasattr(Secret(CANARY), "__dict__")


def test_secret_reveals_its_text() -> None:
    """Exactly as it was given."""
    assert Secret(CANARY).reveal() == CANARY
    assert copy.deepcopy(Secret(CANARY)).reveal() == CANARY
    assert pickle.loads(pickle.dumps(Secret(CANARY))).reveal() == CANARY


@pytest.mark.parametrize(
    ("other", "equal"),
    [(Secret(CANARY), True), (Secret("canary"), False), (Secret(""), False), (CANARY, False), (None, False)],
    ids=["same", "other", "empty", "plain-text", "none"],
)
def test_secrets_compare_by_text_with_secrets_alone(other: object, equal: bool) -> None:
    """A plain text is never equal to a secret, so that a mistake shows early."""
    assert (Secret(CANARY) == other) is equal


def test_secret_is_shown_by_its_kind() -> None:
    """A person who reads a log sees that something was hidden, and how."""
    assert ("Secret(***)", "Secret(***)") == (repr(Secret(CANARY)), str(Secret(CANARY)))


def test_different_secrets_have_different_hashes() -> None:
    """A table of secrets is no list."""
    assert hash(Secret(CANARY)) != hash(Secret("canary"))


def test_secrets_can_be_keys() -> None:
    """Equal secrets have equal hashes."""
    assert {Secret(CANARY): 1}[Secret(CANARY)] == 1
