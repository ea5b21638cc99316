"""Which source networks an account's messages may come from."""

import ipaddress
from collections.abc import Sequence


class Networks:
    """A list of CIDR networks; an empty one lets every address in, for the signature decides in any case."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def let_in(self, address: str) -> bool:
        """True when the address lies in one of them; never for what is no address."""
        if not self._networks:
            return True
        try:
            source = ipaddress.ip_address(address)
        except ValueError:
            return False
        source = getattr(source, "ipv4_mapped", None) or source  # as a socket for both families writes IPv4
        return any(source in network for network in self._networks)
