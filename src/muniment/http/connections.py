"""A connection to a server: looking up the name, sending and waiting for bytes are within one deadline.

A limit for each read is not enough: a server that sends a byte now and then would block the caller for ever.
"""

import contextlib
import io
import os
import select
import socket
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any, cast

from msgspec import Struct

from muniment.errors import HttpCode, HttpError
from muniment.http.addresses import ServerAddress
from muniment.http.authorities import make_tls_context
from muniment.http.bodies import BodyTooLarge, read_body
from muniment.http.deadlines import Deadline
from muniment.http.host_names import resolve_host
from muniment.http.proxies import Proxy
from muniment.http.reachable_networks import IPNetwork, require_reachable_network, unreachable_network_error

_LONGEST_LINE = 1 << 13  # bytes of a line in a proxy's answer
_MOST_LINES = 100
_IDLE_SECONDS = 30.0  # a firewall may have forgotten a connection that rested longer


class Response(Struct, frozen=True):
    """Answer of a server: `status`, headers by lower-case name, and the body, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpConnection:
    """An open connection, for one request after the other."""

    def __init__(
        self,
        address: ServerAddress,
        deadline: Deadline,
        *,
        ca: str = "",
        proxy: Proxy | None = None,
        networks: tuple[IPNetwork, ...] | None = None,
    ) -> None:
        """Raises HttpError if the address cannot be used. `networks` as `HttpClient` takes them."""
        self.address = address
        self._process = os.getpid()
        self._used = time.monotonic()
        context = make_tls_context(ca) if address.scheme == "https" else None
        with _convert_failures(address, deadline):
            self._socket = _open_socket(address, deadline, context, proxy, networks)

    def close(self) -> None:
        self._socket.close()

    def is_usable(self) -> bool:
        """Whether another request may be sent: this process opened it, and no byte or end came since."""
        # Two processes that write to one connection would get each other's answers.
        if self._process != os.getpid() or time.monotonic() - self._used > _IDLE_SECONDS:
            return False
        poll = select.poll()
        # Readable without a request means an end, or an answer to a request that nobody sent: neither may be taken for
        # ours.
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def send_and_receive(self, method: str, request: bytes, largest: int, deadline: Deadline) -> tuple[Response, bool]:
        """Send a request; its answer, and whether another may be sent after it. Raises HttpError."""
        with _convert_failures(self.address, deadline):
            _send_bytes(self._socket, request, deadline)
            incoming = _Incoming(self._socket, deadline)
            raw = HTTPResponse(cast("socket.socket", incoming), method=method)  # of it, makefile alone is called
            try:
                raw.begin()
                if raw.status < 200:
                    raise HTTPException
                response = Response(raw.status, _read_headers(raw), read_body(raw, largest))
            finally:
                raw.close()
        self._used = time.monotonic()
        return response, not raw.will_close


class _Incoming(io.RawIOBase):
    """The bytes that come from a socket, all of them awaited until one deadline."""

    def __init__(self, source: socket.socket, deadline: Deadline) -> None:
        self._source = source
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """A buffered reader, which HTTPResponse expects of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._source.settimeout(self._deadline.seconds_left())
        return self._source.recv_into(buffer)


def _send_bytes(target: socket.socket, data: bytes, deadline: Deadline) -> None:
    rest = memoryview(data)
    while rest:
        target.settimeout(deadline.seconds_left())
        rest = rest[target.send(rest) :]


def _open_socket(
    address: ServerAddress,
    deadline: Deadline,
    context: ssl.SSLContext | None,
    proxy: Proxy | None,
    networks: tuple[IPNetwork, ...] | None,
) -> socket.socket:
    """A socket through which requests can be sent. Raises HttpError, OSError, HTTPException."""
    if address.socket:
        if networks is not None:
            raise unreachable_network_error(address)
        return _connect_socket(socket.AF_UNIX, address.socket, deadline.seconds_left())
    opened = _connect_to_server(address, deadline, networks) if proxy is None else _connect_to_proxy(proxy, deadline)
    try:
        if context is None:
            return opened
        if proxy is not None:
            _open_tunnel(opened, address, proxy, deadline)
        return _start_tls(opened, address, context, deadline)
    except BaseException:
        opened.close()
        raise


def _connect_to_server(
    address: ServerAddress, deadline: Deadline, networks: tuple[IPNetwork, ...] | None
) -> socket.socket:
    found = resolve_host(address.host, address.port, deadline)
    if networks is not None:
        require_reachable_network(address, found, networks)
    return _connect_to_first(found, deadline)


