"""Pages of exceptions from the policy: the list, with those that wait, and the form that requests one."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from muniment.access.actions import Action
from muniment.access.authorize import Resource, products
from muniment.server.acts.submission import submit_act
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import acting, anywhere, may, requires
from muniment.server.page_lists import page, read_number
from muniment.server.people.actors import me
from muniment.server.policies.exception_acts import RequestException
from muniment.server.policies.models import (
    PolicyException,
)
from muniment.server.products.reach import repositories_of
from muniment.server.records.entering import code
from muniment.server.requests.models import Request


@require_GET
@requires(Action.SEE_EXCEPTIONS, anywhere)
def exceptions(request: HttpRequest) -> HttpResponse:
    """The exceptions of products that one may see: those in force, those that ended."""
    shown = products(acting(request), Action.SEE_EXCEPTIONS)
    rows = PolicyException.objects.select_related("repository__product", "requester", "approver")
    if shown is not None:
        rows = rows.filter(repository__product__slug__in=shown)
    found = page(request, rows)
    now = timezone.now()
    for row in found.rows:
        row.over = row.ended_at is not None or row.expires_at <= now
        row.may_end = not row.over and may(request, Action.END_EXCEPTION, Resource(product=row.repository.product.slug))
    waiting = Request.objects.filter(state=Request.State.WAITING, action=code(Action.REQUEST_EXCEPTION))
    context = {
        "page": found,
        "may_request": repositories_of(acting(request), Action.REQUEST_EXCEPTION).exists(),
        "waiting": waiting.filter(requester=me(request)),
    }
    return render(request, "policies/exceptions.html", context)


@require_http_methods(["GET", "POST"])
@requires(Action.REQUEST_EXCEPTION, anywhere)
def ask_exception(request: HttpRequest) -> HttpResponse:
    """Request an exception, for a product for which this person may."""
    if request.method == "POST":
        return submit_act(request, RequestException, {}, _("Done."), "exceptions")
    repositories = repositories_of(acting(request), Action.REQUEST_EXCEPTION)
    context = {"may_request": repositories.exists(), "filled": _prefilled(request, repositories)}
    return render(request, "policies/ask.html", context)


def _prefilled(request: HttpRequest, repositories: Any) -> dict[str, str]:
    """From the change whose page led here."""
    rows = Change.objects.filter(pk=read_number(request.GET.get("change", "")), repository__in=repositories)
    found = rows.select_related("repository").first()
    clause = request.GET.get("clause", "")
    if found is None:
        return {"clause": clause}
    return {"repository": found.repository.name, "branch": found.target, "head": found.head, "clause": clause}
