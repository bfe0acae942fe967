"""Visibility of products and repositories: the filters of lists of those that an actor may see or act on."""

from typing import Any

from django.db.models import Q, QuerySet

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.server.products.models import Product, Repository


def visible_product_filter(actor: Actor, action: Action = Action.SEE_PRODUCT) -> Q:
    """Condition on a product's slug under which the actor may see it."""
    found = list_permitted_products(actor, action)
    return Q() if found is None else Q(slug__in=found)


def find_repositories(actor: Actor, action: Action) -> Any:
    """Repositories of active products for which the actor may do the action."""
    rows = Repository.objects.select_related("product").filter(product__retired_at=None)
    found = list_permitted_products(actor, action)
    return rows if found is None else rows.filter(product__slug__in=found)


def within_reach(actor: Actor, action: Action, path: str) -> Q:
    """The condition on a product, at the end of a path of keys, under which the actor may do this to it."""
    found = list_permitted_products(actor, action)
    return Q() if found is None else Q((f"{path}__slug__in", found))


def active_products(actor: Actor) -> "QuerySet[Product]":
    """The products that an actor may see and that are not retired."""
    return Product.objects.filter(visible_product_filter(actor), retired_at=None)
