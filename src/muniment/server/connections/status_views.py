"""The page behind a status at a forge, for whoever follows its link: what is missing of one change, read only.

It is open to nobody but whoever knows its address, which cannot be guessed and is shown at the forge alone. It says no
more than the comment there, and is gone once the change is not open any more.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from muniment.decision.account import DecisionReport, ReasonReport
from muniment.server.changes.models import Change
from muniment.server.connections.models import ForgeChange
from muniment.server.records.reading import beside
from muniment.workflows.telling_forge import blocking_reasons, remedy_at_forge


@require_GET
def change_status(request: HttpRequest, token: str) -> HttpResponse:
    """What is missing of the open change that has this token; 404 for none."""
    row = _open_change(token)
    if row is None:
        return _private(render(request, "connections/status_over.html", status=404))
    context: dict[str, Any] = {"change": row.change, "forge": row, "reasons": _reasons(row)}
    return _private(render(request, "connections/status.html", context))


def _open_change(token: str) -> ForgeChange | None:
    rows = ForgeChange.objects.select_related("change__decision", "change__repository")
    return rows.filter(status_token=token, change__state=Change.State.OPEN).first()


def _reasons(row: ForgeChange) -> list[tuple[ReasonReport, str]]:
    """Each reason with its next step; none while it is read, or where it is allowed."""
    decision = row.change.decision if row.change is not None else None
    if decision is None or decision.allowed or row.read_due_at is not None or not decision.explanation_digest:
        return []
    told = beside(decision.explanation_digest, DecisionReport)
    if not isinstance(told, DecisionReport):
        return []
    return [(reason, remedy_at_forge(reason)) for reason in blocking_reasons(told)]


def _private(answer: HttpResponse) -> HttpResponse:
    """Neither found by a search engine nor told to any page that is linked."""
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    return answer
