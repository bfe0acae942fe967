"""First pass over repositories that were just connected: soon, with half of the rate limit, and with its progress.

The other half is left to pull requests. The pass goes on where it stopped, also after a restart. It waits for the
readings of branches that it caused, so that what they use of the limit counts too.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from django.db.models import Count, Q

from muniment.errors import MunimentError
from muniment.forges.forge import Forge
from muniment.forges.forge_client import REST_RESOURCE
from muniment.http.rate_limits import RateLimit, seconds_until
from muniment.server.connections.forge_access import is_connection_wide, open_connected_forge, store_problem
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.connections.reconciliation import reconcile_repository
from muniment.server.job_queue import count_waiting_jobs

FINISHED = 0  # seconds until the next part of a pass, where there is none
_SHARE = 2  # one part in two of the rate limit is used
_PART_SECONDS = 240  # after which a worker's slot is given to other jobs
_BATCH = 50
_SOON, _LATER, _LATEST = 1, 60, 3600  # seconds until the next part
_BACKLOG = 20  # readings of branches that wait: they use the rate limit too, after the repository itself was read


class PassProgress(NamedTuple):
    """Progress of the first pass: repositories that were read, those of them with a problem, and all."""

    read: int
    failed: int
    total: int

    @property
    def is_finished(self) -> bool:
        return self.read == self.total


def count_progress(connection: Connection) -> PassProgress:
    """Count the repositories of products at this connection by whether their first pass ended."""
    rows = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    is_read = Q(first_read_at__isnull=False)
    found = rows.aggregate(
        total=Count("pk"), read=Count("pk", filter=is_read), failed=Count("pk", filter=is_read & ~Q(problem=""))
    )
    return PassProgress(found["read"], found["failed"], found["total"])


def run_first_pass(connection: Connection, clock: Callable[[], float] = time.monotonic) -> int:
    """Reconcile repositories that were never read; seconds until the rest is due, `FINISHED` if there is none.

    Raises MunimentError if the forge cannot be opened.
    """
    try:
        forge = open_connected_forge(connection)
    except MunimentError as error:
        store_problem(connection, error)
        raise
    begun = clock()
    while rows := _list_unread_links(connection):
        for row in rows:
            if is_connection_wide(reconcile_repository(row, forge)):
                return _LATER
            wait = _find_pause(forge)
            if wait:
                return wait
            if clock() - begun > _PART_SECONDS or count_waiting_jobs("read-branch-updates") >= _BACKLOG:
                return _SOON
    return FINISHED


def _list_unread_links(connection: Connection) -> list[RepositoryLink]:
    rows = RepositoryLink.objects.filter(
        connection=connection, first_read_at=None, repository__product__retired_at=None
    )
    return list(rows.select_related("repository__product", "connection").order_by("pk")[:_BATCH])


def _find_pause(forge: Forge) -> int:
    """Seconds until the rate limit is reset, once our part of it is used; 0 before, and where no limit is known."""
    limit = forge.reader.get_rate_limits().get(REST_RESOURCE, RateLimit())
    if limit.limit <= 0 or limit.left < 0 or limit.left * _SHARE >= limit.limit:
        return 0
    return min(max(int(seconds_until(limit.reset)), _LATER), _LATEST)
