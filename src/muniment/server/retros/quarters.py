"""Figures of reviews and retros over quarters: of a product or of all, never of a person."""

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import F, Q, QuerySet

from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.models import EntryKind, MinutesEntry
from muniment.server.products.models import Product
from muniment.server.retros.models import Improvement, ImprovementResult, RetroThreat

_MONTHS = 3
_YEAR_MONTHS = 12


class Quarter(NamedTuple):
    """Quarter of a year, by its first and last day."""

    first: datetime.date
    last: datetime.date

    @property
    def title(self) -> str:
        """Title such as Q4 2026."""
        return f"Q{(self.first.month - 1) // _MONTHS + 1} {self.first.year}"


class QuarterFigures(NamedTuple):
    """Figures of one quarter. Actions and improvements count in the quarter in which they were due first."""

    quarter: Quarter
    reviews: int
    retros: int
    actions_due: int
    actions_in_time: int
    threats_found: int
    threats_accepted: int
    improvements_worked: int
    improvements_looked_at: int


def list_quarters(today: datetime.date, count: int) -> list[Quarter]:
    """Quarters up to that of a day, the newest first."""
    month = (today.month - 1) // _MONTHS * _MONTHS
    index = today.year * _YEAR_MONTHS + month
    return [_make_quarter(index - _MONTHS * each) for each in range(count)]


def _make_quarter(index: int) -> Quarter:
    first = datetime.date(index // _YEAR_MONTHS, index % _YEAR_MONTHS + 1, 1)
    following = index + _MONTHS
    last = datetime.date(following // _YEAR_MONTHS, following % _YEAR_MONTHS + 1, 1) - datetime.timedelta(1)
    return Quarter(first, last)


def read_quarters(products: "QuerySet[Product]", quarters: Iterable[Quarter]) -> list[QuarterFigures]:
    """Figures of some products in each quarter."""
    return [_read_quarter(products, each) for each in quarters]


def _read_quarter(products: "QuerySet[Product]", quarter: Quarter) -> QuarterFigures:
    span = (quarter.first, quarter.last)
    held = ProductMeeting.objects.filter(product__in=products, held_on__range=span)
    actions = MinutesEntry.objects.filter(
        meeting__product__in=products, kind=EntryKind.ACTION, first_due_on__range=span
    )
    threats = RetroThreat.objects.filter(meeting__product__in=products, meeting__held_on__range=span)
    looked_at = Improvement.objects.filter(meeting__product__in=products, look_on__range=span).exclude(result="")
    return QuarterFigures(
        quarter=quarter,
        reviews=held.filter(kind=MeetingKind.REVIEW).count(),
        retros=held.filter(kind=MeetingKind.RETRO).count(),
        actions_due=actions.count(),
        actions_in_time=actions.filter(Q(done_on__lte=F("first_due_on"))).count(),
        threats_found=threats.count(),
        threats_accepted=threats.exclude(accepted_on=None).count(),
        improvements_worked=looked_at.filter(result=ImprovementResult.WORKED).count(),
        improvements_looked_at=looked_at.count(),
    )
