"""Page of the pull requests of all products that a person may see."""

from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.page_lists import ListOrder, page_in_order
from muniment.server.products.visible_products import within_reach

_EVERY_STATE = "all"
_ORDERS = (
    ListOrder("-opened", _("Last opened"), F("pk"), falling=True),
    ListOrder("opened", _("First opened"), F("pk")),
    ListOrder("-updated", _("Last updated"), F("updated_at"), falling=True),
    ListOrder("updated", _("Longest without an update"), F("updated_at")),
)


@require_GET
@require_action(Action.SEE_CHANGE, find_no_resource)
def list_changes(request: HttpRequest) -> HttpResponse:
    """List pull requests by state and product, in a chosen order; without a choice the open ones, the newest first."""
    state = request.GET.get("state", Change.State.OPEN)
    if state not in (*Change.State.values, _EVERY_STATE):
        state = Change.State.OPEN
    product = request.GET.get("product", "").strip()[:100]
    reach = within_reach(current_actor(request), Action.SEE_CHANGE, "repository__product")
    rows = Change.objects.filter(reach).select_related("repository__product", "decision", "forge_change")
    if state != _EVERY_STATE:
        rows = rows.filter(state=state)
    if product:
        rows = rows.filter(Q(repository__product__slug=product) | Q(repository__product__name__icontains=product))
    page = page_in_order(request, rows, _ORDERS, handle="pk")
    context = {
        "page": page,
        "state": state,
        "states": [(value, label) for value, label in Change.State.choices],
        "product": product,
        "is_filtered": bool(product) or state != Change.State.OPEN,
        "more": urlencode({"state": state, "product": product, "order": page.order}),
    }
    return render(request, "changes/list.html", context)
