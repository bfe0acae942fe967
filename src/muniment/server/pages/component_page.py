"""Page that shows every component, for people who develop pages: served with MUNIMENT_DEVELOPMENT alone."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.server.components.charts import make_column_chart, make_line_chart
from muniment.server.components.statuses import BY_CODE
from muniment.server.guarding.mediation import find_own_resource, require_action

_QUARTERS = (("Q1", 58, 23), ("Q2", 63, 18), ("Q3", 71, 12), ("Q4", 81, 9))


@require_GET
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def show_components(request: HttpRequest) -> HttpResponse:
    """Show every component once, with invented figures."""
    rows = [
        (text, {"passing": passing, "exception": 2, "unknown": 98 - passing - failing, "failing": failing})
        for text, passing, failing in _QUARTERS
    ]
    context = {
        "codes": sorted(BY_CODE),
        "columns": make_column_chart(rows),
        "line": make_line_chart([("Sep", 12), ("Oct", 7.5), ("Nov", 4)]),
        "tabs": [("#", "Overview", None, True), ("#statuses", "Pull requests", 4, False)],
        "now": timezone.now(),
    }
    return render(request, "components/all.html", context)
