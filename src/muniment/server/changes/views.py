"""Page of a change for developers: what is missing, from whom, and why."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.controls.review_statements import ALL_PUSHERS
from muniment.decision.report import ContributorReport, DecisionReport
from muniment.facts.change import ContributorRole
from muniment.server.changes.models import Change
from muniment.server.changes.reevaluation_requests import request_reevaluation
from muniment.server.guarding.mediation import is_action_allowed, require_action
from muniment.server.page_lists import read_row_number
from muniment.server.records.record_details import read_details
from muniment.workflows.approval_commands import list_next_steps

_DECISIONS = 50


def find_change_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Product of a change. Raises Http404, for everybody alike, if there is no such change."""
    slug = Change.objects.filter(pk=number).values_list("repository__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@require_action(Action.SEE_CHANGE, find_change_resource)
def show_change(request: HttpRequest, number: int) -> HttpResponse:
    """Show the decision on the newest state of a change, and every decision before."""
    rows = Change.objects.select_related("repository__product", "decision__record", "repository__scan", "forge_change")
    found = get_object_or_404(rows, pk=number)
    wanted = request.GET.get("decision", "")
    decision = found.decision
    if wanted:
        decision = get_object_or_404(found.decisions.select_related("record"), pk=read_row_number(wanted))
    told: Any = (
        read_details(decision.explanation_digest, DecisionReport)
        if decision is not None and decision.explanation_digest
        else None
    )
    slug = found.repository.product.slug
    return render(
        request,
        "changes/change.html",
        {
            "change": found,
            "decision": decision,
            "told": told if isinstance(told, DecisionReport) else None,
            "erased": told if isinstance(told, str) else "",
            "failing": _blocking_results(told) if isinstance(told, DecisionReport) else (),
            "commands": _list_commands(found, told) if isinstance(told, DecisionReport) else (),
            "others": _other_results(told) if isinstance(told, DecisionReport) else (),
            "decisions": found.decisions.select_related("record", "hook_record").order_by("-decided_at", "-id")[
                :_DECISIONS
            ],
            "may_ask": is_action_allowed(request, Action.REQUEST_EXCEPTION, Resource(product=slug)),
            "may_act": found.state == Change.State.OPEN
            and is_action_allowed(request, Action.REQUEST_REVIEW, Resource(product=slug)),
            "may_attest": found.state == Change.State.OPEN
            and is_action_allowed(request, Action.ATTEST_CONTRIBUTOR, Resource(product=slug)),
            "unknown": _find_attestable(told) if isinstance(told, DecisionReport) else (),
            "unknown_pusher": isinstance(told, DecisionReport) and bool(_find_unknown_pushers(told)),
        },
    )


def _find_attestable(report: DecisionReport) -> tuple[str, ...]:
    """Subjects of unknown contributors, which a person may attest: several unknown pushers also at once."""
    found = [one.identity for one in report.contributors if not one.person]
    unknown = tuple(one for one in found if one.startswith(("account:", "commit:")))
    return (ALL_PUSHERS, *unknown) if len(_find_unknown_pushers(report)) > 1 else unknown


def _find_unknown_pushers(report: DecisionReport) -> list[ContributorReport]:
    return [one for one in report.contributors if one.identity.startswith("commit:") and _is_pusher(one)]


def _is_pusher(contributor: ContributorReport) -> bool:
    return any(role.role == ContributorRole.PUSHER.value for role in contributor.roles)


def _list_commands(change: Change, report: DecisionReport) -> list[str]:
    """Commands that provide the missing statements; none at a forge, where a review does."""
    if hasattr(change, "forge_change"):
        return []
    return [command for step in list_next_steps(report, None) for command in step.commands]


def _blocking_results(report: DecisionReport) -> tuple[Any, ...]:
    return tuple(result for result in report.results if result.status in ("violated", "unknown"))


def _other_results(report: DecisionReport) -> tuple[Any, ...]:
    return tuple(result for result in report.results if result.status not in ("violated", "unknown"))


@require_POST
@require_action(Action.SEE_CHANGE, find_change_resource)
def reevaluate_change(request: HttpRequest, number: int) -> HttpResponse:
    """Have a change evaluated again: everybody who may see it may request that, as often as they like, for it is
    done once.
    """
    found = get_object_or_404(Change.objects.select_related("repository"), pk=number)
    request_reevaluation(found)
    messages.success(request, _("It is being judged; look again in a moment."))
    return redirect("change", number)
