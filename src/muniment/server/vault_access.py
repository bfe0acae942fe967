"""Access of this process to the vault: with its own key, as itself, for one thing at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from muniment.errors import RefusedError, VaultError
from muniment.server.guarding.database_roles import WORKER
from muniment.vault import layout, process_tokens
from muniment.vault.embedded_vault import EmbeddedVault
from muniment.vault.vault_client import Session, Vault

_SECONDS = 5.0  # a page waits that long for the vault, not longer


def company_vault_url() -> str:
    """The address of the company's own vault; "" where the one that comes with Muniment serves."""
    return str(settings.VAULT_URL)


def open_vault() -> Vault:
    """The company's vault, or the one that comes with Muniment. Raises VaultError for an invalid address."""
    address = settings.VAULT_URL or EmbeddedVault(Path(settings.HOME)).address
    return Vault(address, ca=settings.VAULT_CA, seconds=_SECONDS, namespace=settings.VAULT_NAMESPACE)


def open_vault_session() -> Session:
    """Session of this process: the worker's for a worker, else the web's. Raises VaultError or StoreError."""
    name = layout.WORKER if settings.DATABASE_ROLE == WORKER else layout.WEB
    return open_vault().sign_in(
        name, name, process_tokens.create_identity_token(Path(settings.HOME), name, int(time.time()))
    )


@contextmanager
def refuse_without_vault() -> Iterator[None]:
    """Refuse an act that the vault does not carry out, by a RefusedError: the frames of a VaultError contain
    values.
    """
    try:
        yield
    except VaultError as error:
        raise RefusedError(f"vault-{error.code}", error.message, error.remedy) from None
