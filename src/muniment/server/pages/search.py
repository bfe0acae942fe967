"""Search across all: what somebody may see, by the name, the words or the digest that they typed, one query a kind."""

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Why, products, somewhere
from muniment.policy.model import Clause
from muniment.server.changes.models import Change
from muniment.server.deployments.models import Deployment
from muniment.server.guarding.mediation import acting, anywhere, requires
from muniment.server.incidents.models import Incident
from muniment.server.incidents.visibility import visible_incidents
from muniment.server.people.models import Person
from muniment.server.policies.current import clauses
from muniment.server.policies.models import PolicyException
from muniment.server.products.models import Environment, Product
from muniment.server.products.reach import seen
from muniment.server.records.models import Record

_MOST = 30  # of each kind
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_PLACE = re.compile(r"[0-9]{1,18}")


@require_GET
@requires(Action.SEE_PRODUCT, anywhere)
def search(request: HttpRequest) -> HttpResponse:
    """Everything that has what was typed in its name or words, or, of a commit or digest, at its beginning."""
    text = request.GET.get("q", "").strip()[:200]
    found = {name: list(rows) for name, rows in _found(acting(request), text)} if text else {}
    return render(request, "search.html", {"q": text, "any": any(found.values()), **found})


def _found(actor: Actor, text: str) -> Iterable[tuple[str, Iterable[Any]]]:
    """Of each kind that this one may see at all, what was found."""
    named = Q(name__icontains=text) | Q(slug__icontains=text)
    yield "products", Product.objects.filter(seen(actor), named)[:_MOST]
    yield "changes", _changes(actor, text)[:_MOST]
    yield "exceptions", _exceptions(actor, text)[:_MOST]
    yield "incidents", _incidents(actor, text)[:_MOST]
    yield "deployments", _deployments(actor, text)[:_MOST]
    yield "environments", _environments(actor, text)[:_MOST]
    if somewhere(actor, Action.SEE_POLICY) is Why.YES:
        yield "clauses", _clauses(text)
    if somewhere(actor, Action.SEE_PEOPLE) is Why.YES:
        yield "people", Person.objects.filter(named)[:_MOST]
    if somewhere(actor, Action.SEE_LEDGER) is Why.YES:
        yield "entries", _entries(text)[:_MOST]


def _of(actor: Actor, action: Action, path: str) -> Q:
    """The condition on a product's id, at the end of a path of keys, under which they may do this to it."""
    shown = products(actor, action)
    return Q() if shown is None else Q((f"{path}__slug__in", shown))


def _changes(actor: Actor, text: str) -> Any:
    words = Q(title__icontains=text) | Q(head__startswith=text) | Q(name__icontains=text)
    rows = Change.objects.select_related("repository__product", "decision")
    return rows.filter(words, _of(actor, Action.SEE_CHANGE, "repository__product")).order_by("-updated_at", "-id")


def _exceptions(actor: Actor, text: str) -> Any:
    words = Q(clause__icontains=text) | Q(reason__icontains=text) | Q(slug=text) | Q(head__startswith=text)
    rows = PolicyException.objects.select_related("repository__product")
    return rows.filter(words, _of(actor, Action.SEE_EXCEPTIONS, "repository__product")).order_by("-id")


def _incidents(actor: Actor, text: str) -> Any:
    words = Q(summary__icontains=text) | Q(cause__icontains=text) | Q(subject__icontains=text)
    rows = Incident.objects.select_related("product", "owner")
    return rows.filter(words, visible_incidents(actor)).order_by("-id")


def _deployments(actor: Actor, text: str) -> Any:
    words = Q(artifact__startswith=text) | Q(artifact__startswith=f"sha256:{text}") | Q(commit__startswith=text)
    rows = Deployment.objects.select_related("environment__product", "pipeline", "permission")
    return rows.filter(words, _of(actor, Action.SEE_DEPLOYMENTS, "environment__product")).order_by("-id")


def _environments(actor: Actor, text: str) -> Any:
    rows = Environment.objects.select_related("product").filter(ended_at=None, name__icontains=text)
    return rows.filter(_of(actor, Action.SEE_DEPLOYMENTS, "product"))


def _clauses(text: str) -> list[Clause]:
    wanted = text.casefold()
    return [clause for clause in clauses() if wanted in clause.id.casefold() or wanted in clause.text.casefold()]


def _entries(text: str) -> Any:
    """By its place, or by the digest of what lies beside it."""
    if _PLACE.fullmatch(text):
        return Record.objects.select_related("place").filter(place__position=int(text))
    digest = _DIGEST.fullmatch(text)
    return Record.objects.filter(details_digest=f"sha256:{digest[1]}") if digest else Record.objects.none()
