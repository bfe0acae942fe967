"""Pages of connections to forges: our account there, missing permissions and their effect, and the credential."""

from collections.abc import Iterable
from datetime import timedelta

from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, AccessResult, authorize
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Vendor
from muniment.server.acts.forms import TAG
from muniment.server.acts.submission import submit_act
from muniment.server.connections import credentials, webhook_deliveries
from muniment.server.connections.connection_acts import (
    AddConnection,
    EndConnection,
    RefreshConnection,
    RenewWebhookSecret,
    StoreCredential,
)
from muniment.server.connections.connection_health import (
    ABILITY_NAMES,
    count_permissions,
    count_protected_branches,
    find_last_event,
    find_setup_step,
)
from muniment.server.connections.models import Connection, ProtectedBranch, VisibleRepository
from muniment.server.connections.proxy_acts import SetConnectionProxy
from muniment.server.connections.rate_limits import list_limit_states
from muniment.server.connections.repository_acts import ConnectRepository
from muniment.server.guarding.mediation import current_actor, require_action
from muniment.server.job_queue import enqueue
from muniment.server.page_lists import form_fields, page_by_id
from muniment.server.products.models import Product
from muniment.server.products.visible_products import visible_product_filter

_FIRST_BRANCHES = 50  # on the page of a connection; all of them have a page of their own
_MOST_UNREADABLE = 20
_JUST_NOW = timedelta(seconds=30)  # a reading of branch rules that is not older is not repeated


@require_GET
@require_action(Action.SEE_CONNECTIONS)
def list_connections(request: HttpRequest) -> HttpResponse:
    """List the connected forges."""
    rows = Connection.objects.filter(ended_at=None).prefetch_related("rate_limits")
    listed = [
        (row, list_limit_states(row), count_protected_branches(row))
        for row in rows.annotate(repository_count=Count("repository_links"))
    ]
    context = {"connections": listed, "may_change": _can_change(request), "step": 1}
    return render(request, "connections/list.html", context)


@require_POST
@require_action(Action.CHANGE_CONNECTION)
def add_connection(request: HttpRequest) -> HttpResponse:
    """Add a connection to a forge, and go on to its own page, where the credential is stored."""

    def go_to_connection(_result: object) -> HttpResponse:
        messages.success(request, done)
        return redirect("connection", str(request.POST.get("name", "")).strip())

    done = _("The connection was added. Now store its credential.")
    return submit_act(request, AddConnection, {}, done, "connections", build_response=go_to_connection)


