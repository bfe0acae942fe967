"""Facts by name: facts that were never collected or are too old are unknown."""

from typing import Any

import pytest

from muniment.facts import kinds
from muniment.facts.facts import Fact, FactKind, Facts
from muniment.facts.kinds import KINDS
from muniment.facts.maybe import Known, Maybe, Unknown

READ = "2026-11-24T09:00:00.000000Z"


def read_fact(name: str, now: str) -> Maybe[Any]:
    kind: FactKind[Any] = KINDS[name]
    return Facts({name: Fact(Known(()), "test", READ, "00")}).get_at(kind, now)


@pytest.mark.parametrize("now", ["2026-11-24T09:00:00.000000Z", "2026-11-24T09:59:59.999999Z"])
def test_product_fact_is_known_for_its_validity_period(now: str) -> None:
    assert read_fact("environments", now) == Known(())


@pytest.mark.parametrize("now", ["2026-11-24T08:59:59.999999Z", "2026-11-24T10:00:00.000000Z"])
def test_expired_or_future_fact_is_unknown(now: str) -> None:
    assert isinstance(read_fact("environments", now), Unknown)


def test_immutable_fact_does_not_expire() -> None:
    assert read_fact("commits", "2036-11-24T09:00:00.000000Z") == Known(())


def test_fact_that_was_not_collected_is_unknown() -> None:
    assert Facts({}).get_at(kinds.ENVIRONMENTS, READ) == Unknown("it was not collected")


def test_fact_with_separately_stored_parts_is_committed_to_by_their_list() -> None:
    whole = Fact(Known(()), "test", READ, "00")
    apart = Fact(Known(()), "test", READ, "00", "sha256:x")
    assert (whole.stored_fact.value, apart.stored_fact.value) == (Known(()), Known("sha256:x"))
    assert whole.digest != apart.digest
