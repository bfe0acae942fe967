"""Pages about the state of things: home, products, one product."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db.models import Count, Max, Min, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource, Why, authorize
from muniment.access.roles import EVERYWHERE
from muniment.policy.model import Clause
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import acting, anywhere, may, own, requires
from muniment.server.incidents.models import open_ones
from muniment.server.incidents.views import mine
from muniment.server.pages import Page, given, page, tried
from muniment.server.people.models import Grant, held
from muniment.server.policies.current import clauses
from muniment.server.policies.models import Freeze, Gentle, Leave
from muniment.server.products.importing import read, take
from muniment.server.products.models import SIGNALS, ClauseState, Product, Repository, State
from muniment.server.products.reach import seen
from muniment.server.products.reporting import Reporting, reporting
from muniment.server.products.weeks import chart
from muniment.server.proposals.doing import ask
from muniment.server.proposals.views import waiting_for


class Line(NamedTuple):
    """One clause on a page: the sentence, and how things stand."""

    clause: Clause
    state: str
    label: str
    since: Any
    counts: str
    why: str
    reporting: tuple[Reporting, ...] = ()


def of(request: HttpRequest, slug: str, **_: Any) -> Resource:
    """The product of an address."""
    return Resource(product=slug)


@require_GET
@requires(Action.OWN_ACCOUNT, own)
def home(request: HttpRequest) -> HttpResponse:
    """The policy as it is written, how all products stand, and what needs the one who looks."""
    actor = acting(request)
    shown = Product.objects.filter(seen(actor), retired=None)
    states = ClauseState.objects.filter(repository__product__in=shown)
    return render(
        request,
        "products/home.html",
        {
            "lines": _lines(states, shown) if may(request, Action.SEE_POLICY) else (),
            "chart": chart(shown),
            "waiting": waiting_for(actor),
            "incidents": mine(actor),
            "products": shown.count(),
            "unreadable": _unreadable(shown),
            "denied": _denied(shown),
            "ending": _ending(shown),
            "freezes": Freeze.objects.filter(lifted=None).select_related("person"),
            "no_roles": not actor.grants,
            "second_factor": actor.second_factor,
        },
    )


@require_GET
@requires(Action.SEE_STATE, anywhere)
def list_(request: HttpRequest) -> HttpResponse:
    """The products that one may see, each with its worst states."""
    rows = Product.objects.filter(seen(acting(request))).annotate(
        fails=Count("repositories__states", filter=Q(repositories__states__state=State.FAILS)),
        unknown=Count("repositories__states", filter=Q(repositories__states__state=State.UNKNOWN)),
        holds=Count("repositories__states", filter=Q(repositories__states__state=State.HOLDS)),
    )
    find, clause = request.GET.get("find", "").strip()[:100], request.GET.get("clause", "")[:100]
    sentence = next((one.text for one in clauses() if one.id == clause), "")
    if find:
        rows = rows.filter(Q(name__icontains=find) | Q(slug__icontains=find))
    if sentence:
        failing = ClauseState.objects.filter(clause=clause).exclude(state=State.HOLDS)
        rows = rows.filter(pk__in=failing.values("repository__product"))
    asked = {"find": find, "clause": clause if sentence else ""}
    more = urlencode({name: text for name, text in asked.items() if text})
    context = {"page": page(request, rows), "sentence": sentence, "more": more, **asked}
    return render(request, "products/list.html", {**context, "may_add": would(request, Action.ADD_PRODUCT)})


@require_POST
@requires(Action.ADD_PRODUCT)
def add(request: HttpRequest) -> HttpResponse:
    """Add a product."""
    what = given(request, ("id", "name"))
    told = f"add the product {what['name']}"
    return tried(request, lambda: ask(acting(request), Action.ADD_PRODUCT, what, told), _("Added."), "products")


@require_POST
@requires(Action.ADD_PRODUCT)
def import_(request: HttpRequest) -> HttpResponse:
    """Add the products of a file, all of them or none."""
    file = request.FILES.get("file")

    def act() -> None:
        if file is None:
            raise ValueError(_("Choose a file."))
        take(acting(request), read(file.name or "", file.read()))

    return tried(request, act, _("All products of the file are here."), "products")


@require_GET
@requires(Action.SEE_STATE, of)
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
            "gentle": Gentle.holding().filter(product=found).select_related("asker", "granter"),
            "may_report": would(request, Action.REPORT_ONLY, slug),
            "may_end": would(request, Action.END_EXCEPTION, slug),
            "repositories": found.repositories.select_related("reading", "gate_log", "connected"),
            "open": changes.filter(where=Change.Where.OPEN).order_by("-time", "-id")[:50],
            "past": _past(request, changes.filter(where=Change.Where.PAST)),
            "people": Grant.objects.filter(held(), Q(product=found) | Q(product=None), person__active=True)
            .select_related("person")
            .order_by("role", "person__name")[:200],
            "exceptions": _ending([found]),
            "environments": found.environments.filter(ended=None),
            "incidents": open_ones().filter(product=found)[:50],
            "signals": [(name, _SIGNALS[name], getattr(found, name)) for name in SIGNALS],
            "may_change": would(request, Action.CHANGE_PRODUCT, slug),
            "may_retire": would(request, Action.RETIRE_PRODUCT, slug),
            "may_see_secrets": would(request, Action.SEE_SECRETS, slug),
        },
    )


@require_GET
@requires(Action.SEE_STATE, of)
def progress(request: HttpRequest, slug: str) -> HttpResponse:
    """How far the past of a product's repositories is judged: a part of its page, asked for again and again."""
    found = get_object_or_404(Product, slug=slug)
    return render(
        request,
        "products/progress.html",
        {"product": found, "repositories": found.repositories.select_related("reading", "connected")},
    )


