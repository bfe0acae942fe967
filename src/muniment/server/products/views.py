"""Pages that change a product: add it, retire it, change its environments; and the progress of its scans."""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Resource, authorize
from muniment.access.roles import EVERYWHERE
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, require_action
from muniment.server.products.environment_acts import AddEnvironment, RemoveEnvironment
from muniment.server.products.models import Product, Repository
from muniment.server.products.product_acts import AddProduct, RetireProduct


def find_product_resource(request: HttpRequest, slug: str, **_: object) -> Resource:
    """Product of an address."""
    return Resource(product=slug)


@require_POST
@require_action(Action.ADD_PRODUCT)
def add_product(request: HttpRequest) -> HttpResponse:
    """Add a product, and go back to the list."""
    return submit_act(request, AddProduct, {}, _("Added."), "products")


@require_GET
@require_action(Action.SEE_PRODUCT, find_product_resource)
def show_scan_progress(request: HttpRequest, slug: str) -> HttpResponse:
    """Show how far the history of a product's repositories is evaluated: a part of its page, polled by it."""
    found = get_object_or_404(Product, slug=slug)
    repositories = list(found.repositories.select_related("scan", "hook_log", "forge_link"))
    context = {"product": found, "repositories": repositories, "being_read": is_being_read(repositories)}
    return render(request, "products/progress.html", context)


def is_being_read(repositories: Iterable[Repository]) -> bool:
    """Whether the worker still reads or evaluates one of these repositories, so that their progress changes soon."""
    return any(_is_unfinished(one) for one in repositories)


def _is_unfinished(repository: Repository) -> bool:
    link, scan = getattr(repository, "forge_link", None), getattr(repository, "scan", None)
    if repository.at_forge:
        return link is None or not (link.problem or link.reconciled_at)
    return scan is None or (not scan.problem and scan.evaluated_count < scan.change_count)


@require_POST
@require_action(Action.CHANGE_PRODUCT, find_product_resource)
def change_environments(request: HttpRequest, slug: str) -> HttpResponse:
    """Add or remove an environment of a product."""
    acts = (AddEnvironment, RemoveEnvironment)
    return submit_act(request, acts, {"product": slug}, _("Done."), "environments", slug)


@require_POST
@require_action(Action.RETIRE_PRODUCT, find_product_resource)
def retire_product(request: HttpRequest, slug: str) -> HttpResponse:
    """Request that a product is retired; a second person approves it."""
    return submit_act(request, RetireProduct, {"product": slug}, _("Retired."), "product-settings", slug)


def could_with_second_factor(request: HttpRequest, action: Action, product: str = EVERYWHERE) -> bool:
    """Whether the actor may do it, or could with a second factor: for the acts that a page offers."""
    why = authorize(current_actor(request), action, Resource(product=product))
    return why in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)
