"""Incidents, as pages: what is open and until when, what one was, and taking it on or closing it."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Resource, Why, authorize, products
from muniment.server.guarding.mediation import acting, anywhere, requires
from muniment.server.incidents.kinds import HOWS
from muniment.server.incidents.models import Incident, open_ones
from muniment.server.pages import given, page, tried
from muniment.server.proposals.doing import ask

_SHOWN = 20


def of(request: HttpRequest, number: int) -> Resource:
    """What an incident is about. What is not there is not there for anybody."""
    found = Incident.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.resource


def seen(actor: Actor, action: Action = Action.SEE_INCIDENTS) -> Q:
    """The condition under which this one may see an incident."""
    found = products(actor, action)
    return Q() if found is None else Q(product__slug__in=found)


def mine(actor: Actor) -> "QuerySet[Incident]":
    """The open ones that this one may handle, and that nobody else has taken on: the first due on top."""
    free = Q(owner=None) | Q(owner__slug=actor.person)
    proved = structs.replace(actor, second_factor=True)  # to be reminded of it takes none
    return open_ones().filter(free).filter(seen(proved, Action.HANDLE_INCIDENT))[:_SHOWN]


@require_GET
@requires(Action.SEE_INCIDENTS, anywhere)
def incidents(request: HttpRequest) -> HttpResponse:
    """Those that are open, the first due on top; those that were, newest first."""
    rows = Incident.objects.filter(seen(acting(request)))
    closed = rows.exclude(closed=None).select_related("product", "owner", "closer")
    context = {
        "open": open_ones().filter(seen(acting(request)))[:200],
        "page": page(request, closed),
        "late": rows.filter(closed=None, deadline__lt=timezone.now()).count(),
    }
    return render(request, "incidents/list.html", context)


@require_GET
@requires(Action.SEE_INCIDENTS, of)
def incident(request: HttpRequest, number: int) -> HttpResponse:
    """One."""
    found = get_object_or_404(Incident.objects.select_related("product", "owner", "closer", "entry"), pk=number)
    why = authorize(acting(request), Action.HANDLE_INCIDENT, found.resource)
    context: dict[str, Any] = {
        "incident": found,
        "may_handle": found.closed is None and why in (Why.YES, Why.NO_SECOND_FACTOR),
        "involved": acting(request).person in found.involved,
        "hows": [(name, how.text) for name, how in HOWS.items() if how.by_hand],
    }
    return render(request, "incidents/incident.html", context)


@require_POST
@requires(Action.HANDLE_INCIDENT, of)
def handle(request: HttpRequest, number: int) -> HttpResponse:
    """Take it on, or close it."""
    fields = given(request, ("do", "how", "cause"))
    if fields["do"] not in ("take", "close"):
        raise Http404
    slug = of(request, number).product
    what = {"id": number, **fields}
    told = f"{fields['do']} the incident {number}"
    act = lambda: ask(acting(request), Action.HANDLE_INCIDENT, what, told, fields["cause"], product=slug)  # noqa: E731 -- short
    return tried(request, act, _("Done."), "incident", number)
