"""Reads the repositories that a connection sees, with our account there: few queries, however many there are."""

from collections.abc import Iterable

from django.utils import timezone

from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.forges.forge import Forge
from muniment.forges.shapes import ListedRepository
from muniment.server.connections import permission_checks
from muniment.server.connections.forge_access import open_connected_forge, store_problem
from muniment.server.connections.models import Connection, RepositoryLink, VisibleRepository
from muniment.server.job_queue import enqueue

COVER_TASK = "cover-repositories"  # connects what the rules of the app `organisations` choose

_PLACE = ("path", "default_branch", "clone_url", "url")
_COLUMNS = (*_PLACE, "private", "missing_permissions", "topics", "archived")
_BATCH = 500  # rows that one statement writes
_MOST_TOPICS = 100


def read_connection(connection: Connection) -> None:
    """Read our account at the forge, the visible repositories and missing permissions. Problems are shown on its
    page.
    """
    Connection.objects.filter(pk=connection.pk).update(listed_at=timezone.now())
    forge: Forge | None = None
    try:
        forge = open_connected_forge(connection)
        about, found = forge.reader.describe_forge(), forge.reader.list_repositories()
    except MunimentError as error:
        store_problem(connection, error)
        if forge is not None and isinstance(error, ForgeError) and error.code is ForgeCode.FORBIDDEN:
            permission_checks.store_refused(connection, forge, None)  # which scope that was
        raise
    Connection.objects.filter(pk=connection.pk).update(
        account=about.ours.login[:100],
        account_id=about.ours.id[:100],
        forge_version=about.version[:60],
        forge_tier=about.tier[:60],
    )
    store_listed_repositories(connection, found)
    store_problem(connection, None)
    permission_checks.enqueue_check_if_due(connection)
    enqueue(COVER_TASK, connection=connection.pk)


def store_listed_repositories(connection: Connection, found: Iterable[ListedRepository]) -> None:
    """Store the complete list of repositories: new rows, altered ones, and none that the forge no longer shows."""
    wanted = {row.forge_id: row for row in (_make_row(connection, one) for one in found)}
    new, altered = dict(wanted), []
    for row in VisibleRepository.objects.filter(connection=connection):
        now = new.pop(row.forge_id, None)
        if now is None or all(getattr(row, name) == getattr(now, name) for name in _COLUMNS):
            continue
        for name in _COLUMNS:
            setattr(row, name, getattr(now, name))
        altered.append(row)
    VisibleRepository.objects.filter(connection=connection).exclude(forge_id__in=list(wanted)).delete()
    VisibleRepository.objects.bulk_update(altered, _COLUMNS, batch_size=_BATCH)
    VisibleRepository.objects.bulk_create(new.values(), batch_size=_BATCH)
    _update_links(connection, wanted)


def _make_row(connection: Connection, one: ListedRepository) -> VisibleRepository:
    repo = one.repository
    return VisibleRepository(
        connection=connection,
        forge_id=repo.id,
        path=repo.path,
        default_branch=repo.default,
        clone_url=repo.clone,
        url=repo.url,
        private=repo.private,
        missing_permissions=[ability.value for ability in one.missing_abilities],
        topics=sorted(one.topics)[:_MOST_TOPICS],
        archived=one.archived,
    )


def _update_links(connection: Connection, listed: dict[str, VisibleRepository]) -> None:
    """Bring the links of products' repositories up to date. One that moved is reconciled."""
    for link in RepositoryLink.objects.filter(connection=connection):
        now = listed.get(link.forge_id)
        if now is None or all(getattr(link, name) == getattr(now, name) for name in _PLACE):
            continue
        if link.path != now.path:
            enqueue("reconcile-repository", repository=link.repository_id)
        RepositoryLink.objects.filter(pk=link.pk).update(**{name: getattr(now, name) for name in _PLACE})
