"""Pages of branch updates and the decisions on them, of bypasses and their reviews, and of waiting times."""

from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Resource, authorize
from muniment.server.acts.submission import submit_act
from muniment.server.connections import friction
from muniment.server.connections.bypass_acts import RevertBypass, ReviewBypass
from muniment.server.connections.bypass_reviews import count_required_reviews, list_counting_reviewers
from muniment.server.connections.forge_access import find_repository_link, locate_forge
from muniment.server.connections.models import BranchUpdate, ProtectedBranch
from muniment.server.guarding.mediation import current_actor, is_action_allowed, require_action
from muniment.server.page_lists import page_by_id
from muniment.server.people.names import find_names
from muniment.server.products.models import Product
from muniment.server.products.views import find_product_resource as of_product


def find_update_product(request: HttpRequest, number: int) -> Resource:
    """Product of a branch update, for authorize(). Raises 404 for an unknown number, whoever requests it."""
    slug = BranchUpdate.objects.filter(pk=number).values_list("repository__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@require_action(Action.SEE_PRODUCT, of_product)
def show_branch_history(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the updates of a product's protected branches in a period, with what allowed each: each row is a record."""
    found = get_object_or_404(Product, slug=slug)
    asked = {name: request.GET.get(name, "") for name in ("branch", "since", "until")}
    rows = BranchUpdate.objects.filter(repository__product=found)
    since, until = _parse_day(asked["since"]), _parse_day(asked["until"], last=True)
    if asked["branch"]:
        rows = rows.filter(ref=asked["branch"])
    if since:
        rows = rows.filter(seen_at__gte=since)
    if until:
        rows = rows.filter(seen_at__lte=until)
    related = rows.select_related("repository", "decision__change", "record", "incident")
    context: dict[str, object] = {
        "product": found,
        "page": page_by_id(request, related),
        "refs": sorted({row.ref for row in ProtectedBranch.objects.filter(repository__product=found)}),
        "asked": asked,
        "escapes": rows.filter(outcome=BranchUpdate.Outcome.BYPASS).count(),
        "count": rows.count(),
        "more": urlencode({name: value for name, value in asked.items() if value}),
    }
    return render(request, "connections/branches.html", context)


@require_GET
@require_action(Action.SEE_PRODUCT, find_update_product)
def show_branch_update(request: HttpRequest, number: int) -> HttpResponse:
    """Show one branch update; for a bypass, its known details and the possible steps."""
    rows = BranchUpdate.objects.select_related("repository__product", "decision__change", "record", "incident")
    found = get_object_or_404(rows, pk=number)
    resource = Resource(product=found.repository.product.slug)
    open_ = found.incident is not None and found.incident.closed_at is None
    reviews = found.bypass_reviews.select_related("reviewer").order_by("reviewed_at")
    why = authorize(current_actor(request), Action.REVIEW_BYPASS, resource)
    context: dict[str, object] = {
        "update": found,
        "branch": found.ref.removeprefix("refs/heads/"),
        "contributors": sorted(find_names(found.contributors).values()),
        "open": open_,
        "reviews": reviews,
        "counted": len(list_counting_reviewers(found)),
        "enough": count_required_reviews(found),
        "may_review": open_
        and why in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)
        and current_actor(request).person not in found.contributors,
        "may_revert": open_ and found.previous_tip and is_action_allowed(request, Action.REQUEST_REVIEW, resource),
        "involved": current_actor(request).person in found.contributors,
        "diff": _find_diff_url(found),
    }
    return render(request, "connections/branch_update.html", context)


def _find_diff_url(row: BranchUpdate) -> str:
    """Address of the update's diff at its forge, "" if the forge has none."""
    link = find_repository_link(row.repository)
    if link is None or not row.commit or not link.url.startswith(("https://", "http://")):
        return ""
    return locate_forge(link.connection).diff_url(link.url, row.previous_tip, row.commit)


@require_POST
@require_action(Action.REVIEW_BYPASS, find_update_product)
def review_bypass(request: HttpRequest, number: int) -> HttpResponse:
    """Review a bypass afterwards, and accept it."""
    done = _("Your review is recorded. This page shows how many reviews are still missing.")
    return submit_act(request, ReviewBypass, {"bypass": number}, done, "branch-update", number)


@require_POST
@require_action(Action.REQUEST_REVIEW, find_update_product)
def revert_bypass(request: HttpRequest, number: int) -> HttpResponse:
    """Have a change prepared that reverts a bypass."""
    done = _("The revert is being prepared. A message will tell you where it is.")
    return submit_act(request, RevertBypass, {"bypass": number}, done, "branch-update", number)


@require_GET
@require_action(Action.SEE_PRODUCT, of_product)
def show_friction(request: HttpRequest, slug: str) -> HttpResponse:
    """Show how long contributors of a product wait, for all of them together: never for one person."""
    found = get_object_or_404(Product, slug=slug)
    weeks = friction.measure_weeks(found, timezone.now())
    context = {
        "product": found,
        "weeks": weeks,
        "chart": friction.draw_decision_times(weeks),
        "total": friction.summarise_weeks(weeks),
    }
    return render(request, "connections/friction.html", context)


def _parse_day(text: str, *, last: bool = False) -> datetime | None:
    try:
        day = datetime.fromisoformat(text).date()
    except ValueError:
        return None
    at = datetime.max.time() if last else datetime.min.time()
    return datetime.combine(day, at, tzinfo=timezone.get_current_timezone())
