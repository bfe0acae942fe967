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
from muniment.server.acts.submission import submit_act
from muniment.server.connections import friction
from muniment.server.connections.bypass_acts import RevertBypass, ReviewBypass
from muniment.server.connections.escapes import counted, needed
from muniment.server.connections.models import BranchUpdate, ProtectedBranch
from muniment.server.connections.reaching import connected_of, where
from muniment.server.guarding.mediation import acting, may, requires
from muniment.server.page_lists import page
from muniment.server.people.names import names_of
from muniment.server.products.models import Product
from muniment.server.products.views import of as of_product


def of(request: HttpRequest, number: int) -> Resource:
    """The product of what a branch took. What is not there is not there for anybody."""
    slug = BranchUpdate.objects.filter(pk=number).values_list("repository__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@requires(Action.SEE_PRODUCT, of_product)
def branches(request: HttpRequest, slug: str) -> HttpResponse:
    """Every commit that a product's protected branches took in a time, and what allowed it: each row is an entry."""
    found = get_object_or_404(Product, slug=slug)
    asked = {name: request.GET.get(name, "") for name in ("branch", "since", "until")}
    rows = BranchUpdate.objects.filter(repository__product=found)
    since, until = _day(asked["since"]), _day(asked["until"], last=True)
    if asked["branch"]:
        rows = rows.filter(ref=asked["branch"])
    if since:
        rows = rows.filter(seen_at__gte=since)
    if until:
        rows = rows.filter(seen_at__lte=until)
    related = rows.select_related("repository", "decision__change", "record", "incident")
    context: dict[str, Any] = {
        "product": found,
        "page": page(request, related),
        "refs": sorted({row.ref for row in ProtectedBranch.objects.filter(repository__product=found)}),
        "asked": asked,
        "escapes": rows.filter(outcome=BranchUpdate.Outcome.BYPASS).count(),
        "count": rows.count(),
        "more": urlencode({name: value for name, value in asked.items() if value}),
    }
    return render(request, "connections/branches.html", context)


@require_GET
@requires(Action.SEE_PRODUCT, of)
def arrival(request: HttpRequest, number: int) -> HttpResponse:
    """One step of a branch; for an escape, what is known of it and what can be done."""
    rows = BranchUpdate.objects.select_related("repository__product", "decision__change", "record", "incident")
    found = get_object_or_404(rows, pk=number)
    resource = Resource(product=found.repository.product.slug)
    open_ = found.incident is not None and found.incident.closed_at is None
    reviews = found.bypass_reviews.select_related("reviewer").order_by("reviewed_at")
    why = authorize(acting(request), Action.REVIEW_BYPASS, resource)
    context: dict[str, Any] = {
        "arrival": found,
        "hands": sorted(names_of(found.contributors).values()),
        "open": open_,
        "reviews": reviews,
        "counted": len(counted(found)),
        "enough": needed(found),
        "may_review": open_
        and why in (Why.YES, Why.NO_SECOND_FACTOR)
        and acting(request).person not in found.contributors,
        "may_revert": open_ and found.previous_tip and may(request, Action.REQUEST_REVIEW, resource),
        "involved": acting(request).person in found.contributors,
        "diff": _diff_page(found),
    }
    return render(request, "connections/arrival.html", context)


def _diff_page(row: BranchUpdate) -> str:
    """The address of the update's diff at its forge, "" where nothing of it is there."""
    link = connected_of(row.repository)
    if link is None or not row.commit or not link.url.startswith(("https://", "http://")):
        return ""
    return where(link.connection).diff_page(link.url, row.previous_tip, row.commit)


@require_POST
@requires(Action.REVIEW_BYPASS, of)
def review_bypass(request: HttpRequest, number: int) -> HttpResponse:
    """Review a bypass afterwards, and accept it."""
    return submit_act(request, ReviewBypass, {"bypass": number}, _("Recorded."), "arrival", number)


@require_POST
@requires(Action.REQUEST_REVIEW, of)
def revert_bypass(request: HttpRequest, number: int) -> HttpResponse:
    """Have a change prepared that reverts a bypass."""
    done = _("The revert is being prepared. A message will tell you where it is.")
    return submit_act(request, RevertBypass, {"bypass": number}, done, "arrival", number)


@require_GET
@requires(Action.SEE_PRODUCT, of_product)
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
