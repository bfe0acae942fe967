"""The policy and the exceptions from it, as pages."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource, products
from muniment.facts.statements import PEOPLE_TO_LIFT
from muniment.policy.document import read_policy
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import acting, may, requires
from muniment.server.page_lists import page
from muniment.server.policies.current import clauses
from muniment.server.policies.differences import find_differences
from muniment.server.policies.exception_acts import EndException
from muniment.server.policies.freeze_acts import LiftFreeze, StartFreeze
from muniment.server.policies.models import (
    Freeze,
    MonitoringPeriod,
    PolicyException,
    PolicySource,
    PolicyTrial,
    PolicyVersion,
)
from muniment.server.policies.monitoring_acts import EndMonitoring, StartMonitoring
from muniment.server.policies.sides import sides
from muniment.server.policies.source_acts import RemovePolicySource, SetPolicySource
from muniment.server.policies.version_acts import LARGEST, ApplyPolicy, DraftPolicy
from muniment.server.products.views import of as of_product
from muniment.server.records.installation import store
from muniment.server.records.store import POLICY
from muniment.workflows import freezing

LARGEST_FILE = 4 * LARGEST + 4  # bytes: one character more than is allowed takes four


@require_GET
@requires(Action.SEE_POLICY)
def policy(request: HttpRequest) -> HttpResponse:
    """The policy in force, clause by clause, and its versions."""
    return render(
        request,
        "policies/policy.html",
        {
            "current": PolicyVersion.objects.filter(in_force=True).select_related("proposed_by", "approver").first(),
            "clauses": clauses(),
            "page": page(request, PolicyVersion.objects.select_related("proposed_by", "approver")),
            "may_propose": may(request, Action.DRAFT_POLICY),
            "source": PolicySource.objects.select_related("repository").first(),
            "freezes": Freeze.current(),
            "missing_lifters": _missing_lifters(),
            "may_freeze": may(request, Action.FREEZE),
        },
    )


@require_http_methods(["GET", "POST"])
@requires(Action.DRAFT_POLICY)
def propose(request: HttpRequest) -> HttpResponse:
    """Draft the next policy. Nothing is in force by that: the draft's page shows first what it would change."""
    if request.method == "POST":
        return submit_act(
            request, DraftPolicy, {}, "", "propose", sent=_sent(request), answer=lambda row: redirect("version", row.pk)
        )
    current = PolicyVersion.objects.filter(in_force=True).first()
    return render(request, "policies/propose.html", {"text": current.text if current else ""})


def _sent(request: HttpRequest) -> QueryDict:
    """The form; a file that came with it stands for the typed text. A sign for each byte that is no UTF-8."""
    sent, file = request.POST.copy(), request.FILES.get("file")
    if file is not None and file.size:
        sent["text"] = file.read(LARGEST_FILE).decode("utf-8", "replace")
    return sent


@require_POST
@requires(Action.DRAFT_POLICY)
def source(request: HttpRequest) -> HttpResponse:
    """Name the branch that policies are read from, or none."""
    return submit_act(request, (SetPolicySource, RemovePolicySource), {}, _("Done."), "policy")


@require_GET
@requires(Action.SEE_POLICY)
def version(request: HttpRequest, number: int) -> HttpResponse:
    """One version: what it changes against the one in force, and what it would have done to the last 90 days."""
    found = get_object_or_404(PolicyVersion.objects.select_related("proposed_by", "approver"), pk=number)
    differences = find_differences(found.text) if found.applied_at is None else ()
    old = clauses() if found.applied_at is None else ()
    shown = products(acting(request), Action.SEE_PRODUCT)
    trials = PolicyTrial.objects.filter(version=found).select_related("repository__product")
    if shown is not None:
        trials = trials.filter(repository__product__slug__in=shown)
    return render(
        request,
        "policies/version.html",
        {
            "version": found,
            "differences": differences,
            "weakens": any(difference.direction.value == "weaker" for difference in differences),
            "whole": [one for one in differences if not one.clause],
            "sides": list(sides(read_policy(found.text, POLICY).clauses, old, differences, trials)),
            "trials": trials,
            "may_apply": may(request, Action.APPLY_POLICY) and found.applied_at is None,
        },
    )


@require_POST
@requires(Action.APPLY_POLICY)
def apply(request: HttpRequest, number: int) -> HttpResponse:
    """Put it in force: at once if it is nowhere weaker, else once a second security officer approves."""
    return submit_act(request, ApplyPolicy, {"version": number}, _("It is in force."), "policy")


def of_exception(request: HttpRequest, slug: str, **_: Any) -> Resource:
    """The product of an exception."""
    return _product_of(PolicyException.objects.filter(slug=slug).values_list("repository__product__slug", flat=True))


def of_monitoring(request: HttpRequest, slug: str, **_: Any) -> Resource:
    """The product of a monitoring period."""
    return _product_of(MonitoringPeriod.objects.filter(slug=slug).values_list("product__slug", flat=True))


def _product_of(rows: "QuerySet[Any, str]") -> Resource:
    found = rows.first()
    if found is None:
        raise Http404
    return Resource(product=found)


@require_POST
@requires(Action.END_EXCEPTION, of_exception)
def end_exception(request: HttpRequest, slug: str) -> HttpResponse:
    """End one early."""
    return submit_act(request, EndException, {"exception": slug}, _("It is ended."), "exceptions")


@require_POST
@requires(Action.START_MONITORING, of_product)
def start_monitoring(request: HttpRequest, slug: str) -> HttpResponse:
    """Put a clause into monitoring for a product; a second person approves."""
    return submit_act(request, StartMonitoring, {"product": slug}, _("Done."), "product", slug)


@require_POST
@requires(Action.END_EXCEPTION, of_monitoring)
def end_monitoring(request: HttpRequest, slug: str) -> HttpResponse:
    """End a monitoring period early."""
    back = of_monitoring(request, slug).product
    return submit_act(request, EndMonitoring, {"period": slug}, _("It is ended."), "product", back)


@require_POST
@requires(Action.FREEZE)
def freeze(request: HttpRequest) -> HttpResponse:
    """Freeze merges and deployments, or drill it."""
    return submit_act(request, StartFreeze, {}, _("Done."), "policy")


@require_POST
@requires(Action.LIFT_FREEZE)
def unfreeze(request: HttpRequest, slug: str) -> HttpResponse:
    """Request that a freeze is lifted; a second security officer approves."""
    return submit_act(request, LiftFreeze, {"freeze": slug}, _("Lifted."), "policy")


def _missing_lifters() -> int:
    """How many more people need the security role everywhere before a freeze can be lifted."""
    people = store().people()
    return freezing.missing_lifters(people) if people is not None else PEOPLE_TO_LIFT
