"""Pages about products: their list, and one product."""

from typing import NamedTuple

from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.policy.model import Policy
from muniment.server.components.fragments import render_fragment
from muniment.server.guarding.mediation import (
    current_actor,
    find_no_resource,
    require_action,
)
from muniment.server.page_lists import NAME_ORDERS, ListOrder, page_in_order
from muniment.server.policies.policy_in_force import current_policy
from muniment.server.policies.state_counts import (
    ProductScope,
    StateCounts,
    count_by_product,
    find_excepted_checks,
)
from muniment.server.products.models import ClauseResult, Product, ProductClauseState
from muniment.server.products.views import could_with_second_factor
from muniment.server.products.visible_products import visible_product_filter

_FAILING = Subquery(
    ProductClauseState.objects.filter(product=OuterRef("pk"), state=ClauseResult.VIOLATED)
    .order_by()
    .values("product")
    .annotate(number=Count("pk"))
    .values("number")
)
_ORDERS = (
    *NAME_ORDERS,
    ListOrder("failing", gettext_lazy("Most failing checks"), Coalesce(_FAILING, 0), falling=True),
    ListOrder("-added", gettext_lazy("Last added"), F("created_at"), falling=True),
    ListOrder("added", gettext_lazy("First added"), F("created_at")),
)


@require_GET
@require_action(Action.SEE_PRODUCT, find_no_resource)
def list_products(request: HttpRequest) -> HttpResponse:
    """List the products that the person may see, each with its worst states."""
    rows = Product.objects.filter(visible_product_filter(current_actor(request)))
    find, clause = request.GET.get("find", "").strip()[:100], request.GET.get("clause", "")[:100]
    policy = current_policy()
    clauses = policy.clauses if policy is not None else ()
    sentence = next((one.text for one in clauses if one.id == clause), "")
    if find:
        rows = rows.filter(Q(name__icontains=find) | Q(slug__icontains=find))
    if sentence:
        failing = ProductClauseState.objects.filter(clause=clause).exclude(state=ClauseResult.MET)
        rows = rows.filter(pk__in=failing.values("product"))
    asked = {"find": find, "clause": clause if sentence else ""}
    page = page_in_order(request, rows, _ORDERS)
    more = urlencode({name: text for name, text in {**asked, "order": page.order}.items() if text})
    context = {
        "page": page,
        "lines": [render_fragment("products/row.html", row) for row in _count_checks(policy, page.rows)],
        "sentence": sentence,
        "more": more,
        "may_add": could_with_second_factor(request, Action.ADD_PRODUCT),
        **asked,
    }
    return render(request, "products/list.html", context)


class _ProductRow(NamedTuple):
    slug: str
    name: str
    is_retired: bool
    counts: StateCounts


def _count_checks(policy: Policy | None, products: list[Product]) -> list[_ProductRow]:
    """Each product with the counts of its checks."""
    numbers = tuple(one.pk for one in products)
    excepted = find_excepted_checks(ProductScope(numbers, (), len(numbers)))
    found = count_by_product(policy, numbers, excepted)
    return [_ProductRow(one.slug, one.name, one.retired_at is not None, found[one.pk]) for one in products]
