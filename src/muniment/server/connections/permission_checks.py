"""Tries daily each request that we need of a forge, so that a missing scope is reported before it denies a change."""

from datetime import timedelta

import msgspec
from django.utils import timezone

from muniment.errors import MunimentError
from muniment.forges.forge import Forge
from muniment.forges.shapes import ForgeRepository
from muniment.server.connections.forge_access import (
    open_connected_forge,
    report_problems,
    require_linked_repository,
    store_problem,
)
from muniment.server.connections.models import Connection, RepositoryLink, VisibleRepository
from muniment.server.job_queue import enqueue

CHECK_INTERVAL = timedelta(days=1)


def is_check_due(connection: Connection) -> bool:
    """Whether the permissions were not checked for a day, or not with this credential."""
    return (
        connection.permissions_checked_at is None or connection.permissions_checked_at < timezone.now() - CHECK_INTERVAL
    )


def check_permissions(connection: Connection) -> None:
    """Try each kind of request, and store those that the forge refused. Raises MunimentError if it cannot be known."""
    try:
        forge = open_connected_forge(connection)
    except MunimentError as error:
        store_problem(connection, error)
        raise
    with report_problems(connection):
        store_refused(connection, forge, _choose_repository(connection))


def store_refused(connection: Connection, forge: Forge, repository: ForgeRepository | None) -> None:
    """Store the refused requests of our account, and of one repository if there is one. Raises ForgeError."""
    refused = msgspec.to_builtins(forge.reader.find_refused_requests(repository))
    rows = Connection.objects.filter(pk=connection.pk, credential_set_at=connection.credential_set_at)
    rows.update(refused_requests=refused, permissions_checked_at=timezone.now())


def enqueue_check_if_due(connection: Connection) -> None:
    """Enqueue the check, if it is due."""
    if is_check_due(connection):
        enqueue("check-connection-permissions", connection=connection.pk)


def _choose_repository(connection: Connection) -> ForgeRepository | None:
    """Repository at which requests are tried: one of a product, else the visible one with the fewest missing
    permissions.
    """
    link = RepositoryLink.objects.filter(connection=connection).order_by("pk").first()
    if link is not None:
        return require_linked_repository(link)
    rows = list(VisibleRepository.objects.filter(connection=connection).order_by("pk")[:100])
    best = min(rows, key=lambda row: len(row.missing_permissions), default=None)
    if best is None:
        return None
    return ForgeRepository(best.forge_id, best.path, best.default_branch, best.clone_url, best.url)
