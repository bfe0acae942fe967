"""Discovery of a forge's published keys: the vault fetches them itself, as from GitHub, and trusts no others."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from muniment.errors import VaultCode, VaultError
from muniment.vault import layout
from muniment.vault.pipeline_roles import VaultIssuer
from muniment.vault.role_access import open_role
from tests.support import vaults
from tests.support.certificates import certificate
from tests.support.issuers import Published
from tests.support.vaults import COMMIT, Running, running

_VALUE = "-".join(["what", "only", "a", "pipeline", "reads"])


def test_vault_fetches_keys_of_a_forge_and_follows_key_changes(vault: Running) -> None:
    entrance = vaults.by_github("discovered")
    subject = {"sub": entrance.subject, "environment": "discovered"}

    def sign_in(token: str) -> dict[str, str]:
        session = vault.vault.sign_in(entrance.mount, entrance.role, token)
        return session.read_secrets("shop", "discovered")

    with Published() as forge:
        first = forge.key("first")
        vault.make((VaultIssuer(layout.GITHUB, forge.url),), (entrance,))
        vault.web.patch_secrets("shop", "discovered", {"TOKEN": _VALUE})
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


def test_own_certificate_authority_is_trusted_only_if_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = certificate(tmp_path)
    with Published() as forge:
        forge.behind_tls(*tls)
        forge.key("first")
        issuers = (VaultIssuer(layout.GITLAB, forge.url),)
        with running(tmp_path / "unknown") as vault, pytest.raises(VaultError):
            vault.make(issuers, ())
        monkeypatch.setenv("SSL_CERT_FILE", tls[0])
        with running(tmp_path / "known") as vault:
            vault.make(issuers, ())


def _refused(sign_in: Any, token: str) -> None:
    with pytest.raises(VaultError) as caught:
        sign_in(token)
    assert caught.value.code in (VaultCode.REFUSED, VaultCode.UNREACHABLE), caught.value
