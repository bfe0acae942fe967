"""Contributions of the deployments."""

from collections.abc import Iterable, Iterator, Mapping

from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.deployments.approval_acts import ApproveDeployment, WithdrawDeploymentApproval
from muniment.server.deployments.break_glass_acts import BreakGlass
from muniment.server.deployments.builder_acts import RevokeBuilder, TrustBuilder
from muniment.server.deployments.deployment_facts import DeploymentSupplier, describe_deployment_state
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.deployments.models import (
    BreakGlassPermission,
    Deployment,
    DeploymentPermission,
    RunningArtifact,
    TokenIssuer,
)
from muniment.server.deployments.pipeline_acts import RevokePipeline, TrustPipeline
from muniment.server.deployments.secret_retrievals import RetrievalSupplier
from muniment.server.people.privacy import drop_rows
from muniment.server.products.visible_products import within_reach
from muniment.server.registration import (
    AppContributions,
    MenuEntry,
    MenuGroup,
    Metric,
    PersonalData,
    ProductTab,
    RetentionRule,
    SearchKind,
)


def find_deployments(actor: Actor, text: str) -> Iterable[object]:
    """The deployments with a text at the beginning of their artifact or commit."""
    words = Q(artifact__startswith=text) | Q(artifact__startswith=f"sha256:{text}") | Q(commit__startswith=text)
    rows = Deployment.objects.select_related("environment__product", "pipeline", "permission")
    reach = within_reach(actor, Action.SEE_DEPLOYMENTS, "environment__product")
    return rows.filter(words, reach).order_by("-id")


def measure_deployments() -> Iterator[Metric]:
    """Deployments by state, and issuers whose keys cannot be read."""
    rows = DeploymentPermission.objects.values("state").annotate(n=Count("id"))
    states = {row["state"]: row["n"] for row in rows}
    yield Metric("muniment_deployments", "Deployments decided on, by state.", states, "state")
    silent = TokenIssuer.objects.exclude(problem="").count()
    yield Metric("muniment_unreadable_issuers", "Issuers of pipelines whose keys cannot be read.", silent)


def read_break_glass(person: str) -> Iterable[Mapping[str, object]]:
    """The break-glass permissions that a person requested or approved."""
    rows = BreakGlassPermission.objects.filter(Q(requester=person) | Q(approver=person))
    return list(rows.values("artifact", "reason", "created_at", "expires_at"))


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.deployments.urls",
    product_tabs=(ProductTab(55, "environments", _("Deployments"), Action.SEE_DEPLOYMENTS),),
    acts=(
        ChangeEnvironment,
        TrustPipeline,
        RevokePipeline,
        TrustBuilder,
        RevokeBuilder,
        BreakGlass,
        ApproveDeployment,
        WithdrawDeploymentApproval,
    ),
    menu=(
        MenuEntry(MenuGroup.DELIVER, 40, "deliveries", _("Secrets and deployments"), "rocket", Action.SEE_DEPLOYMENTS),
    ),
    search=(SearchKind(50, "deployments/found.html", find_deployments),),
    metrics=(measure_deployments,),
    retention=(
        RetentionRule(
            _("Artifacts that environments reported"),
            _("To find artifacts that were deployed without permission"),
            "running_artifact_days",
            lambda moment: drop_rows(RunningArtifact.objects.filter(last_seen_at__lt=moment)),
        ),
    ),
    personal_data=(PersonalData("break_glass_permissions", read_break_glass),),
    fact_suppliers=(DeploymentSupplier(), RetrievalSupplier()),
    fact_states=(describe_deployment_state,),
    demonstration="muniment.server.deployments.demonstration",
)
