"""The vault's role of an environment: open for a commit until its run has its secrets, and closed otherwise.

Only GitHub's and plain runners' doors are opened like this; the others a person bound once and for all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import VaultCode, VaultError
from muniment.server.deployments import entrances
from muniment.server.deployments.models import Deployment, DeploymentPermission, JobRun, JobRunPermission
from muniment.server.policies.current import clauses
from muniment.server.secrets.watch_state import find_watch_problem, limits_of
from muniment.server.vault_access import session
from muniment.vault.client import Session
from muniment.vault.entrances import Entrance
from muniment.vault.opening import close_role, end_tokens, open_role

Row = Deployment | JobRun
Permission = DeploymentPermission | JobRunPermission

_LATELY = timedelta(hours=1)  # far longer than any token of a pipeline lives
_LOCK = 0x6D756476  # the first number of the advisory locks of environments


@contextmanager
def one_at_a_time(environment: int) -> Iterator[None]:
    """Exclusive lock on who is let into an environment: what two workers read of it and write would else cross."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK, environment])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, environment])


def has_door(row: Row) -> bool:
    """Whether there is a door to open for it. An environment without a secret needs no vault."""
    return row.environment.secrets.exists() and _entrance(row) is not None


def open_door(row: Row) -> None:
    """Let its commit in, if it has a door. Raises VaultError; then it is as it was.

    That reads are watched is seen once more: the rows of secrets, by which it was seen before, the web can write.
    """
    found = _entrance(row)
    if found is not None:
        _require_watch(row)
        _open(found, {(row.commit, row.identity["run"]), *_others(row)})


def _require_watch(row: Row) -> None:
    problem = find_watch_problem(limits_of(clauses())) if row.environment.secrets.exists() else ""
    if problem:
        raise VaultError(
            VaultCode.FAILED,
            _("reads of the secrets are not watched: %(problem)s") % {"problem": problem},
            _("See what muniment doctor says of the watch of the vault; close the incident once its cause is known."),
        )


def _entrance(row: Row) -> Entrance | None:
    found = next((one for one in entrances.of(row.environment) if one.issuer == row.pipeline.kind), None)
    return found if found is not None and found.opens else None


def close_door(row: Row) -> None:
    """Let it in no more, and others that have a permission still. Raises VaultError; then it may still be open."""
    others, found = _others(row), _entrance(row)
    if others and found is not None:
        _open(found, others)
    else:
        close_role(session(), _door(row))


def _open(entrance: Entrance, admitted: set[tuple[str, str]]) -> None:
    """Let in each (commit, run). The vault compares the two apart: it is one of those runs, on one of those commits."""
    runs = sorted({run for _commit, run in admitted})
    open_role(session(), entrance, *sorted({commit for commit, _run in admitted}), runs=runs)


def _others(row: Row) -> set[tuple[str, str]]:
    """Commit and run of others that the same role lets in."""
    lasting = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    deployments = Deployment.objects.filter(
        permission__in=DeploymentPermission.objects.filter(lasting, vault_access=True)
    )
    runs = JobRun.objects.filter(permission__in=JobRunPermission.objects.filter(lasting, vault_access=True))
    here = {"environment": row.environment, "pipeline__kind": row.pipeline.kind}
    rows: list[Row] = [*deployments.filter(**here), *runs.filter(**here)]
    return {(one.commit, one.identity["run"]) for one in rows if one != row}


def end_all() -> None:
    """Shut every door, and end every token that pipelines got lately. Raises VaultError."""
    since = timezone.now() - _LATELY
    lately = Q(permission__vault_access=True) | Q(permission__decided_at__gt=since, environment__secrets__isnull=False)
    deployments, runs = (
        kind.objects.filter(lasting).select_related("environment__product", "pipeline").distinct()
        for kind, lasting in ((Deployment, lately), (JobRun, lately))
    )
    found = [_door(row) for row in (*deployments, *runs)]
    doors = {(door.mount, door.role): door for door in found if door.opens}
    if doors:
        here = session()
        for door in doors.values():
            _end(here, door)


def _end(here: Session, door: Entrance) -> None:
    """What Muniment may not shut, no person ever made: nobody came in there."""
    try:
        close_role(here, door)
        end_tokens(here, (door,))
    except VaultError as error:
        if error.code is not VaultCode.REFUSED:
            raise


def _door(row: Row) -> Entrance:
    """Its place, whatever became of the pipeline since."""
    return Entrance(row.environment.product.slug, row.environment.name, row.pipeline.kind, row.pipeline.subject)
