"""Fields of acts that name a product, a repository or an environment, and the common base of acts on a product."""

from collections.abc import Iterable
from typing import Annotated, Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.access.roles import EVERYWHERE
from muniment.errors import RefusedError
from muniment.server.acts.act import Act
from muniment.server.acts.fields import reason_input
from muniment.server.acts.inputs import Label, Reference, Text
from muniment.server.products.models import SLUG_PATTERN, Environment, Product, Repository
from muniment.server.products.visible_products import find_repositories, visible_product_filter

SLUG_FORM = _("Write small letters and digits, with - between them, such as web-shop.")


def find_product(slug: str) -> Product | None:
    """Product with that handle, None for the whole organisation."""
    return Product.objects.get(slug=slug) if slug != EVERYWHERE else None


def make_product_input(**changed: Any) -> Reference:
    """Reference to a product that the actor may see, with `changed` fields of the Input."""
    values: dict[str, Any] = {
        "label": _("Product"),
        "find": _find_visible_product,
        "name": str,
        "offer": _offer_products,
        "show": find_product_name,
        "missing": _("There is no such product."),
        "remedy": _("Choose a product that the page Products shows."),
        "recorded": True,
        "most": 64,
    }
    return Reference(**values | changed)


def find_product_name(slug: str) -> str:
    """Name of a product, "" for none."""
    return Product.objects.filter(slug=slug).values_list("name", flat=True).first() or ""


def _find_visible_product(slug: str, actor: Actor) -> str | None:
    return slug if Product.objects.filter(visible_product_filter(actor), slug=slug).exists() else None


def _offer_products(actor: Actor) -> Iterable[tuple[str, Label]]:
    return Product.objects.filter(visible_product_filter(actor), retired_at=None).values_list("slug", "name")


def make_repository_input(**changed: Any) -> Reference:
    """Reference to a repository of a product that the actor may see: typed by name, stored by its number."""
    values: dict[str, Any] = {
        "label": _("Repository"),
        "find": _find_repository,
        "name": find_repository_name,
        "missing": _("There is no such repository."),
        "remedy": _("Choose a repository that the page of its product shows."),
        "recorded": True,
    }
    return Reference(**values | changed)


def _find_repository(name: str, actor: Actor) -> int | None:
    products = Product.objects.filter(visible_product_filter(actor))
    return Repository.objects.filter(product__in=products, name=name).values_list("pk", flat=True).first()


def make_permitted_repository_input(action: Action, **changed: Any) -> Reference:
    """Reference to a repository of an active product for which the actor may do `action`, to be chosen of a list."""

    def find_permitted(name: str, actor: Actor) -> int | None:
        found: int | None = find_repositories(actor, action).filter(name=name).values_list("pk", flat=True).first()
        return found

    def offer_permitted(actor: Actor) -> Iterable[tuple[str, Label]]:
        return [(row.name, f"{row.product.name}: {row.name}") for row in find_repositories(actor, action)]

    return make_repository_input(find=find_permitted, offer=offer_permitted, **changed)


def find_repository_name(number: int) -> str:
    """Name of a repository, "" for one that is gone."""
    return Repository.objects.filter(pk=number).values_list("name", flat=True).first() or ""


ProductId = Annotated[str, make_product_input()]
RepositoryId = Annotated[int, make_repository_input()]
EnvironmentName = Annotated[str, Text(label=_("Environment"), most=64, recorded=True)]
Slug = Annotated[str, Text(label=_("Name"), most=64, pattern=SLUG_PATTERN, form=SLUG_FORM, recorded=True)]
GivenReason = Annotated[str, reason_input()]


class ProductAct(Act, frozen=True):
    """Base of acts on one product."""

    product: ProductId

    def find_resource(self) -> Resource:
        return Resource(product=self.product)

    def format_subject(self) -> str:
        return f"product:{self.product}"

    def find_product_row(self) -> Product:
        return Product.objects.get(slug=self.product)


def find_active_environment(product: str, name: str) -> Environment:
    """Environment in use, of a product that is not retired. Raises RefusedError if there is none."""
    rows = Environment.objects.select_related("product").filter(ended_at=None, product__retired_at=None)
    found = rows.filter(product__slug=product, name=name).first()
    if found is None:
        raise RefusedError(
            "no-environment",
            gettext("There is no such environment."),
            gettext("Choose one that the page of the product's environments shows."),
        )
    return found
