"""Pages of environments and their deployments."""

from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.decision.report import DecisionReport
from muniment.errors import MunimentError
from muniment.git import signatures
from muniment.server.acts.submission import submit_act
from muniment.server.changes.models import Change
from muniment.server.deployments import deployment_metrics
from muniment.server.deployments.approval_acts import ApproveDeployment, WithdrawDeploymentApproval
from muniment.server.deployments.break_glass_acts import BreakGlass
from muniment.server.deployments.builder_acts import RevokeBuilder, TrustBuilder
from muniment.server.deployments.delivery_list import find_delivering_products, make_delivery_lines
from muniment.server.deployments.deployment_page import list_course, list_phases, sort_conditions
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.deployments.models import (
    Deployment,
    DeploymentApproval,
    DeploymentPermission,
    DeploymentState,
    JobRun,
    PipelineIdentity,
    TokenIssuer,
    TrustedBuilder,
)
from muniment.server.deployments.newest_deployments import find_newest_deployments
from muniment.server.deployments.pipeline_acts import RevokePipeline, TrustPipeline
from muniment.server.deployments.timeline_chart import LEGEND, make_timeline_chart
from muniment.server.guarding import home_keys
from muniment.server.guarding.mediation import current_actor, find_no_resource, is_action_allowed, require_action
from muniment.server.page_lists import page_by_name
from muniment.server.people.test_runner_acts import find_runner_keys
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Environment, Product
from muniment.server.products.views import could_with_second_factor, find_product_resource
from muniment.server.records.record_details import read_details
from muniment.server.secrets.rotation import find_rotation_days

_NEWEST = 5  # deployments and runs of each environment
_CHART_DAYS = 30


class EnvironmentView(NamedTuple):
    """Environment on its page, with its newest deployment."""

    environment: Any
    newest: Deployment | None


@require_GET
@require_action(Action.SEE_DEPLOYMENTS, find_no_resource)
def list_deliveries(request: HttpRequest) -> HttpResponse:
    """List the products with environments: the newest deployment of each environment, and the ages of secrets."""
    find = request.GET.get("find", "").strip()[:100]
    page = page_by_name(request, find_delivering_products(current_actor(request), find))
    try:
        limit, policy_problem = find_rotation_days(current_clauses()), ""
    except MunimentError as error:
        limit, policy_problem = None, error.message
    context: dict[str, object] = {
        "page": page,
        "lines": make_delivery_lines(current_actor(request), page.rows, limit, timezone.now()),
        "limit": limit,
        "policy_problem": policy_problem,
        "find": find,
        "more": urlencode({"find": find, "order": page.order}),
    }
    return render(request, "deployments/list.html", context)


@require_GET
@require_action(Action.SEE_DEPLOYMENTS, find_product_resource)
def list_environments(request: HttpRequest, slug: str) -> HttpResponse:
    """List the environments of a product in their order, the pipelines that may deploy to each, and the
    deployments.
    """
    found = get_object_or_404(Product, slug=slug)
    trusted = Prefetch("pipelines", PipelineIdentity.objects.filter(ended_at=None), to_attr="trusted")
    runs = Prefetch(
        "job_runs",
        JobRun.objects.select_related("pipeline", "permission").order_by("-pk")[:_NEWEST],
        to_attr="recent_runs",
    )
    approvals = Prefetch(
        "deployment_approvals",
        DeploymentApproval.objects.filter(withdrawn_at=None).select_related("person")[:_NEWEST],
        to_attr="approvals",
    )
    places = list(Environment.objects.filter(product=found, ended_at=None).prefetch_related(trusted, runs, approvals))
    newest = find_newest_deployments([place.pk for place in places], _NEWEST)
    permissions = _find_recent_permissions(found)
    listed = sorted((one for rows in newest.values() for one in rows), key=lambda one: one.pk, reverse=True)
    now = timezone.now()
    recent = [one for one in permissions if one.decided_at > now - timedelta(days=_CHART_DAYS)]
    context: dict[str, object] = {
        "product": found,
        "environments": [EnvironmentView(place, next(iter(newest.get(place.pk, [])), None)) for place in places],
        "deployments": listed,
        "legend": LEGEND,
        "figures": deployment_metrics.compute_metrics(places, permissions),
        "definitions": deployment_metrics.DEFINITIONS,
        "days": deployment_metrics.DAYS,
        "chart": make_timeline_chart(places, recent, _CHART_DAYS, now) if recent else None,
        "chart_days": _CHART_DAYS,
        "issuers": TokenIssuer.objects.filter(url__in={one.issuer for p in places for one in p.trusted}).exclude(
            problem=""
        ),
        "may_add": could_with_second_factor(request, Action.CHANGE_PRODUCT, slug),
        "may_change": could_with_second_factor(request, Action.CHANGE_ENVIRONMENT, slug),
        "may_close": could_with_second_factor(request, Action.REVOKE_PIPELINE, slug),
        "may_approve": could_with_second_factor(request, Action.APPROVE_DEPLOYMENT, slug),
        "may_see_secrets": is_action_allowed(request, Action.SEE_SECRETS, Resource(product=slug)),
        "may_break": could_with_second_factor(request, Action.BREAK_GLASS_DEPLOYMENT, slug),
    }
    return render(request, "deployments/environments.html", context)


