"""One account's settings: every fault at once, each with its key's path and never with a value."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.kit.config import AccountSettings, SettingsInvalid
from gateway.domain.secret import Secret

CANARY = "canary-value-0001"


def faults_of(values: dict[str, Any], read: Callable[[AccountSettings], object]) -> list[str]:
    """The faults that reading brings to light."""
    settings = AccountSettings("main", {"provider": "toy", **values})
    read(settings)
    try:
        settings.finish()
    except SettingsInvalid as exc:
        return exc.faults
    return []


def refuse(text: str) -> str:
    raise ValueError("is not a key")


READERS: dict[str, tuple[dict[str, Any], Callable[[AccountSettings], object], object]] = {
    "text": ({"k": "abc"}, lambda s: s.text("k", pattern="[a-c]+"), "abc"),
    "text-from-reference": ({"k": Secret(" abc\n")}, lambda s: s.text("k", pattern="[a-c]+"), "abc"),
    "text-with-line-breaks": ({"k": "a\nb"}, lambda s: s.text("k"), "a\nb"),
    "text-default": ({}, lambda s: s.text("k", default="d"), "d"),
    "choice": ({"k": "b"}, lambda s: s.choice("k", ("a", "b")), "b"),
    "choice-default": ({}, lambda s: s.choice("k", ("a", "b"), default="b"), "b"),
    "texts": ({"k": ["a", Secret("b")]}, lambda s: s.texts("k", pattern="[ab]"), ("a", "b")),
    "texts-default": ({}, lambda s: s.texts("k", default=()), ()),
    "secret": ({"k": Secret("s")}, lambda s: s.secret("k"), Secret("s")),
    "secret-default": ({}, lambda s: s.secret("k", default=None), None),
    "loaded": ({"k": Secret("s")}, lambda s: s.loaded("k", str.upper), "S"),
    "loaded-default": ({}, lambda s: s.loaded("k", refuse, default=None), None),
    "table": ({"k": {"a": 1}}, lambda s: s.table("k"), {"a": 1}),
    "table-default": ({}, lambda s: s.table("k", default={}), {}),
}


@pytest.mark.parametrize(("values", "read", "wanted"), READERS.values(), ids=READERS)
def test_reader_with_a_good_value_gives_it(
    values: dict[str, Any], read: Callable[[AccountSettings], object], wanted: object
) -> None:
    """A good value comes back, and there is no fault."""
    got: list[object] = []

    assert faults_of(values, lambda settings: got.append(read(settings))) == []
    assert got == [wanted]


WRONG: dict[str, tuple[dict[str, Any], Callable[[AccountSettings], object]]] = {
    "text-missing": ({}, lambda s: s.text("k")),
    "text-number": ({"k": 17}, lambda s: s.text("k")),
    "text-bool": ({"k": True}, lambda s: s.text("k")),
    "text-list": ({"k": [CANARY]}, lambda s: s.text("k")),
    "text-none": ({"k": None}, lambda s: s.text("k")),
    "text-empty": ({"k": ""}, lambda s: s.text("k")),
    "text-wrong": ({"k": CANARY}, lambda s: s.text("k", pattern="[0-9]+")),
    "text-wrong-part": ({"k": f"1{CANARY}"}, lambda s: s.text("k", pattern="[0-9]+")),
    "text-wrong-with-default": ({"k": CANARY}, lambda s: s.text("k", pattern="[0-9]+", default="1")),
    "text-wrong-reference": ({"k": Secret(CANARY)}, lambda s: s.text("k", pattern="[0-9]+")),
    "choice-missing": ({}, lambda s: s.choice("k", ("a", "b"))),
    "choice-wrong": ({"k": CANARY}, lambda s: s.choice("k", ("a", "b"))),
    "choice-list": ({"k": ["a"]}, lambda s: s.choice("k", ("a", "b"))),
    "texts-missing": ({}, lambda s: s.texts("k")),
    "texts-text": ({"k": CANARY}, lambda s: s.texts("k")),
    "texts-wrong-member": ({"k": ["1", CANARY]}, lambda s: s.texts("k", pattern="[0-9]+")),
    "texts-number-member": ({"k": ["1", 2]}, lambda s: s.texts("k")),
    "secret-missing": ({}, lambda s: s.secret("k")),
    "secret-in-clear": ({"k": CANARY}, lambda s: s.secret("k")),
    "secret-in-clear-with-default": ({"k": CANARY}, lambda s: s.secret("k", default=None)),
    "loaded-missing": ({}, lambda s: s.loaded("k", str.upper)),
    "loaded-in-clear": ({"k": CANARY}, lambda s: s.loaded("k", str.upper)),
    "loaded-wrong": ({"k": Secret(CANARY)}, lambda s: s.loaded("k", refuse)),
    "table-missing": ({}, lambda s: s.table("k")),
    "table-text": ({"k": CANARY}, lambda s: s.table("k")),
    "unknown-key": ({"k": CANARY}, lambda s: None),
}


@pytest.mark.parametrize(("values", "read"), WRONG.values(), ids=WRONG)
def test_reader_with_a_wrong_value_notes_one_fault_without_it(
    values: dict[str, Any], read: Callable[[AccountSettings], object]
) -> None:
    """The fault begins with the key's path and does not show the value."""
    faults = faults_of(values, read)

    assert len(faults) == 1
    assert faults[0].startswith("accounts.main.k: ")
    assert CANARY not in faults[0]


def test_every_fault_is_reported_at_once() -> None:
    """Nobody mends settings one complaint at a time."""

    def read(settings: AccountSettings) -> None:
        settings.text("mchid", pattern="[0-9]{8,10}")
        settings.secret("api_key")
        settings.choice("mode", ("direct", "partner"))
        settings.loaded("private_key", refuse)
        settings.fault("serial", "is not the certificate's")

    faults = faults_of({"mchid": "x", "mode": "y", "private_key": Secret("z"), "mchld": "1", "serial": "2"}, read)

    assert [fault.split(":")[0] for fault in faults] == [
        "accounts.main.mchid",
        "accounts.main.api_key",
        "accounts.main.mode",
        "accounts.main.private_key",
        "accounts.main.serial",
        "accounts.main.mchld",
        "accounts.main.serial",
    ]


def test_error_text_is_its_faults_one_a_line() -> None:
    """What the command line prints."""
    error = SettingsInvalid(["accounts.a.k: is missing", "accounts.a.l: is missing"])

    assert str(error) == "accounts.a.k: is missing\naccounts.a.l: is missing"


def test_keys_of_the_frame_are_no_faults() -> None:
    """`provider` and `regions` belong to the gateway, not to the adapter."""
    assert faults_of({"regions": ["340000"]}, lambda settings: None) == []


def test_settings_show_no_value_in_their_repr() -> None:
    """Not even by accident in a log."""
    settings = AccountSettings("main", {"k": CANARY, "s": Secret(CANARY)})

    assert CANARY not in repr(settings)
    assert settings.has("k")
    assert not settings.has("m")
