"""Page of a change for developers: what is missing, from whom, and why."""

from collections.abc import Mapping
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
from muniment.server.changes.change_findings import list_change_findings, list_review_questions
from muniment.server.changes.decision_page import (
    DecisionView,
    list_contributor_rows,
    list_history,
    make_headline,
    view_decision,
)
from muniment.server.changes.models import Change
from muniment.server.changes.reevaluation_requests import request_reevaluation
from muniment.server.guarding.mediation import current_actor, is_action_allowed, require_action
from muniment.server.page_lists import read_row_number
from muniment.server.records.record_details import read_details
from muniment.server.registration import read_contributions

_DECISIONS = 50


def find_change_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Product of a change. Raises Http404, for everybody alike, if there is no such change."""
    slug = Change.objects.filter(pk=number).values_list("repository__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@require_action(Action.SEE_CHANGE, find_change_resource)
def show_change(request: HttpRequest, number: int) -> HttpResponse:
    """Show the decision on the newest state of a change, or on an older one, with what is missing and who can help."""
    rows = Change.objects.select_related(
        "repository__product",
        "repository__scan",
        "repository__forge_link__connection",
        "decision__record",
        "forge_change",
    )
    found = get_object_or_404(rows, pk=number)
    wanted = request.GET.get("decision", "")
    decision = found.decision
    if wanted:
        decision = get_object_or_404(found.decisions.select_related("record"), pk=read_row_number(wanted))
    details: Any = (
        read_details(decision.explanation_digest, DecisionReport)
        if decision is not None and decision.explanation_digest
        else None
    )
    report = details if isinstance(details, DecisionReport) else None
    at_forge = hasattr(found, "forge_change")
    view = view_decision(report, with_commands=not at_forge) if report is not None else DecisionView()
    decisions = found.decisions.select_related("record", "hook_record").order_by("-decided_at", "-id")[:_DECISIONS]
    context = {
        "change": found,
        "decision": decision,
        "is_current": decision is None or decision.pk == found.decision_id,
        "explanation": report,
        "erased": details if isinstance(details, str) else "",
        "headline": make_headline(found, decision, view),
        "view": view,
        "contributors": list_contributor_rows(report) if report is not None else (),
        "history": list_history(found, decisions),
        **_find_offers(request, found, report),
        **_read_findings(found, report),
        "cards": _read_cards(request, number),
    }
    return render(request, "changes/change.html", context)


def _read_cards(request: HttpRequest, change: int) -> list[tuple[str, Mapping[str, object]]]:
    """Cards of other apps about a change: the template of each, and its values."""
    cards = sorted((card for app in read_contributions() for card in app.change_cards), key=lambda card: card.position)
    return [(card.template, values) for card in cards if (values := card.read(request, change)) is not None]


def _read_findings(change: Change, report: DecisionReport | None) -> dict[str, object]:
    """Findings that the change introduces, and the questions for its reviewers."""
    if report is None:
        return {}
    findings = list_change_findings(report)
    attention = getattr(change, "security_attention", None)
    topics = attention.topics if attention is not None and attention.head == report.revision.head else ()
    return {"findings": findings, "questions": list_review_questions(report, topics, findings)}


def _find_offers(request: HttpRequest, change: Change, report: DecisionReport | None) -> dict[str, object]:
    """Actions on a change that the viewer may take, and the unknown contributors that may be attested."""
    slug = change.repository.product.slug
    open_ = change.state == Change.State.OPEN
    contributors = {one.person for one in report.contributors} if report is not None else set()
    return {
        "may_ask": open_ and is_action_allowed(request, Action.REQUEST_EXCEPTION, Resource(product=slug)),
        "may_act": open_ and is_action_allowed(request, Action.REQUEST_REVIEW, Resource(product=slug)),
        "may_attest": open_ and is_action_allowed(request, Action.ATTEST_CONTRIBUTOR, Resource(product=slug)),
        "may_review": open_
        and current_actor(request).person not in contributors
        and is_action_allowed(request, Action.REVIEW_CHANGE, Resource(product=slug)),
        "unknown": _find_attestable(report) if report is not None else (),
        "unknown_pusher": report is not None and bool(_find_unknown_pushers(report)),
    }


def _find_attestable(report: DecisionReport) -> tuple[str, ...]:
    """Subjects of unknown contributors, which a person may attest: several unknown pushers also at once."""
    found = [one.identity for one in report.contributors if not one.person]
    unknown = tuple(one for one in found if one.startswith(("account:", "commit:")))
    return (ALL_PUSHERS, *unknown) if len(_find_unknown_pushers(report)) > 1 else unknown


def _find_unknown_pushers(report: DecisionReport) -> list[ContributorReport]:
    return [one for one in report.contributors if one.identity.startswith("commit:") and _is_pusher(one)]


def _is_pusher(contributor: ContributorReport) -> bool:
    return any(role.role == ContributorRole.PUSHER.value for role in contributor.roles)


@require_POST
@require_action(Action.SEE_CHANGE, find_change_resource)
def reevaluate_change(request: HttpRequest, number: int) -> HttpResponse:
    """Have a change evaluated again: everybody who may see it may request that, as often as they like, for it is
    done once.
    """
    found = get_object_or_404(Change.objects.select_related("repository"), pk=number)
    request_reevaluation(found)
    messages.success(request, _("The checks run again. The result is here in a moment."))
    return redirect("change", number)
