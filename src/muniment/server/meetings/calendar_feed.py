"""Calendar feed of a person: title, time and link of their meetings, never a finding."""

import datetime

from django.utils import timezone

from muniment.calendars.invitations import FeedEntry, format_feed
from muniment.server.meetings.invitation_mails import build_meeting_link, find_host
from muniment.server.meetings.models import CalendarFeed, ProductMeeting, find_calendar
from muniment.server.people.models import Person

_PAST_DAYS = 60


def find_feed_person(token: str) -> Person | None:
    """Active person to whom the address of a feed belongs; None for an address that does not work any more."""
    row = CalendarFeed.objects.select_related("person").filter(token_hash=CalendarFeed.hash_token(token)).first()
    return row.person if row is not None and row.person.active else None


def build_feed(person: Person) -> str:
    """Calendar of a person; empty without a calendar of the organisation."""
    calendar = find_calendar()
    if calendar is None:
        return format_feed((), find_host())
    since = timezone.localdate() - datetime.timedelta(_PAST_DAYS)
    rows = ProductMeeting.objects.filter(attendees__person=person, cancelled_at=None, date__gte=since)
    entries = (
        FeedEntry(
            meeting=row.lasting_key,
            title=f"{row.kind_title}: {row.product.name}",
            start=row.starts_at,
            zone=calendar.zone,
            minutes=row.minutes,
            link=build_meeting_link(row),
            changed=row.changed_at,
        )
        for row in rows.select_related("product").distinct()
    )
    return format_feed(entries, find_host())
