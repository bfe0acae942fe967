"""Facts from many suppliers: what fails or stays silent is Unknown, and holds up no other."""

from collections.abc import Collection, Mapping

from muniment.errors import DatabaseError
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.workflows.supplies import fact, gather

NOW = "2026-11-24T09:00:00.000000Z"


class Knows:
    """Gives what it was given, or fails."""

    def __init__(self, names: Collection[str], *, fails: bool = False, **values: Maybe[object]) -> None:
        self.names = names
        self._fails = fails
        self._values = values

    def supply(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        if self._fails:
            raise DatabaseError("the database is gone", "Start it.")
        return {name: fact(value, "test", now) for name, value in self._values.items() if name in names}


def test_each_fact_comes_from_the_first_that_knows_such() -> None:
    first, second = Knows(["environments"], environments=Known(1)), Knows(["environments"], environments=Known(2))
    assert gather([first, second], "shop", {"environments"}, NOW)["environments"].value == Known(1)


def test_a_supplier_that_fails_holds_up_no_other() -> None:
    found = gather([Knows(["a"], fails=True), Knows(["b"], b=Known(1))], "shop", {"a", "b"}, NOW)
    assert (found["a"].value, found["b"].value) == (Unknown("the database is gone"), Known(1))


def test_what_a_supplier_is_silent_about_is_not_known() -> None:
    assert gather([Knows(["a"])], "shop", {"a"}, NOW)["a"].value == Unknown("nobody said")


def test_what_nobody_knows_is_left_out_and_what_nobody_needs_is_not_asked() -> None:
    assert gather([Knows(["a"], fails=True)], "shop", {"b"}, NOW) == {}


def test_two_facts_of_the_same_value_have_different_digests() -> None:
    assert fact(Known(1), "test", NOW).digest != fact(Known(1), "test", NOW).digest
