"""Part of the demonstration about products: what they are, their sensitive paths and their environments."""

from collections.abc import Iterator
from functools import partial

from muniment.server.demonstration_story import (
    ADMINISTRATOR,
    FIRST_DAY,
    PRODUCTS,
    Demonstration,
    DemonstrationEvent,
)
from muniment.server.products.environment_acts import AddEnvironment
from muniment.server.products.models import SIGNALS
from muniment.server.products.product_acts import AddProduct, ChangeProduct

_ANSWERS = {True: "yes", False: "no", None: ""}


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """List the demonstration's events about products."""
    yield DemonstrationEvent(company.find_moment(FIRST_DAY - 2, 8), "web", partial(_add_products, company))


def _add_products(company: Demonstration) -> None:
    for product in PRODUCTS:
        signals = {name: _ANSWERS[value] for name, value in zip(SIGNALS, product.signals, strict=True)}
        company.perform(ADMINISTRATOR, AddProduct, id=product.slug, name=product.name, **signals)
        if product.sensitive:
            values = {"product": product.slug, "name": product.name, "sensitive": product.sensitive}
            company.perform(ADMINISTRATOR, ChangeProduct, **values, **signals)
        for name in product.environments:
            company.perform(ADMINISTRATOR, AddEnvironment, product=product.slug, name=name)
