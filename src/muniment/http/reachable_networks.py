"""Keeps requests whose address a person typed out of internal networks: they reach public addresses alone, and networks
that the operator named.

The addresses are checked that the connection is made to, after the name was resolved: a name that resolves anew
elsewhere gains nothing. What goes through a proxy is connected by the proxy, which decides.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from muniment.errors import HttpCode, HttpError
from muniment.http.addresses import ServerAddress

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_reachable(text: str, named: Sequence[IPNetwork]) -> bool:
    """Whether an address is public, or in a network that the operator named. An IPv4 address within it counts too."""
    try:
        given = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    every = (given, *_find_embedded(given))
    if any(each in network for each in every for network in named):
        return True
    return all(each.is_global and not each.is_multicast for each in every)


def require_reachable_network(
    address: ServerAddress, found: Sequence[tuple[Any, ...]], named: Sequence[IPNetwork]
) -> None:
    """Raise HttpError (ADDRESS) if one of the resolved addresses may not be reached.

    One is enough: a name with a public and an internal address is how a check is led astray.
    """
    if not all(is_reachable(str(each[4][0]), named) for each in found):
        raise unreachable_network_error(address)


def unreachable_network_error(address: ServerAddress) -> HttpError:
    """Error for an address in a network that no request of this kind may reach."""
    return HttpError(
        HttpCode.ADDRESS,
        f"{address.origin} is in an internal network",
        "Use a public address, or have the operator name the network in MUNIMENT_OUTGOING_NETWORKS.",
    )


def _find_embedded(given: _IPAddress) -> tuple[ipaddress.IPv4Address, ...]:
    """IPv4 addresses that an IPv6 address leads to."""
    if isinstance(given, ipaddress.IPv4Address):
        return ()
    last = ipaddress.IPv4Address(int(given) & 0xFFFFFFFF)
    found = [given.ipv4_mapped, given.sixtofour, *(given.teredo or ())]
    found += [last] if given in _NAT64 or given in _COMPATIBLE else []
    return tuple(each for each in found if each is not None)
