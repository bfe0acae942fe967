"""A forge that publishes its keys: the vault fetches them itself, as it does from GitHub, and believes them alone."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from muniment.errors import VaultCode, VaultError
from muniment.vault import layout
from muniment.vault.entrances import Issuer
from muniment.vault.opening import open_role
from tests.support import vaults
from tests.support.certificates import certificate
from tests.support.vaults import COMMIT, Running, github_claims, running

_VALUE = "-".join(["what", "only", "a", "pipeline", "reads"])


class _Published:
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
def _issuer(tls: tuple[str, str] | None = None) -> Iterator[_Published]:
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
    published = _Published(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield published
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_vault_learns_a_forges_keys_by_itself_and_follows_them(vault: Running) -> None:
    entrance = vaults.by_github("discovered")
    subject = {"sub": entrance.subject, "environment": "discovered"}

    def sign_in(token: str) -> dict[str, str]:
        session = vault.vault.sign_in(entrance.mount, entrance.role, token)
        return session.read("shop", "discovered")

    with _issuer() as forge:
        first = forge.key("first")
        vault.make((Issuer(layout.GITHUB, forge.url),), (entrance,))
        vault.web.patch("shop", "discovered", {"TOKEN": _VALUE})
        open_role(vault.worker, entrance, COMMIT)
        assert sign_in(forge.sign(first, "first", **subject)) == {"TOKEN": _VALUE}

        second = forge.key("second")  # forges change their keys without a word
        assert sign_in(forge.sign(second, "second", **subject)) == {"TOKEN": _VALUE}

        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        for name in ("first", "unpublished"):
            _refused(sign_in, forge.sign(stranger, name, **subject))
        _refused(sign_in, forge.sign(first, "first", **subject, iss="https://forge.example.test"))
    third = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _refused(sign_in, forge.sign(third, "third", **subject))  # it is out of reach now, and what is not known is refused


def test_an_authority_of_the_companys_own_vouches_for_its_forge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certificate(tmp_path)
    with _issuer(tls) as forge:
        forge.key("first")
        issuers = (Issuer(layout.GITLAB, forge.url),)
        with running(tmp_path / "unknown") as vault, pytest.raises(VaultError):
            vault.make(issuers, ())
        monkeypatch.setenv("SSL_CERT_FILE", tls[0])
        with running(tmp_path / "known") as vault:
            vault.make(issuers, ())


def _refused(sign_in: Any, token: str) -> None:
    with pytest.raises(VaultError) as caught:
        sign_in(token)
    assert caught.value.code in (VaultCode.REFUSED, VaultCode.DOWN), caught.value
