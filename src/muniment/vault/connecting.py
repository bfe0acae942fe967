"""Reaches the vault: by TLS, by a socket of this machine, or in the clear on this machine alone."""

import http.client
import socket
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from muniment.errors import VaultCode, VaultError

_HERE = ("localhost", "127.0.0.1", "::1")
_PORT = 8200


class Address(NamedTuple):
    """`kind` is "unix" (then `place` is the socket), "https" or "http"."""

    kind: str
    place: str
    port: int = _PORT


def parsed(address: str) -> Address:
    """The address. Raises VaultError for none, and for one that would send secrets in the clear."""
    if address.startswith("unix:/"):
        return Address("unix", address.removeprefix("unix:"))
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else _PORT)
    except ValueError:
        raise _unusable("cannot be read") from None
    if parts.scheme not in ("https", "http") or not host or parts.path.strip("/") or parts.query or parts.username:
        raise _unusable("is not an address such as https://vault.example.test:8200")
    if parts.scheme == "http" and host not in _HERE:
        raise _unusable("would send secrets in the clear")
    return Address(parts.scheme, host, port)


def connection_to(address: Address, ca: str, seconds: float) -> http.client.HTTPConnection:
    """A connection that is about to be made. OSError if `ca` cannot be read."""
    if address.kind == "unix":
        return _Unix(address.place, seconds)
    if address.kind == "http":
        return http.client.HTTPConnection(address.place, address.port, timeout=seconds)
    context = ssl.create_default_context(cafile=ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return http.client.HTTPSConnection(address.place, address.port, timeout=seconds, context=context)


class _Unix(http.client.HTTPConnection):
    """HTTP through a socket in the file system."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path
        self._seconds = seconds

    def connect(self) -> None:
        """Open it. OSError if nobody listens."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(self._seconds)
        try:
            made.connect(self._path)
        except OSError:
            made.close()
            raise
        self.sock = made


def _unusable(why: str) -> VaultError:
    return VaultError(
        VaultCode.ADDRESS,
        f"the address of the vault {why}",
        "Set MUNIMENT_VAULT_URL to https://host:port, or to unix:/path/of/the/socket.",
    )
