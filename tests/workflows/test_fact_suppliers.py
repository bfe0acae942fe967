"""Facts from several suppliers: failing or silent suppliers give Unknown and do not affect others."""

from collections.abc import Collection, Mapping

from muniment.errors import DatabaseError
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.workflows.fact_suppliers import create_fact, gather_facts

NOW = "2026-11-24T09:00:00.000000Z"


class FixedSupplier:
    """A supplier that returns given facts, or fails."""

    def __init__(self, names: Collection[str], *, fails: bool = False, **values: Maybe[object]) -> None:
        self.names = names
        self._fails = fails
        self._values = values

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        if self._fails:
            raise DatabaseError("the database is gone", "Start it.")
        return {name: create_fact(value, "test", now) for name, value in self._values.items() if name in names}


def test_each_fact_comes_from_first_supplier_of_its_kind() -> None:
    first, second = (
        FixedSupplier(["environments"], environments=Known(1)),
        FixedSupplier(["environments"], environments=Known(2)),
    )
    assert gather_facts([first, second], "shop", {"environments"}, NOW)["environments"].value == Known(1)


def test_failing_supplier_does_not_affect_others() -> None:
    found = gather_facts([FixedSupplier(["a"], fails=True), FixedSupplier(["b"], b=Known(1))], "shop", {"a", "b"}, NOW)
    assert (found["a"].value, found["b"].value) == (Unknown("the database is gone"), Known(1))


def test_fact_omitted_by_supplier_is_unknown() -> None:
    assert gather_facts([FixedSupplier(["a"])], "shop", {"a"}, NOW)["a"].value == Unknown("nobody said")


def test_unsupplied_facts_are_omitted_and_unneeded_facts_not_requested() -> None:
    assert gather_facts([FixedSupplier(["a"], fails=True)], "shop", {"b"}, NOW) == {}


def test_two_facts_of_the_same_value_have_different_digests() -> None:
    assert create_fact(Known(1), "test", NOW).digest != create_fact(Known(1), "test", NOW).digest
