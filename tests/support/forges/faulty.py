"""A real HTTP server on loopback whose every call can be made to fail: what fakes of forges are built on.

class Fake(Faulty):
    routes = (Route("GET", r"/things/(\\d+)", "thing", Fake.thing), ...)

with Fake() as fake:
    fake.fail("thing", Fault.FAILED)           # until: fake.mend()
    fake.fail(None, Fault.SLOW, times=1)       # whatever is called next, once
"""

import hashlib
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Fault(Enum):
    """Failure of a call."""

    NOT_FOUND = "404"
    FORBIDDEN = "403"
    UNAUTHORIZED = "401"
    LIMITED = "429, X-RateLimit"
    LIMITED_OTHERWISE = "403, Retry-After"
    LIMITED_SECONDARILY = "403, a message about a secondary rate limit, and requests left"
    LIMITED_FOR_A_WHILE = "429, Retry-After"
    LIMITED_ALONE = "429, and nothing else"
    FAILED = "500"
    SLOW = "slow"
    CUT = "the connection ends in the middle"
    MALFORMED = "not JSON"
    TRUNCATED = "a page lacks its last item"
    STALE = "as it was before the last write"
    ELSEWHERE = "a redirect to another host"
    LOST = "a write is done, and its answer lost"


LIMITS = tuple(fault for fault in Fault if fault.name.startswith("LIMITED"))


class Request(NamedTuple):
    """One call, as a route sees it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    found: tuple[str, ...]


class Reply(NamedTuple):
    """Reply of a route."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})


class Route(NamedTuple):
    """One call: `name` is what `fail` goes by."""

    method: str
    pattern: str
    name: str
    answer: Callable[[Any, Request], Reply]


class Faulty:
    """The server. `calls` are the names of what was called, in order."""

    routes: tuple[Route, ...] = ()
    slow = 10.0  # seconds; clients in tests wait less
    reads: tuple[str, ...] = ()  # calls that only read, although they are no GET
    headers: Mapping[str, str] = MappingProxyType({})  # of every answer that has not got them by itself
    tagged = False  # whether answers have validators, by which they are asked for again

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.unchanged = 0
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        self._faults: list[tuple[str | None, Fault, int]] = []
        self._before: dict[str, Reply] = {}
        self._now: dict[str, Reply] = {}
        self._ending = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body go one after the other, at once

            def _any(self) -> None:
                fake._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 -- the library's names

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Any:
        return self

    def behind_tls(self, chain: str, key: str) -> None:
        """From now on it speaks TLS, and proves itself by that certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http://", "https://")

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the fake's HTTP server."""
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, name: str | None, fault: Fault, times: int = 1_000_000) -> None:
        """The next `times` calls of `name` (None: of any) go wrong."""
        with self.lock:
            self._faults.append((name, fault, times))

    def mend(self) -> None:
        """Remove all faults: every call works again."""
        with self.lock:
            self._faults.clear()

    def _fault(self, name: str) -> Fault | None:
        for place, (wanted, fault, times) in enumerate(self._faults):
            if wanted in (None, name) and times:
                self._faults[place] = (wanted, fault, times - 1)
                return fault
        return None

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        data = handler.rfile.read(length) if length else b""
        parts = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        for route in self.routes:
            found = re.fullmatch(route.pattern, parts.path)
            if found and route.method in (handler.command, "*"):
                kind = headers.get("content-type", "")
                body = json.loads(data) if data and "json" in kind else data
                groups = tuple(group or "" for group in found.groups())
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                request = Request(handler.command, parts.path, query, headers, body, groups)
                self._answer(handler, route, request)
                return
        _send(handler, Reply(404, {"message": f"no such call: {handler.command} {parts.path}"}))

    def _answer(self, handler: BaseHTTPRequestHandler, route: Route, request: Request) -> None:
        with self.lock:
            self.calls.append(route.name)
            self.requests.append(request)
            fault = self._fault(route.name)
            reply = _REPLIES.get(fault) if fault is not None else None
            if reply is None:
                reply = self._done(handler, route, request, fault)
        if fault is Fault.SLOW:
            self._ending.wait(self.slow)
        if fault in (Fault.CUT, Fault.LOST):
            handler.close_connection = True
            if fault is Fault.CUT:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[")
            return
        reply = reply._replace(headers={**self.headers, **reply.headers})
        try:
            _send(handler, self._tagged(request, reply) if self.tagged and fault is None else reply)
        except (BrokenPipeError, ConnectionResetError):  # a client that waits no longer
            handler.close_connection = True

    def _tagged(self, request: Request, reply: Reply) -> Reply:
        """Add an ETag to a reply, or reply 304 if the request has it already. `unchanged` counts those."""
        if request.method != "GET" or reply.status != 200:
            return reply
        tag = f'"{hashlib.sha256(json.dumps(reply.body, default=repr).encode()).hexdigest()}"'
        if request.headers.get("if-none-match") == tag:
            self.unchanged += 1
            return Reply(304)
        return Reply(200, reply.body, {**reply.headers, "ETag": tag})

    def _done(self, handler: BaseHTTPRequestHandler, route: Route, request: Request, fault: Fault | None) -> Reply:
        reads = request.method == "GET" or route.name in self.reads
        address = handler.path if request.method == "GET" else f"{handler.path} {request.body}"
        if fault is Fault.STALE and reads and address in self._before:
            return self._before[address]
        if fault is Fault.CUT:
            return Reply()
        reply = route.answer(self, request)
        if reads:
            self._now[address] = reply
        else:
            self.written()
        return self.shortened(reply) if fault is Fault.TRUNCATED else reply

    def written(self) -> None:
        """Something changed: what was answered until now is stale."""
        self._before = dict(self._now)

    def shortened(self, reply: Reply) -> Reply:
        """A page without its last item."""
        return Reply(reply.status, reply.body[:-1], reply.headers) if isinstance(reply.body, list) else reply


_REPLIES = {
    Fault.NOT_FOUND: Reply(404, {"message": "Not Found"}),
    Fault.FORBIDDEN: Reply(403, {"message": "Forbidden"}),
    Fault.UNAUTHORIZED: Reply(401, {"message": "Unauthorized"}),
    Fault.LIMITED: Reply(
        429,
        {"message": "limit"},
        {
            "X-RateLimit-Limit": "60",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(time.time())),  # no test waits for it
        },
    ),
    Fault.LIMITED_OTHERWISE: Reply(403, {"message": "secondary limit"}, {"Retry-After": "30"}),
    Fault.LIMITED_SECONDARILY: Reply(
        403,
        {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."},
        {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4987"},
    ),
    Fault.LIMITED_FOR_A_WHILE: Reply(429, {"message": "slow down"}, {"Retry-After": "30"}),
    Fault.LIMITED_ALONE: Reply(429, b"Retry later\n", {"Content-Type": "text/plain"}),
    Fault.FAILED: Reply(500, {"message": "it broke"}),
    Fault.MALFORMED: Reply(200, b"<html>sign in</html>"),
    Fault.ELSEWHERE: Reply(302, None, {"Location": "http://127.0.0.2:9/"}),
}


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    body = (
        b"" if reply.body is None else reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    )
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if "Content-Type" not in reply.headers:
        handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
