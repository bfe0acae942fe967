"""Reads of secrets by pipelines: who could read unwatched is refused, who read without a record is an incident.

GitLab's and Kubernetes' roles in the vault are always open for their identity, so a job can read without asking the
service. The vault's audit log tells of it. GitHub's and plain runners' roles open only for what was recorded.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from muniment.errors import RefusedError
from muniment.policy.model import Clause
from muniment.server.deployments.models import DeploymentPermission, DeploymentState, JobRunPermission
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.products.models import Environment
from muniment.server.secrets.models import SecretRead
from muniment.server.secrets.watch_state import find_watch_limits, find_watch_problem
from muniment.vault import layout

RECORDED_MINUTES = 15  # between what was recorded and its read: a job waits for its answer, and copies of logs are late

_ALWAYS_OPEN = (f"{layout.GITLAB}-", f"{layout.KUBERNETES}-")  # how the vault names who signed in there


def require_watched_reads(environment: Environment, clauses: Iterable[Clause]) -> None:
    """Refuse to give out secrets while nobody can tell who else reads them. Raises RefusedError."""
    problem = find_watch_problem(find_watch_limits(clauses)) if environment.secrets.exists() else ""
    if problem:
        raise RefusedError(
            "not-watched",
            _("Reads of the secrets are not watched: %(problem)s") % {"problem": problem},
            _("See what muniment doctor says of the watch of the vault; close the incident once its cause is known."),
        )


def report_unrecorded_reads() -> None:
    """Open an incident for each read by a job of GitLab or Kubernetes for which no run or deployment was recorded.

    Of several reads between two looks the newest alone is compared.
    """
    rows = SecretRead.objects.filter(by_pipeline=True, environment__ended_at=None).select_related(
        "environment__product"
    )
    for row in rows:
        known = row.reported_at is not None and row.last_read_at <= row.reported_at
        if row.reader.startswith(_ALWAYS_OPEN) and not known and not _was_recorded(row):
            _report(row)


def _was_recorded(row: SecretRead) -> bool:
    since = row.last_read_at - timedelta(minutes=RECORDED_MINUTES)
    kind, times = row.reader.partition("-")[0], (since, row.last_read_at)
    runs = JobRunPermission.objects.filter(
        run__environment=row.environment, run__pipeline__kind=kind, decided_at__range=times
    )
    deployments = DeploymentPermission.objects.filter(
        deployment__environment=row.environment, deployment__pipeline__kind=kind, decided_at__range=times
    )
    return any(rows.exclude(state=DeploymentState.DENIED).exists() for rows in (runs, deployments))


def _report(row: SecretRead) -> None:
    place = row.environment
    description = (
        f"{row.reader} read the secrets of {place.name} of {place.product.name}, and no run of it was recorded"
    )
    with transaction.atomic():
        SecretRead.objects.filter(pk=row.pk).update(reported_at=row.last_read_at)
        open_incident(kinds.VAULT_READ, place.product, f"unrecorded:{row.reader}", description)
