"""Ranges of npm: what is surely outside, by cases that node-semver decides so, and what is left to npm."""

import pytest

from muniment.updates.npm_ranges import is_excluded


@pytest.mark.parametrize(
    ("range_text", "inside", "outside"),
    [
        ("^1.2.3", "1.9.0", "2.0.0"),
        ("^1.2.3", "1.2.3", "1.2.2"),
        ("^0.2.3", "0.2.9", "0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^0.0", "0.0.9", "0.1.0"),
        ("^0", "0.9.0", "1.0.0"),
        ("^1.2.x", "1.9.0", "2.0.0"),
        ("~1.2.3", "1.2.9", "1.3.0"),
        ("~1", "1.9.9", "2.0.0"),
        ("1.2.3", "1.2.3", "1.2.4"),
        ("=1.2.3", "1.2.3", "1.2.2"),
        ("1.2.x", "1.2.9", "1.3.0"),
        ("1", "1.9.9", "2.0.0"),
        (">=1.2.0 <2.0.0", "1.9.0", "2.0.0"),
        (">= 1.2.0", "9.0.0", "1.1.9"),
        (">1.2", "1.3.0", "1.2.9"),
        ("<=1.2", "1.2.9", "1.3.0"),
        ("<2", "1.9.9", "2.0.0"),
        ("1.2.3 - 2.3", "2.3.9", "2.4.0"),
        ("^1.0.0 || ^3.0.0", "3.1.0", "2.0.0"),
    ],
)
def test_a_version_outside_of_every_alternative_is_excluded(range_text: str, inside: str, outside: str) -> None:
    assert not is_excluded(range_text, inside)
    assert is_excluded(range_text, outside)


@pytest.mark.parametrize("range_text", ["*", "", "x", ">=*", "^1.0.0 || *"])
def test_a_range_that_admits_all_excludes_nothing(range_text: str) -> None:
    assert not is_excluded(range_text, "9.0.0")


def test_nothing_is_before_or_after_every_version() -> None:
    assert is_excluded("<*", "1.0.0")


@pytest.mark.parametrize(
    ("range_text", "version"),
    [
        ("latest", "9.0.0"),
        ("npm:other@^1.0.0", "9.0.0"),
        ("git+ssh://git.example.test/x.git", "9.0.0"),
        ("^1.0.0-beta.1", "9.0.0"),
        ("workspace:^", "9.0.0"),
        ("^1.0.0 || next", "9.0.0"),
        ("^1.0.0", "9.0.0-rc.1"),
        ("^1.0.0", "9.0"),
        ("1" * 500, "9.0.0"),
    ],
)
def test_a_form_that_is_not_read_is_left_to_npm(range_text: str, version: str) -> None:
    assert not is_excluded(range_text, version)
