"""
What a simulator tells the sandbox of itself: keys, configuration, addresses, pages, control calls and its own faults.

Values and functions alone, without Flask: `jiaofei init` reads them too. sandbox/registry.py lists the kinds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.wire import Json

if TYPE_CHECKING:
    from sandbox.simulator import Simulator

Reference = Callable[[str], str]
"""Turns the name of a key file into what the gateway's configuration says in its place."""

Sections = Mapping[str, Mapping[str, Any]]
"""Tables of gateway.toml, such as `accounts.wechatpay`, with their keys; values are texts, numbers and lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cashier:
    """
    The page where the payer pays.

    Attributes:
        path: Below the party's own address.
        tokens: Query parameters that can name the order; links in the index use the first.
        payable: The state words of an order that can be paid.
        returns_to: The query parameter that says where the browser goes afterwards; empty where there is none.
    """

    path: str = "/cashier"
    tokens: tuple[str, ...] = ("visit",)
    payable: frozenset[str]
    returns_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    A page of the party's own.

    Attributes:
        path: Below the party's own address.
        title: What the link in the index says.
        template: A file in the party's folder `templates/`; it extends base.html.
        show: From the simulator and the query to what the template needs.
        act: What a posted form does; the browser then sees the page again. PayRefused and ValueError are shown.
    """

    path: str
    title: str
    template: str
    show: Callable[[Any, Mapping[str, str]], Json]
    act: Callable[[Any, Mapping[str, str]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlCall:
    """
    A call of the control interface that only this party has.

    Attributes:
        path: Below /control.
        run: From the simulator and the JSON body (for GET: the query) to the answer; ValueError is a 400, PayRefused
            a 409.
    """

    method: str
    path: str
    run: Callable[[Any, Json], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    One party of the sandbox: a provider of the gateway, or a client of it.

    Attributes:
        provider: Its name: its folder, the first part of its addresses, the beginning of its key files' names.
        title: Its name on the pages.
        colour: Of its pages.
        new_files: Fresh key files of both sides by name, `<provider>_identity.json` last (sandbox/keyfiles.py).
        load_keys: From the keyring's folder to the party's keys, parsed.
        configuration: From those keys, the party's own base URL and references to key files, the gateway's sections.
        build: From those keys, Surroundings and options by name to a Simulator (sandbox/simulator.py).
        mounts: URL rules below the party's own address whose requests the simulator answers.
        cashier: None where no payer comes by.
        state_texts: The party's state words in Chinese.
        operations: Names that fault rules can use beside the common ones.
        faults: Faults beside the common ones.
        answer_seconds: How long it waits for an answer to what it posts.
        lacks: What is missing to run it here; empty when nothing is.
    """

    provider: str
    title: str
    colour: str
    new_files: Callable[[], Mapping[str, bytes]]
    load_keys: Callable[[Path], Any]
    configuration: Callable[[Any, str, Reference], Sections]
    build: "Callable[..., Simulator]"
    mounts: tuple[str, ...] = ()
    cashier: Cashier | None = None
    pages: tuple[Page, ...] = ()
    calls: tuple[ControlCall, ...] = ()
    state_texts: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[str, ...] = ()
    faults: type[StrEnum] | None = None
    answer_seconds: float = 5
    lacks: Callable[[], str] = lambda: ""


def text_of(content: Mapping[str, Any], name: str) -> str:
    """
    A member that must be there as a text.

    Raises:
        ValueError: It is not.
    """
    value = content.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    return value


def integer_of(content: Mapping[str, Any], name: str) -> int:
    """
    A member that must be there as a whole number.

    Raises:
        ValueError: It is not.
    """
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be an integer")
    return value
