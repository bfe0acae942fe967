"""Schedule of improvements as iCalendar (RFC 5545): an event of whole days for each, without a finding."""

import datetime
from collections.abc import Iterable

import icalendar
from msgspec import Struct

from muniment.calendars.invitations import clean_text, make_uid

_PRODUCT = "-//Muniment//Schedules//EN"


class ScheduledWork(Struct, frozen=True):
    """Work from its first to its last day, with the person who does it and a link. `key` names it for ever."""

    key: str
    title: str
    owner: str
    first: datetime.date
    last: datetime.date
    link: str
    changed: datetime.datetime


def format_schedule(works: Iterable[ScheduledWork], host: str) -> str:
    """Format a schedule as a calendar to import."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    for work in works:
        event = icalendar.Event()
        event.add("uid", make_uid(work.key, host))
        event.add("dtstamp", work.changed)
        event.add("summary", clean_text(f"{work.title} ({work.owner})"))
        event.add("dtstart", work.first)
        event.add("dtend", work.last + datetime.timedelta(1))  # the first day after it
        event.add("transp", "TRANSPARENT")  # nobody is busy the whole day
        event.add("url", clean_text(work.link))
        calendar.add_component(event)
    data: bytes = calendar.to_ical()
    return data.decode()
