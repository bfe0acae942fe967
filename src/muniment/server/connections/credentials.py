"""Credentials of forges: typed by a person, passed through the web's memory to the vault, read by the worker alone."""

from collections.abc import Mapping

from django.conf import settings
from django.utils.translation import gettext as _

from muniment.errors import RefusedError
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Vendor
from muniment.server.connections.models import Connection
from muniment.server.vault_access import open_vault_session
from muniment.vault import layout

TOKEN, APP_ID, PRIVATE_KEY, INSTALLATION = "token", "app_id", "pem", "installation"
NAMES = (TOKEN, APP_ID, PRIVATE_KEY, INSTALLATION)
_LONGEST = 20_000


def require_complete(vendor: str, given: Mapping[str, str]) -> dict[str, str | None]:
    """Values to store: those that the vendor requires, None for the others. Raises RefusedError for missing ones."""
    wanted = (APP_ID, PRIVATE_KEY) if FORGE_KINDS[Vendor(vendor)].has_app and not given.get(TOKEN) else (TOKEN,)
    values = {name: given.get(name, "").strip() for name in wanted}
    if not all(values.values()) or any(len(value) > _LONGEST for value in values.values()):
        raise RefusedError(
            "credential-incomplete",
            _("The credential is not complete, or too long. Nothing of it was stored."),
            _("Send the whole credential."),
        )
    return {**dict.fromkeys(NAMES), **values}


def store_credential(connection: Connection, values: Mapping[str, str | None]) -> None:
    """Store the credential in the vault, in place of an earlier one. Raises VaultError.

    A demonstration has no use for one, and keeps none.
    """
    if settings.DEMONSTRATION:
        return
    given = {name: value for name, value in values.items() if value is not None}
    dropped: dict[str, str | None] = {name: value for name, value in values.items() if value is None}
    path = layout.credentials_path(connection.slug)
    vault = open_vault_session()
    vault.patch_at(layout.FORGES, path, dict(given))
    if connection.credential_set_at is not None and dropped:
        vault.patch_at(layout.FORGES, path, dropped)


def read_credential(connection: Connection) -> dict[str, str]:
    """Credential of a connection, for the worker. Raises VaultError."""
    return open_vault_session().read_at(layout.FORGES, layout.credentials_path(connection.slug))
