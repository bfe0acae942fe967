"""Pages of exceptions from the policy: the list, with those that wait, and the form that requests one."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from muniment.access.actions import Action
from muniment.access.authorization import Resource, list_permitted_products
from muniment.server.acts.submission import submit_act
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import current_actor, find_no_resource, is_action_allowed, require_action
from muniment.server.page_lists import page_by_id, read_row_number
from muniment.server.people.actors import signed_in_person
from muniment.server.policies.exception_acts import RequestException
from muniment.server.policies.models import (
    PolicyException,
)
from muniment.server.products.visible_products import find_repositories
from muniment.server.records.record_writing import action_code
from muniment.server.requests.models import Request


@require_GET
@require_action(Action.SEE_EXCEPTIONS, find_no_resource)
def list_exceptions(request: HttpRequest) -> HttpResponse:
    """List the exceptions of products that the actor may see: those in force, those that ended."""
    shown = list_permitted_products(current_actor(request), Action.SEE_EXCEPTIONS)
    rows = PolicyException.objects.select_related("repository__product", "requester", "approver")
    if shown is not None:
        rows = rows.filter(repository__product__slug__in=shown)
    found = page_by_id(request, rows)
    now = timezone.now()
    for row in found.rows:
        row.over = row.ended_at is not None or row.expires_at <= now
        row.may_end = not row.over and is_action_allowed(
            request, Action.END_EXCEPTION, Resource(product=row.repository.product.slug)
        )
    waiting = Request.objects.filter(state=Request.State.WAITING, action=action_code(Action.REQUEST_EXCEPTION))
    context = {
        "page": found,
        "may_request": find_repositories(current_actor(request), Action.REQUEST_EXCEPTION).exists(),
        "waiting": waiting.filter(requester=signed_in_person(request)),
    }
    return render(request, "policies/exceptions.html", context)


@require_http_methods(["GET", "POST"])
@require_action(Action.REQUEST_EXCEPTION, find_no_resource)
def request_exception_form(request: HttpRequest) -> HttpResponse:
    """Show the form that requests an exception, for a product for which this person may, or submit it."""
    if request.method == "POST":
        return submit_act(request, RequestException, {}, _("Done."), "exceptions")
    repositories = find_repositories(current_actor(request), Action.REQUEST_EXCEPTION)
    context = {"may_request": repositories.exists(), "filled": _prefill_from_change(request, repositories)}
    return render(request, "policies/ask.html", context)


def _prefill_from_change(request: HttpRequest, repositories: Any) -> dict[str, str]:
    """Initial values of the form, from the change whose page led here."""
    rows = Change.objects.filter(pk=read_row_number(request.GET.get("change", "")), repository__in=repositories)
    found = rows.select_related("repository").first()
    clause = request.GET.get("clause", "")
    if found is None:
        return {"clause": clause}
    return {"repository": found.repository.name, "branch": found.target, "head": found.head, "clause": clause}
