"""Pages that change a product: add it, retire it, change its environments; and how far its repositories are read."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource, Why, authorize
from muniment.access.roles import EVERYWHERE
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import acting, requires
from muniment.server.products.environment_acts import AddEnvironment, RemoveEnvironment
from muniment.server.products.models import Product
from muniment.server.products.product_acts import AddProduct, RetireProduct


def of(request: HttpRequest, slug: str, **_: Any) -> Resource:
    """The product of an address."""
    return Resource(product=slug)


@require_POST
@requires(Action.ADD_PRODUCT)
def add(request: HttpRequest) -> HttpResponse:
    """Add a product."""
    return submit_act(request, AddProduct, {}, _("Added."), "products")


@require_GET
@requires(Action.SEE_PRODUCT, of)
def progress(request: HttpRequest, slug: str) -> HttpResponse:
    """How far the past of a product's repositories is judged: a part of its page, asked for again and again."""
    found = get_object_or_404(Product, slug=slug)
    return render(
        request,
        "products/progress.html",
        {"product": found, "repositories": found.repositories.select_related("scan", "forge_link")},
    )


@require_POST
@requires(Action.CHANGE_PRODUCT, of)
def change_environments(request: HttpRequest, slug: str) -> HttpResponse:
    """Add or remove an environment of a product."""
    acts = (AddEnvironment, RemoveEnvironment)
    return submit_act(request, acts, {"product": slug}, _("Done."), "environments", slug)


@require_POST
@requires(Action.RETIRE_PRODUCT, of)
def retire(request: HttpRequest, slug: str) -> HttpResponse:
    """Request that a product is retired; a second person approves it."""
    return submit_act(request, RetireProduct, {"product": slug}, _("Retired."), "product", slug)


def would(request: HttpRequest, action: Action, product: str = EVERYWHERE) -> bool:
    """Whether they may do it, or could once they proved a second factor: for what a page offers."""
    why = authorize(acting(request), action, Resource(product=product))
    return why in (Why.YES, Why.NO_SECOND_FACTOR)
