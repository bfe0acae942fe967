"""Vault's listener for pipelines: off by default, unencrypted on this machine only, else by TLS."""

import socket
from pathlib import Path

import pytest

from muniment.cli.vault_process import read_listener
from muniment.errors import UsageError, VaultCode, VaultError
from muniment.vault.embedded_vault import EmbeddedVault, VaultListener
from muniment.vault.vault_client import Vault
from tests.support.certificates import certificate


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def test_pipelines_connect_by_tls_and_trust_only_the_named_certificate(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    port = _free_port()
    with EmbeddedVault(tmp_path / "home", listen=VaultListener("127.0.0.1", port, chain, key)):
        address = f"https://127.0.0.1:{port}"
        assert Vault(address, ca=chain).request("GET", "sys/health")["sealed"] is False
        for wrong in (Vault(address), Vault(address.replace("127.0.0.1", "localhost"), ca=chain)):
            with pytest.raises(VaultError) as caught:
                wrong.request("GET", "sys/health")
            assert caught.value.code is VaultCode.UNTRUSTED


def test_listener_without_certificate_is_local_only(tmp_path: Path) -> None:
    port = _free_port()
    with EmbeddedVault(tmp_path, listen=VaultListener("127.0.0.1", port)):
        assert Vault(f"http://127.0.0.1:{port}").request("GET", "sys/health")["sealed"] is False
        for part in ("a", "a/", "%61"):  # anybody may send it: it is answered at once
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sent:
                path = part * (900_000 // len(part))
                sent.sendall(f"GET /v1/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                assert sent.recv(12) == b"HTTP/1.1 403"


def test_listener_is_off_by_default() -> None:
    assert read_listener({}) is None
    assert read_listener({"MUNIMENT_VAULT_LISTEN": "127.0.0.1:8200"}) == VaultListener("127.0.0.1", 8200)


@pytest.mark.parametrize(
    "environment",
    [
        {"MUNIMENT_VAULT_LISTEN": "0.0.0.0:8200"},
        {"MUNIMENT_VAULT_LISTEN": ":8200"},
        {"MUNIMENT_VAULT_LISTEN": "8200"},
        {"MUNIMENT_VAULT_LISTEN": "127.0.0.1:x"},
        {"MUNIMENT_VAULT_LISTEN": "127.0.0.1:8200", "MUNIMENT_VAULT_CERT": "c"},
        {"MUNIMENT_VAULT_LISTEN": "127.0.0.1:8200", "MUNIMENT_VAULT_KEY": "k"},
    ],
)
def test_unencrypted_or_invalid_listener_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        read_listener(environment)
