"""Tries once a day what we need of a forge, so that a missing scope is told before a change is denied for it."""

from datetime import timedelta

import msgspec
from django.utils import timezone

from muniment.errors import MunimentError
from muniment.forges.forge import Forge
from muniment.forges.shapes import Repo
from muniment.server.connections.models import Connection, RepositoryLink, VisibleRepository
from muniment.server.connections.reaching import following, forge_of, note, repo_of
from muniment.server.work import soon

EACH = timedelta(days=1)


def is_due(connection: Connection) -> bool:
    """Whether nothing was tried for a day, or with this credential."""
    return connection.permissions_checked_at is None or connection.permissions_checked_at < timezone.now() - EACH


def check_permissions(connection: Connection) -> None:
    """Try each kind of request and store which the forge refused. Raises MunimentError where it cannot be known."""
    try:
        forge = forge_of(connection)
    except MunimentError as error:
        note(connection, error)
        raise
    with following(connection):
        store_refused(connection, forge, _repository(connection))


def store_refused(connection: Connection, forge: Forge, repository: Repo | None) -> None:
    """Store the refused requests of our account, and of one repository if there is one. Raises ForgeError."""
    refused = msgspec.to_builtins(forge.reader.refused_requests(repository))
    rows = Connection.objects.filter(pk=connection.pk, credential_set_at=connection.credential_set_at)
    rows.update(refused_requests=refused, permissions_checked_at=timezone.now())


def ask_for_permission_check(connection: Connection) -> None:
    """Have it done, if it is due."""
    if is_due(connection):
        soon("check-connection-permissions", connection=connection.pk)


def _repository(connection: Connection) -> Repo | None:
    """The repository that requests are tried at: one of a product, else the visible one that lacks the least."""
    link = RepositoryLink.objects.filter(connection=connection).order_by("pk").first()
    if link is not None:
        return repo_of(link)
    rows = list(VisibleRepository.objects.filter(connection=connection).order_by("pk")[:100])
    best = min(rows, key=lambda row: len(row.missing_permissions), default=None)
    if best is None:
        return None
    return Repo(best.forge_id, best.path, best.default_branch, best.clone_url, best.url)
