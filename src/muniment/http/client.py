"""Client of one server: bounded in time and size, sends only to that server, and repeats no secret in errors.

- `seconds` is for a whole request, from looking up the host to the last byte of the answer, redirects included.
- No redirect is followed unless requested, and then for GET alone and on the same scheme, host and port.
- A request is repeated only if the caller states that this is safe (`retry`), as often and as late as it states.
- An answer that a rate limit refused is an error; with a `RateLimiter` nothing more is sent until it is over.
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
from muniment.http.addresses import (
    ServerAddress,
    parse_server_address,
    redirection_error,
    resolve_redirect,
    resolve_target,
)
from muniment.http.connections import HttpConnection, Response
from muniment.http.deadlines import Deadline
from muniment.http.headers import encode_request
from muniment.http.proxies import Proxy, select_proxy
from muniment.http.rate_limits import RateLimit, RateLimiter, is_refusal, seconds_until, seconds_until_retry
from muniment.http.reachable_networks import IPNetwork

_REDIRECTS = (301, 302, 303, 307, 308)
_SAFE = ("GET", "HEAD", "LIST")
_FAILED = (HttpCode.UNREACHABLE, HttpCode.TIMED_OUT, HttpCode.RATE_LIMITED)
_UNAVAILABLE = (500, 502, 503, 504)


class RetryRules(Struct, frozen=True):
    """Rules for repeating a request: `pauses` in seconds before each new attempt, longer if the server requests it.

    It ends with the last answer or error once `seconds` are over, or would be after the next pause.
    """

    pauses: tuple[float, ...] = (1.0, 3.0, 9.0)
    seconds: float = 120.0


_ONCE = RetryRules((), 0.0)


class HttpClient:
    """The server at `base`, an address below which all paths begin.

    seconds   how long a request may take altogether, from the name of the host to the last byte
    largest   bytes that the body of an answer may have
    headers   gives what every request carries, such as a token; asked anew each time
    redirects how many are followed
    returns_redirects  whether an answer that redirects is returned as it is; none is followed then
    plain     whether http to another machine is allowed
    ca        a file of the only authorities to trust, "" for those of the environment
    proxy     as `proxies.select_proxy` takes it
    reuse     how many connections stay open for later requests
    limiter   keeps the server's rate limit, and sends nothing while it refuses
    networks  if given, only public addresses and those of these networks are reached; None: any
    """

    def __init__(
        self,
        base: str | ServerAddress,
        *,
        seconds: float,
        largest: int = 1 << 20,
        headers: Callable[[], Mapping[str, str]] = dict,
        redirects: int = 0,
        returns_redirects: bool = False,
        plain: bool = False,
        ca: str = "",
        proxy: str = "",
        reuse: int = 0,
        limiter: RateLimiter | None = None,
        networks: tuple[IPNetwork, ...] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises HttpError for an address that is not allowed."""
        self.address = base if isinstance(base, ServerAddress) else parse_server_address(base, plain=plain)
        self._seconds = seconds
        self._largest = largest
        self._headers = headers
        self._redirects = redirects
        self._returns_redirects = returns_redirects
        self._ca = ca
        self._proxy = proxy
        self._reuse = reuse
        self._limiter = limiter
        self._networks = networks
        self._sleep = sleep
        self._resting: deque[HttpConnection] = deque()
        weakref.finalize(self, _close_all, self._resting)

    def __repr__(self) -> str:
        return f"Client({self.address.origin!r})"

    def close(self) -> None:
        """End the connections that stay open. They also end with the client."""
        _close_all(self._resting)

    def request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        retry: RetryRules | None = None,
        deadline: Deadline | None = None,
    ) -> Response:
        """The answer, with any status. `target` is a path below the base, or a whole address on the same server.

        `retry` is given for a request that may safely be sent twice. `deadline` takes the place of `seconds`, for
        several requests that belong together. Raises HttpError.
        """
        rules = retry or _ONCE
        end = time.monotonic() + rules.seconds
        for pause in rules.pauses:
            try:
                response = self._send_once(method, target, body, headers, deadline, again=True)
            except HttpError as error:
                if error.code not in _FAILED or not self._wait_for_retry(pause, seconds_until(error.again_at), end):
                    raise
            else:
                retry_seconds = seconds_until_retry(response.headers, time.time())
                if response.status not in _UNAVAILABLE or not self._wait_for_retry(pause, retry_seconds or 0.0, end):
                    return response
        return self._send_once(method, target, body, headers, deadline, again=retry is not None)

    def _wait_for_retry(self, pause: float, requested_pause: float, end: float) -> bool:
        """Wait for the next attempt; False if there is no time for it."""
        seconds = max(pause, requested_pause)
        if time.monotonic() + seconds >= end:
            return False
        self._sleep(seconds)
        return True

    def _send_once(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: Deadline | None,
        *,
        again: bool,
    ) -> Response:
        """Send one attempt, with its redirects; `again`: it may safely be sent twice."""
        limit = deadline or Deadline(self._seconds)
        path = resolve_target(self.address, target)
        for _ in range(self._redirects + 1):
            before = self._limiter.require_allowed(self.address.origin) if self._limiter is not None else None
            response = self._send_over_connection(method, path, body, headers, limit, again=again or method in _SAFE)
            self._update_limits(response, before)
            if response.status not in _REDIRECTS or self._returns_redirects:
                return response
            if method != "GET" or not self._redirects:
                break
            path = resolve_redirect(self.address, path, response.headers.get("location", ""))
        raise redirection_error(self.address)

    def _update_limits(self, response: Response, before: RateLimit | None) -> None:
        """Raises HttpError (RATE_LIMITED) for an answer that is a refusal."""
        if is_refusal(response.status, response.headers, response.body):
            raise (self._limiter or RateLimiter()).record_refusal(self.address.origin, response.headers)
        if self._limiter is not None and before is not None:
            self._limiter.update_limit(response.headers, before)

    def _send_over_connection(
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
        request = self._write_request(method, path, body, headers, proxy)
        resting = self._take_idle_connection()
        if resting is not None:
            try:
                return self._send_and_release(resting, method, request, deadline)
            except HttpError as error:
                if not again or error.code is not HttpCode.UNREACHABLE:
                    raise  # else the server ended it while it rested
        opened = HttpConnection(self.address, deadline, ca=self._ca, proxy=proxy, networks=self._networks)
        return self._send_and_release(opened, method, request, deadline)

    def _write_request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], proxy: Proxy | None
    ) -> bytes:
        own = {"User-Agent": "muniment", "Accept-Encoding": "gzip"}
        if not self._reuse:
            own["Connection"] = "close"
        if proxy is not None and self.address.scheme == "http":  # the proxy itself is asked, in its own form
            path = f"{self.address.origin}{path}"
            own |= {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        given = {**self._headers(), **headers}
        return encode_request(method, path, self.address.authority, given, own, body)

    def _take_idle_connection(self) -> HttpConnection | None:
        """A connection that was open before, the newest first."""
        while self._resting:
            with contextlib.suppress(IndexError):  # another thread may have taken the last one
                connection = self._resting.pop()
                if connection.is_usable():
                    return connection
                connection.close()
        return None

    def _send_and_release(
        self, connection: HttpConnection, method: str, request: bytes, deadline: Deadline
    ) -> Response:
        try:
            response, open_ = connection.send_and_receive(method, request, self._largest, deadline)
        except BaseException:
            connection.close()
            raise
        if open_ and len(self._resting) < self._reuse:
            self._resting.append(connection)
        else:
            connection.close()
        return response


def _close_all(resting: deque[HttpConnection]) -> None:
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
    proxy: str = "",
    networks: tuple[IPNetwork, ...] | None = None,
    deadline: Deadline | None = None,
) -> Response:
    """Answer to one request to a whole address, by a client for it alone. Raises HttpError."""
    server = parse_server_address(url.partition("?")[0], plain=plain)
    base = msgspec.structs.replace(server, path="")
    client = HttpClient(base, seconds=seconds, largest=largest, proxy=proxy, networks=networks)
    return client.request(method, url, body, headers, deadline=deadline)
