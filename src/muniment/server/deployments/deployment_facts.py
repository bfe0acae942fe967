"""Facts of a product from the records of its deployments and incidents."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from django.db.models import Max, Q
from django.utils import timezone

from muniment.facts import kinds, pipeline
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe
from muniment.server import moments
from muniment.server.deployments.models import (
    BROUGHT,
    Deployment,
    DeploymentPermission,
    DeploymentReport,
    DeploymentState,
    RunningArtifact,
)
from muniment.server.incidents import kinds as incident_kinds
from muniment.server.incidents.closings import find_unrecorded_closings
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Environment
from muniment.workflows.fact_suppliers import create_fact

_DAYS = 90


class DeploymentSupplier:
    """Supplier of deployments (`workflows.fact_suppliers`)."""

    names = frozenset(kind.name for kind in (kinds.ENVIRONMENTS, kinds.DEADLINES, kinds.DEPLOYMENTS))

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply those of its facts that are in `names`."""
        return {name: create_fact(_READERS[name](product), "record", now) for name in names}


def describe_deployment_state() -> str:
    """Text that differs once the facts about deployments may: after each decision and each report."""
    decided = DeploymentPermission.objects.aggregate(newest=Max("decided_at"))["newest"]
    return f"{decided} {DeploymentReport.objects.aggregate(newest=Max('pk'))['newest']}"


def find_reached_environments(product: str, artifact: str) -> tuple[str, ...]:
    """Environments where this very artifact was deployed as the policy allows, and is so by its newest delivery
    there.
    """
    rows = Deployment.objects.filter(environment__product__slug=product, artifact=artifact)
    rows = rows.filter(permission__state__in=[*BROUGHT, DeploymentState.REVOKED]).order_by("pk")
    newest = {row.environment.name: row for row in rows.select_related("environment", "permission")}
    held = (DeploymentState.SUCCEEDED,)
    return tuple(
        sorted(n for n, row in newest.items() if row.permission.state in held and row.permission.break_glass_id is None)
    )


def _read_environments(product: str) -> Maybe[object]:
    rows = Environment.objects.filter(product__slug=product, ended_at=None)
    return Known(tuple(pipeline.Environment(row.name, row.order, row.production) for row in rows))


def _read_deadlines(product: str) -> Maybe[object]:
    """Deadlines of open incidents: of this product, and of no product at all."""
    open_ones = Q(closed_at=None) | Q(pk__in=find_unrecorded_closings())
    rows = Incident.objects.filter(open_ones, Q(product__slug=product) | Q(product=None)).order_by("due_at", "pk")
    return Known(tuple(pipeline.DueTask(f"incident-{r.pk}", r.summary, moments.format_moment(r.due_at)) for r in rows))


def _read_deployments(product: str) -> Maybe[object]:
    """Deployments of the product, and artifacts that were seen to run although no known deployment brought them."""
    since = timezone.now() - timedelta(days=_DAYS)
    rows = DeploymentPermission.objects.filter(deployment__environment__product__slug=product, decided_at__gte=since)
    came = rows.filter(state__in=BROUGHT).select_related("deployment__environment").order_by("pk")
    found = [_convert_deployment(row) for row in came]
    known = Incident.objects.filter(kind=incident_kinds.DEPLOYMENT, product__slug=product, opened_at__gte=since)
    strange = {row.subject for row in known}
    for seen in RunningArtifact.objects.filter(
        environment__product__slug=product, first_seen_at__gte=since
    ).select_related("environment"):
        if f"{seen.environment.name}:{seen.artifact}" in strange:
            found.append(_convert_sighting(seen))
    return Known(pipeline.Deployments(moments.format_moment(since), tuple(found)))


def _convert_deployment(row: DeploymentPermission) -> pipeline.Deployment:
    asked = row.deployment
    return pipeline.Deployment(
        str(asked.pk),
        asked.environment.name,
        asked.artifact,
        asked.commit,
        Known(True),
        str(row.state),
        tuple(row.manual_steps or ()),
        moments.format_moment(row.decided_at),
    )


def _convert_sighting(seen: RunningArtifact) -> pipeline.Deployment:
    name = f"seen-{seen.pk}"
    return pipeline.Deployment(
        name,
        seen.environment.name,
        seen.artifact,
        "",
        Known(False),
        "seen",
        (),
        moments.format_moment(seen.first_seen_at),
    )


_READERS: dict[str, Callable[[str], Maybe[object]]] = {
    kinds.ENVIRONMENTS.name: _read_environments,
    kinds.DEADLINES.name: _read_deadlines,
    kinds.DEPLOYMENTS.name: _read_deployments,
}
