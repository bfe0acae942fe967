"""A way to a vault or service that fails at a chosen request, as a network does."""

import http.client
import http.server
import socket
import threading
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit


class Fault(StrEnum):
    """Failure of one request."""

    RESET = "reset"  # the connection ends before the request is passed on
    HALF = "half"  # it is passed on, and half of the answer comes back
    GARBAGE = "garbage"  # something else answers
    HANG = "hang"  # nothing answers, and the connection stays


class _UnixConnection(http.client.HTTPConnection):
    """HTTP connection to a socket file."""

    def __init__(self, file: Path) -> None:
        super().__init__("localhost")
        self._file = file

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._file))


class FaultyProxy:
    """HTTP server on loopback that passes each request on to `target`, a URL or `unix:FILE`.

    `faults` has the fault of the n-th request, from 0; `paths` are the requests that came.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.faults: dict[int, Fault] = {}
        self.paths: list[str] = []
        self.released = threading.Event()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                number = len(proxy.paths)
                proxy.paths.append(self.path)
                self.close_connection = True
                proxy.answer(self, proxy.faults.get(number))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 -- names of the library

            def log_message(self, *_: object) -> None:
                """Discard log messages."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler, fault: Fault | None) -> None:
        """Answer one request, or fail."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        if fault is Fault.RESET:
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault is Fault.HANG:
            self.released.wait(120)
            return
        if fault is Fault.GARBAGE:
            handler.wfile.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
            return
        status, headers, data = self._pass_on(handler, body)
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2] if fault is Fault.HALF else data)

    def _pass_on(
        self, handler: http.server.BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        if self.target.startswith("unix:"):
            connection: http.client.HTTPConnection = _UnixConnection(Path(self.target.removeprefix("unix:")))
        else:
            connection = http.client.HTTPConnection(urlsplit(self.target).netloc)
        headers = {name: value for name, value in handler.headers.items() if name.lower() != "host"}
        connection.request(handler.command, handler.path, body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), data

    def close(self) -> None:
        """End the server and what hangs."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
