"""Which products and repositories somebody may see, or do something to: what lists are filtered by."""

from typing import Any

from django.db.models import Q, QuerySet

from muniment.access.actions import Action
from muniment.access.authorize import Actor, products
from muniment.server.products.models import Product, Repository


def seen(actor: Actor, action: Action = Action.SEE_PRODUCT) -> Q:
    """The condition on a product's slug under which this one may see it."""
    found = products(actor, action)
    return Q() if found is None else Q(slug__in=found)


def repositories_of(actor: Actor, action: Action) -> Any:
    """The repositories of active products for which this one may do something."""
    rows = Repository.objects.select_related("product").filter(product__retired_at=None)
    found = products(actor, action)
    return rows if found is None else rows.filter(product__slug__in=found)


def within_reach(actor: Actor, action: Action, path: str) -> Q:
    """The condition on a product, at the end of a path of keys, under which the actor may do this to it."""
    found = products(actor, action)
    return Q() if found is None else Q((f"{path}__slug__in", found))


def active_products(actor: Actor) -> "QuerySet[Product]":
    """The products that an actor may see and that are not retired."""
    return Product.objects.filter(seen(actor), retired_at=None)
