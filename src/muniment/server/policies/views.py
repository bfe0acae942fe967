"""Pages of the policy, and acts on exceptions, monitoring and freezes."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.errors import PolicyError
from muniment.facts.statements import PEOPLE_TO_LIFT
from muniment.policy.clause_editing import replace_clause
from muniment.policy.document import parse_policy
from muniment.server.acts.submission import INVALID, submit_act
from muniment.server.guarding.mediation import current_actor, is_action_allowed, require_action
from muniment.server.page_lists import page_by_id, read_row_number
from muniment.server.people.waiting_requests import waiting_requests
from muniment.server.policies.clause_form import PARAMETERS_OF, ClauseForm
from muniment.server.policies.differences import find_policy_differences
from muniment.server.policies.exception_acts import EndException
from muniment.server.policies.freeze_acts import LiftFreeze, StartFreeze
from muniment.server.policies.models import (
    Freeze,
    MonitoringPeriod,
    PolicyException,
    PolicySource,
    PolicyVersion,
)
from muniment.server.policies.monitoring_acts import EndMonitoring, StartMonitoring
from muniment.server.policies.policy_in_force import current_policy
from muniment.server.policies.policy_sections import list_missing_phases, list_policy_sections
from muniment.server.policies.source_acts import RemovePolicySource, SetPolicySource
from muniment.server.policies.version_acts import LARGEST, ApplyPolicy, DraftPolicy
from muniment.server.policies.version_effect import read_version_effect
from muniment.server.products.views import could_with_second_factor
from muniment.server.products.views import find_product_resource as of_product
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY
from muniment.workflows import freezing

LARGEST_FILE = 4 * LARGEST + 4  # bytes: one character more than is allowed takes four


@require_GET
@require_action(Action.SEE_POLICY)
def show_policy_in_force(request: HttpRequest) -> HttpResponse:
    """Show the policy in force by section: each clause with its control, and its status over the products."""
    freezes = list(Freeze.find_current_freezes())
    context = {
        "current": PolicyVersion.objects.filter(in_force=True).select_related("proposed_by", "approver").first(),
        "sections": list_policy_sections(current_policy(), current_actor(request)),
        "missing_phases": list_missing_phases(current_policy()),
        "may_propose": could_with_second_factor(request, Action.DRAFT_POLICY),
        "source": PolicySource.objects.select_related("repository").first(),
        "freezes": freezes,
        "missing_lifters": _count_missing_lifters() if freezes else 0,
        "may_freeze": could_with_second_factor(request, Action.FREEZE),
    }
    return render(request, "policies/policy.html", context)


@require_GET
@require_action(Action.SEE_POLICY)
def list_versions(request: HttpRequest) -> HttpResponse:
    """List the versions of the policy, the newest first, and where they are read from."""
    context = {
        "page": page_by_id(request, PolicyVersion.objects.select_related("proposed_by", "approver")),
        "may_propose": could_with_second_factor(request, Action.DRAFT_POLICY),
        "source": PolicySource.objects.select_related("repository").first(),
    }
    return render(request, "policies/versions.html", context)


@require_GET
@require_action(Action.DRAFT_POLICY)
def list_changeable_clauses(request: HttpRequest) -> HttpResponse:
    """List the clauses of the policy in force, or of a draft, each with the form that changes it."""
    base = _find_base(request)
    policy = parse_policy(base.text, POLICY)
    sections = [(one, [row for row in policy.clauses if row.section == one.id]) for one in policy.sections]
    context = {"base": base, "sections": sections, "tabs": _list_tabs(base, "change-policy")}
    return render(request, "policies/clauses.html", context)


@require_http_methods(["GET", "POST"])
@require_action(Action.DRAFT_POLICY)
def change_clause(request: HttpRequest, clause: str) -> HttpResponse:
    """Change one clause in a form: it becomes a draft, of which nothing is in force yet."""
    base = _find_base(request)
    policy = parse_policy(base.text, POLICY)
    found = next((one for one in policy.clauses if one.id == clause), None)
    if found is None:
        raise Http404
    control = str(request.POST.get("control", found.control))
    sent = request.POST if request.method == "POST" else None
    if sent is not None and ("show" in sent or sent.get(PARAMETERS_OF) != control):
        typed = {name: sent.getlist(name) if name == "enforce" else sent[name] for name in sent}
        form = ClauseForm(policy, found, control, initial=typed)
    else:
        form = ClauseForm(policy, found, control, sent)
        if sent is not None and form.is_valid() and (text := _replace_clause(base.text, form)):
            data = QueryDict(mutable=True)
            data.update({"text": text, "note": form.cleaned_data["note"]})
            return submit_act(
                request,
                DraftPolicy,
                {},
                "",
                "change-policy",
                form_data=data,
                build_response=lambda row: redirect("version", row.pk),
            )
    context = {"base": base, "clause": found, "form": form, "control": control, "parameters_of": PARAMETERS_OF}
    return render(request, "policies/clause.html", context, status=INVALID if form.errors else 200)


def _replace_clause(text: str, form: ClauseForm) -> str:
    """Text of the policy with the clause as it was typed, "" where that is no policy: the form says why."""
    try:
        changed = replace_clause(text, form.make_clause(), POLICY)
        find_policy_differences(changed)
    except PolicyError as error:
        form.add_error(None, f"{error.message}. {error.remedy}")
        return ""
    return changed


def _find_base(request: HttpRequest) -> PolicyVersion:
    """Version that a change begins with: the draft that `?from=` names, else the policy in force. Raises Http404."""
    number = read_row_number(request.GET.get("from", ""))
    draft = PolicyVersion.objects.filter(pk=number, applied_at=None).first() if number else None
    return draft or get_object_or_404(PolicyVersion, in_force=True)


def _list_tabs(base: PolicyVersion, current: str) -> list[tuple[str, str, None, bool]]:
    query = "" if base.in_force else f"?from={base.pk}"
    tabs = (("change-policy", _("Clause by clause")), ("propose", _("Text (TOML)")))
    return [(f"{reverse(name)}{query}", text, None, name == current) for name, text in tabs]


@require_http_methods(["GET", "POST"])
@require_action(Action.DRAFT_POLICY)
def draft_policy(request: HttpRequest) -> HttpResponse:
    """Draft the next policy. Nothing is in force by that: the draft's page shows first what it would change."""
    if request.method == "POST":
        return submit_act(
            request,
            DraftPolicy,
            {},
            "",
            "propose",
            form_data=_read_sent_form(request),
            build_response=lambda row: redirect("version", row.pk),
        )
    base = _find_base(request)
    return render(request, "policies/propose.html", {"base": base, "tabs": _list_tabs(base, "propose")})


