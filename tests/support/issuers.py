"""A forge or cluster that gives its jobs identities, and publishes its keys (OpenID Connect Discovery 1.0)."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.support.vaults import github_claims


class Published:
    """An issuer with an RSA key, as forges have; `keys` are what it publishes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: list[dict[str, Any]] = []

    def key(self, name: str) -> rsa.RSAPrivateKey:
        """A new key, published by that name."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.keys.append({**RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": name, "alg": "RS256"})
        return private

    def sign(self, private: rsa.RSAPrivateKey, name: str, **claims: Any) -> str:
        """What it says of a job."""
        said = github_claims(**{"iss": self.url, **claims})
        return jwt.encode(said, private, "RS256", headers={"kid": name})

    def documents(self) -> dict[str, Any]:
        """By path."""
        about = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", "id_token_signing_alg_values_supported": ["RS256"]}
        return {"/.well-known/openid-configuration": about, "/keys": {"keys": self.keys}}


@contextmanager
def issuer(tls: tuple[str, str] | None = None) -> Iterator[Published]:
    """One on loopback; `tls` are the paths of its certificate and key."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            found = published.documents().get(self.path)
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    published = Published(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield published
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
