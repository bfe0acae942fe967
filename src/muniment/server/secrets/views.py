"""Secrets of a product, as a page: names, ages, who set them and which pipelines read them. Never a value."""

from typing import Any

from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.server.guarding.mediation import acting, requires
from muniment.server.pages import given, tried
from muniment.server.products.models import Environment, Product
from muniment.server.products.views import of, would
from muniment.server.proposals.doing import ask
from muniment.server.secrets.acts import put
from muniment.server.secrets.models import Fetch, Secret

_READERS = 20  # shown of each environment


@require_GET
@requires(Action.SEE_SECRETS, of)
def secrets(request: HttpRequest, slug: str) -> HttpResponse:
    """What is in the vault for each environment of a product."""
    found = get_object_or_404(Product, slug=slug)
    names = Prefetch("secrets", Secret.objects.select_related("by"))
    readers = Prefetch("fetches", Fetch.objects.order_by("-last", "who"))
    context: dict[str, Any] = {
        "product": found,
        "environments": Environment.objects.filter(product=found, ended=None).prefetch_related(names, readers),
        "may_set": would(request, Action.SET_SECRET, slug),
        "may_remove": would(request, Action.REMOVE_SECRET, slug),
        "readers": _READERS,
    }
    return render(request, "secrets/secrets.html", context)


@sensitive_post_parameters("value")
@never_cache
@require_POST
@requires(Action.SET_SECRET, of)
def set_(request: HttpRequest, slug: str) -> HttpResponse:
    """Set or replace one: what is typed goes to the vault, and cannot be seen again."""
    what = given(request, ("environment", "name", "how", "public"))
    if what["how"] not in ("typed", "generated"):
        raise Http404
    value = str(request.POST.get("value", "")).replace("\r\n", "\n") if what["how"] == "typed" else None
    public = what["public"] == "yes"
    act = lambda: put(acting(request), slug, what["environment"], what["name"].strip(), value, public=public)  # noqa: E731 -- short
    return tried(request, act, _("It is in the vault. Nobody can see it again."), "secrets", slug)


@require_POST
@requires(Action.REMOVE_SECRET, of)
def remove(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for one to be removed."""
    what = {"id": slug, **given(request, ("environment", "name"))}
    reason = given(request, ("reason",))["reason"]
    told = removal(what)
    act = lambda: ask(acting(request), Action.REMOVE_SECRET, what, told, reason, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("It is removed."), "secrets", slug)


def removal(what: dict[str, Any]) -> str:
    """What a removal is, in a sentence that begins with a verb."""
    return f"remove the secret {what['name']} of {what['environment']} of {what['id']}"
