"""Numbers agree with their nouns."""

import pytest

from muniment.facts.counting import count_entries, count_text


@pytest.mark.parametrize(("number", "text"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (21, "21 entries")])
def test_one_is_singular_and_other_numbers_are_plural(number: int, text: str) -> None:
    assert count_text(number, "entry", "entries") == count_entries(number) == text
