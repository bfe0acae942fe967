"""A change, as a developer wants it: what is missing, from whom, and why."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.controls.review_statements import ALL_PUSHERS
from muniment.decision.account import ContributorReport, DecisionReport
from muniment.facts.change import ContributorRole
from muniment.server.changes.again import judge_again
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import may, requires
from muniment.server.page_lists import read_number
from muniment.server.records.reading import beside
from muniment.workflows.approval_commands import next_steps

_DECISIONS = 50


def of(request: HttpRequest, number: int, **_: Any) -> Resource:
    """The product of a change. What is not there is not there for anybody."""
    slug = Change.objects.filter(pk=number).values_list("repository__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@requires(Action.SEE_CHANGE, of)
def change(request: HttpRequest, number: int) -> HttpResponse:
    """The verdict on its newest state, and every decision before."""
    rows = Change.objects.select_related("repository__product", "decision__record", "repository__scan", "forge_change")
    found = get_object_or_404(rows, pk=number)
    wanted = request.GET.get("decision", "")
    decision = found.decision
    if wanted:
        decision = get_object_or_404(found.decisions.select_related("record"), pk=read_number(wanted))
    told: Any = (
        beside(decision.explanation_digest, DecisionReport)
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
            "failing": _failing(told) if isinstance(told, DecisionReport) else (),
            "commands": _commands(found, told) if isinstance(told, DecisionReport) else (),
            "others": _others(told) if isinstance(told, DecisionReport) else (),
            "decisions": found.decisions.select_related("record", "hook_record").order_by("-decided_at", "-id")[
                :_DECISIONS
            ],
            "may_ask": may(request, Action.REQUEST_EXCEPTION, Resource(product=slug)),
            "may_act": found.state == Change.State.OPEN and may(request, Action.REQUEST_REVIEW, Resource(product=slug)),
            "may_attest": found.state == Change.State.OPEN
            and may(request, Action.ATTEST_CONTRIBUTOR, Resource(product=slug)),
            "unknown": _strangers(told) if isinstance(told, DecisionReport) else (),
            "unknown_pusher": isinstance(told, DecisionReport) and bool(_unknown_pushers(told)),
        },
    )


def _strangers(told: DecisionReport) -> tuple[str, ...]:
    """Subjects of unknown contributors, which somebody may attest: several unknown pushers also at once."""
    found = [one.identity for one in told.contributors if not one.person]
    unknown = tuple(one for one in found if one.startswith(("account:", "commit:")))
    return (ALL_PUSHERS, *unknown) if len(_unknown_pushers(told)) > 1 else unknown


def _unknown_pushers(told: DecisionReport) -> list[ContributorReport]:
    return [one for one in told.contributors if one.identity.startswith("commit:") and _is_pusher(one)]


def _is_pusher(contributor: ContributorReport) -> bool:
    return any(role.role == ContributorRole.PUSHER.value for role in contributor.roles)


def _commands(change: Change, told: DecisionReport) -> list[str]:
    """The commands that settle what is missing; none at a forge, where a review does."""
    if hasattr(change, "forge_change"):
        return []
    return [command for step in next_steps(told, None) for command in step.commands]


def _failing(told: DecisionReport) -> tuple[Any, ...]:
    return tuple(result for result in told.results if result.status in ("violated", "unknown"))


def _others(told: DecisionReport) -> tuple[Any, ...]:
    return tuple(result for result in told.results if result.status not in ("violated", "unknown"))


@require_POST
@requires(Action.SEE_CHANGE, of)
def again(request: HttpRequest, number: int) -> HttpResponse:
    """Have it judged again: whoever may see it may ask for that, as often as they like, for it is done once."""
    found = get_object_or_404(Change.objects.select_related("repository"), pk=number)
    judge_again(found)
    messages.success(request, _("It is being judged; look again in a moment."))
    return redirect("change", number)
