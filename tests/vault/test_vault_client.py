"""Client of the vault: requests that it refuses to send, and distinct errors for failures."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from muniment.errors import VaultCode, VaultError
from muniment.vault.vault_client import Vault

_VALUE = "-".join(["a", "value", "nobody", "may", "see"])


@contextmanager
def serve_answer(status: int, body: object, namespaces: list[str | None] | None = None) -> Iterator[str]:
    """Serve a vault with one fixed answer, which records the namespace of each request."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if namespaces is not None:
                namespaces.append(self.headers["X-Vault-Namespace"])
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Location", "http://127.0.0.1:1/v1/elsewhere")
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PATCH = do_GET  # noqa: N815 -- the base's names

        def log_message(self, *_: object) -> None:
            """Discard log messages."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (503, {"errors": ["Vault is sealed"]}, VaultCode.SEALED),
        (503, b"", VaultCode.FAILED),
        (500, {"errors": ["1 error occurred: no audit backend succeeded in logging the request"]}, VaultCode.AUDIT),
        (500, {"errors": ["internal error"]}, VaultCode.AUDIT),
        (403, {"errors": ["permission denied"]}, VaultCode.REFUSED),
        (400, {"errors": ["invalid expiration time (exp) claim: token is expired"]}, VaultCode.EXPIRED),
        (400, {"errors": ["invalid not before (nbf) claim: token not yet valid"]}, VaultCode.EXPIRED),
        (400, {"errors": ["invalid audience (aud) claim"]}, VaultCode.REFUSED),
        (400, {"errors": ["check-and-set parameter did not match the current version"]}, VaultCode.CHANGED_MEANWHILE),
        (404, {"errors": []}, VaultCode.MISSING),
        (429, b"slow down", VaultCode.FAILED),
        (307, b"", VaultCode.FAILED),
        (200, b"no json", VaultCode.FAILED),
        (200, [1], VaultCode.FAILED),
        (200, {}, VaultCode.FAILED),
        (204, b"", VaultCode.FAILED),
        (200, {"data": {"data": None}}, VaultCode.FAILED),
        (200, {"data": {"data": {"A": _VALUE, "B": 1}}}, VaultCode.FAILED),
        (200, {"data": {"data": {"A": _VALUE, "B": {"C": _VALUE}}}}, VaultCode.FAILED),
    ],
)
def test_each_failure_has_its_own_error_without_partial_data(status: int, body: object, code: VaultCode) -> None:
    with serve_answer(status, body) as address, pytest.raises(VaultError) as caught:
        Vault(address).use_token("token").read_secrets("shop", "production")
    assert caught.value.code is code
    assert caught.value.message
    assert caught.value.remedy
    assert _VALUE not in repr(caught.value) + caught.value.remedy
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("namespace", "sent"), [("", None), ("team/muniment", "team/muniment")])
def test_each_request_names_the_namespace(namespace: str, sent: str | None) -> None:
    seen: list[str | None] = []
    with serve_answer(200, {"data": {"data": {"A": _VALUE}}}, seen) as address:
        Vault(address, namespace=namespace).use_token("token").read_secrets("shop", "production")
    assert seen == [sent]


def test_unreachable_vault_is_reported_as_down() -> None:
    for address in ("http://127.0.0.1:1", "unix:/nonexistent/socket"):
        with pytest.raises(VaultError) as caught:
            Vault(address).use_token("token").read_secrets("shop", "production")
        assert caught.value.code is VaultCode.UNREACHABLE


def test_https_address_without_tls_server_is_refused() -> None:
    with serve_answer(200, {}) as address, pytest.raises(VaultError) as caught:
        Vault(address.replace("http:", "https:")).use_token("token").read_secrets("shop", "production")
    assert caught.value.code is VaultCode.UNTRUSTED


@pytest.mark.parametrize(
    "address",
    ["", "vault", "http://vault.example.test:8200", "ftp://127.0.0.1", "https://", "https://a:b@c.test", "https://a:x"],
)
def test_invalid_or_unencrypted_address_is_refused(address: str) -> None:
    with pytest.raises(VaultError) as caught:
        Vault(address)
    assert caught.value.code is VaultCode.ADDRESS


def test_environment_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAULT_TOKEN", "BAO_TOKEN", "VAULT_ADDR", "http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serve_answer(200, {"data": {"data": {"A": "B"}}}) as address:
        assert Vault(address).use_token("").read_secrets("shop", "production") == {"A": "B"}


def test_session_repr_hides_its_token() -> None:
    assert repr(Vault("http://127.0.0.1:1").use_token(_VALUE)) == "<Session>"
