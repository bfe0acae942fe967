"""Metrics of the deployments of a product, each with its definition; none of them is of a person."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from muniment.server.deployments.models import BROKEN, REPORTED, DeploymentPermission, DeploymentState
from muniment.server.products.models import Environment

DAYS = 90
MOST = 5_000  # deployments that are looked at: the newest

DEFINITIONS = (
    (
        _("Lead time"),
        _("Median from the merge of a commit to the end of its deployment."),
    ),
    (_("Failure rate"), _("Share of finished deployments that failed, crashed, were rolled back or not reported.")),
    (
        _("Time to restore"),
        _("Median from the end of a failed deployment to the end of the next successful one."),
    ),
    (
        _("Manual steps"),
        _("Steps that wait for a person, in the pipeline files of the newest deployment."),
    ),
)


class DeploymentMetrics(NamedTuple):
    """Metrics of one environment. None where there is nothing to count, or the value is unknown."""

    environment: Environment
    finished: int
    broken: int
    lead: timedelta | None
    restore: timedelta | None
    manual: tuple[str, ...] | None

    @property
    def rate(self) -> int | None:
        """Percentage of failed deployments among those that came to an end."""
        return round(100 * self.broken / self.finished) if self.finished else None


def compute_metrics(
    environments: Iterable[Environment], permissions: Sequence[DeploymentPermission]
) -> list[DeploymentMetrics]:
    """Compute one row for each environment, from its permissions in the order of time, with their deployments
    loaded.
    """
    return [
        _compute_environment(place, [one for one in permissions if one.deployment.environment_id == place.pk])
        for place in environments
    ]


def _compute_environment(place: Environment, rows: list[DeploymentPermission]) -> DeploymentMetrics:
    ended = [row for row in rows if row.state in (*REPORTED, DeploymentState.UNREPORTED) and row.ended_at is not None]
    leads = [
        row.ended_at - row.merged_at
        for row in ended
        if row.state == DeploymentState.SUCCEEDED and row.merged_at and row.ended_at
    ]
    known = [row.manual_steps for row in rows if row.manual_steps is not None]
    broken = sum(row.state in BROKEN for row in ended)
    manual = tuple(known[-1]) if known else None
    return DeploymentMetrics(
        place, len(ended), broken, _median_duration(leads), _median_duration(_find_restore_times(ended)), manual
    )


def _find_restore_times(ended: list[DeploymentPermission]) -> list[timedelta]:
    """Duration of each period that began with a failed deployment."""
    found: list[timedelta] = []
    since: datetime | None = None
    for row in ended:
        if row.state in BROKEN:
            since = since or row.ended_at
        elif since is not None and row.ended_at is not None:
            found.append(row.ended_at - since)
            since = None
    return found


def _median_duration(spans: list[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(span.total_seconds() for span in spans)) if spans else None
