"""Checks the schedule of a retro's improvements: complete, in order, and within the hours that their owners have."""

import datetime
from collections.abc import Iterable

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.calendars.schedules import ScheduledWork, format_schedule
from muniment.server.meetings.invitation_mails import build_meeting_link, find_host
from muniment.server.meetings.models import ProductMeeting
from muniment.server.retros.models import Improvement, OwnerHours

_DAYS_A_WEEK = 5


class OwnerLoad(Struct, frozen=True):
    """Hours a week that a person has, None if they did not say, and those of their fullest week, rounded up."""

    name: str
    hours: int | None
    fullest: int

    @property
    def fits_hours(self) -> bool:
        """Whether the hours suffice. Unknown hours do not."""
        return self.hours is not None and self.fullest <= self.hours


def list_improvements(meeting: ProductMeeting) -> list[Improvement]:
    """Improvements of a retro in the order of their work; those without a plan last."""
    rows = Improvement.objects.filter(meeting=meeting).select_related("owner", "follows", "carried_from")
    return sorted(rows, key=lambda each: (each.ends_on is None, each.starts_on, each.pk))


def measure_loads(meeting: ProductMeeting) -> list[OwnerLoad]:
    """Load of each owner, by name."""
    rows = list_improvements(meeting)
    hours = dict(OwnerHours.objects.filter(meeting=meeting).values_list("person", "hours"))
    owners = {row.owner_id: row.owner.name for row in rows}
    loads = [
        OwnerLoad(name, hours.get(key), _find_fullest_week([row for row in rows if row.owner_id == key]))
        for key, name in owners.items()
    ]
    return sorted(loads, key=lambda load: load.name)


def export_calendar(meeting: ProductMeeting) -> str:
    """Schedule of a retro as iCalendar: an event of whole days for each improvement that is planned."""
    works = [
        ScheduledWork(
            key=f"improvement/{meeting.lasting_key}/{row.pk}",
            title=row.text,
            owner=row.owner.name,
            first=row.starts_on,
            last=row.ends_on,
            link=f"{build_meeting_link(meeting)}/retro/decisions",
            changed=meeting.changed_at,
        )
        for row in list_improvements(meeting)
        if row.ends_on is not None
    ]
    return format_schedule(works, find_host())


def find_schedule_problems(meeting: ProductMeeting) -> list[str]:
    """Sentences that say why the schedule is not feasible; empty for one that is."""
    found = []
    for row in list_improvements(meeting):
        if row.hours is None or row.ends_on is None:
            found.append(_("“%(text)s” is not planned.") % {"text": row.text})
            continue
        before = row.follows
        if before is not None and (before.ends_on is None or before.ends_on >= row.starts_on):
            details = {"text": row.text, "before": before.text}
            found.append(_("“%(text)s” begins before “%(before)s” ends.") % details)
        if row.ends_on > row.look_on:
            found.append(_("“%(text)s” ends after the day on which it is looked at.") % {"text": row.text})
    for load in measure_loads(meeting):
        if load.hours is None:
            found.append(_("%(name)s did not state the hours a week.") % {"name": load.name})
        elif not load.fits_hours:
            needs: dict[str, object] = {"name": load.name, "hours": load.hours, "fullest": load.fullest}
            found.append(_("%(name)s has %(hours)d hours a week, and needs %(fullest)d.") % needs)
    return found


def _find_fullest_week(rows: Iterable[Improvement]) -> int:
    """Most hours that the improvements take in one calendar week, rounded up. Work is spread over Monday to Friday."""
    weeks: dict[datetime.date, float] = {}
    for row in rows:
        if row.hours is None or row.ends_on is None:
            continue
        days = _list_working_days(row.starts_on, row.ends_on)
        for day in days:
            monday = day - datetime.timedelta(day.weekday())
            weeks[monday] = weeks.get(monday, 0) + row.hours / len(days)
    most = max(weeks.values(), default=0.0)
    return -int(-round(most, 6) // 1)


def _list_working_days(first: datetime.date, last: datetime.date) -> list[datetime.date]:
    """Days from Monday to Friday, both ends included; the first day alone if there is none."""
    days = [first + datetime.timedelta(each) for each in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < _DAYS_A_WEEK] or [first]
