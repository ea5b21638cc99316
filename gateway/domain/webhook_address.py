"""Which addresses a webhook may be sent to: public ones, and those of networks that the operator has named."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's own services for its machines, on a public number
        "169.254.0.0/16",  # link-local, and the metadata services of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
"""
Source: IANA IPv4 and IPv6 Special-Purpose Address Registries, 2025. A table of our own, because what the standard
library calls global differs between its versions.
"""

_IPV6_PUBLIC: Final = IPv6Network("2000::/3")
"""The only part of IPv6 that is handed out; loopback, link-local, unique local, NAT64 and mapped lie outside."""

_NEVER: Final = tuple(ip_network(network) for network in ("0.0.0.0/32", "255.255.255.255/32", "::/128"))


def address_allowed(address: str, networks: Sequence[str]) -> bool:
    """
    Whether a resolved address may be connected to: it is public, or lies in one of the named networks.

    An IPv4 address written as IPv6 (::ffff:10.0.0.1) is judged as what it is. Multicast, broadcast and the
    unspecified address are never allowed. What is no address is not allowed.
    """
    try:
        plain = _plain(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if plain.is_multicast or _within(plain, _NEVER):
        return False
    return address_in(address, networks) or _is_public(plain)


def is_address(host: str) -> bool:
    """Whether a host is an IP address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def address_in(address: str, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of these networks."""
    plain = _plain(ip_address(address.partition("%")[0]))
    return _within(plain, [ip_network(network) for network in networks])


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _IPV6_PUBLIC:
        return False
    return not _within(address, _NOT_PUBLIC)


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
