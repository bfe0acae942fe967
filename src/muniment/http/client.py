"""Asks one server: bounded in time and size, only where it was told to, and silent about what it sent.

- `seconds` is for a whole request, from looking up the host to the last byte of the answer, redirects included.
- No redirect is followed unless that is asked for, and then for GET alone and on the same scheme, host and port.
- A request is repeated only if the caller says that this does no harm (`retry`), as often and as late as it says.
- An answer that a rate limit refused is an error; with a `Limiter` nothing more is sent until it is over.
- An error names the host, never a path, header or body.
"""

import contextlib
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from muniment.errors import HttpCode, HttpError
from muniment.http.addresses import Address, parse_address, redirection, resolve_redirect, resolve_target
from muniment.http.connections import Connection, Response
from muniment.http.deadlines import Deadline
from muniment.http.headers import write_request
from muniment.http.proxies import Proxy, select_proxy
from muniment.http.rate_limits import Limiter, RateLimit, is_refusal, seconds_until, seconds_until_retry

_REDIRECTS = (301, 302, 303, 307, 308)
_SAFE = ("GET", "HEAD", "LIST")
_FAILED = (HttpCode.UNREACHABLE, HttpCode.TIMED_OUT, HttpCode.RATE_LIMITED)
_UNAVAILABLE = (500, 502, 503, 504)


class Retry(Struct, frozen=True):
    """How a request that may be repeated is: `pauses` in seconds before each new attempt, longer if the server says so.

    It ends with the last answer or error once `seconds` are over, or would be after the next pause.
    """

    pauses: tuple[float, ...] = (1.0, 3.0, 9.0)
    seconds: float = 120.0


_ONCE = Retry((), 0.0)


class Client:
    """The server at `base`, an address below which all paths begin.

    seconds   how long a request may take altogether, from the name of the host to the last byte
    largest   bytes that the body of an answer may have
    headers   gives what every request carries, such as a token; asked anew each time
    redirects how many are followed
    plain     whether http to another machine is allowed
    ca        a file of the only authorities to trust, "" for those of the environment
    proxy     as `proxies.select_proxy` takes it
    reuse     how many connections stay open for later requests
    limiter   keeps the server's rate limit, and sends nothing while it refuses
    """

    def __init__(
        self,
        base: str | Address,
        *,
        seconds: float,
        largest: int = 1 << 20,
        headers: Callable[[], Mapping[str, str]] = dict,
        redirects: int = 0,
        plain: bool = False,
        ca: str = "",
        proxy: str = "",
        reuse: int = 0,
        limiter: Limiter | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises HttpError for an address that may not be asked."""
        self.address = base if isinstance(base, Address) else parse_address(base, plain=plain)
        self._seconds = seconds
        self._largest = largest
        self._headers = headers
        self._redirects = redirects
        self._ca = ca
        self._proxy = proxy
        self._reuse = reuse
        self._limiter = limiter
        self._sleep = sleep
        self._resting: deque[Connection] = deque()
        weakref.finalize(self, _close, self._resting)

    def __repr__(self) -> str:
        return f"Client({self.address.origin!r})"

    def close(self) -> None:
        """End the connections that stay open. They also end with the client."""
        _close(self._resting)

    def request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        retry: Retry | None = None,
        deadline: Deadline | None = None,
    ) -> Response:
        """The answer, whatever its status. `target` is a path below the base, or a whole address on the same server.

        `retry` is given for what does no harm if it is done twice. `deadline` takes the place of `seconds`, for
        several requests that belong together. Raises HttpError.
        """
        rules = retry or _ONCE
        end = time.monotonic() + rules.seconds
        for pause in rules.pauses:
            try:
                response = self._attempt(method, target, body, headers, deadline, again=True)
            except HttpError as error:
                if error.code not in _FAILED or not self._wait(pause, seconds_until(error.again_at), end):
                    raise
            else:
                told = seconds_until_retry(response.headers, time.time())
                if response.status not in _UNAVAILABLE or not self._wait(pause, told or 0.0, end):
                    return response
        return self._attempt(method, target, body, headers, deadline, again=retry is not None)

    def _wait(self, pause: float, told: float, end: float) -> bool:
        """Wait for the next attempt; False if there is no time for it."""
        seconds = max(pause, told)
        if time.monotonic() + seconds >= end:
            return False
        self._sleep(seconds)
        return True

    def _attempt(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: Deadline | None,
        *,
        again: bool,
    ) -> Response:
        """One attempt, with the redirects that it leads to; `again` says that it does no harm to send it twice."""
        limit = deadline or Deadline(self._seconds)
        path = resolve_target(self.address, target)
        for _ in range(self._redirects + 1):
            before = self._limiter.check(self.address.origin) if self._limiter is not None else None
            response = self._exchange(method, path, body, headers, limit, again=again or method in _SAFE)
            self._read_limits(response, before)
            if response.status not in _REDIRECTS:
                return response
            if method != "GET" or not self._redirects:
                break
            path = resolve_redirect(self.address, path, response.headers.get("location", ""))
        raise redirection(self.address)

    def _read_limits(self, response: Response, before: RateLimit | None) -> None:
        """Raises HttpError (RATE_LIMITED) for an answer that says so."""
        if is_refusal(response.status, response.headers, response.body):
            raise (self._limiter or Limiter()).refuse(self.address.origin, response.headers)
        if self._limiter is not None and before is not None:
            self._limiter.update(response.headers, before)

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: Deadline,
        *,
        again: bool,
    ) -> Response:
        proxy = select_proxy(self.address, self._proxy)
        request = self._write(method, path, body, headers, proxy)
        resting = self._take_resting()
        if resting is not None:
            try:
                return self._send(resting, method, request, deadline)
            except HttpError as error:
                if not again or error.code is not HttpCode.UNREACHABLE:
                    raise  # else the server ended it while it rested
        return self._send(Connection(self.address, deadline, ca=self._ca, proxy=proxy), method, request, deadline)

    def _write(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], proxy: Proxy | None
    ) -> bytes:
        own = {"User-Agent": "muniment", "Accept-Encoding": "gzip"}
        if not self._reuse:
            own["Connection"] = "close"
        if proxy is not None and self.address.scheme == "http":  # the proxy itself is asked, in its own form
            path = f"{self.address.origin}{path}"
            own |= {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        given = {**self._headers(), **headers}
        return write_request(method, path, self.address.authority, given, own, body)

    def _take_resting(self) -> Connection | None:
        """A connection that was open before, the newest first."""
        while self._resting:
            with contextlib.suppress(IndexError):  # another thread may have taken the last one
                connection = self._resting.pop()
                if connection.is_usable():
                    return connection
                connection.close()
        return None

    def _send(self, connection: Connection, method: str, request: bytes, deadline: Deadline) -> Response:
        try:
            response, open_ = connection.exchange(method, request, self._largest, deadline)
        except BaseException:
            connection.close()
            raise
        if open_ and len(self._resting) < self._reuse:
            self._resting.append(connection)
        else:
            connection.close()
        return response


def _close(resting: deque[Connection]) -> None:
    while resting:
        resting.pop().close()


def send_request(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    seconds: float,
    largest: int = 1 << 20,
    plain: bool = False,
    deadline: Deadline | None = None,
) -> Response:
    """The answer to one request to a whole address, by a client for it alone. Raises HttpError."""
    server = parse_address(url.partition("?")[0], plain=plain)
    client = Client(msgspec.structs.replace(server, path=""), seconds=seconds, largest=largest)
    return client.request(method, url, body, headers, deadline=deadline)
