"""Pages of findings: lists, one finding with its decisions, one secret that leaked, and what acts do there."""

from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.access.roles import Role
from muniment.scanners.corrections import correct_snippet, split_remedy
from muniment.server.acts.submission import submit_act
from muniment.server.findings.category_coverage import read_category_coverage
from muniment.server.findings.coverage import read_coverage
from muniment.server.findings.decision_acts import (
    AcceptFinding,
    AssignFinding,
    CallFalsePositive,
    ConfirmCorrection,
    EndDecision,
)
from muniment.server.findings.due_dates import find_due_date, read_due_days
from muniment.server.findings.early_stops import draw_early_share, read_early_figures
from muniment.server.findings.entered_findings import EnterFinding
from muniment.server.findings.finding_events import EVENT_TEXTS
from muniment.server.findings.finding_lists import (
    STATE_TEXTS,
    FindingFilter,
    FindingState,
    count_findings,
    find_state,
    select_findings,
)
from muniment.server.findings.leaked_secrets import find_incident
from muniment.server.findings.models import DecisionKind, FindingDecision, FindingSeverity, LeakedSecret, ProductFinding
from muniment.server.findings.report_views import build_report_context
from muniment.server.findings.rule_monitoring import draft_monitored_policy, has_blocking_rules
from muniment.server.findings.scan_acts import ScanProduct
from muniment.server.findings.secret_acts import ConfirmRevocation, NoteRotation, RetractRevocation
from muniment.server.findings.suppressions import list_doubtful_rules, list_suppressions
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.page_lists import read_row_number
from muniment.server.people.messages import find_role_holders
from muniment.server.policies.models import PolicyVersion
from muniment.server.policies.version_acts import DraftPolicy
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource
from muniment.server.products.visible_products import active_products

_SHOWN = 50
_MOST_SUPPRESSIONS = 200
_STATUS = {
    FindingState.OPEN: "violated",
    FindingState.OVERDUE: "overdue",
    FindingState.BASELINE: "monitoring",
    FindingState.MONITORING: "monitoring",
    FindingState.FALSE_POSITIVE: "exception",
    FindingState.ACCEPTED: "exception",
    FindingState.CORRECTED: "done",
}


class FindingLine(NamedTuple):
    """Finding as a list shows it, with the code and the word of its status."""

    finding: Any
    status: str
    text: Any


