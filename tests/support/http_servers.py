"""Servers on loopback for the HTTP client: one that answers any bytes, one that drips them, and a proxy."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Self

Serve = Callable[[socket.socket], None]


class Listening:
    """A server whose every connection is given to `serve` in a thread of its own; `url` is where it is."""

    def __init__(self, serve: Serve, tls: tuple[str, str] | None = None) -> None:
        self._serve = serve
        self._context: ssl.SSLContext | None = None
        if tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*tls)
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.ending = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    def _accept(self) -> None:
        self._socket.settimeout(0.02)
        while not self.ending.is_set():
            with contextlib.suppress(TimeoutError):
                made, _ = self._socket.accept()
                self.connections += 1
                self._threads.append(threading.Thread(target=self._one, args=(made,), daemon=True))
                self._threads[-1].start()

    def _one(self, made: socket.socket) -> None:
        made.settimeout(10)
        with contextlib.suppress(OSError), made:
            if self._context is None:
                self._serve(made)
            else:
                with self._context.wrap_socket(made, server_side=True) as encrypted:
                    self._serve(encrypted)


def read_request(made: socket.socket) -> bytes:
    """One request; b"" if none came."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = made.recv(1 << 16)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")), 0)
    while len(body) < length:
        body += made.recv(1 << 16)
    return head + b"\r\n\r\n" + body


class Answering(Listening):
    """Answers each request with what `answers` gives next, the last one again and again; `requests` is what it got.

    It ends the connection after an answer, unless it `stays`: then after the answers with those numbers (from 1), and
    where an answer is empty.
    """

    def __init__(
        self, *answers: bytes, stays: bool = False, ends_after: tuple[int, ...] = (), tls: tuple[str, str] | None = None
    ) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self._stays = stays
        self._ends_after = ends_after
        super().__init__(self._answer, tls)

    def _answer(self, made: socket.socket) -> None:
        while request := read_request(made):
            self.requests.append(request)
            number = len(self.requests)
            given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            made.sendall(given)
            if not given or not self._stays or number in self._ends_after:
                return


def answer(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """The bytes of an answer; `_` in the name of a header stands for `-`."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode() + body


class Phase(Enum):
    """Where a server becomes slow."""

    HANDSHAKE = "TLS handshake"
    STATUS = "status line"
    HEADERS = "headers"
    BODY = "body"
    CHUNKS = "chunked body"
    CONTINUE = "100 Continue"


_DRIPS: dict[Phase, tuple[bytes, bytes]] = {  # what comes at once, and what comes again and again
    Phase.HANDSHAKE: (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", b"\x00"),
    Phase.STATUS: (b"HTTP/1.1 200 O", b"K"),
    Phase.HEADERS: (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
    Phase.BODY: (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n[", b" "),
    Phase.CHUNKS: (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", b"1\r\n \r\n"),
    Phase.CONTINUE: (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
IN_HTTP = tuple(phase for phase in Phase if phase is not Phase.HANDSHAKE)


class Dripping(Listening):
    """A server that goes on sending, a little every `every` seconds, and never comes to the end of the phase."""

    def __init__(self, phase: Phase, every: float = 0.02) -> None:
        self._phase = phase
        self._every = every
        super().__init__(self._drip)
        if phase is Phase.HANDSHAKE:
            self.url = self.url.replace("http:", "https:")

    def _drip(self, made: socket.socket) -> None:
        if self._phase is not Phase.HANDSHAKE:
            made.recv(1 << 16)
        first, more = _DRIPS[self._phase]
        made.sendall(first)
        while not self.ending.wait(self._every):
            made.sendall(more)


class ForwardProxy(Listening):
    """A proxy: tunnels (CONNECT) and passes on plain requests, whatever their host, to the one at `port`."""

    def __init__(self, port: int, *, credentials: bytes = b"", refuses: bytes = b"") -> None:
        self.requests: list[bytes] = []
        self._port = port
        self._credentials = credentials
        self._refuses = refuses
        super().__init__(self._forward)

    def _forward(self, made: socket.socket) -> None:
        request = read_request(made)
        self.requests.append(request)
        if self._refuses:
            made.sendall(self._refuses)
        elif self._credentials and b"Proxy-Authorization: Basic " + self._credentials not in request:
            made.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        else:
            with socket.create_connection(("127.0.0.1", self._port), 10) as beyond:
                if request.startswith(b"CONNECT "):
                    made.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    beyond.sendall(request)
                self._pump(made, beyond)

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        while not self.ending.is_set():
            for ready in select.select([one, other], [], [], 0.02)[0]:
                data = ready.recv(1 << 16)
                if not data:
                    return
                (other if ready is one else one).sendall(data)


@contextlib.contextmanager
def unix_server(path: str, answer: bytes) -> Iterator[None]:
    """A server at a socket in the file system, for one request."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            made, _ = listening.accept()
            with made:
                read_request(made)
                made.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(10)
