"""Allowed server addresses: https, http, or a socket of this machine; never with a password in them.

http to another machine is refused unless the caller states that nothing secret goes there.
"""

import ipaddress
import re
from urllib.parse import quote, urljoin, urlsplit

from msgspec import Struct

from muniment.errors import HttpCode, HttpError

PORTS = {"https": 443, "http": 80}

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?")
_SAFE = "!$%&'()*+,/:;=?@[]~"  # of a path and query, besides letters and digits
_EXAMPLE = "Write it like https://host.example.com."


class ServerAddress(Struct, frozen=True):
    """A server, and the path below which all its paths begin ("" for none). `socket` is a file for scheme `unix`."""

    scheme: str
    host: str
    port: int
    path: str = ""
    socket: str = ""

    @property
    def origin(self) -> str:
        """Address without a path, for people and for comparing."""
        return f"unix:{self.socket}" if self.socket else f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as they stand in an address; the port only where it is not the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS.get(self.scheme, self.port) else f"{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether data that is sent there stays on this machine."""
        return bool(self.socket) or is_loopback(self.host)


def parse_server_address(text: str, *, plain: bool = False, port: int = 0) -> ServerAddress:
    """Server address in a text. Raises HttpError (ADDRESS), which does not repeat the text.

    `plain` allows http to other machines. `port` is the default for http, 80 unless given.
    """
    if not text.isprintable() or " " in text or "\\" in text:
        raise _refusal_error("has a character that no address has")
    if text.startswith("unix:/"):
        return ServerAddress("unix", "localhost", 0, socket=text.removeprefix("unix:"))
    try:
        parts = urlsplit(text)
        host, given = _encode_host(parts.hostname or ""), parts.port
    except ValueError:
        raise _refusal_error("cannot be read") from None
    if parts.scheme not in PORTS:
        raise _refusal_error("does not begin with https://")
    if parts.username is not None or parts.password is not None:
        raise _refusal_error(
            "has a name or password in it", "Give those where they are asked for, and leave them out here."
        )
    if given == 0 or not _is_host(host) or parts.query or parts.fragment:
        raise _refusal_error("is not that of a server")
    usual = port if port and parts.scheme == "http" else PORTS[parts.scheme]
    address = ServerAddress(parts.scheme, host, given or usual, parts.path.rstrip("/"))
    if parts.scheme == "http" and not plain and not address.is_local:
        raise _refusal_error("is not encrypted, and not on this machine", "Write it with https://.")
    return address


def resolve_target(address: ServerAddress, target: str) -> str:
    """The path and query to ask `address` for: `target` is a path below its own, or a whole address there.

    Raises HttpError: REDIRECTED for another server, ADDRESS or REQUEST for what cannot stand in a request.
    """
    if not target.isprintable() or "#" in target:
        raise HttpError(HttpCode.REQUEST, "a path has a character that no path has", "Check the names in it.")
    place, mark, query = target.partition("?")
    if "://" in place:
        if parse_server_address(place, plain=True).origin != address.origin:
            raise redirection_error(address)
        place = "/" + place.split("/", 3)[3] if place.count("/") > 2 else "/"
    else:
        place = f"{address.path}/{place.lstrip('/')}"
    return quote(f"{place}{mark}{query}", safe=_SAFE)


def resolve_redirect(address: ServerAddress, path: str, location: str) -> str:
    """The path and query to ask `address` for after `path` led to `location`. Raises HttpError as `resolve_target`."""
    target = urljoin(f"{address.origin}{path}", location)
    if not target.startswith(f"{address.scheme}://"):
        raise redirection_error(address)
    return resolve_target(address, target)


def redirection_error(address: ServerAddress) -> HttpError:
    """Error for an answer that points to another address."""
    return HttpError(
        HttpCode.REDIRECTED, f"{address.origin} redirects to another address", "Give the address that it has now."
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    return _is_number(host) and ipaddress.ip_address(host).is_loopback


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_host(host: str) -> bool:
    if ":" in host:
        return "%" not in host and _is_number(host)
    return _NAME.fullmatch(host) is not None


def _encode_host(host: str) -> str:
    """A host as it is looked up (IDNA). Raises ValueError for none."""
    return host if host.isascii() else host.encode("idna").decode("ascii")


def _refusal_error(why: str, remedy: str = _EXAMPLE) -> HttpError:
    return HttpError(HttpCode.ADDRESS, f"the address {why}", remedy)
