"""The vault's role of an environment: open for a commit until its run has its secrets, and closed otherwise.

Only GitHub's and plain runners' doors are opened like this; the others a person bound once and for all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from muniment.errors import VaultCode, VaultError
from muniment.server.deployments.models import Deployment, DeploymentPermission
from muniment.server.secrets import entrances
from muniment.server.secrets.access import session
from muniment.vault.client import Session
from muniment.vault.entrances import Entrance
from muniment.vault.opening import close_role, end_tokens, open_role

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


def has_door(row: Deployment) -> bool:
    """Whether there is a door to open for it. An environment without a secret needs no vault."""
    return row.environment.secrets.exists() and _entrance(row) is not None


def open_door(row: Deployment) -> None:
    """Let its commit in, if it has a door. Raises VaultError; then it is as it was."""
    found = _entrance(row)
    if found is not None:
        open_role(session(), found, *sorted({row.commit, *_others(row)}))


def _entrance(row: Deployment) -> Entrance | None:
    found = next((one for one in entrances.of(row.environment) if one.issuer == row.pipeline.kind), None)
    return found if found is not None and found.opens else None


def close_door(row: Deployment) -> None:
    """Let it in no more, and others that have a permission still. Raises VaultError; then it may still be open."""
    others, found = _others(row), _entrance(row)
    if others and found is not None:
        open_role(session(), found, *sorted(others))
    else:
        close_role(session(), _door(row))


def _others(row: Deployment) -> set[str]:
    """The commits of other deployments that the same role lets in."""
    rows = DeploymentPermission.objects.filter(
        deployment__environment=row.environment, deployment__pipeline__kind=row.pipeline.kind, vault_access=True
    ).exclude(deployment=row)
    lasting = rows.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    return set(lasting.values_list("deployment__commit", flat=True))


def end_all() -> None:
    """Shut every door, and end every token that pipelines got lately. Raises VaultError."""
    lately = Q(vault_access=True) | Q(
        decided_at__gt=timezone.now() - _LATELY, deployment__environment__secrets__isnull=False
    )
    rows = DeploymentPermission.objects.filter(lately).select_related(
        "deployment__environment__product", "deployment__pipeline"
    )
    doors = {(door.mount, door.role): door for row in rows.distinct() if (door := _door(row.deployment)).opens}
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


def _door(row: Deployment) -> Entrance:
    """Its place, whatever became of the pipeline since."""
    return Entrance(row.environment.product.slug, row.environment.name, row.pipeline.kind, row.pipeline.subject)
