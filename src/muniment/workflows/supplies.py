"""Facts of a product by name, from whoever knows them: one that fails gives Unknowns, and holds up no other."""

import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from muniment.errors import MunimentError
from muniment.facts.facts import Fact
from muniment.facts.maybe import Maybe, Unknown


class Supplier(Protocol):
    """Knows some facts of products, such as what the vault says. `names` are those of `facts.kinds` that it gives."""

    @property
    def names(self) -> Collection[str]:
        """The names of the facts that it can give."""

    def supply(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Those facts of a product (by its short name) that go by `names`, each with the moment it was read.

        What cannot be read is an Unknown with its why. Raises MunimentError where nothing can be read.
        """


def fact(value: Maybe[Any], source: str, now: str, reference: str = "") -> Fact:
    """A fact that was read at `now` from `source` (a word, such as `vault`), with a salt of its own.

    `reference` is the digest by which a value is committed to that is stored as objects of its own.
    """
    return Fact(value=value, source=source, read_at=now, salt=secrets.token_hex(16), reference=reference)


def gather(suppliers: Iterable[Supplier], product: str, names: Collection[str], now: str) -> dict[str, Fact]:
    """The facts of a product that go by `names`, each from the first of `suppliers` that knows such.

    One that nobody knows is left out: then it was not collected, which is not known either.
    """
    found: dict[str, Fact] = {}
    for supplier in suppliers:
        wanted = [name for name in names if name in supplier.names and name not in found]
        if wanted:
            found.update(_supplied(supplier, product, wanted, now))
    return found


def _supplied(supplier: Supplier, product: str, wanted: list[str], now: str) -> dict[str, Fact]:
    try:
        given = supplier.supply(product, wanted, now)
    except MunimentError as error:
        return {name: fact(Unknown(error.message), "nobody", now) for name in wanted}
    return {name: given.get(name) or fact(Unknown("nobody said"), "nobody", now) for name in wanted}