@require_GET
@require_action(Action.SEE_CONNECTIONS)
def show_connection(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one connection: visible repositories, missing permissions, and which repositories are evaluated."""
    found = get_object_or_404(Connection, slug=slug, ended_at=None)
    find = request.GET.get("find", "").strip()[:100]
    listed = page_by_id(request, found.visible_repositories.filter(path__icontains=find))
    numbers = [row.forge_id for row in listed.rows]
    links = found.repository_links.filter(forge_id__in=numbers).select_related("repository__product")
    connected = {link.forge_id: link for link in links}
    protection = count_protected_branches(found)
    may_change = _can_change(request)
    context: dict[str, object] = {
        "connection": found,
        "rate_limits": list_limit_states(found),
        "page": listed,
        "rows": [(row, _name_missing(row), connected.get(row.forge_id)) for row in listed.rows],
        "permissions": count_permissions(found),
        "protection": protection,
        "step": find_setup_step(found, protection) if may_change else 0,
        "last_event": find_last_event(found),
        "repository_count": found.repository_links.count(),
        "find": find,
        "more": urlencode({"find": find}) if find else "",
        **_load_branches(found, _list_branches(found)[:_FIRST_BRANCHES], reread=True),
        "unreadable": found.repository_links.exclude(problem="").select_related("repository")[:_MOST_UNREADABLE],
        "hook": webhook_deliveries.build_webhook_url(found),
        "products": _list_changeable_products(request),
        "may_change": may_change,
        "app": FORGE_KINDS[Vendor(found.vendor)].has_app,
    }
    return render(request, "connections/connection.html", context)


@require_GET
@require_action(Action.SEE_CONNECTIONS)
def show_protected_branches(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the watched branches: a page, and a part of the connection's page that is polled until they were read."""
    found = get_object_or_404(Connection, slug=slug, ended_at=None)
    if "HX-Request" in request.headers:
        part = _load_branches(found, _list_branches(found)[:_FIRST_BRANCHES], reread=False)
        part["protection"] = count_protected_branches(found)
        return render(request, "connections/protected_branches.html", {"connection": found, **part})
    listed = page_by_id(request, _list_branches(found))
    context = {"connection": found, "page": listed, **_load_branches(found, listed.rows, reread=False)}
    return render(request, "connections/branch_protection.html", {**context, "whole": True, "reading": False})


@require_POST
@require_action(Action.CHANGE_CONNECTION)
def change_connection(request: HttpRequest, slug: str) -> HttpResponse:
    """Renew the webhooks' secret, refresh the connection, or end it."""
    acts, ends = (
        (RenewWebhookSecret, RefreshConnection, EndConnection),
        request.POST.get(TAG) == EndConnection.act_tag(),
    )
    back = ("connections",) if ends else ("connection", slug)
    return submit_act(request, acts, {"connection": slug}, _("Done."), *back)


@require_POST
@require_action(Action.CHANGE_CONNECTION)
def set_proxy(request: HttpRequest, slug: str) -> HttpResponse:
    """Set the proxy that a connection is reached through."""
    done = _("Saved. The connection is being tried.")
    return submit_act(request, SetConnectionProxy, {"connection": slug}, done, "connection", slug)


@sensitive_post_parameters()
@require_POST
@require_action(Action.CHANGE_CONNECTION)
def submit_credential(request: HttpRequest, slug: str) -> HttpResponse:
    """Pass a credential to the vault. It is in this process's memory only, and nothing of it is stored."""
    secret, sent = form_fields(request, credentials.NAMES), request.POST.copy()
    for name in credentials.NAMES:
        sent.pop(name, None)
    done = _("The credential is in the vault. Its repositories are being read.")
    fixed: dict[str, object] = {"connection": slug}
    place = ("connection", slug)
    return submit_act(request, StoreCredential, fixed, done, *place, secret=secret, form_data=sent, show_again=False)


@require_POST
@require_action(Action.CHANGE_CONNECTION)
def connect_repository(request: HttpRequest, slug: str) -> HttpResponse:
    """Connect a repository that a connection sees to a product."""
    return submit_act(
        request,
        ConnectRepository,
        {},
        _("The repository is connected. Its pull requests are being read."),
        "connection",
        slug,
    )


def _name_missing(row: VisibleRepository) -> list[Promise]:
    """Names of the permissions that our account lacks there."""
    return [name for ability, name in ABILITY_NAMES.items() if ability.value in row.missing_permissions]


def _list_changeable_products(request: HttpRequest) -> "QuerySet[Product]":
    filtered = visible_product_filter(current_actor(request), Action.CHANGE_PRODUCT)
    return Product.objects.filter(filtered, retired_at=None)


def _list_branches(connection: Connection) -> "QuerySet[ProtectedBranch]":
    rows = ProtectedBranch.objects.filter(repository__forge_link__connection=connection)
    return rows.select_related("repository__product", "repository__forge_link").order_by("-pk")


def _load_branches(connection: Connection, rows: "Iterable[ProtectedBranch]", *, reread: bool) -> dict[str, object]:
    """Watched branches for their table. With `reread`, the forge's rules for them are read again, if they were not
    just now: a forge reports an altered rule late or not at all.
    """
    branches = list(rows)
    just_now = timezone.now() - _JUST_NOW
    old = {row.repository_id for row in branches if row.rules_checked_at is None or row.rules_checked_at < just_now}
    if reread and connection.credential_set_at is not None and not connection.problem:
        for number in sorted(old):
            enqueue("read-branch-rules", repository=number)
    return {"branches": branches, "reading": not connection.problem and bool(old)}


def _can_change(request: HttpRequest) -> bool:
    return authorize(current_actor(request), Action.CHANGE_CONNECTION, ORGANISATION) in (
        AccessResult.YES,
        AccessResult.NO_SECOND_FACTOR,
    )
