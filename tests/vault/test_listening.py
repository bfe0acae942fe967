"""The vault's port for pipelines: off unless named, in the clear on this machine alone, else by TLS."""

import datetime
import ipaddress
import socket
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from muniment.cli.vaulting import listen
from muniment.errors import UsageError, VaultCode, VaultError
from muniment.vault.client import Vault
from muniment.vault.embedded import Embedded, Listen


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def _certificate(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
    made = made.add_extension(names, critical=False).add_extension(x509.BasicConstraints(True, 0), critical=True)
    plain = serialization.NoEncryption()
    (folder / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    (folder / "cert").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return str(folder / "cert"), str(folder / "key")


def test_pipelines_reach_it_by_tls_and_trust_nobody_else(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    port = _free()
    with Embedded(tmp_path / "home", listen=Listen("127.0.0.1", port, certificate, key)):
        address = f"https://127.0.0.1:{port}"
        assert Vault(address, ca=certificate).request("GET", "sys/health")["sealed"] is False
        for wrong in (Vault(address), Vault(address.replace("127.0.0.1", "localhost"), ca=certificate)):
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
