"""Versions of a secret: the effective one is determined without reading any value."""

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
    """Stored secret after these changes."""
    stored: dict[str, str] = {}
    for each in changes:
        for key, value in each.items():
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value
    return stored


def test_newest_value_is_effective_until_an_older_one_is_selected() -> None:
    both = (set_value("A", 1, "first"), set_value("A", 2, "second"))
    assert current_values(_stored(*both)) == {"A": "second"}
    assert current_values(_stored(*both, choose_version("A", 1))) == {"A": "first"}
    assert not {"first", "second"} & set(choose_version("A", 1).values())


def test_removed_secret_is_not_effective_and_can_be_selected_again() -> None:
    removed = _stored(set_value("A", 1, "first"), set_value("B", 1, "other"), remove_name("A"))
    assert (current_values(removed), current_names(removed)) == ({"B": "other"}, ("B",))
    assert current_values({**removed, "A.current": "1"}) == {"A": "first", "B": "other"}


def test_destroyed_and_dropped_versions_are_gone() -> None:
    stored = _stored(set_value("A", 1, "first"), set_value("A", 2, "second", dropped=[1]))
    assert "first" not in stored.values()
    assert _stored(set_value("A", 1, "first"), remove_name("A"), destroy_versions("A", [1])) == {}


def test_version_written_by_another_program_is_effective_until_muniment_writes() -> None:
    assert current_values({"A": "outside"}) == {"A": "outside"}
    assert current_names(["A"]) == ("A",)
    assert _stored({"A": "outside"}, set_value("A", 1, "ours")) == {"A.1": "ours", "A.current": "1"}


@pytest.mark.parametrize("version", ["", "0", "2", "x", "1.0", " 1"])
def test_selecting_a_missing_version_gives_nothing(version: str) -> None:
    assert current_values({"A": "outside", "A.1": "first", "A.current": version}) == {}
