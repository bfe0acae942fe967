"""Pull requests of a product: those that are open, those that were merged, and the trend of the merged ones."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.server.changes.models import Change
from muniment.server.changes.weekly_chart import make_weekly_chart
from muniment.server.guarding.mediation import require_action
from muniment.server.page_lists import page_by_id
from muniment.server.products.models import Product
from muniment.server.products.views import find_product_resource
from muniment.server.remembered_sql import remember_sql

MOST_OPEN = 50
RESULTS = {
    "": _("All"),
    "passing": _("Followed the current policy"),
    "failing": _("Did not follow the current policy"),
}
CHANGE_PERIODS = {"": _("Any time"), "30": _("Last 30 days"), "90": _("Last 90 days"), "365": _("Last 12 months")}


class ChangeFilter(NamedTuple):
    """Filter of the list of merged pull requests, by what the form may ask for; "" asks for all."""

    text: str = ""
    result: str = ""
    period: str = ""

    def filter_rows(self, rows: "QuerySet[Change]") -> "QuerySet[Change]":
        """Select the changes that match the filter."""
        if self.text:
            rows = rows.filter(Q(title__icontains=self.text) | Q(head__startswith=self.text.lower()))
        if self.result:
            rows = rows.filter(decision__allowed=self.result == "passing")
        if self.period:
            rows = rows.filter(updated_at__gte=timezone.now() - timedelta(days=int(self.period)))
        return rows

    @property
    def query_text(self) -> str:
        """Query of an address that asks for the same."""
        return urlencode({name: text for name, text in self._asdict().items() if text})


def read_change_filter(request: HttpRequest) -> ChangeFilter:
    """Filter that a request asks for. A value that the form does not offer asks for all."""
    result, period = request.GET.get("result", ""), request.GET.get("period", "")
    return ChangeFilter(
        request.GET.get("text", "").strip()[:100],
        result if result in RESULTS else "",
        period if period in CHANGE_PERIODS else "",
    )


def count_open_changes(product: int) -> int:
    """Number of open changes of a product, in one query."""
    return sum(count for _state, count in _count_open(product))


@remember_sql
def _count_open(product: int) -> "QuerySet[Any, tuple[str, int]]":
    rows = Change.objects.filter(repository__product=product, state=Change.State.OPEN)
    return rows.values_list("state").annotate(count=Count("*"))


def find_open_changes(product: int) -> "QuerySet[Change]":
    """Open changes of a product, by its primary key, with their decisions, the newest first."""
    return _select_shown(product).filter(state=Change.State.OPEN).order_by("-updated_at", "-id")


def _select_shown(product: int) -> "QuerySet[Change]":
    rows = Change.objects.filter(repository__product=product)
    return rows.select_related("decision", "repository", "forge_change")


@require_GET
@require_action(Action.SEE_PRODUCT, find_product_resource)
def list_product_changes(request: HttpRequest, slug: str) -> HttpResponse:
    """List the open and the merged pull requests of a product, with how many followed the policy each week."""
    found = get_object_or_404(Product, slug=slug)
    asked = read_change_filter(request)
    open_ = list(find_open_changes(found.pk)[: MOST_OPEN + 1])
    merged = asked.filter_rows(_select_shown(found.pk).filter(state=Change.State.MERGED))
    context: dict[str, object] = {
        "product": found,
        "open": open_[:MOST_OPEN],
        "most_open": MOST_OPEN if len(open_) > MOST_OPEN else 0,
        "page": page_by_id(request, merged),
        "asked": asked,
        "more": asked.query_text,
        "results": RESULTS.items(),
        "periods": CHANGE_PERIODS.items(),
        "chart": make_weekly_chart([found]),
    }
    return render(request, "changes/product_changes.html", context)
