"""Fields of acts that name a product, a repository or an environment, and what every act on a product shares."""

from collections.abc import Iterable
from typing import Annotated, Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Resource
from muniment.access.roles import EVERYWHERE
from muniment.errors import RefusedError
from muniment.server.acts.act import Act
from muniment.server.acts.fields import reason_input
from muniment.server.acts.inputs import Label, Reference, Text
from muniment.server.products.models import SLUG_PATTERN, Environment, Product, Repository
from muniment.server.products.reach import repositories_of, seen

SLUG_FORM = _("Write small letters and digits, with - between them, such as web-shop.")


def product_of(slug: str) -> Product | None:
    """The product, None for the whole organisation."""
    return Product.objects.get(slug=slug) if slug != EVERYWHERE else None


def product_input(**changed: Any) -> Reference:
    """A reference to a product that the actor may see, with `changed` fields of the Input."""
    values: dict[str, Any] = {
        "label": _("Product"),
        "find": _find_product,
        "name": str,
        "offer": _offer_products,
        "missing": _("There is no such product."),
        "remedy": _("Choose a product that the page Products shows."),
        "recorded": True,
        "most": 64,
    }
    return Reference(**values | changed)


def _find_product(slug: str, actor: Actor) -> str | None:
    return slug if Product.objects.filter(seen(actor), slug=slug).exists() else None


def _offer_products(actor: Actor) -> Iterable[tuple[str, Label]]:
    return Product.objects.filter(seen(actor), retired_at=None).values_list("slug", "name")


def repository_input(**changed: Any) -> Reference:
    """A reference to a repository of a product that the actor may see: typed by name, stored by its number."""
    values: dict[str, Any] = {
        "label": _("Repository"),
        "find": _find_repository,
        "name": repository_name,
        "missing": _("There is no such repository."),
        "remedy": _("Choose a repository that the page of its product shows."),
        "recorded": True,
    }
    return Reference(**values | changed)


def _find_repository(name: str, actor: Actor) -> int | None:
    products = Product.objects.filter(seen(actor))
    return Repository.objects.filter(product__in=products, name=name).values_list("pk", flat=True).first()


def permitted_repository_input(action: Action, **changed: Any) -> Reference:
    """A reference to a repository of an active product for which the actor may do `action`, to be chosen of a list."""

    def find(name: str, actor: Actor) -> int | None:
        found: int | None = repositories_of(actor, action).filter(name=name).values_list("pk", flat=True).first()
        return found

    def offer(actor: Actor) -> Iterable[tuple[str, Label]]:
        return [(row.name, f"{row.product.name}: {row.name}") for row in repositories_of(actor, action)]

    return repository_input(find=find, offer=offer, **changed)


def repository_name(number: int) -> str:
    """The name of a repository, "" for one that is gone."""
    return Repository.objects.filter(pk=number).values_list("name", flat=True).first() or ""


ProductId = Annotated[str, product_input()]
RepositoryId = Annotated[int, repository_input()]
EnvironmentName = Annotated[str, Text(label=_("Environment"), most=64, recorded=True)]
Slug = Annotated[str, Text(label=_("Name"), most=64, pattern=SLUG_PATTERN, form=SLUG_FORM, recorded=True)]
Reason = Annotated[str, reason_input()]


class ProductAct(Act, frozen=True):
    """An act on one product."""

    product: ProductId

    def resource(self) -> Resource:
        """The product."""
        return Resource(product=self.product)

    def subject(self) -> str:
        """The product."""
        return f"product:{self.product}"

    def row(self) -> Product:
        """The product's row."""
        return Product.objects.get(slug=self.product)


def find_environment(product: str, name: str) -> Environment:
    """An environment in use, of a product that is not retired. Raises RefusedError if there is none."""
    rows = Environment.objects.select_related("product").filter(ended_at=None, product__retired_at=None)
    found = rows.filter(product__slug=product, name=name).first()
    if found is None:
        raise RefusedError(
            "no-environment",
            gettext("There is no such environment."),
            gettext("Choose one that the page of the product's environments shows."),
        )
    return found
