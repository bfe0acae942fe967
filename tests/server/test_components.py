"""Components of pages: statuses, charts, dates, cards; and the vendored files."""

import hashlib
from datetime import timedelta

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from dev.vendor import ICON_LIST, SOURCES, VENDOR
from muniment.server.components import charts
from muniment.server.components.statuses import find_status

COUNTS = st.fixed_dictionaries(dict.fromkeys(("passing", "exception", "unknown", "failing"), st.integers(0, 10_000)))


def render(text: str, /, **context: object) -> str:
    return Template(text).render(Context(context))


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_vendored_file_is_the_pinned_one(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == SOURCES[name][2]


def test_compressed_stylesheet_has_the_same_content() -> None:
    import gzip

    assert gzip.decompress((VENDOR / "tabler.min.css.gz").read_bytes()) == (VENDOR / "tabler.min.css").read_bytes()


def test_every_listed_icon_is_a_symbol() -> None:
    drawn = (VENDOR / "icons.svg").read_text()
    assert [name for name in ICON_LIST.read_text().split() if f'id="i-{name}"' not in drawn] == []


def test_every_icon_that_templates_name_is_vendored() -> None:
    import re

    from dev.rules import ROOT

    templates = ROOT / "src" / "muniment" / "server" / "templates"
    used = {
        name for path in templates.rglob("*.html") for name in re.findall(r'{% icon "([a-z0-9-]+)"', path.read_text())
    }
    assert used - set(ICON_LIST.read_text().split()) == set()


def test_status_has_icon_word_and_class() -> None:
    page = render('{% status "violated" %}')
    assert 'class="st failing"' in page
    assert "i-circle-x" in page
    assert "Failing" in page


def test_unknown_code_of_a_status_is_refused() -> None:
    with pytest.raises(KeyError):
        find_status("probably")


def test_text_of_a_status_is_escaped() -> None:
    assert "<b>" not in render('{% status "met" text %}', text="<b>")


def test_card_escapes_its_content_once() -> None:
    page = render("{% card name %}{{ text }}{% endcard %}", name="A & B", text="<script>")
    assert "A &amp; B" in page
    assert "&lt;script&gt;" in page


@given(COUNTS)
def test_bar_fills_its_width_in_proportion(counts: dict[str, int]) -> None:
    bar = charts.make_status_bar(counts)
    assert bar.total == sum(counts.values())
    assert sum(part.number for part in bar.parts) == bar.total
    assert all(part.x + part.width <= 400.5 for part in bar.parts)
    assert bar.passing_share == (100 * counts["passing"] // bar.total if bar.total else 0)


def test_one_failure_among_many_is_not_shown_as_all_passing() -> None:
    assert charts.make_status_bar({"passing": 9_999, "exception": 0, "unknown": 0, "failing": 1}).passing_share == 99


@given(st.lists(st.tuples(st.text(max_size=5), COUNTS), max_size=60))
def test_columns_stand_within_the_chart_and_have_their_figures(rows: list[tuple[str, dict[str, int]]]) -> None:
    chart = charts.make_column_chart(rows)
    assert [column.total for column in chart.columns] == [sum(counts.values()) for _text, counts in rows]
    for column in chart.columns:
        assert sum(part.height for part in column.parts) <= 190.5
        assert all(40 <= part.x <= 530 and part.y >= 19.5 for part in column.parts)
    assert sum(column.labelled for column in chart.columns) <= 8


@given(st.lists(st.tuples(st.text(max_size=5), st.floats(0, 1e6)), max_size=60))
def test_points_of_a_line_stand_within_the_chart(rows: list[tuple[str, float]]) -> None:
    chart = charts.make_line_chart(rows)
    assert all(40 <= point.x <= 530 and 19.9 <= point.y <= 210 for point in chart.points)


def test_charts_have_their_table() -> None:
    counts = {"passing": 3, "exception": 1, "unknown": 0, "failing": 2}
    page = render('{% column_chart chart "Trend" "Week" %}', chart=charts.make_column_chart([("W 1", counts)]))
    assert 'aria-label="Trend"' in page
    assert '<th scope="row">W 1</th>' in page


def test_due_day_is_shown_with_the_days_until_it() -> None:
    today = timezone.now().date()
    assert "today" in render("{{ day|due }}", day=today)
    assert "tomorrow" in render("{{ day|due }}", day=today + timedelta(days=1))
    assert "2 days ago" in render("{{ day|due }}", day=today - timedelta(days=2))
    assert "in " not in render("{{ day|due }}", day=today + timedelta(days=40)).lower().replace("in u", "")
    assert render("{{ day|due }}", day=None) == "–"


def test_severity_that_is_not_given_counts_as_high() -> None:
    assert "treated as high" in render('{% severity "" %}')
    assert render('{% severity "critical" %}').count("<rect") == 4


def test_confirm_dialog_is_closed_until_it_is_asked_for() -> None:
    text = '{% confirm_dialog "stop" button="Stop" title="Stop all?" action="/stop" %}Why{% endconfirm_dialog %}'
    closed = Template(text).render(Context({"request": RequestFactory().get("/policy?page=2")}))
    opened = Template(text).render(Context({"request": RequestFactory().get("/policy?confirm=stop")}))
    assert "page=2&amp;confirm=stop" in closed
    assert "<dialog" in closed
    assert " open>" not in closed
    assert " open>" in opened


def test_dialog_of_another_name_stays_closed() -> None:
    text = '{% confirm_dialog "stop" button="Stop" title="Stop all?" action="/stop" %}Why{% endconfirm_dialog %}'
    assert " open>" not in Template(text).render(Context({"request": RequestFactory().get("/?confirm=other")}))


@pytest.mark.parametrize(
    ("name", "letters"), [("Maya Okafor", "MO"), ("Priya", "P"), ("", "?"), ("a b c", "AC"), ("(x)", "?")]
)
def test_initials_of_names(name: str, letters: str) -> None:
    assert render("{{ name|initials }}", name=name) == letters


def test_address_of_a_static_file_changes_with_its_content() -> None:
    assert "/static/theme.css?v=" in render("{% load static %}{% static 'theme.css' %}")
    with pytest.raises(LookupError, match="missing"):
        render("{% load static %}{% static 'missing.css' %}")


def test_question_of_the_review_guide_is_shown_by_its_text() -> None:
    text = "{% load words %}{{ code|review_question }}"
    assert "hostile input" in render(text, code="sensitive-abuse")
    assert render(text, code="of-another-version") == "of-another-version"


def test_lines_of_a_diff_have_a_class_each() -> None:
    text = "{% for kind, line in lines|diff_lines %}{{ kind }}:{{ line }};{% endfor %}"
    assert render(text, lines="@@ 1\n+a\n-b\n c") == "place:@@ 1;added:+a;removed:-b;: c;"
