"""Which proxy a connection goes through: the one it is told, else the one that the environment names.

HTTPS_PROXY   the proxy for https, such as http://proxy.example.com:3128, with a name and password if it asks for them
HTTP_PROXY    the same for http
NO_PROXY      hosts that are asked directly, with commas between: example.com and all below it, .example.com,
              10.0.0.0/8, host:port; * for all

Small letters are read first, as curl reads them. Nothing on this machine goes through a proxy. What is asked by https
is encrypted to its own server: the proxy sees its name only.
"""

import base64
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import quote, unquote

from msgspec import Struct

from muniment.errors import HttpCode, HttpError
from muniment.http.addresses import Address, parse_address

VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY")
_BASIC = "Basic "
NONE = "none"  # what says that a connection goes through no proxy


class Proxy(Struct, frozen=True):
    """A proxy. `authorization` is the value of Proxy-Authorization, "" for none."""

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"

    @property
    def url(self) -> str:
        """Its address as other programs take it. Secret where it has a name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{self._credentials()}{host}:{self.port}"

    def _credentials(self) -> str:
        """The part of the address before the host, "" for none."""
        if not self.authorization:
            return ""
        name, _, password = base64.b64decode(self.authorization.removeprefix(_BASIC)).decode().partition(":")
        return f"{quote(name, safe='')}:{quote(password, safe='')}@"


def select_proxy(address: Address, setting: str = "", environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """The proxy to reach `address` through; None to ask it directly.

    `setting` is the connection's own: an address, `none`, or "" for what the environment says. Raises HttpError
    (PROXY) for one that is no address.
    """
    if address.local or setting == NONE:
        return None
    if setting:
        return parse_proxy(setting)
    named = _variable(environment, f"{address.scheme}_proxy")
    if not named or _is_exempt(address, _variable(environment, "no_proxy")):
        return None
    return parse_proxy(named)


def parse_proxy(text: str) -> Proxy:
    """The proxy that a text names. Raises HttpError (PROXY), which does not repeat the text."""
    scheme, _, rest = text.rpartition("://")  # without a scheme it means http, as for curl
    credentials, given, host = rest.rpartition("@")
    try:
        if scheme not in ("", "http") or not credentials.isprintable():
            raise _refusal()
        address = parse_address(f"http://{host}", plain=True)
    except HttpError:
        raise _refusal() from None
    if address.path:
        raise _refusal()
    return Proxy(address.host, address.port, _authorization(credentials) if given else "")


def _refusal() -> HttpError:
    return HttpError(
        HttpCode.PROXY,
        "the address of the proxy is not one",
        "Write it like http://proxy.example.com:3128, in HTTPS_PROXY or where the connection is set up.",
    )


def _authorization(credentials: str) -> str:
    name, _, password = credentials.partition(":")
    return _BASIC + base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode("ascii")


def _variable(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.upper()) or "").strip()


def _is_exempt(address: Address, listed: str) -> bool:
    """Whether NO_PROXY names the host."""
    return any(_is_named(address, entry.strip().lower()) for entry in listed.split(",") if entry.strip())


def _is_named(address: Address, entry: str) -> bool:
    if entry == "*":
        return True
    host = address.host.lower().rstrip(".")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass  # one of them is a name
    name, _, port = entry.partition(":")
    name = name.removeprefix("*").strip(".")
    return bool(name) and port in ("", str(address.port)) and (host == name or host.endswith(f".{name}"))
