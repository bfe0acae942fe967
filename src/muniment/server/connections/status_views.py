"""Page behind a status at a forge, for readers of its link: what is missing of one change, read only.

It requires no sign-in: its address cannot be guessed and is shown at the forge alone. It shows no more than the
comment there, and is gone once the change is not open any more.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
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
    context: dict[str, Any] = {"change": row.change, "forge": row, "reasons": _find_reasons(row)}
    return _hide_from_search(render(request, "connections/status.html", context))


def _open_change(token: str) -> ForgeChange | None:
    rows = ForgeChange.objects.select_related("change__decision", "change__repository")
    return rows.filter(status_token=token, change__state=Change.State.OPEN).first()


def _find_reasons(row: ForgeChange) -> list[tuple[ReasonReport, str]]:
    """Each reason with its next step; none while the change is read, or if it is allowed."""
    decision = row.change.decision if row.change is not None else None
    if decision is None or decision.allowed or row.read_due_at is not None or not decision.explanation_digest:
        return []
    told = read_details(decision.explanation_digest, DecisionReport)
    if not isinstance(told, DecisionReport):
        return []
    return [(reason, remedy_at_forge(reason)) for reason in sort_blocking_reasons(told)]


def _hide_from_search(answer: HttpResponse) -> HttpResponse:
    """Response that search engines do not index and that names no referrer to linked pages."""
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    return answer
