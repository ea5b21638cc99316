"""Which addresses a webhook may be sent to."""

import pytest

from gateway.domain.webhook_address import address_allowed, address_in, is_address

PUBLIC = ["1.1.1.1", "93.184.216.34", "223.5.5.5", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
          "126.255.255.255", "128.0.0.0", "11.0.0.0", "9.255.255.255", "192.167.255.255", "192.169.0.0",
          "223.255.255.255", "2606:4700:4700::1111", "2400:3200::1", "::ffff:1.1.1.1"]  # fmt: skip
REFUSED = {
    "loopback": "127.0.0.1",
    "loopback_far": "127.255.255.254",
    "unspecified": "0.0.0.0",
    "this_network": "0.1.2.3",
    "private_10": "10.0.0.1",
    "private_172_first": "172.16.0.0",
    "private_172_last": "172.31.255.255",
    "private_192": "192.168.1.1",
    "shared": "100.64.0.1",
    "metadata_aliyun": "100.100.100.200",
    "metadata": "169.254.169.254",
    "metadata_tencent": "169.254.0.23",
    "metadata_azure": "168.63.129.16",
    "link_local": "169.254.1.1",
    "ietf": "192.0.0.8",
    "documentation_1": "192.0.2.1",
    "documentation_2": "198.51.100.1",
    "documentation_3": "203.0.113.1",
    "benchmark": "198.18.0.1",
    "relay": "192.88.99.1",
    "as112": "192.31.196.1",
    "amt": "192.52.193.1",
    "as112_delegated": "192.175.48.1",
    "v6_as112": "2620:4f:8000::1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6_loopback": "::1",
    "v6_unspecified": "::",
    "v6_unique_local": "fc00::1",
    "v6_metadata": "fd00:ec2::254",
    "v6_link_local": "fe80::1",
    "v6_link_local_scope": "fe80::1%eth0",
    "v6_site_local": "fec0::1",
    "v6_multicast": "ff02::1",
    "v6_documentation": "2001:db8::1",
    "v6_documentation_new": "3fff::1",
    "v6_teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "v6_6to4": "2002:7f00:1::",
    "v6_nat64": "64:ff9b::7f00:1",
    "v6_nat64_local": "64:ff9b:1::1",
    "v6_mapped_loopback": "::ffff:127.0.0.1",
    "v6_mapped_private": "::ffff:10.0.0.1",
    "v6_mapped_metadata": "::ffff:a9fe:a9fe",
    "v6_compatible": "::127.0.0.1",
    "v6_segment_routing": "5f00::1",
    "empty": "",
    "name": "app.example.test",
    "number": "2130706433",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_allowed(address: str) -> None:
    """One beside each border of the table is in the list."""
    assert address_allowed(address, ())


@pytest.mark.parametrize("name", REFUSED)
def test_address_that_is_not_public_is_refused(name: str) -> None:
    """Unless its network is named."""
    assert address_allowed(REFUSED[name], ()) is False


NAMED = {
    "private": ("10.1.2.3", "10.1.0.0/16"),
    "loopback": ("127.0.0.1", "127.0.0.0/8"),
    "metadata": ("169.254.169.254", "169.254.169.254/32"),
    "mapped": ("::ffff:10.1.2.3", "10.1.0.0/16"),
    "v6": ("fd12:3456::1", "fd12:3456::/32"),
    "nat64": ("64:ff9b::7f00:1", "64:ff9b::/96"),
}


@pytest.mark.parametrize("name", NAMED)
def test_address_of_a_named_network_is_allowed(name: str) -> None:
    """The operator knows what lies there."""
    address, network = NAMED[name]

    assert address_allowed(address, ["192.168.7.0/24", network])
    assert not address_allowed(address, ["192.168.7.0/24"])


@pytest.mark.parametrize("address", ["10.2.0.0", "::ffff:10.2.0.0", "fd12:3457::"])
def test_address_beside_a_named_network_is_refused(address: str) -> None:
    """One behind its end."""
    assert not address_allowed(address, ["10.1.0.0/16", "fd12:3456::/32"])


@pytest.mark.parametrize("address", ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "::ffff:224.0.0.1"])
def test_address_of_nobody_or_of_many_is_never_allowed(address: str) -> None:
    """Whatever is named."""
    assert not address_allowed(address, ["0.0.0.0/0", "::/0"])


def test_host_is_an_address_or_a_name() -> None:
    """A number without dots is a name to us: it is checked when it has been resolved."""
    assert [host for host in ("10.0.0.1", "::1", "app.example.test", "2130706433", "") if is_address(host)] == [
        "10.0.0.1",
        "::1",
    ]


@pytest.mark.parametrize("host", ["app.example.test", "2130706433", "", "10.0.0.1/8"])
def test_name_is_not_an_address(host: str) -> None:
    """No, and never an exception."""
    assert is_address(host) is False


@pytest.mark.parametrize(("address", "within"), [("fe80::1%eth0", True), ("fe80::1", True), ("fe90::1%eth0", False)])
def test_address_with_a_scope_lies_where_it_lies_without(address: str, within: bool) -> None:
    """Its scope names a card of this machine, no network."""
    assert address_in(address, ["fe80::/16"]) is within
    assert address_allowed(address, ["fe80::/16"]) is within
