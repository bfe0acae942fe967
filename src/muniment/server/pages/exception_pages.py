"""Pages of exceptions from the policy: the list, with those that wait, and the form that requests one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.server.acts.submission import submit_act
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.page_lists import page_by_id, read_row_number
from muniment.server.policies.exception_acts import RequestException
from muniment.server.policies.models import (
    PolicyException,
)
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.visible_products import find_repositories, within_reach
from muniment.server.records.record_writing import action_code
from muniment.server.remembered_sql import remember_instances
from muniment.server.requests.approvers import may_see_request
from muniment.server.requests.models import Request

_MOST = 200  # exceptions in force, and requests, on one page


class ShownException(NamedTuple):
    """Exception on its list: the short name of its clause, and whether this person may end it."""

    row: PolicyException
    clause: str
    may_end: bool


@require_GET
@require_action(Action.SEE_EXCEPTIONS, find_no_resource)
def list_exceptions(request: HttpRequest) -> HttpResponse:
    """List the exceptions of products that the actor may see: those in force by their end, then those that ended."""
    actor = current_actor(request)
    rows = PolicyException.objects.select_related("repository__product", "requester", "approver").filter(
        within_reach(actor, Action.SEE_EXCEPTIONS, "repository__product")
    )
    now = timezone.now()
    ended = page_by_id(request, rows.exclude(Q(ended_at=None, expires_at__gt=now)))
    current = _read_in_force(list_permitted_products(actor, Action.SEE_EXCEPTIONS), now)
    lines = _describe_exceptions(request, [*current, *ended.rows])
    context = {
        "in_force": lines[: len(current)],
        "page": ended._replace(rows=lines[len(current) :]),
        "may_request": find_repositories(actor, Action.REQUEST_EXCEPTION).exists(),
        "waiting": _find_waiting_requests(actor),
    }
    return render(request, "policies/exceptions.html", context)


@remember_instances
def _read_in_force(products: frozenset[str] | None, now: datetime) -> "QuerySet[PolicyException]":
    rows = PolicyException.find_in_force(now).select_related("repository__product", "requester", "approver")
    if products is not None:
        rows = rows.filter(repository__product__slug__in=products)
    return rows.order_by("expires_at", "pk")[:_MOST]


def _describe_exceptions(request: HttpRequest, rows: Iterable[PolicyException]) -> list[ShownException]:
    names = {clause.id: clause.name for clause in current_clauses()}
    actor, now = current_actor(request), timezone.now()
    products = list_permitted_products(actor, Action.END_EXCEPTION)
    return [
        ShownException(
            row,
            names.get(row.clause, row.clause),
            row.ended_at is None
            and row.expires_at > now
            and (products is None or row.repository.product.slug in products),
        )
        for row in rows
    ]


def _find_waiting_requests(actor: Actor) -> list[Request]:
    """Requests of exceptions that wait: the actor's own, and those that they may approve."""
    return [row for row in _read_waiting() if may_see_request(actor, row)]


@remember_instances
def _read_waiting() -> "QuerySet[Request]":
    action = action_code(Action.REQUEST_EXCEPTION)
    rows = Request.objects.filter(state=Request.State.WAITING, action=action, requester__active=True)
    return rows.select_related("requester", "product")[:_MOST]


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
    return {
        "repository": found.repository.name,
        "branch": found.target.removeprefix("refs/heads/"),
        "head": found.head,
        "clause": clause,
    }
