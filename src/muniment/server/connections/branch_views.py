"""What protected branches took, and by which decision; escapes, and what is done about them; what it all costs."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource, Why, authorize
from muniment.server.connections import friction
from muniment.server.connections.escapes import counted, needed
from muniment.server.connections.models import Arrival, Branch
from muniment.server.guarding.mediation import acting, may, requires
from muniment.server.pages import given, page, tried
from muniment.server.products.models import Product
from muniment.server.products.views import of as of_product
from muniment.server.proposals.doing import ask


def of(request: HttpRequest, number: int) -> Resource:
    """The product of what a branch took. What is not there is not there for anybody."""
    slug = Arrival.objects.filter(pk=number).values_list("repository__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@requires(Action.SEE_STATE, of_product)
def branches(request: HttpRequest, slug: str) -> HttpResponse:
    """Every commit that a product's protected branches took in a time, and what allowed it: each row is an entry."""
    found = get_object_or_404(Product, slug=slug)
    asked = {name: request.GET.get(name, "") for name in ("branch", "since", "until")}
    rows = Arrival.objects.filter(repository__product=found)
    since, until = _day(asked["since"]), _day(asked["until"], last=True)
    if asked["branch"]:
        rows = rows.filter(ref=asked["branch"])
    if since:
        rows = rows.filter(at__gte=since)
    if until:
        rows = rows.filter(at__lte=until)
    related = rows.select_related("repository", "decision__change", "entry", "incident")
    context: dict[str, Any] = {
        "product": found,
        "page": page(request, related),
        "refs": sorted({row.ref for row in Branch.objects.filter(repository__product=found)}),
        "asked": asked,
        "escapes": rows.filter(how=Arrival.How.ESCAPE).count(),
        "count": rows.count(),
        "more": urlencode({name: value for name, value in asked.items() if value}),
    }
    return render(request, "connections/branches.html", context)


@require_GET
@requires(Action.SEE_STATE, of)
def arrival(request: HttpRequest, number: int) -> HttpResponse:
    """One step of a branch; for an escape, what is known of it and what can be done."""
    rows = Arrival.objects.select_related("repository__product", "decision__change", "entry", "incident")
    found = get_object_or_404(rows, pk=number)
    resource = Resource(product=found.repository.product.slug)
    open_ = found.incident is not None and found.incident.closed is None
    reviews = found.reviews.select_related("person").order_by("at")
    why = authorize(acting(request), Action.REVIEW_AFTERWARDS, resource)
    context: dict[str, Any] = {
        "arrival": found,
        "open": open_,
        "reviews": reviews,
        "counted": len(counted(found)),
        "enough": needed(found),
        "may_review": open_ and why in (Why.YES, Why.NO_SECOND_FACTOR) and acting(request).person not in found.hands,
        "may_revert": open_ and found.before and may(request, Action.ASK_REVIEW, resource),
        "involved": acting(request).person in found.hands,
    }
    return render(request, "connections/arrival.html", context)


@require_POST
@requires(Action.REVIEW_AFTERWARDS, of)
def afterwards(request: HttpRequest, number: int) -> HttpResponse:
    """Say that one reviewed an escape, and that it may stay."""
    what = {"id": number, "person": acting(request).person, **given(request, ("reason",))}
    told, reason = f"let the escape {number} stay", str(what["reason"])
    slug = of(request, number).product
    act = lambda: ask(acting(request), Action.REVIEW_AFTERWARDS, what, told, reason, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("Recorded."), "arrival", number)


@require_POST
@requires(Action.ASK_REVIEW, of)
def revert(request: HttpRequest, number: int) -> HttpResponse:
    """Have a change prepared that takes it back."""
    what = {"id": number, "do": "revert", "person": acting(request).person}
    told, slug = f"have the escape {number} reverted", of(request, number).product
    act = lambda: ask(acting(request), Action.ASK_REVIEW, what, told, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("It is being prepared. You are told where it is."), "arrival", number)


@require_GET
@requires(Action.SEE_STATE, of_product)
def measured(request: HttpRequest, slug: str) -> HttpResponse:
    """What the gate costs those who work on a product, all of them together: never one person."""
    found = get_object_or_404(Product, slug=slug)
    weeks = friction.weeks(found, timezone.now())
    context = {"product": found, "weeks": weeks, "bars": friction.bars(weeks), "total": friction.total(weeks)}
    return render(request, "connections/friction.html", context)


def _day(text: str, *, last: bool = False) -> datetime | None:
    try:
        day = datetime.fromisoformat(text).date()
    except ValueError:
        return None
    at = datetime.max.time() if last else datetime.min.time()
    return datetime.combine(day, at, tzinfo=timezone.get_current_timezone())