def _read_sent_form(request: HttpRequest) -> QueryDict:
    """Read the form; a file that came with it replaces the typed text. A replacement character for each byte that
    is no UTF-8.
    """
    sent, file = request.POST.copy(), request.FILES.get("file")
    sent.pop("file", None)  # what a browser sends where no file was chosen
    if file is not None and file.size:
        sent["text"] = file.read(LARGEST_FILE).decode("utf-8", "replace")
    return sent


@require_POST
@require_action(Action.DRAFT_POLICY)
def change_policy_source(request: HttpRequest) -> HttpResponse:
    """Set the branch that policies are read from, or remove it."""
    return submit_act(request, (SetPolicySource, RemovePolicySource), {}, _("Done."), "policy")


@require_GET
@require_action(Action.SEE_POLICY)
def show_version(request: HttpRequest, number: int) -> HttpResponse:
    """Show a version: its differences from the one in force, and its results for the last 90 days."""
    found = get_object_or_404(PolicyVersion.objects.select_related("proposed_by", "approver"), pk=number)
    pending = found.applied_at is None
    context = {
        "version": found,
        "state": "in_force" if found.in_force else "draft" if pending else "replaced",
        "effect": read_version_effect(found, current_actor(request)),
        "may_apply": is_action_allowed(request, Action.APPLY_POLICY) and pending,
        "is_requested": waiting_requests().is_about(f"policy:{found.pk}"),
        "may_draft": could_with_second_factor(request, Action.DRAFT_POLICY),
    }
    return render(request, "policies/version.html", context)


@require_POST
@require_action(Action.APPLY_POLICY)
def apply_policy(request: HttpRequest, number: int) -> HttpResponse:
    """Put a version in force: at once if it is nowhere weaker, else once a second security officer approves."""
    return submit_act(request, ApplyPolicy, {"version": number}, _("It is in force."), "policy")


def find_exception_resource(request: HttpRequest, slug: str, **_: object) -> Resource:
    """Product of an exception."""
    return _make_product_resource(
        PolicyException.objects.filter(slug=slug).values_list("repository__product__slug", flat=True)
    )


def find_monitoring_resource(request: HttpRequest, slug: str, **_: object) -> Resource:
    """Product of a monitoring period."""
    return _make_product_resource(MonitoringPeriod.objects.filter(slug=slug).values_list("product__slug", flat=True))


def _make_product_resource(rows: "QuerySet[Any, str]") -> Resource:
    found = rows.first()
    if found is None:
        raise Http404
    return Resource(product=found)


@require_POST
@require_action(Action.END_EXCEPTION, find_exception_resource)
def end_exception(request: HttpRequest, slug: str) -> HttpResponse:
    """End an exception early."""
    return submit_act(request, EndException, {"exception": slug}, _("It is ended."), "exceptions")


@require_POST
@require_action(Action.START_MONITORING, of_product)
def start_monitoring(request: HttpRequest, slug: str) -> HttpResponse:
    """Put a clause into monitoring for a product; a second person approves."""
    return submit_act(request, StartMonitoring, {"product": slug}, _("Done."), "product", slug)


@require_POST
@require_action(Action.END_EXCEPTION, find_monitoring_resource)
def end_monitoring(request: HttpRequest, slug: str) -> HttpResponse:
    """End a monitoring period early."""
    back = find_monitoring_resource(request, slug).product
    return submit_act(request, EndMonitoring, {"period": slug}, _("It is ended."), "product", back)


@require_POST
@require_action(Action.FREEZE)
def start_freeze(request: HttpRequest) -> HttpResponse:
    """Freeze merges and deployments, or drill it."""
    return submit_act(request, StartFreeze, {}, _("Done."), "policy")


@require_POST
@require_action(Action.LIFT_FREEZE)
def lift_freeze(request: HttpRequest, slug: str) -> HttpResponse:
    """Request that a freeze is lifted; a second security officer approves."""
    return submit_act(request, LiftFreeze, {"freeze": slug}, _("Lifted."), "policy")


def _count_missing_lifters() -> int:
    """Number of further people who need the security role everywhere before a freeze can be lifted."""
    people = open_store().load_people()
    return freezing.count_missing_lifters(people) if people is not None else PEOPLE_TO_LIFT
