"""Secrets and deployments of all products that a person may see, a line for each product, in a bounded number of
queries.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Min, Prefetch, Q, QuerySet

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.deployments.models import Deployment
from muniment.server.deployments.newest_deployments import find_newest_deployments
from muniment.server.products.models import Environment, Product
from muniment.server.products.visible_products import visible_product_filter, within_reach
from muniment.server.secrets.models import Secret


class EnvironmentLine(NamedTuple):
    """Environment of a product, with its newest deployment."""

    environment: Environment
    newest: Deployment | None


class SecretCounts(NamedTuple):
    """Secrets of a product: how many, how many are older than the policy allows, and when the oldest was set."""

    total: int
    overdue: int
    oldest_at: datetime | None


class DeliveryLine(NamedTuple):
    """Product with its environments. `secrets` is None where the person may not see them."""

    product: Product
    environments: list[EnvironmentLine]
    secrets: SecretCounts | None


def find_delivering_products(actor: Actor, find: str) -> "QuerySet[Product]":
    """Active products with environments whose deployments the actor may see, with a text in their name or id."""
    places = Environment.objects.filter(ended_at=None)
    rows = Product.objects.filter(visible_product_filter(actor, Action.SEE_DEPLOYMENTS), retired_at=None)
    rows = rows.filter(pk__in=places.values("product"))
    if find:
        rows = rows.filter(Q(name__icontains=find) | Q(slug__icontains=find))
    return rows.prefetch_related(Prefetch("environments", places, "active_environments"))


def make_delivery_lines(actor: Actor, products: Sequence[Any], limit: int | None, now: datetime) -> list[DeliveryLine]:
    """Lines of these products of `find_delivering_products`. `limit` is the age in days that secrets may reach."""
    environments: dict[int, list[Environment]] = {one.pk: one.active_environments for one in products}
    newest = find_newest_deployments([place.pk for places in environments.values() for place in places], 1)
    permitted = Product.objects.filter(visible_product_filter(actor, Action.SEE_SECRETS), pk__in=list(environments))
    counts = dict.fromkeys(permitted.values_list("pk", flat=True), SecretCounts(0, 0, None))
    counts |= _count_secrets(actor, list(environments), limit, now)
    return [
        DeliveryLine(
            one,
            [EnvironmentLine(place, next(iter(newest.get(place.pk, [])), None)) for place in environments[one.pk]],
            counts.get(one.pk),
        )
        for one in products
    ]


def _count_secrets(actor: Actor, products: list[int], limit: int | None, now: datetime) -> dict[int, SecretCounts]:
    reach = within_reach(actor, Action.SEE_SECRETS, "environment__product")
    rows = Secret.objects.filter(reach, environment__product__in=products, environment__ended_at=None, removed_at=None)
    hidden = Q(public=False)
    old = hidden & Q(set_at__lt=now - timedelta(days=limit)) if limit is not None else Q(pk=None)
    grouped = (
        rows.order_by()
        .values("environment__product")
        .annotate(total=Count("pk"), overdue=Count("pk", filter=old), oldest_at=Min("set_at", filter=hidden))
    )
    return {
        row["environment__product"]: SecretCounts(row["total"], row["overdue"], row["oldest_at"]) for row in grouped
    }
