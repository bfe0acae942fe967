"""Selects the proxy for a connection: its own setting, else the environment's.

HTTPS_PROXY   the proxy for https, such as http://proxy.example.com:3128, with a name and password if it requires them
HTTP_PROXY    the proxy for http
NO_PROXY      hosts without a proxy, with commas between: example.com and all below it, .example.com,
              10.0.0.0/8, host:port; * for all

Lower-case variables are read first, as curl reads them. Connections within this machine use no proxy. A request by
https is encrypted to its own server: the proxy sees its name only.
"""

import base64
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import quote, unquote

from msgspec import Struct

from muniment.errors import HttpCode, HttpError
from muniment.http.addresses import ServerAddress, parse_server_address

PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY")
_BASIC = "Basic "
NO_PROXY = "none"  # what says that a connection goes through no proxy


class Proxy(Struct, frozen=True):
    """A proxy. `authorization` is the value of Proxy-Authorization, "" for none."""

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"

    @property
    def proxy_url(self) -> str:
        """Address of the proxy as other programs take it. Secret where it has a name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{self._format_credentials()}{host}:{self.port}"

    def _format_credentials(self) -> str:
        """Part of the address before the host, "" for none."""
        if not self.authorization:
            return ""
        name, _, password = base64.b64decode(self.authorization.removeprefix(_BASIC)).decode().partition(":")
        return f"{quote(name, safe='')}:{quote(password, safe='')}@"


def select_proxy(
    address: ServerAddress, setting: str = "", environment: Mapping[str, str] = os.environ
) -> Proxy | None:
    """Proxy for a connection to `address`; None for a direct one.

    `setting` is the connection's own: an address, `none`, or "" for the environment's. Raises HttpError (PROXY) for an
    invalid address.
    """
    if address.is_local or setting == NO_PROXY:
        return None
    if setting:
        return parse_proxy(setting)
    named = _read_variable(environment, f"{address.scheme}_proxy")
    if not named or _is_exempt(address, _read_variable(environment, "no_proxy")):
        return None
    return parse_proxy(named)


def parse_proxy(text: str) -> Proxy:
    """Proxy in a text. Raises HttpError (PROXY), which does not repeat the text."""
    scheme, _, rest = text.rpartition("://")  # without a scheme it means http, as for curl
    credentials, given, host = rest.rpartition("@")
    try:
        if scheme not in ("", "http") or not credentials.isprintable():
            raise _refusal_error()
        address = parse_server_address(f"http://{host}", plain=True)
    except HttpError:
        raise _refusal_error() from None
    if address.path:
        raise _refusal_error()
    return Proxy(address.host, address.port, _encode_credentials(credentials) if given else "")


def _refusal_error() -> HttpError:
    return HttpError(
        HttpCode.PROXY,
        "the address of the proxy is not one",
        "Write it like http://proxy.example.com:3128, in HTTPS_PROXY or where the connection is set up.",
    )


def _encode_credentials(credentials: str) -> str:
    name, _, password = credentials.partition(":")
    return _BASIC + base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode("ascii")


def _read_variable(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.upper()) or "").strip()


def _is_exempt(address: ServerAddress, listed: str) -> bool:
    """Whether NO_PROXY names the host."""
    return any(_is_named(address, entry.strip().lower()) for entry in listed.split(",") if entry.strip())


def _is_named(address: ServerAddress, entry: str) -> bool:
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
