"""How this process gets into the vault: with its own key, as itself, for one thing at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from muniment.errors import RefusedError, VaultError
from muniment.server.guarding.database_roles import WORKER
from muniment.vault import layout, tokens
from muniment.vault.client import Session, Vault
from muniment.vault.embedded import Embedded

_SECONDS = 5.0  # a page waits that long for the vault, not longer


def company_vault_url() -> str:
    """The address of the company's own vault; "" where the one that comes with Muniment serves."""
    return str(settings.VAULT_URL)


def vault() -> Vault:
    """The company's, or the one that comes with Muniment. Raises VaultError for an address that is none."""
    address = settings.VAULT_URL or Embedded(Path(settings.HOME)).address
    return Vault(address, ca=settings.VAULT_CA, seconds=_SECONDS, namespace=settings.VAULT_NAMESPACE)


def session() -> Session:
    """A session of this process: the worker's for a worker, else the web's. Raises VaultError or StoreError."""
    name = layout.WORKER if settings.DATABASE_ROLE == WORKER else layout.WEB
    return vault().sign_in(name, name, tokens.identity(Path(settings.HOME), name, int(time.time())))


@contextmanager
def refuse_without_vault() -> Iterator[None]:
    """Refuse an act that the vault does not carry out, by a RefusedError: the frames of a VaultError hold values."""
    try:
        yield
    except VaultError as error:
        raise RefusedError(f"vault-{error.code}", error.message, error.remedy) from None
