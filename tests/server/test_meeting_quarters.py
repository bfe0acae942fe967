"""Figures of reviews and retros over quarters, of products and never of persons."""
# ruff: noqa: F811 (a fixture of another file)

import datetime

import pytest
from django.utils import timezone

from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.models import MinutesEntry
from muniment.server.products.models import Product
from muniment.server.retros.quarters import Quarter, list_quarters, read_quarters
from tests.server.test_minutes import hold, review, who  # noqa: F401
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def test_quarters_end_with_their_last_day_over_a_turn_of_the_year() -> None:
    found = list_quarters(datetime.date(2028, 2, 29), 3)
    assert [each.title for each in found] == ["Q1 2028", "Q4 2027", "Q3 2027"]
    assert found[0] == Quarter(datetime.date(2028, 1, 1), datetime.date(2028, 3, 31))
    assert found[1].last == datetime.date(2027, 12, 31)


def test_actions_count_in_the_quarter_in_which_they_were_due_first(review: ProductMeeting) -> None:
    hold(review)
    today = timezone.localdate()
    with as_role("owner"):
        for done in (today, today + datetime.timedelta(1), None):
            MinutesEntry.objects.create(
                meeting=review,
                item="market",
                kind="action",
                text="Add passkeys",
                author_id="sam",
                owner_id="dev",
                first_due_on=today,
                due_on=today,
                done_on=done,
            )
    (figures,) = read_quarters(Product.objects.all(), list_quarters(today, 1))
    assert (figures.reviews, figures.retros, figures.actions_due, figures.actions_in_time) == (1, 0, 3, 1)
    page = who("ann").get("/meetings/quarters?product=shop").content.decode()
    assert "1 of 3" in page
    assert "Dev" not in page.split("<main")[1]