def find_finding_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of a finding. Raises Http404, for everybody alike, if there is no such finding."""
    found = ProductFinding.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.access_resource


def find_decision_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of a decision. Raises Http404 if there is no such decision."""
    found = FindingDecision.objects.select_related("finding__product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.finding.access_resource


def find_secret_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of a secret in the code. Raises Http404 if there is no such secret."""
    found = LeakedSecret.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.access_resource


@require_GET
@require_action(Action.SEE_FINDINGS, find_no_resource)
def show_findings(request: HttpRequest) -> HttpResponse:
    """List the findings of all products that the actor may see."""
    context = _build_list(request, request.GET.get("product", ""))
    context["products"] = active_products(current_actor(request)).order_by("name").values_list("slug", "name")
    return render(request, "findings/list.html", context)


@require_GET
@require_action(Action.SEE_FINDINGS, find_product_resource)
def show_product_findings(request: HttpRequest, slug: str) -> HttpResponse:
    """List the findings of one product, with the scans of its branches."""
    product = get_object_or_404(Product, slug=slug)
    context = _build_list(request, slug)
    context |= {
        "product": product,
        "coverage": read_coverage(current_actor(request), slug),
        "may_scan": could_with_second_factor(request, Action.SCAN_CODE, slug),
        "may_handle": could_with_second_factor(request, Action.HANDLE_FINDING, slug),
    }
    context |= build_report_context(request, product)
    return render(request, "findings/product.html", context)


def _build_list(request: HttpRequest, product: str) -> dict[str, Any]:
    actor, (days, problem) = current_actor(request), read_due_days()
    given = {name: request.GET.get(name, "")[:100] for name in ("text", "severity")}
    chosen = FindingFilter(product=product[:64], state=request.GET.get("state", FindingState.OPEN), **given)
    start = read_row_number(request.GET.get("from", ""))
    rows = list(select_findings(actor, chosen, days)[start : start + _SHOWN + 1])
    kinds = dict(FindingDecision.find_in_force().filter(finding__in=rows).values_list("finding", "kind"))
    states = [find_state(row, row.due_at, kinds.get(row.pk, "")) for row in rows]  # type: ignore[attr-defined]
    lines = [FindingLine(row, _STATUS[state], STATE_TEXTS[state]) for row, state in zip(rows, states, strict=True)]
    secrets = LeakedSecret.objects.filter(revoked_at=None, product__slug=product) if product else None
    return {
        "lines": lines[:_SHOWN],
        "next": start + _SHOWN if len(lines) > _SHOWN else 0,
        "figures": count_findings(actor, days, product),
        "days": days,
        "policy_problem": problem,
        "chosen": chosen,
        "severities": FindingSeverity.choices,
        "states": [(state.value, text) for state, text in STATE_TEXTS.items()],
        "secrets": secrets,
    }


@require_GET
@require_action(Action.SEE_FINDINGS, find_finding_resource)
def show_finding(request: HttpRequest, number: int) -> HttpResponse:
    """Show a finding, with the path of the data, the remedy, and the decisions about it."""
    found = get_object_or_404(ProductFinding.objects.select_related("product", "repository", "owner"), pk=number)
    days, problem = read_due_days()
    decisions = list(found.decisions.select_related("requester", "approver", "owner"))
    current = FindingDecision.find_in_force().filter(finding=found).first()
    same_rule = ProductFinding.objects.filter(product=found.product, rule=found.rule, gone_at=None)
    due_at, slug = find_due_date(found, days), found.product.slug
    state = find_state(found, due_at, current.kind if current is not None else "")
    context: dict[str, Any] = {
        "finding": found,
        "due_at": due_at,
        "limit": days.get(found.severity),
        "policy_problem": problem,
        "status": _STATUS[state],
        "status_text": STATE_TEXTS[state],
        "decisions": decisions,
        "current": current,
        "events": [(row, EVENT_TEXTS.get(row.kind, row.kind)) for row in found.events.select_related("person")[:50]],
        "owners": find_role_holders((Role.OWNER,), found.product) or find_role_holders((Role.SECURITY,), found.product),
        "remedy": split_remedy(found.remedy),
        "correction": correct_snippet(found.rule, found.snippet),
        "others": same_rule.exclude(pk=number)[:5],
        "may_handle": could_with_second_factor(request, Action.HANDLE_FINDING, slug),
        "may_decide": could_with_second_factor(request, Action.DECIDE_FINDING, slug),
    }
    return render(request, "findings/finding.html", context)


@require_GET
@require_action(Action.SEE_FINDINGS, find_secret_resource)
def show_leaked_secret(request: HttpRequest, number: int) -> HttpResponse:
    """Show a secret that leaked into code: where, of which kind, and the steps. The value is not stored."""
    rows = LeakedSecret.objects.select_related("product", "repository", "rotated_by", "revoked_by", "confirmed_by")
    found = get_object_or_404(rows, pk=number)
    slug = found.product.slug
    context: dict[str, Any] = {
        "secret": found,
        "incident": find_incident(found),
        "may_handle": could_with_second_factor(request, Action.HANDLE_FINDING, slug),
        "may_confirm": could_with_second_factor(request, Action.CONFIRM_REVOCATION, slug),
    }
    return render(request, "findings/secret.html", context)


@require_GET
@require_action(Action.SEE_FINDINGS, find_no_resource)
def show_coverage(request: HttpRequest) -> HttpResponse:
    """Show what is checked in each category, how much of the code was read, and which files were not."""
    actor = current_actor(request)
    context = {"coverage": read_coverage(actor), "categories": read_category_coverage(actor)}
    return render(request, "findings/coverage.html", context)


@require_GET
@require_action(Action.SEE_FINDINGS, find_no_resource)
def show_early_figures(request: HttpRequest) -> HttpResponse:
    """Show for each product and quarter where findings were found, and how many days they took."""
    figures = read_early_figures(current_actor(request))
    return render(request, "findings/early.html", {"figures": figures, "chart": draw_early_share(figures)})


@require_GET
@require_action(Action.SEE_FINDINGS, find_no_resource)
def show_suppressions(request: HttpRequest) -> HttpResponse:
    """List the decisions that excuse findings, and the rules that are often wrong."""
    actor = current_actor(request)
    text, kind = (request.GET.get(name, "")[:100] for name in ("text", "kind"))
    context: dict[str, Any] = {
        "decisions": list_suppressions(actor, text, kind)[:_MOST_SUPPRESSIONS],
        "rules": list_doubtful_rules(actor),
        "may_monitor": could_with_second_factor(request, Action.DRAFT_POLICY) and has_blocking_rules(),
        "text": text,
        "kind": kind,
        "kinds": [(one.value, one.label) for one in (DecisionKind.FALSE_POSITIVE, DecisionKind.ACCEPTED)],
    }
    return render(request, "findings/suppressions.html", context)


@require_POST
@require_action(Action.DRAFT_POLICY)
def monitor_rule(request: HttpRequest) -> HttpResponse:
    """Draft a policy that only monitors a rule. Two people put it in force, since it weakens a clause."""
    rule = request.POST.get("rule", "")
    current = PolicyVersion.objects.filter(in_force=True).first()
    if current is None or rule not in {one.rule for one in list_doubtful_rules(current_actor(request))}:
        raise Http404
    drafted = draft_monitored_policy(current.text, rule)
    if drafted == current.text:
        raise Http404
    given = QueryDict(mutable=True)
    note = _("Findings of the rule %(rule)s are often false.") % {"rule": rule}
    given.update({"text": drafted, "note": note})
    return submit_act(
        *(request, DraftPolicy, {}, "", "suppressions"),
        form_data=given,
        build_response=lambda row: redirect("version", row.pk),
    )


@require_POST
@require_action(Action.SCAN_CODE, find_product_resource)
def scan_product(request: HttpRequest, slug: str) -> HttpResponse:
    """Have a product scanned now."""
    done = _("The scan is queued. It takes a few minutes.")
    return submit_act(request, ScanProduct, {"product": slug}, done, "product-findings", slug)


@require_POST
@require_action(Action.HANDLE_FINDING, find_product_resource)
def enter_finding(request: HttpRequest, slug: str) -> HttpResponse:
    """Enter a finding by hand."""
    return submit_act(request, EnterFinding, {"product": slug}, _("Finding entered."), "product-findings", slug)


@require_POST
@require_action(Action.HANDLE_FINDING, find_finding_resource)
def assign_finding(request: HttpRequest, number: int) -> HttpResponse:
    """Name who corrects a finding."""
    return submit_act(request, AssignFinding, {"finding": number}, _("Assigned."), "finding", number)


@require_POST
@require_action(Action.DECIDE_FINDING, find_finding_resource)
def decide_finding(request: HttpRequest, number: int) -> HttpResponse:
    """Request a decision about a finding; a second person approves it."""
    acts = (CallFalsePositive, AcceptFinding, ConfirmCorrection)
    return submit_act(request, acts, {"finding": number}, _("The decision is in force."), "finding", number)


@require_POST
@require_action(Action.HANDLE_FINDING, find_decision_resource)
def end_decision(request: HttpRequest, number: int) -> HttpResponse:
    """End a decision: its finding is open again."""
    finding = get_object_or_404(FindingDecision, pk=number).finding_id
    done = _("The decision has ended. The finding is open again.")
    return submit_act(request, EndDecision, {"decision": number}, done, "finding", finding)


@require_POST
@require_action(Action.HANDLE_FINDING, find_secret_resource)
def handle_leaked_secret(request: HttpRequest, number: int) -> HttpResponse:
    """State that a secret was rotated, or that it still works."""
    acts = (NoteRotation, RetractRevocation)
    return submit_act(request, acts, {"leak": number}, _("Saved."), "leaked-secret", number)


@require_POST
@require_action(Action.CONFIRM_REVOCATION, find_secret_resource)
def confirm_revocation(request: HttpRequest, number: int) -> HttpResponse:
    """State that a secret is revoked; a second person confirms it."""
    done = _("The secret counts as revoked. Its incident closes in a moment.")
    return submit_act(request, ConfirmRevocation, {"leak": number}, done, "leaked-secret", number)
