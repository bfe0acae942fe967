"""Pages about the state of things: home, products, one product."""

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
from muniment.access.authorize import Actor
from muniment.policy.model import Clause
from muniment.server.changes.models import Change
from muniment.server.changes.repository_acts import (
    never_read,
)
from muniment.server.changes.weeks import chart
from muniment.server.guarding.mediation import acting, anywhere, may, own, requires
from muniment.server.incidents.models import open_ones
from muniment.server.page_lists import Page, page, page_by_name
from muniment.server.people.models import RoleGrant, in_force
from muniment.server.policies.current import clauses
from muniment.server.policies.models import Freeze, MonitoringPeriod, PolicyException
from muniment.server.policies.reporting import Reporting, reporting
from muniment.server.products.models import SIGNALS, ClauseResult, ClauseState, Product
from muniment.server.products.reach import seen
from muniment.server.products.views import of, would
from muniment.server.registration import read_contributions


class Line(NamedTuple):
    """One clause on a page: the sentence, and how things stand."""

    clause: Clause
    state: str
    label: str
    since: Any
    counts: str
    why: str
    reporting: tuple[Reporting, ...] = ()


@require_GET
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def home(request: HttpRequest) -> HttpResponse:
    """The policy as it is written, how all products stand, and what needs the one who looks."""
    actor = acting(request)
    shown = Product.objects.filter(seen(actor), retired_at=None)
    states = ClauseState.objects.filter(repository__product__in=shown)
    return render(
        request,
        "products/home.html",
        {
            "lines": _lines(states, shown) if may(request, Action.SEE_POLICY) else (),
            "chart": chart(shown),
            "inbox": _read_inbox(actor),
            "products": shown.count(),
            "cards_above": _read_cards(request, range(100)),
            "cards_before": _read_cards(request, range(100, 200)),
            "cards_after": _read_cards(request, range(200, 300)),
            "no_roles": not actor.grants,
            "second_factor": actor.second_factor,
        },
    )


@require_GET
@requires(Action.SEE_PRODUCT, anywhere)
def list_(request: HttpRequest) -> HttpResponse:
    """The products that one may see, each with its worst states."""
    rows = Product.objects.filter(seen(acting(request))).annotate(
        violated=Count(
            "repositories__clause_states", filter=Q(repositories__clause_states__state=ClauseResult.VIOLATED)
        ),
        unknown=Count("repositories__clause_states", filter=Q(repositories__clause_states__state=ClauseResult.UNKNOWN)),
        met=Count("repositories__clause_states", filter=Q(repositories__clause_states__state=ClauseResult.MET)),
    )
    find, clause = request.GET.get("find", "").strip()[:100], request.GET.get("clause", "")[:100]
    sentence = next((one.text for one in clauses() if one.id == clause), "")
    if find:
        rows = rows.filter(Q(name__icontains=find) | Q(slug__icontains=find))
    if sentence:
        failing = ClauseState.objects.filter(clause=clause).exclude(state=ClauseResult.MET)
        rows = rows.filter(pk__in=failing.values("repository__product"))
    asked = {"find": find, "clause": clause if sentence else ""}
    more = urlencode({name: text for name, text in asked.items() if text})
    context = {"page": page_by_name(request, rows), "sentence": sentence, "more": more, **asked}
    return render(request, "products/list.html", {**context, "may_add": would(request, Action.ADD_PRODUCT)})


@require_GET
@requires(Action.SEE_PRODUCT, of)
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """One product: its clauses, its changes, its people, its exceptions."""
    found = get_object_or_404(Product, slug=slug)
    states = ClauseState.objects.filter(repository__product=found)
    changes = Change.objects.filter(repository__product=found).select_related("decision", "repository")
    return render(
        request,
        "products/product.html",
        {
            "product": found,
            "lines": _lines(states, [found]),
            "chart": chart([found]),
            "gentle": MonitoringPeriod.current().filter(product=found).select_related("requester", "approver"),
            "may_report": would(request, Action.START_MONITORING, slug),
            "may_end": would(request, Action.END_EXCEPTION, slug),
            "repositories": found.repositories.select_related("scan", "hook_log", "forge_link"),
            "open": changes.filter(state=Change.State.OPEN).order_by("-updated_at", "-id")[:50],
            "past": _past(request, changes.filter(state=Change.State.MERGED)),
            "people": RoleGrant.objects.filter(in_force(), Q(product=found) | Q(product=None), person__active=True)
            .select_related("person")
            .order_by("role", "person__name")[:200],
            "exceptions": PolicyException.current([found])[:20],
            "freezes": Freeze.current().filter(Q(product=None) | Q(product=found)),
            "environments": found.environments.filter(ended_at=None),
            "incidents": open_ones().filter(product=found)[:50],
            "signals": [(name, _SIGNALS[name], getattr(found, name)) for name in SIGNALS],
            "may_change": would(request, Action.CHANGE_PRODUCT, slug),
            "unread": never_read(found.repositories.all()),
            "may_retire": would(request, Action.RETIRE_PRODUCT, slug),
            "may_see_secrets": would(request, Action.SEE_SECRETS, slug),
        },
    )


_SIGNALS = {
    "deployed": gettext_lazy("is deployed"),
    "has_users": gettext_lazy("has users"),
    "holds_personal_data": gettext_lazy("holds personal data"),
    "supported": gettext_lazy("is supported"),
}


def _lines(states: Any, shown: Any) -> list[Line]:
    """One line for each clause of the policy, with the worst state over all products that are shown."""
    gently = reporting(clauses(), shown)
    return [line._replace(reporting=tuple(gently.get(line.clause.id, ()))) for line in _states(states)]


def _states(states: Any) -> list[Line]:
    """One line for each clause of the policy: the worst state of all, in one query."""
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
    found: list[Line] = []
    for clause in clauses():
        if clause.id not in rows:
            found.append(
                Line(clause, "unknown", str(ClauseResult.UNKNOWN.label), None, "", _("Nothing was judged yet."))
            )
            continue
        state = worst[clause.id]
        told = since[clause.id, state]
        counted = {each: rows[clause.id][each.name.lower()] for each in ClauseResult}
        found.append(
            Line(clause, state.name.lower(), str(state.label), told["since"], _spread(counted), told["reason"])
        )
    return found


def _spread(counted: Mapping[ClauseResult, int]) -> str:
    """How many are in each state that any is in, the worst first; nothing where all are in one."""
    there = [(state, count) for state, count in sorted(counted.items(), reverse=True) if count]
    return " · ".join(f"{state.label} {count}" for state, count in there) if len(there) > 1 else ""


def _past(request: HttpRequest, rows: Any) -> Page:
    return page(request, rows)


def _read_inbox(actor: Actor) -> list[tuple[str, list[Any]]]:
    """Template and rows of each kind of thing that waits for a person."""
    kinds = sorted((kind for app in read_contributions() for kind in app.inbox), key=lambda kind: kind.position)
    found = [(kind.template, list(kind.find(actor))) for kind in kinds]
    return [one for one in found if one[1]]


def _read_cards(request: HttpRequest, positions: range) -> list[tuple[str, Any]]:
    """Template and context of each card in a part of the overview."""
    cards = sorted((card for app in read_contributions() for card in app.overview), key=lambda card: card.position)
    found = [(card.template, card.read(request)) for card in cards if card.position in positions]
    return [one for one in found if one[1] is not None]