def _find_recent_permissions(product: Product) -> list[DeploymentPermission]:
    since = timezone.now() - timedelta(days=deployment_metrics.DAYS)
    rows = DeploymentPermission.objects.filter(deployment__environment__product=product, decided_at__gt=since)
    newest = rows.select_related("deployment__environment").defer("vsa", "deployment__provenance")
    return sorted(newest.order_by("-decided_at")[: deployment_metrics.MOST], key=lambda one: (one.decided_at, one.pk))


def find_deployment_resource(request: HttpRequest, number: int) -> Resource:
    """Product of a deployment. Raises Http404, for everybody alike, if there is no such deployment."""
    slug = Deployment.objects.filter(pk=number).values_list("environment__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@require_action(Action.SEE_DEPLOYMENTS, find_deployment_resource)
def show_deployment(request: HttpRequest, number: int) -> HttpResponse:
    """Show a deployment: the request, the decision with its reasons, and the outcome."""
    rows = Deployment.objects.select_related(
        *("environment__product", "pipeline", "verified", "permission__record", "permission__break_glass__requester"),
        *("permission__break_glass__approver", "report"),
    )
    found = get_object_or_404(rows, pk=number)
    permission = getattr(found, "permission", None)
    details: Any = (
        read_details(permission.explanation_digest, DecisionReport)
        if permission is not None and permission.explanation_digest
        else None
    )
    changes = Change.objects.filter(repository__product=found.environment.product, head=found.commit)
    report, decision = getattr(found, "report", None), details if isinstance(details, DecisionReport) else None
    slug = found.environment.product.slug
    context: dict[str, object] = {
        "deployment": found,
        "product": found.environment.product,
        "permission": permission,
        "report": report,
        "explanation": decision,
        "conditions": sort_conditions(decision) if decision is not None else None,
        "erased": details if isinstance(details, str) else "",
        "change": changes.select_related("decision").order_by("-pk").first(),
        "phases": list_phases(found),
        "course": list_course(found, permission, report),
        "is_denied": found.state == DeploymentState.DENIED,
        "may_ask": is_action_allowed(request, Action.REQUEST_EXCEPTION, Resource(product=slug)),
        "may_approve": could_with_second_factor(request, Action.APPROVE_DEPLOYMENT, slug),
        "may_break": could_with_second_factor(request, Action.BREAK_GLASS_DEPLOYMENT, slug),
    }
    return render(request, "deployments/deployment.html", context)


@require_GET
@require_action(Action.SEE_POLICY)
def list_builders(request: HttpRequest) -> HttpResponse:
    """List the trusted builders and test runners, with our own public key."""
    context: dict[str, object] = {
        "builders": TrustedBuilder.objects.filter(ended_at=None),
        "test_runners": [(key, signatures.make_fingerprint(key.value)) for key in find_runner_keys()],
        "may_trust_machine": could_with_second_factor(request, Action.TRUST_TEST_RUNNER),
        "may_close_machine": could_with_second_factor(request, Action.REVOKE_TEST_RUNNER),
        "public": home_keys.read_deploy_public_key(Path(settings.HOME)),
        "may_trust": could_with_second_factor(request, Action.TRUST_BUILDER),
        "may_close": could_with_second_factor(request, Action.REVOKE_BUILDER),
    }
    return render(request, "deployments/builders.html", context)


@require_POST
@require_action(Action.TRUST_BUILDER)
def trust_builder(request: HttpRequest) -> HttpResponse:
    """Request that another builder's provenance is trusted; a second security officer approves."""
    return submit_act(request, TrustBuilder, {}, _("Done."), "builders")


@require_POST
@require_action(Action.REVOKE_BUILDER)
def revoke_builder(request: HttpRequest, number: int) -> HttpResponse:
    """Stop trusting a builder."""
    return submit_act(request, RevokeBuilder, {"builder": number}, _("Done."), "builders")


@require_POST
@require_action(Action.CHANGE_ENVIRONMENT, find_product_resource)
def change_environment(request: HttpRequest, slug: str) -> HttpResponse:
    """Request a change of an environment, or another pipeline that may deploy there; a security officer approves."""
    acts = (ChangeEnvironment, TrustPipeline)
    return submit_act(request, acts, {"product": slug}, _("Done."), "environments", slug)


@require_POST
@require_action(Action.REVOKE_PIPELINE, find_product_resource)
def revoke_pipeline(request: HttpRequest, slug: str) -> HttpResponse:
    """Revoke a pipeline's permission to deploy, at once."""
    done = _("The pipeline may no longer deploy there. Remove its role from the vault today: muniment vault apply")
    return submit_act(request, RevokePipeline, {"product": slug}, done, "environments", slug)


@require_POST
@require_action(Action.APPROVE_DEPLOYMENT, find_product_resource)
def approve_deployment(request: HttpRequest, slug: str) -> HttpResponse:
    """Approve an artifact for an environment, or withdraw one's own approval."""
    acts = (ApproveDeployment, WithdrawDeploymentApproval)
    return submit_act(request, acts, {"product": slug}, _("Done."), "environments", slug)


@require_POST
@require_action(Action.BREAK_GLASS_DEPLOYMENT, find_product_resource)
def break_glass(request: HttpRequest, slug: str) -> HttpResponse:
    """Request that one deployment is permitted although it is denied; a second person approves."""
    return submit_act(request, BreakGlass, {"product": slug}, _("Deployment permitted."), "environments", slug)
