"""The vault's port for pipelines: off unless named, in the clear on this machine alone, else by TLS."""

import socket
from pathlib import Path

import pytest

from muniment.cli.vaulting import listen
from muniment.errors import UsageError, VaultCode, VaultError
from muniment.vault.client import Vault
from muniment.vault.embedded import Embedded, Listen
from tests.support.certificates import certificate


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def test_pipelines_reach_it_by_tls_and_trust_nobody_else(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    port = _free()
    with Embedded(tmp_path / "home", listen=Listen("127.0.0.1", port, chain, key)):
        address = f"https://127.0.0.1:{port}"
        assert Vault(address, ca=chain).request("GET", "sys/health")["sealed"] is False
        for wrong in (Vault(address), Vault(address.replace("127.0.0.1", "localhost"), ca=chain)):
            with pytest.raises(VaultError) as caught:
                wrong.request("GET", "sys/health")
            assert caught.value.code is VaultCode.UNTRUSTED


def test_without_a_certificate_it_listens_here_alone(tmp_path: Path) -> None:
    port = _free()
    with Embedded(tmp_path, listen=Listen("127.0.0.1", port)):
        assert Vault(f"http://127.0.0.1:{port}").request("GET", "sys/health")["sealed"] is False


def test_nothing_is_listened_to_unless_it_is_named() -> None:
    assert listen({}) is None
    assert listen({"MUNIMENT_VAULT_LISTEN": "127.0.0.1:8200"}) == Listen("127.0.0.1", 8200)


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
def test_what_would_be_in_the_clear_or_makes_no_sense_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        listen(environment)