@require_POST
@requires(Action.CHANGE_PRODUCT, of)
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Describe a product, or add or drop a repository or environment."""
    what = {"id": slug, **given(request, ("do", "name", "path", "key", "sensitive", *SIGNALS))}
    if what["do"] not in ("describe", "repository", "gate", "environment", "drop-environment"):
        raise Http404
    told = f"{what['do']} of {slug}: {what['name']}"
    act = lambda: ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=slug)  # noqa: E731 -- short
    back = "environments" if what["do"] in ("environment", "drop-environment") else "product"
    return tried(request, act, _("Done."), back, slug)


@require_POST
@requires(Action.RETIRE_PRODUCT, of)
def retire(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for a product to be retired; a second person agrees."""
    reason = given(request, ("reason",))["reason"].strip()
    told = f"retire the product {slug}"
    what = {"id": slug}
    if not reason:
        return tried(request, _no_reason, "", "product", slug)
    act = lambda: ask(acting(request), Action.RETIRE_PRODUCT, what, told, reason, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("Retired."), "product", slug)


def _no_reason() -> None:
    raise ValueError(_("Say why: whoever agrees reads it, and so does whoever looks at it later."))


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
            worst=Max("state"), **{state.name.lower(): Count("id", filter=Q(state=state)) for state in State}
        )
    }
    worst = {clause: State(row["worst"]) for clause, row in rows.items()}
    since = {
        (row["clause"], row["state"]): row
        for row in states.values("clause", "state").annotate(since=Min("since"), why=Max("why"))
    }
    found: list[Line] = []
    for clause in clauses():
        if clause.id not in rows:
            found.append(Line(clause, "unknown", str(State.UNKNOWN.label), None, "", _("Nothing was judged yet.")))
            continue
        state = worst[clause.id]
        told = since[clause.id, state]
        counted = {each: rows[clause.id][each.name.lower()] for each in State}
        found.append(Line(clause, state.name.lower(), str(state.label), told["since"], _spread(counted), told["why"]))
    return found


def _spread(counted: Mapping[State, int]) -> str:
    """How many are in each state that any is in, the worst first; nothing where all are in one."""
    there = [(state, count) for state, count in sorted(counted.items(), reverse=True) if count]
    return " · ".join(f"{state.label} {count}" for state, count in there) if len(there) > 1 else ""


def _unreadable(shown: Any) -> Any:
    """The repositories that could not be read, here or at their forge, whose clauses are therefore not known."""
    rows = Repository.objects.filter(product__in=shown).select_related("product", "reading", "connected")
    return rows.exclude(Q(reading__problem="") | Q(reading=None), Q(connected__problem="") | Q(connected=None))[:20]


def _denied(shown: Any) -> Any:
    return (
        Change.objects.filter(repository__product__in=shown, where=Change.Where.OPEN)
        .filter(Q(decision=None) | Q(decision__allowed=False))
        .select_related("repository__product", "decision")
        .order_by("-time", "-id")[:20]
    )


def _ending(shown: Iterable[Product]) -> Any:
    now = timezone.now()
    return Leave.objects.filter(repository__product__in=shown, ended=None, expires__gt=now).select_related(
        "repository__product", "asker", "granter"
    )[:20]


def _past(request: HttpRequest, rows: Any) -> Page:
    return page(request, rows)


def would(request: HttpRequest, action: Action, product: str = EVERYWHERE) -> bool:
    """Whether they may do it, or could once they proved a second factor: for what a page offers."""
    why = authorize(acting(request), action, Resource(product=product))
    return why in (Why.YES, Why.NO_SECOND_FACTOR)
