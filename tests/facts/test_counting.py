"""A number and its noun agree."""

import pytest

from muniment.facts.counting import count_entries, count_text


@pytest.mark.parametrize(("number", "text"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (21, "21 entries")])
def test_one_alone_is_singular(number: int, text: str) -> None:
    assert count_text(number, "entry", "entries") == count_entries(number) == text
