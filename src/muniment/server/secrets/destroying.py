"""Destroys the values of removed secrets once a day has passed. The web does it: it alone may write secrets."""

import logging
import threading

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from muniment.errors import VaultCode, VaultError
from muniment.server.secrets.models import Secret, SecretVersion
from muniment.server.secrets.secret_acts import RESTORABLE
from muniment.server.vault_access import open_vault_session
from muniment.vault.versions import destroy_versions, remove_name

_PAUSE_SECONDS = 600.0

_log = logging.getLogger("muniment.secrets")


def start_destroying() -> None:
    """Look for what is to be destroyed, again and again, in a thread that ends with the process."""
    threading.Thread(target=_destroy_forever, name="destroy-secrets", daemon=True).start()


def destroy_removed() -> None:
    """Destroy what was removed more than a day ago. Raises VaultError at the first that the vault does not take."""
    left = SecretVersion.objects.filter(secret=OuterRef("pk"))
    due = Secret.objects.filter(Exists(left), removed_at__lte=timezone.now() - RESTORABLE)
    for number in due.values_list("pk", flat=True):
        with transaction.atomic():
            # Restoring locks the same row: a secret that is restored now is skipped, and one that is destroyed cannot
            # be restored.
            row = due.select_for_update(skip_locked=True, of=("self",)).filter(pk=number).first()
            if row is not None:  # else restored meanwhile, or another process does it
                _destroy_versions(row)


def _destroy_versions(row: Secret) -> None:
    changes = destroy_versions(row.name, row.versions.values_list("number", flat=True)) | remove_name(row.name)
    environment = row.environment
    row.versions.all().delete()
    try:
        open_vault_session().patch_secrets(environment.product.slug, environment.name, changes)
    except VaultError as error:
        if error.code is not VaultCode.MISSING:  # a new vault has nothing there
            raise


def _destroy_forever() -> None:
    pause = threading.Event()
    while not pause.wait(_PAUSE_SECONDS):
        try:
            destroy_removed()
        except Exception:  # noqa: BLE001 -- the outermost edge of a thread
            _log.exception("removed secrets are not destroyed yet; it is tried again")
        connection.close()
