"""Finds out who sent a request that came through proxies, and believes no header of anybody else."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_VARIABLE = "MUNIMENT_TRUSTED_PROXIES"
_THIS_MACHINE = "127.0.0.0/8,::1"
_SCHEME = "HTTP_X_FORWARDED_PROTO"
_FORWARDED = ("HTTP_X_FORWARDED_", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def parse_networks(text: str) -> tuple[_Network, ...]:
    """Read addresses and networks with commas between. Raises ValueError for anything else."""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(","))


def read_trusted_networks(environment: Mapping[str, str], *, secure: bool) -> tuple[_Network, ...]:
    """Networks of the proxies to trust: as set, else this machine, where `secure`: pages are at https, which takes a
    proxy. Raises ValueError.
    """
    named = environment.get(_VARIABLE) or (_THIS_MACHINE if secure else "")
    return parse_networks(named) if named else ()


def read_outgoing_networks(environment: Mapping[str, str]) -> tuple[_Network, ...]:
    """Internal networks that outgoing webhooks may reach; none unless set. Raises ValueError."""
    named = environment.get("MUNIMENT_OUTGOING_NETWORKS", "")
    return parse_networks(named) if named else ()


class TrustedProxies:
    """Middleware: the address of a request is that of the person's machine, or of the last proxy that we trust.

    Each trusted proxy appends the address that it saw to `X-Forwarded-For`. Read from its end, the first one that is
    no proxy of ours is the client's; whatever stands before it was written by the client. It stands before all other
    middleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._networks: tuple[_Network, ...] = settings.TRUSTED_PROXIES

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Response to the request, whose address and scheme can be believed."""
        meta = request.META
        sender = _parse_address(meta.get("REMOTE_ADDR", ""))
        scheme = None
        if sender is not None and self._is_trusted(sender):
            chain = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
            meta["REMOTE_ADDR"] = str(self._find_client(sender, map(_parse_address, reversed(chain))))
            scheme = meta.get(_SCHEME)
        for name in [each for each in meta if each.startswith(_FORWARDED)]:
            del meta[name]
        if scheme is not None:
            meta[_SCHEME] = scheme
        return self._get_response(request)

    def _find_client(self, sender: _Address, chain: Iterable[_Address | None]) -> _Address:
        """Address of the client: at an entry that is no address, the proxy that wrote it."""
        for each in chain:
            if each is None:
                break
            sender = each
            if not self._is_trusted(each):
                break
        return sender

    def _is_trusted(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def _parse_address(text: str) -> _Address | None:
    """Address without a port; an IPv4 address within IPv6 is the IPv4 address. None for anything else."""
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
