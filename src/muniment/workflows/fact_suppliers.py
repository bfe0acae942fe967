"""Facts of a product by name, from their suppliers: a failed one gives Unknowns, and delays no other."""

import os
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from muniment.errors import MunimentError
from muniment.facts.facts import Fact
from muniment.facts.maybe import Maybe, Unknown


class Supplier(Protocol):
    """Supplies some facts of products, such as the vault's state. `names` are those of `facts.kinds` that it gives."""

    @property
    def names(self) -> Collection[str]:
        """Names of the facts that it can give."""

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Facts of a product (by its short name) that go by `names`, each with the moment it was read.

        Unreadable ones are Unknown with the reason. Raises MunimentError where nothing can be read.
        """


def create_fact(value: Maybe[object], source: str, now: str, reference: str = "") -> Fact:
    """Create a fact that was read at `now` from `source` (a word, such as `vault`), with a salt of its own.

    `reference` is the digest by which a value is committed to that is stored as objects of its own.
    """
    return Fact(value=value, source=source, read_at=now, salt=os.urandom(16).hex(), reference=reference)


def gather_facts(suppliers: Iterable[Supplier], product: str, names: Collection[str], now: str) -> dict[str, Fact]:
    """Facts of a product that go by `names`, each from the first of `suppliers` that has it.

    A fact without a supplier is left out: it was not collected, and counts as unknown too.
    """
    found: dict[str, Fact] = {}
    for supplier in suppliers:
        wanted = [name for name in names if name in supplier.names and name not in found]
        if wanted:
            found.update(_supply_or_unknown(supplier, product, wanted, now))
    return found


def _supply_or_unknown(supplier: Supplier, product: str, wanted: list[str], now: str) -> dict[str, Fact]:
    try:
        given = supplier.supply_facts(product, wanted, now)
    except MunimentError as error:
        return {name: create_fact(Unknown(error.message), "nobody", now) for name in wanted}
    return {name: given.get(name) or create_fact(Unknown("nobody said"), "nobody", now) for name in wanted}
