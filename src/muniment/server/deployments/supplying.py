"""What the record of deployments and incidents knows of a product, as facts."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from muniment.facts import kinds, pipeline
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe
from muniment.server import moments
from muniment.server.deployments.models import (
    BROUGHT,
    Deployment,
    DeploymentPermission,
    DeploymentState,
    RunningArtifact,
)
from muniment.server.incidents import kinds as incident_kinds
from muniment.server.incidents.closings import find_unrecorded_closings
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Environment
from muniment.workflows.supplies import fact

_DAYS = 90


class Deployments:
    """A supplier (`workflows.supplies`)."""

    names = frozenset(kind.name for kind in (kinds.ENVIRONMENTS, kinds.DEADLINES, kinds.DEPLOYMENTS))

    def supply(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Those of its facts that go by `names`."""
        return {name: fact(_READERS[name](product), "record", now) for name in names}


def reached(product: str, artifact: str) -> tuple[str, ...]:
    """The environments where this very artifact was deployed by the policy, and is so by its newest delivery there."""
    rows = Deployment.objects.filter(environment__product__slug=product, artifact=artifact)
    rows = rows.filter(permission__state__in=[*BROUGHT, DeploymentState.REVOKED]).order_by("pk")
    newest = {row.environment.name: row for row in rows.select_related("environment", "permission")}
    held = (DeploymentState.SUCCEEDED,)
    return tuple(
        sorted(n for n, row in newest.items() if row.permission.state in held and row.permission.break_glass_id is None)
    )


def _environments(product: str) -> Maybe[Any]:
    rows = Environment.objects.filter(product__slug=product, ended_at=None)
    return Known(tuple(pipeline.Environment(row.name, row.order, row.production) for row in rows))


def _deadlines(product: str) -> Maybe[Any]:
    """Open incidents: of this product, and of no product at all."""
    open_ones = Q(closed_at=None) | Q(pk__in=find_unrecorded_closings())
    rows = Incident.objects.filter(open_ones, Q(product__slug=product) | Q(product=None)).order_by("due_at", "pk")
    return Known(tuple(pipeline.Deadline(f"incident-{r.pk}", r.summary, moments.text(r.due_at)) for r in rows))


def _deployments(product: str) -> Maybe[Any]:
    """All that came, and what was seen to run although it came in no way that we know."""
    since = timezone.now() - timedelta(days=_DAYS)
    rows = DeploymentPermission.objects.filter(deployment__environment__product__slug=product, decided_at__gte=since)
    came = rows.filter(state__in=BROUGHT).select_related("deployment__environment").order_by("pk")
    found = [_deployment(row) for row in came]
    known = Incident.objects.filter(kind=incident_kinds.DEPLOYMENT, product__slug=product, opened_at__gte=since)
    strange = {row.subject for row in known}
    for seen in RunningArtifact.objects.filter(
        environment__product__slug=product, first_seen_at__gte=since
    ).select_related("environment"):
        if f"{seen.environment.name}:{seen.artifact}" in strange:
            found.append(_strange(seen))
    return Known(pipeline.Deployments(moments.text(since), tuple(found)))


def _deployment(row: DeploymentPermission) -> pipeline.Deployment:
    asked = row.deployment
    return pipeline.Deployment(
        str(asked.pk),
        asked.environment.name,
        asked.artifact,
        asked.commit,
        Known(True),
        str(row.state),
        tuple(row.manual_steps or ()),
        moments.text(row.decided_at),
    )


def _strange(seen: RunningArtifact) -> pipeline.Deployment:
    name = f"seen-{seen.pk}"
    return pipeline.Deployment(
        name, seen.environment.name, seen.artifact, "", Known(False), "seen", (), moments.text(seen.first_seen_at)
    )


_READERS: dict[str, Callable[[str], Maybe[Any]]] = {
    kinds.ENVIRONMENTS.name: _environments,
    kinds.DEADLINES.name: _deadlines,
    kinds.DEPLOYMENTS.name: _deployments,
}
