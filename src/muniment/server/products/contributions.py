"""Contributions of the products."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.server.acts.system_actors import SystemActor
from muniment.server.guarding.mediation import current_actor
from muniment.server.products.environment_acts import AddEnvironment, RemoveEnvironment
from muniment.server.products.models import Environment, Product, Repository, RepositoryScan
from muniment.server.products.product_acts import AddProduct, ChangeProduct, RetireProduct
from muniment.server.products.visible_products import visible_product_filter, within_reach
from muniment.server.registration import AppContributions, GlossaryEntry, MenuEntry, MenuGroup, OverviewCard, SearchKind
from muniment.server.remembered_sql import remember_sql

_SHOWN = 6  # repositories on the overview
_COLUMNS = ("name", "scan__problem", "forge_link__problem", "product__slug", "product__name")


def find_products(actor: Actor, text: str) -> Iterable[object]:
    """The products with a text in their name or id."""
    return Product.objects.filter(visible_product_filter(actor), Q(name__icontains=text) | Q(slug__icontains=text))


def find_environments(actor: Actor, text: str) -> Iterable[object]:
    """The environments with a text in their name."""
    rows = Environment.objects.select_related("product").filter(ended_at=None, name__icontains=text)
    return rows.filter(within_reach(actor, Action.SEE_DEPLOYMENTS, "product"))


def find_policies_of_scans() -> Iterable[str]:
    """The digests of the policies by which repositories were evaluated."""
    return RepositoryScan.objects.exclude(policy_digest="").values_list("policy_digest", flat=True)


def read_unreadable(request: HttpRequest) -> dict[str, object] | None:
    """The repositories that could not be read, here or at their forge, whose clauses are therefore not known."""
    found = _find_unreadable(list_permitted_products(current_actor(request), Action.SEE_PRODUCT))
    return {"unreadable": [dict(zip(_COLUMNS, row, strict=True)) for row in found]} if found else None


@remember_sql
def _find_unreadable(products: frozenset[str] | None) -> "QuerySet[Any, tuple[Any, ...]]":
    rows = Repository.objects.filter(product__retired_at=None)
    if products is not None:
        rows = rows.filter(product__slug__in=products)
    return rows.filter(Q(scan__problem__gt="") | Q(forge_link__problem__gt="")).values_list(*_COLUMNS)[:_SHOWN]


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.products.urls",
    acts=(
        AddProduct,
        ChangeProduct,
        RetireProduct,
        AddEnvironment,
        RemoveEnvironment,
    ),
    system_acts={SystemActor.OPERATOR: (AddProduct,)},
    menu=(MenuEntry(MenuGroup.ASSURE, 30, "products", _("Products"), "box", Action.SEE_PRODUCT),),
    search=(
        SearchKind(10, "products/found.html", find_products),
        SearchKind(60, "products/found_environments.html", find_environments),
    ),
    overview=(OverviewCard(120, "products/overview_unreadable.html", read_unreadable),),
    glossary=(GlossaryEntry(10, _("product"), _("What the company sells or runs.")),),
    policies_in_use=(find_policies_of_scans,),
    demonstration="muniment.server.products.demonstration",
)
