"""Pages of updates: open advisories, "are we affected?", one advisory, and the SBOM of a product."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.acts.inputs import Label
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.page_lists import read_row_number
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource
from muniment.server.updates.advisory_lists import (
    find_advisory_status,
    find_due_at,
    find_update_clauses,
    find_update_exceptions,
    list_open_lines,
    measure_updates,
    visible_advisories,
)
from muniment.server.updates.affected import find_affected, find_unknown_products
from muniment.server.updates.due_days import read_development_days, read_update_days
from muniment.server.updates.matching_acts import ReadDependencies
from muniment.server.updates.models import (
    AdvisorySource,
    DependencyLock,
    DependencyReading,
    ProductAdvisory,
    UpdateRun,
    format_place,
)
from muniment.server.updates.sbom_export import build_product_sbom, list_places
from muniment.updates.due_dates import ClockStart
from muniment.updates.severities import SeverityOrigin

_SHOWN = 50
_SEVERITY_TEXTS: dict[str, Label] = {
    SeverityOrigin.ADVISORY: gettext_lazy("Given by the advisory"),
    SeverityOrigin.ALIAS: gettext_lazy("Given by an alias of the advisory"),
    SeverityOrigin.VECTOR: gettext_lazy("Computed from the CVSS vector"),
    SeverityOrigin.ASSUMED: gettext_lazy("Not given: treated as high"),
}
_CLOCK_TEXTS: dict[str, Label] = {
    ClockStart.PUBLICATION: gettext_lazy("The advisory was published."),
    ClockStart.FIRST_SIGHT: gettext_lazy("We read first that it affects this version."),
    ClockStart.INTRODUCTION: gettext_lazy("The version came into the lock file."),
    ClockStart.CONNECTION: gettext_lazy("The repository was connected."),
}


def find_advisory_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of an advisory. Raises Http404, for everybody alike, if there is no such row."""
    found = ProductAdvisory.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.access_resource


@require_GET
@require_action(Action.SEE_FINDINGS, find_no_resource)
def show_updates(request: HttpRequest) -> HttpResponse:
    """List the open advisories of all products that the actor may see, and answer whether a package is used."""
    actor = current_actor(request)
    context = _build_list(request, "")
    asked = request.GET.get("affected", "").strip()
    context["asked"] = asked
    context["answer"] = find_affected(actor, asked) if asked else None
    context["unread_products"] = find_unknown_products(actor)
    return render(request, "updates/list.html", context)


@require_GET
@require_action(Action.SEE_FINDINGS, find_product_resource)
def show_product_updates(request: HttpRequest, slug: str) -> HttpResponse:
    """List the open advisories of one product, with the locks that were read."""
    product = get_object_or_404(Product, slug=slug)
    context = _build_list(request, slug)
    readings = DependencyReading.objects.filter(repository__product=product).select_related("repository")
    locks = DependencyLock.objects.filter(repository__product=product).defer("content").select_related("repository")
    context |= {
        "product": product,
        "readings": list(readings.defer("plan").order_by("repository__name")),
        "failing_runs": list(UpdateRun.objects.filter(repository__product=product).exclude(problem="")),
        "locks": list(locks.order_by("repository__name", "path", "place")),
        "places": [(place, format_place(place)) for place in list_places(product)],
        "may_read": could_with_second_factor(request, Action.SCAN_CODE, slug),
    }
    return render(request, "updates/product.html", context)


def _build_list(request: HttpRequest, product: str) -> dict[str, Any]:
    rows = visible_advisories(current_actor(request))
    if product:
        rows = rows.filter(product__slug=product)
    days, problem = read_update_days()
    lines = list_open_lines(rows)
    start = read_row_number(request.GET.get("from", ""))
    return {
        "lines": lines[start : start + _SHOWN],
        "next": start + _SHOWN if len(lines) > start + _SHOWN else 0,
        "figures": measure_updates(rows, lines),
        "days": days,
        "policy_problem": problem,
        "sources": list(AdvisorySource.objects.order_by("location")),
    }


@require_GET
@require_action(Action.SEE_FINDINGS, find_advisory_resource)
def show_advisory(request: HttpRequest, number: int) -> HttpResponse:
    """Show an advisory of a product: the path to the package, the due date with its reason, and the next step."""
    row = get_object_or_404(ProductAdvisory.objects.select_related("product", "repository"), pk=number)
    days, problem = read_update_days()
    due_at = find_due_at(row, days, read_development_days())
    status, text = find_advisory_status(row, due_at, find_update_exceptions([row.repository_id]))
    lines = list_open_lines(ProductAdvisory.objects.filter(pk=row.pk).select_related("product", "repository"))
    context = {
        "advisory": row,
        "due_at": due_at,
        "limit": days.get(row.severity),
        "policy_problem": problem,
        "status": status,
        "status_text": text,
        "line": lines[0] if lines else None,
        "clause": next(iter(find_update_clauses()), ""),
        "severity_source": _SEVERITY_TEXTS[row.severity_origin],
        "clock_reason": _CLOCK_TEXTS.get(row.clock_start, ""),
        "may_request": could_with_second_factor(request, Action.REQUEST_EXCEPTION, row.product.slug),
    }
    return render(request, "updates/advisory.html", context)


@require_POST
@require_action(Action.SCAN_CODE, find_product_resource)
def read_product_dependencies(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the locks of a product read now."""
    return submit_act(
        request, ReadDependencies, {"product": slug}, _("The lock files are read now."), "product-updates", slug
    )


@require_GET
@require_action(Action.SEE_FINDINGS, find_product_resource)
def serve_sbom(request: HttpRequest, slug: str) -> HttpResponse:
    """Serve the SBOM of a product at the place that `?place=` names, as a file. 404 for a place without locks."""
    product = get_object_or_404(Product, slug=slug)
    places = list_places(product)
    place = request.GET.get("place", "") or next(iter(places), "")
    if place not in places:
        raise Http404
    answer = HttpResponse(build_product_sbom(product, place), content_type="application/vnd.cyclonedx+json")
    answer["Content-Disposition"] = f'attachment; filename="{product.slug}.cdx.json"'
    return answer