def _connect_to_first(found: list[tuple[Any, ...]], deadline: Deadline) -> socket.socket:
    """A connection to the first address that answers; none of them may use up the time of the others."""
    failure: OSError = ConnectionError()
    for number, (family, _, _, _, where) in enumerate(found):
        try:
            opened = _connect_socket(family, where, deadline.seconds_left() / (len(found) - number))
        except OSError as error:
            failure = error
        else:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened
    raise failure


def _connect_socket(family: int, where: Any, seconds: float) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(seconds)
        opened.connect(where)
    except BaseException:
        opened.close()
        raise
    return opened


def _connect_to_proxy(proxy: Proxy, deadline: Deadline) -> socket.socket:
    try:
        return _connect_to_first(resolve_host(proxy.host, proxy.port, deadline), deadline)
    except TimeoutError:
        raise
    except OSError:
        raise _proxy_error(proxy, "cannot be reached") from None


def _open_tunnel(opened: socket.socket, address: ServerAddress, proxy: Proxy, deadline: Deadline) -> None:
    """Open a tunnel through the proxy (CONNECT, RFC 9110, section 9.3.6)."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    lines = [f"CONNECT {host}:{address.port} HTTP/1.1", f"Host: {host}:{address.port}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    _send_bytes(opened, ("\r\n".join(lines) + "\r\n\r\n").encode("ascii"), deadline)
    incoming = _Incoming(opened, deadline)  # unbuffered: what follows belongs to the server
    words = incoming.readline(_LONGEST_LINE).split(None, 2)
    for _ in range(_MOST_LINES):
        line = incoming.readline(_LONGEST_LINE)
        if not line.strip():
            break
    else:
        raise _proxy_error(proxy, "answers without end")
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or line == b"":
        raise _proxy_error(proxy, "does not speak HTTP")
    if words[1] == b"407":
        raise _proxy_error(proxy, "asks for a name and password, or refuses those that it was given")
    if words[1][:1] != b"2":
        raise _proxy_error(proxy, f"does not connect to {address.origin}")


def _start_tls(
    opened: socket.socket, address: ServerAddress, context: ssl.SSLContext, deadline: Deadline
) -> socket.socket:
    opened.settimeout(deadline.seconds_left())  # of the whole handshake
    try:
        # A ragged end is an error: whoever cuts a connection must not make a shorter answer look whole.
        return context.wrap_socket(opened, server_hostname=address.host, suppress_ragged_eofs=False)
    except ssl.SSLError:
        raise HttpError(
            HttpCode.UNTRUSTED,
            f"{address.origin} cannot prove with a certificate to be that",
            "Name the authority that signed it: SSL_CERT_FILE, or where the connection is set up.",
        ) from None


def _proxy_error(proxy: Proxy, why: str) -> HttpError:
    return HttpError(
        HttpCode.PROXY,
        f"the proxy {proxy.host}:{proxy.port} {why}",
        "Check HTTPS_PROXY and NO_PROXY, or the proxy of the connection.",
    )


def _read_headers(response: HTTPResponse) -> dict[str, str]:
    """Headers by lower-case name, equal names joined. Raises HTTPException where they contradict each other."""
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        key, text = name.lower(), " ".join(value.split())
        found[key] = f"{found[key]}, {text}" if key in found else text
    # Two lengths that differ are how one answer is passed off as two.
    lengths = {part.strip() for part in found.get("content-length", "0").split(",")}
    if len(lengths) > 1 or not all(length.isascii() and length.isdigit() for length in lengths):
        raise HTTPException
    return found


@contextlib.contextmanager
def _convert_failures(address: ServerAddress, deadline: Deadline) -> Iterator[None]:
    """Convert each failure to an HttpError, which repeats no data of the server."""
    try:
        yield
    except TimeoutError:
        code, why = HttpCode.TIMED_OUT, f"did not answer within {deadline.seconds:g} seconds"
        remedy = "Try again; see how busy it is, and the network on the way there."
    except BodyTooLarge:
        code, why, remedy = HttpCode.TOO_LARGE, "answers more than it may", "Check the address."
    except (IncompleteRead, OSError) as error:  # before HTTPException: RemoteDisconnected is both
        code, why = HttpCode.UNREACHABLE, f"cannot be reached ({_describe_failure(error)})"
        remedy = "Check the address and the network, and that the server runs."
    except HTTPException:
        code, why, remedy = HttpCode.MALFORMED, "does not answer in HTTP", "Check the address."
    else:
        return
    raise HttpError(code, f"{address.origin} {why}", remedy) from None


def _describe_failure(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return "it ended the connection" if isinstance(error, HTTPException | ssl.SSLError) else type(error).__name__
