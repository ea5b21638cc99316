"""Where callbacks may come from, and whose word about that is believed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.domain.provider import CallbackRefused
from tests.support.world import account
from tests.web.front import Front
from tests.web.recorder import PATH, Recorder

NETWORKS = ("192.0.2.0/25", "2001:db8::/32")


def allow_listed(make_front: Callable[..., Front], **changes: Any) -> Front:
    accounts = {
        "alpha_main": account("alpha_main", "alpha", callback_networks=NETWORKS),
        "beta_main": account("beta_main", "beta"),
    }
    return make_front(accounts=accounts, **changes)


def status_from(front: Front, address: str, forwarded: str | None = None) -> int:
    headers = {"X-Forwarded-For": forwarded} if forwarded is not None else {}
    response = front.client.post(PATH, data=b"{}", headers=headers, environ_overrides={"REMOTE_ADDR": address})
    assert (response.data == b"") == (response.status_code == 403)
    return response.status_code


ADDRESSES = {
    "192.0.2.0": 500,
    "192.0.2.127": 500,
    "192.0.2.128": 403,
    "192.0.1.255": 403,
    "2001:db8::1": 500,
    "2001:db9::1": 403,
    "::ffff:192.0.2.1": 500,
    "::ffff:192.0.2.200": 403,
    "": 403,
    "junk": 403,
    "192.0.2.1, 192.0.2.2": 403,
}


@pytest.mark.parametrize(("address", "status"), ADDRESSES.items(), ids=ADDRESSES.keys())
@pytest.mark.parametrize("bare", [False, True], ids=["flask", "bare"])
def test_callback_source_is_held_against_the_networks(
    make_front: Callable[..., Front], address: str, status: int, bare: bool
) -> None:
    """500 is the adapter's own refusal: it was asked. An IPv4 address may come in IPv6 clothes."""
    assert status_from(allow_listed(make_front, bare_callbacks=bare), address) == status


@dataclass(frozen=True)
class Forwarded:
    """A request through proxies."""

    hops: int
    address: str
    forwarded: str | None
    status: int


FORWARDED = [
    Forwarded(0, "192.0.2.1", "203.0.113.9", 500),
    Forwarded(0, "203.0.113.9", "192.0.2.1", 403),
    Forwarded(1, "10.0.0.1", "192.0.2.1", 500),
    Forwarded(1, "10.0.0.1", "192.0.2.1, 203.0.113.9", 403),
    Forwarded(1, "10.0.0.1", "203.0.113.9, 192.0.2.1", 500),
    Forwarded(1, "10.0.0.1", None, 403),
    Forwarded(1, "10.0.0.1", "junk", 403),
    Forwarded(2, "10.0.0.1", "192.0.2.1, 10.0.0.2", 500),
    Forwarded(2, "10.0.0.1", "192.0.2.1", 403),
]


@pytest.mark.parametrize("case", FORWARDED, ids=repr)
@pytest.mark.parametrize("bare", [False, True], ids=["flask", "bare"])
def test_forwarded_address_is_believed_for_the_configured_hops_only(
    make_front: Callable[..., Front], case: Forwarded, bare: bool
) -> None:
    """The last hops entries are the proxies' own; everything before them anybody could have written."""
    front = allow_listed(make_front, trusted_proxies=case.hops, bare_callbacks=bare)

    assert status_from(front, case.address, case.forwarded) == case.status


def test_callback_from_elsewhere_is_counted_and_not_read(make_front: Callable[..., Front]) -> None:
    """The adapter is not even asked."""
    front = allow_listed(make_front)
    front.alpha.parse_callback = recorder = Recorder(CallbackRefused("signature"))
    status_from(front, "203.0.113.9")

    assert recorder.seen == []
    line = 'jiaofei_callbacks_total{account="alpha_main",outcome="refused",reason="address"} 1.0'
    assert line in front.client.get("/metrics").text
