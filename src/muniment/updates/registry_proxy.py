"""Proxy between a resolver and the registries: it serves the real names, and forwards no header and no credential.

The resolver reaches nothing else (`programs.resolver_confinement`). It connects to the real host through the proxy,
which ends the encryption with an authority that it made for this one resolver. Therefore locks name the registry
itself, never the proxy, and each answer can be filtered.
"""

import contextlib
import datetime
import os
import socket
import ssl
import threading
from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

from muniment.programs.temporary_files import TemporaryFolder

_SECONDS = 60  # that a connection may rest
_MOST_CONNECTIONS = 256
_LONGEST_PATH = 1_000
_TLS_PORT = "443"


class RegistryAnswer(Struct, frozen=True):
    """Answer of a registry, as the resolver gets it."""

    status: int
    content_type: str = "text/plain"
    body: bytes = b""


AnswerRequest = Callable[[str, str, str], RegistryAnswer]  # of host, path and the header Accept


class RegistryProxy:
    """Proxy for one resolver. `authority` is the certificate (PEM) that the resolver has to trust."""

    def __init__(self, hosts: Collection[str], answer: AnswerRequest) -> None:
        self.hosts = frozenset(hosts)
        self.answer = answer
        self.requests: list[str] = []  # for error texts and tests: `host path`
        self.refused: list[str] = []
        self.context, self.authority = _make_authority(sorted(self.hosts))
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._listener: socket.socket | None = None

    def serve_listener(self, listener: socket.socket) -> None:
        """Serve a port in a thread until `stop_serving`. The port may be of another network than ours."""
        self._listener = listener
        threading.Thread(target=self._accept_connections, args=(listener,), daemon=True).start()

    def stop_serving(self) -> None:
        """Accept no more connections from the resolver."""
        if self._listener is not None:
            with contextlib.suppress(OSError):  # the network of the resolver is gone already
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept_connections(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError, ValueError):  # the resolver ended, or speaks no HTTP
                _Connection(connection, ("resolver", 0), self)
        finally:
            connection.close()
            self._slots.release()


class _Connection(BaseHTTPRequestHandler):
    """Connection of the resolver: one CONNECT to an allowed host, then requests to it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, address: tuple[str, int], proxy: RegistryProxy) -> None:
        self._proxy = proxy
        self._host = ""
        super().__init__(connection, address, cast(BaseServer, proxy))  # the server is only kept

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: paths are content of the repository."""

    def finish(self) -> None:
        """Close both streams, and the encrypted connection, which is another object than the one that was accepted."""
        for stream in (self.wfile, self.rfile, self.connection):
            with contextlib.suppress(OSError, ValueError):  # the resolver has ended: there is nothing to flush to
                stream.close()

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        if self._host or host not in self._proxy.hosts or port != _TLS_PORT:
            self._proxy.refused.append(self.path[:_LONGEST_PATH])
            self.close_connection = True
            self._send_answer(RegistryAnswer(403))
            return
        self.send_response_only(200)
        self.end_headers()
        self.rfile.close()
        self.connection.getpeername()  # an error here closes it; ssl would leave one open whose other end is gone
        self.connection = self._proxy.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)
        self._host = host
        self.close_connection = False

    def do_GET(self) -> None:
        if not self._host or len(self.path) > _LONGEST_PATH or "?" in self.path or ".." in self.path:
            self._proxy.refused.append(f"{self._host} {self.path[:_LONGEST_PATH]}")
            self._send_answer(RegistryAnswer(403))
            return
        self._proxy.requests.append(f"{self._host} {self.path}")
        self._send_answer(self._proxy.answer(self._host, self.path, self.headers.get("Accept", "")))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send_answer(self, answer: RegistryAnswer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-cache, no-store")  # the next attempt may be offered other versions
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _make_authority(hosts: list[str]) -> tuple[ssl.SSLContext, bytes]:
    """Context of TLS for some hosts, and the certificate to trust. Their keys are gone with this process."""
    now = datetime.datetime.now(datetime.UTC)
    key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Muniment's proxy for one resolver")])

    def begin_certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=24))
        )

    root = (
        begin_certificate(name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    leaf = (
        begin_certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registries")]), leaf_key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in hosts]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    with TemporaryFolder() as folder:  # ssl reads keys from files only
        path = os.path.join(folder, "leaf.pem")
        with open(path, "xb") as file:
            file.write(private + leaf.public_bytes(pem))
        context.load_cert_chain(path)
    return context, root.public_bytes(pem)
