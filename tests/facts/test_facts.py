"""Facts by name: what was never read and what is too old are not known."""

from typing import Any

import pytest

from muniment.facts import kinds
from muniment.facts.facts import Fact, Facts, Kind
from muniment.facts.kinds import KINDS
from muniment.facts.maybe import Known, Maybe, Unknown

READ = "2026-11-24T09:00:00.000000Z"


def read(name: str, now: str) -> Maybe[Any]:
    kind: Kind[Any] = KINDS[name]
    return Facts({name: Fact(Known(()), "test", READ, "00")}).get_at(kind, now)


@pytest.mark.parametrize("now", ["2026-11-24T09:00:00.000000Z", "2026-11-24T09:59:59.999999Z"])
def test_a_fact_of_a_product_is_known_for_its_time(now: str) -> None:
    assert read("environments", now) == Known(())


@pytest.mark.parametrize("now", ["2026-11-24T08:59:59.999999Z", "2026-11-24T10:00:00.000000Z"])
def test_a_fact_that_is_too_old_or_of_the_future_is_not_known(now: str) -> None:
    assert isinstance(read("environments", now), Unknown)


def test_what_never_changes_does_not_age() -> None:
    assert read("commits", "2036-11-24T09:00:00.000000Z") == Known(())


def test_what_was_not_collected_is_not_known() -> None:
    assert Facts({}).get_at(kinds.ENVIRONMENTS, READ) == Unknown("it was not collected")


def test_a_fact_whose_parts_are_stored_apart_is_committed_to_by_their_list() -> None:
    whole = Fact(Known(()), "test", READ, "00")
    apart = Fact(Known(()), "test", READ, "00", "sha256:x")
    assert (whole.stored.value, apart.stored.value) == (Known(()), Known("sha256:x"))
    assert whole.digest != apart.digest
