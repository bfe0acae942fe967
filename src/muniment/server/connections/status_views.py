"""Page behind a status at a forge, for readers of its link: what is missing of one change, read only.

It requires no sign-in: its address cannot be guessed and is shown at the forge alone. It shows no more than the
change and the comment there, and is gone once the change is not open any more.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from muniment.decision.report import DecisionReport, ReasonReport
from muniment.server.changes.models import Change
from muniment.server.connections.models import ForgeChange
from muniment.server.records.record_details import read_details
from muniment.workflows.forge_status_text import remedy_at_forge, sort_blocking_reasons


@require_GET
def show_change_status(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is missing of the open change that has this token; 404 for none."""
    row = _open_change(token)
    if row is None:
        return _hide_from_search(render(request, "connections/status_over.html", status=404))
    report = _load_blocking_report(row)
    context: dict[str, object] = {
        "change": row.change,
        "branch": row.change.target.removeprefix("refs/heads/") if row.change is not None else "",
        "forge": row,
        "reasons": _list_reasons(report) if report is not None else [],
        "reviewers": _list_reviewers(report) if report is not None else [],
    }
    return _hide_from_search(render(request, "connections/status.html", context))


def _open_change(token: str) -> ForgeChange | None:
    rows = ForgeChange.objects.select_related("change__decision", "change__repository")
    return rows.filter(status_token=token, change__state=Change.State.OPEN).first()


def _load_blocking_report(row: ForgeChange) -> DecisionReport | None:
    """Report of the decision that blocks; None while the change is read, or if it is allowed."""
    decision = row.change.decision if row.change is not None else None
    if decision is None or decision.allowed or row.read_due_at is not None or not decision.explanation_digest:
        return None
    report = read_details(decision.explanation_digest, DecisionReport)
    return report if isinstance(report, DecisionReport) else None


def _list_reasons(report: DecisionReport) -> list[tuple[ReasonReport, str]]:
    """Each reason that blocks, with its next step. Forms are on the page of the change, behind the sign-in."""
    return [(reason, _describe_remedy(reason)) for reason in sort_blocking_reasons(report)]


def _describe_remedy(reason: ReasonReport) -> str:
    if remedy_at_forge(reason) == reason.remedy:
        return reason.remedy
    return f"{reason.remedy} {_('Sign in: the page of the pull request has the form.')}"


def _list_reviewers(report: DecisionReport) -> list[str]:
    """Names of those whose approval would count, as the comment at the change has them."""
    return [report.names.get(person, person) for person in report.eligible_reviewers]


def _hide_from_search(answer: HttpResponse) -> HttpResponse:
    """Response that search engines do not index and that names no referrer to linked pages."""
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    return answer
