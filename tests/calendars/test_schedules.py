"""Schedules as iCalendar: whole days, one lasting id each, and no line of its own for a text of people."""

import datetime

import icalendar

from muniment.calendars.schedules import ScheduledWork, format_schedule

FIRST, LAST = datetime.date(2026, 12, 14), datetime.date(2026, 12, 18)
CHANGED = datetime.datetime(2026, 12, 10, 15, tzinfo=datetime.UTC)


def make_work(title: str = "Sessions end") -> ScheduledWork:
    return ScheduledWork("improvement/1", title, "Mel", FIRST, LAST, "https://muniment.example/meetings/1", CHANGED)


def test_work_is_an_event_of_whole_days_up_to_its_last_one() -> None:
    (event,) = icalendar.Calendar.from_ical(format_schedule([make_work()], "muniment.example")).walk("VEVENT")
    assert event.decoded("dtstart") == FIRST
    assert event.decoded("dtend") == LAST + datetime.timedelta(1)
    assert str(event["summary"]) == "Sessions end (Mel)"
    assert str(event["transp"]) == "TRANSPARENT"


def test_id_is_lasting_and_texts_begin_no_line() -> None:
    first, second = (format_schedule([make_work(title)], "muniment.example") for title in ("a", "b\r\nATTACH:x"))
    uids = {str(icalendar.Calendar.from_ical(text).walk("VEVENT")[0]["uid"]) for text in (first, second)}
    assert len(uids) == 1
    assert "\nATTACH" not in second


def test_schedule_without_work_is_a_calendar() -> None:
    assert icalendar.Calendar.from_ical(format_schedule([], "muniment.example")).walk("VEVENT") == []
