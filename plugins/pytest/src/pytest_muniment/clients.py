"""Calls an application without a server: WSGI, Django's handler, ASGI."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from pytest_muniment.project import AppRequest

HOST = "localhost"
LARGEST_BODY = 1 << 20  # bytes of an answer that are read


@dataclass(frozen=True)
class Answer:
    """Answer of the application. `escaped` names the exception that left the application, "" for none."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    escaped: str = ""

    @property
    def location(self) -> str:
        """Target of a redirect without its query, or ""."""
        for name, value in self.headers:
            if name.lower() == "location":
                return value.partition("?")[0]
        return ""


class AppClient(Protocol):
    """Sends requests to the application."""

    def call(self, request: AppRequest) -> Answer:
        """The answer. An exception that leaves the application is an answer 500, as a server gives it."""

    def close(self) -> None:
        """End what the client started."""


class WsgiClient:
    """Client of a WSGI application."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def call(self, request: AppRequest) -> Answer:
        """See AppClient."""
        started: list[tuple[int, tuple[tuple[str, str], ...]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[..., None]:
            started.append((int(status.split()[0]), tuple(headers)))
            return lambda _data: None

        chunks: list[bytes] = []
        try:
            result = self._application(_make_environ(request), start_response)
            try:
                for chunk in result:
                    chunks.append(chunk)
                    if sum(map(len, chunks)) > LARGEST_BODY:
                        break
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except Exception as error:  # noqa: BLE001 -- a server answers 500 to whatever leaves the application
            return Answer(500, (), b"", type(error).__name__)
        status, headers = started[-1] if started else (500, ())
        return Answer(status, headers, b"".join(chunks))

    def close(self) -> None:
        """See AppClient."""


def _make_environ(request: AppRequest) -> dict[str, object]:
    path, _, query = request.path.partition("?")
    environ: dict[str, object] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": HOST,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def make_django_application(handler: Any) -> Callable[..., Iterable[bytes]]:
    """Django's WSGI handler without the check for cross-site requests, which would hide who refuses a request."""
    answer = handler.get_response

    def get_response(request: Any) -> Any:
        request._dont_enforce_csrf_checks = True  # Django's own test client does the same
        return answer(request)

    handler.get_response = get_response
    application: Callable[..., Iterable[bytes]] = handler
    return application


Message = MutableMapping[str, Any]
AsgiApplication = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class AsgiClient:
    """Client of an ASGI application. All calls share one event loop, and the application's lifespan."""

    def __init__(self, application: AsgiApplication) -> None:
        self._application = application
        self._runner = asyncio.Runner()
        self._lifespan: asyncio.Task[None] | None = None
        self._runner.run(self._start_lifespan())

    def call(self, request: AppRequest) -> Answer:
        """See AppClient."""
        return self._runner.run(self._call(request))

    def close(self) -> None:
        """End the event loop; the lifespan's task is cancelled."""
        self._runner.close()

    async def _start_lifespan(self) -> None:
        started = asyncio.Event()

        async def receive() -> Message:
            if not started.is_set():
                return {"type": "lifespan.startup"}
            await asyncio.Event().wait()
            raise AssertionError  # it waits until the loop ends

        async def send(message: Message) -> None:
            if message["type"].startswith("lifespan.startup"):
                started.set()

        async def run() -> None:
            try:
                await self._application({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
            except Exception:  # noqa: BLE001 -- an application without a lifespan refuses it by any exception
                started.set()
            started.set()

        self._lifespan = asyncio.create_task(run())
        await started.wait()

    async def _call(self, request: AppRequest) -> Answer:
        path, _, query = request.path.partition("?")
        headers = [(b"host", HOST.encode()), (b"content-length", str(len(request.body)).encode())]
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
        scope: Message = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 40000),
            "server": (HOST, 80),
        }
        sent = asyncio.Event()
        requested: list[bytes] = [request.body]
        messages: list[Message] = []

        async def receive() -> Message:
            if requested:
                return {"type": "http.request", "body": requested.pop(), "more_body": False}
            await sent.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                sent.set()

        escaped = ""
        try:
            await self._application(scope, receive, send)
        except Exception as error:  # noqa: BLE001 -- a server answers 500 to whatever leaves the application
            escaped = type(error).__name__
        return _join_messages(messages, escaped)


def _join_messages(messages: list[Message], escaped: str) -> Answer:
    start = next((each for each in messages if each["type"] == "http.response.start"), None)
    if start is None:
        return Answer(500, (), b"", escaped)
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    body = b"".join(each.get("body", b"") for each in messages if each["type"] == "http.response.body")
    return Answer(int(start["status"]), headers, body[:LARGEST_BODY], escaped)
