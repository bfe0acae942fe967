"""Connections to forges, as pages: who we are there, what is missing and what that costs, and the credential's door."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Why, authorize
from muniment.errors import VaultError
from muniment.forges.shapes import WITHOUT, Ability
from muniment.server.connections import credentials, hearing
from muniment.server.connections.models import Branch, Connected, Connection, Listed, Vendor
from muniment.server.guarding.mediation import acting, requires
from muniment.server.pages import given, page, tried
from muniment.server.products.models import Product
from muniment.server.products.reach import seen
from muniment.server.proposals.doing import ask

_STEPS = {
    "turn": "renew the secret of the webhooks of {id}",
    "look": "look again at {id}",
    "end": "end the connection {id}",
}


@require_GET
@requires(Action.SEE_CONNECTIONS)
def connections(request: HttpRequest) -> HttpResponse:
    """Every forge that is connected."""
    rows = Connection.objects.filter(ended=None).prefetch_related("connected")
    context = {"connections": rows, "vendors": Vendor.choices, "may_change": _may_change(request)}
    return render(request, "connections/list.html", context)


@require_POST
@requires(Action.CHANGE_CONNECTION)
def add(request: HttpRequest) -> HttpResponse:
    """Say where a forge is. Its credential comes after, on the connection's own page."""
    what = {"do": "add", **given(request, ("id", "vendor", "url"))}
    told = f"connect the forge {what['id']} at {what['url']}"
    act = lambda: ask(acting(request), Action.CHANGE_CONNECTION, what, told)  # noqa: E731 -- short
    return tried(request, act, _("Now give it the credential, on its own page."), "connections")


@require_GET
@requires(Action.SEE_CONNECTIONS)
def connection(request: HttpRequest, slug: str) -> HttpResponse:
    """One: what it sees, what is missing there, and which repositories are judged."""
    found = get_object_or_404(Connection, slug=slug, ended=None)
    connected = {row.forge_id: row for row in found.connected.select_related("repository__product")}
    find = request.GET.get("find", "").strip()[:100]
    listed = page(request, found.listed.filter(path__icontains=find))
    rows = [(row, [one.value for one in _without(row)], connected.get(row.forge_id)) for row in listed.rows]
    missing = {ability for row in listed.rows for ability in _without(row)}
    context: dict[str, Any] = {
        "connection": found,
        "page": listed,
        "rows": rows,
        "costs": [(ability.value, WITHOUT[ability]) for ability in Ability if ability in missing],
        "find": find,
        "more": urlencode({"find": find}) if find else "",
        "branches": Branch.objects.filter(repository__connected__connection=found).select_related("repository"),
        "ill": Connected.objects.filter(connection=found).exclude(problem="").select_related("repository"),
        "hook": hearing.address(found),
        "products": Product.objects.filter(seen(acting(request), Action.CHANGE_PRODUCT), retired=None),
        "may_change": _may_change(request),
        "app": found.vendor == Vendor.GITHUB,
    }
    return render(request, "connections/connection.html", context)


@require_POST
@requires(Action.CHANGE_CONNECTION)
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Renew the webhooks' secret, look again, or end it."""
    what = {"id": slug, **given(request, ("do",))}
    if what["do"] not in _STEPS:
        raise Http404
    told = _STEPS[what["do"]].format(id=slug)
    act = lambda: ask(acting(request), Action.CHANGE_CONNECTION, what, told)  # noqa: E731 -- short
    back = ("connections",) if what["do"] == "end" else ("connection", slug)
    return tried(request, act, _("Done."), *back)


@sensitive_post_parameters()
@require_POST
@requires(Action.CHANGE_CONNECTION)
def key(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a credential to the vault. It passes through here once, and nothing of it stays."""
    found = get_object_or_404(Connection, slug=slug, ended=None)

    def act() -> object:
        values = credentials.checked(found.vendor, given(request, credentials.NAMES))
        return keep(request, found, values)

    return tried(request, act, _("It is in the vault. What the connection sees is being read."), "connection", slug)


def keep(request: HttpRequest, connection: Connection, values: dict[str, str | None]) -> object:
    """Record that somebody gives it a credential, then put that into the vault. ValueError if that cannot be done."""
    what = {"id": connection.slug, "do": "key"}
    done = ask(acting(request), Action.CHANGE_CONNECTION, what, f"give {connection.slug} a credential")
    try:
        credentials.keep(connection, values)
    except VaultError as error:
        raise ValueError(f"{error.message[:1].upper()}{error.message[1:]}. {error.remedy}") from None
    return done


@require_POST
@requires(Action.CHANGE_CONNECTION)
def put(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a repository that a connection sees one of a product."""
    fields = given(request, ("product", "listed", "name"))
    what = {"id": fields["product"], "do": "connect", "listed": fields["listed"], "name": fields["name"]}
    told = f"connect a repository of {slug} to {fields['product']}"
    product = fields["product"]
    act = lambda: ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=product)  # noqa: E731 -- short
    return tried(request, act, _("It is connected, and being read."), "connection", slug)


def _without(row: Listed) -> list[Ability]:
    """What our account may not do there."""
    return [ability for ability in Ability if ability.value in row.missing]


def _may_change(request: HttpRequest) -> bool:
    return authorize(acting(request), Action.CHANGE_CONNECTION, ORGANISATION) in (Why.YES, Why.NO_SECOND_FACTOR)
