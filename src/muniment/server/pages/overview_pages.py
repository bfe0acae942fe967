"""Pages about products: their list, and one product."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.policy.model import Clause
from muniment.server.changes.models import Change
from muniment.server.changes.repository_acts import (
    select_never_read,
)
from muniment.server.changes.weekly_chart import make_weekly_chart
from muniment.server.guarding.mediation import (
    current_actor,
    find_no_resource,
    require_action,
)
from muniment.server.incidents.models import find_open_incidents
from muniment.server.page_lists import RowPage, page_by_id, page_by_name
from muniment.server.people.models import RoleGrant, build_in_force_condition
from muniment.server.policies.models import Freeze, MonitoringPeriod, PolicyException
from muniment.server.policies.monitoring_periods import ClauseMonitoring, find_monitoring
from muniment.server.policies.policy_in_force import current_clauses, current_policy
from muniment.server.policies.state_counts import (
    ProductScope,
    StateCounts,
    count_by_product_and_section,
    find_excepted_checks,
    sum_counts,
)
from muniment.server.products.models import SIGNALS, ClauseResult, ClauseState, Product, ProductClauseState
from muniment.server.products.views import could_with_second_factor, find_product_resource
from muniment.server.products.visible_products import visible_product_filter


class ClauseLine(NamedTuple):
    """Clause on a page: the sentence, and its state."""

    clause: Clause
    state: str
    label: str
    since: Any
    counts: str
    why: str
    reporting: tuple[ClauseMonitoring, ...] = ()


@require_GET
@require_action(Action.SEE_PRODUCT, find_no_resource)
def list_products(request: HttpRequest) -> HttpResponse:
    """List the products that the person may see, each with its worst states."""
    rows = Product.objects.filter(visible_product_filter(current_actor(request)))
    find, clause = request.GET.get("find", "").strip()[:100], request.GET.get("clause", "")[:100]
    sentence = next((one.text for one in current_clauses() if one.id == clause), "")
    if find:
        rows = rows.filter(Q(name__icontains=find) | Q(slug__icontains=find))
    if sentence:
        failing = ProductClauseState.objects.filter(clause=clause).exclude(state=ClauseResult.MET)
        rows = rows.filter(pk__in=failing.values("product"))
    asked = {"find": find, "clause": clause if sentence else ""}
    more = urlencode({name: text for name, text in asked.items() if text})
    page = page_by_name(request, rows)
    context = {
        "page": page,
        "lines": _count_checks(page.rows),
        "sentence": sentence,
        "more": more,
        "may_add": could_with_second_factor(request, Action.ADD_PRODUCT),
        **asked,
    }
    return render(request, "products/list.html", context)


def _count_checks(products: list[Product]) -> list[tuple[Product, StateCounts]]:
    """Each product with the counts of its checks."""
    numbers = tuple(one.pk for one in products)
    excepted = find_excepted_checks(ProductScope(numbers, (), len(numbers)))
    found = count_by_product_and_section(current_policy(), numbers, excepted)
    return [(one, sum_counts(found.get(one.pk, {}).values())) for one in products]


@require_GET
@require_action(Action.SEE_PRODUCT, find_product_resource)
def show_product(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a product: its clauses, changes, people and exceptions."""
    found = get_object_or_404(Product, slug=slug)
    states = ClauseState.objects.filter(repository__product=found)
    changes = Change.objects.filter(repository__product=found).select_related("decision", "repository")
    return render(
        request,
        "products/product.html",
        {
            "product": found,
            "lines": _list_clause_lines(states, [found]),
            "chart": make_weekly_chart([found]),
            "gentle": MonitoringPeriod.find_current_periods()
            .filter(product=found)
            .select_related("requester", "approver"),
            "may_report": could_with_second_factor(request, Action.START_MONITORING, slug),
            "may_end": could_with_second_factor(request, Action.END_EXCEPTION, slug),
            "repositories": found.repositories.select_related("scan", "hook_log", "forge_link"),
            "open": changes.filter(state=Change.State.OPEN).order_by("-updated_at", "-id")[:50],
            "past": _page_past_changes(request, changes.filter(state=Change.State.MERGED)),
            "people": RoleGrant.objects.filter(
                build_in_force_condition(), Q(product=found) | Q(product=None), person__active=True
            )
            .select_related("person")
            .order_by("role", "person__name")[:200],
            "exceptions": PolicyException.current([found])[:20],
            "freezes": Freeze.find_current_freezes().filter(Q(product=None) | Q(product=found)),
            "environments": found.environments.filter(ended_at=None),
            "incidents": find_open_incidents().filter(product=found)[:50],
            "signals": [(name, _SIGNALS[name], getattr(found, name)) for name in SIGNALS],
            "may_change": could_with_second_factor(request, Action.CHANGE_PRODUCT, slug),
            "never_read": select_never_read(found.repositories.all()),
            "may_retire": could_with_second_factor(request, Action.RETIRE_PRODUCT, slug),
            "may_see_secrets": could_with_second_factor(request, Action.SEE_SECRETS, slug),
        },
    )


_SIGNALS = {
    "deployed": gettext_lazy("is deployed"),
    "has_users": gettext_lazy("has users"),
    "holds_personal_data": gettext_lazy("holds personal data"),
    "supported": gettext_lazy("is supported"),
}


def _list_clause_lines(states: Any, product_rows: Any) -> list[ClauseLine]:
    """Line for each clause of the policy, with the worst state over all shown products."""
    gently = find_monitoring(current_clauses(), product_rows)
    return [line._replace(reporting=tuple(gently.get(line.clause.id, ()))) for line in _list_worst_states(states)]


def _list_worst_states(states: Any) -> list[ClauseLine]:
    """Line for each clause of the policy: the worst state of all, in one query."""
    rows = {
        row["clause"]: row
        for row in states.values("clause").annotate(
            worst=Max("state"), **{state.name.lower(): Count("id", filter=Q(state=state)) for state in ClauseResult}
        )
    }
    worst = {clause: ClauseResult(row["worst"]) for clause, row in rows.items()}
    since = {
        (row["clause"], row["state"]): row
        for row in states.values("clause", "state").annotate(since=Min("changed_at"), reason=Max("reason"))
    }
    found: list[ClauseLine] = []
    for clause in current_clauses():
        if clause.id not in rows:
            found.append(
                ClauseLine(clause, "unknown", str(ClauseResult.UNKNOWN.label), None, "", _("Nothing was judged yet."))
            )
            continue
        state = worst[clause.id]
        told = since[clause.id, state]
        counted = {each: rows[clause.id][each.name.lower()] for each in ClauseResult}
        found.append(
            ClauseLine(
                clause, state.name.lower(), str(state.label), told["since"], _format_counts(counted), told["reason"]
            )
        )
    return found


def _format_counts(counted: Mapping[ClauseResult, int]) -> str:
    """Number in each state, the worst first; "" where all are in one."""
    there = [(state, count) for state, count in sorted(counted.items(), reverse=True) if count]
    return " · ".join(f"{state.label} {count}" for state, count in there) if len(there) > 1 else ""


def _page_past_changes(request: HttpRequest, rows: Any) -> RowPage:
    return page_by_id(request, rows)
