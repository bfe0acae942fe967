"""Parts of pages that are rendered once show what their values say, in the reader's language and on the day."""

from datetime import UTC, date, datetime
from typing import NamedTuple

import pytest
from django.utils import timezone, translation

from muniment.server.components.fragments import render_fragment
from muniment.server.limited_cache import LimitedCache
from muniment.server.pages.record_filters import KindLook


class Row(NamedTuple):
    number: int
    look: KindLook
    description: str
    clock: str = "10:00:00"
    link_text: str = "Record 7"


LOOK = KindLook("Decision", "git-pull-request", "accent")


def test_other_values_give_another_text() -> None:
    first = render_fragment("records/row.html", Row(7, LOOK, "A push was allowed."))
    second = render_fragment("records/row.html", Row(8, LOOK, "A push was denied."))
    assert "/ledger/7" in first
    assert "A push was allowed." in first
    assert "/ledger/8" in second
    assert "A push was denied." in second


def test_values_are_escaped() -> None:
    assert "<b>" not in render_fragment("records/row.html", Row(7, LOOK, "<b>bold</b>"))


def test_a_text_is_rendered_anew_on_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    days = []

    def render(template: str, context: dict[str, object]) -> str:
        days.append(timezone.now().date())
        return ""

    monkeypatch.setattr("muniment.server.components.fragments.render_to_string", render)
    for day in (1, 1, 2):
        monkeypatch.setattr(timezone, "now", lambda day=day: datetime(2031, 1, day, tzinfo=UTC))
        render_fragment("records/row.html", Row(9, LOOK, "once a day"))
    assert days == [date(2031, 1, 1), date(2031, 1, 2)]


def test_a_text_is_rendered_anew_in_another_language(monkeypatch: pytest.MonkeyPatch) -> None:
    languages = []

    def render(template: str, context: dict[str, object]) -> str:
        languages.append(translation.get_language())
        return ""

    monkeypatch.setattr("muniment.server.components.fragments.render_to_string", render)
    for language in ("en", "en", "de"):
        with translation.override(language):
            render_fragment("records/row.html", Row(9, LOOK, "once a language"))
    assert languages == ["en", "de"]


def test_the_value_that_was_not_asked_for_longest_goes_first() -> None:
    made = []

    def make(name: str) -> str:
        made.append(name)
        return name

    cache: LimitedCache[str] = LimitedCache(2)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert cache.find_value(name, lambda name=name: make(name)) == name  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
