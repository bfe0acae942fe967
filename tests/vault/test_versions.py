"""Versions of a secret: which counts, without anybody reading one."""

import pytest

from muniment.vault.versions import (
    Changes,
    choose_version,
    current_names,
    current_values,
    destroy_versions,
    remove_name,
    set_value,
)


def _stored(*changes: Changes) -> dict[str, str]:
    """What stands there after these changes."""
    stored: dict[str, str] = {}
    for each in changes:
        for key, value in each.items():
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value
    return stored


def test_the_newest_value_counts_until_an_older_one_is_chosen() -> None:
    both = (set_value("A", 1, "first"), set_value("A", 2, "second"))
    assert current_values(_stored(*both)) == {"A": "second"}
    assert current_values(_stored(*both, choose_version("A", 1))) == {"A": "first"}
    assert not {"first", "second"} & set(choose_version("A", 1).values())


def test_a_removed_name_counts_no_more_and_can_be_chosen_again() -> None:
    removed = _stored(set_value("A", 1, "first"), set_value("B", 1, "other"), remove_name("A"))
    assert (current_values(removed), current_names(removed)) == ({"B": "other"}, ("B",))
    assert current_values({**removed, "A.current": "1"}) == {"A": "first", "B": "other"}


def test_destroyed_versions_and_dropped_ones_are_gone() -> None:
    kept = _stored(set_value("A", 1, "first"), set_value("A", 2, "second", dropped=[1]))
    assert "first" not in kept.values()
    assert _stored(set_value("A", 1, "first"), remove_name("A"), destroy_versions("A", [1])) == {}


def test_what_something_else_wrote_counts_until_muniment_sets_it() -> None:
    assert current_values({"A": "outside"}) == {"A": "outside"}
    assert current_names(["A"]) == ("A",)
    assert _stored({"A": "outside"}, set_value("A", 1, "ours")) == {"A.1": "ours", "A.current": "1"}


@pytest.mark.parametrize("version", ["", "0", "2", "x", "1.0", " 1"])
def test_a_choice_of_no_version_that_is_there_gives_nothing(version: str) -> None:
    assert current_values({"A": "outside", "A.1": "first", "A.current": version}) == {}
