"""Sends reminders before meetings, and escalations after their day, once each."""

from datetime import date

from django.db import transaction
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _

from muniment.calendars.notices import Notice, NoticeKind, find_notices_to_send, list_notices
from muniment.server.meetings.mail_languages import notify_in_own_language
from muniment.server.meetings.meeting_state import read_meeting
from muniment.server.meetings.models import (
    MeetingRole,
    ProductMeeting,
    SentNotice,
    find_calendar,
    find_open_meetings,
    find_today,
)
from muniment.server.people.models import Person


def send_notices() -> int:
    """Send what is due today; how many. A row with the key of each is written with its messages."""
    calendar = find_calendar()
    if calendar is None:
        return 0
    today = find_today(calendar.zone)
    rows = {row.lasting_key: row for row in find_open_meetings().prefetch_related("attendees", "moves")}
    notices = [notice for row in rows.values() for notice in list_notices(read_meeting(row), _find_escalation(row))]
    sent = set(SentNotice.objects.filter(meeting__in=rows.values()).values_list("key", flat=True))
    due = find_notices_to_send(notices, today, sent)
    for notice in due:
        _send_one(notice, rows[notice.meeting])
    return len(due)


def _find_escalation(row: ProductMeeting) -> tuple[str, str]:
    """People who can act after a day, and after a week: the chair or facilitator, and the owner of the product."""
    people = {each.role: each.person_id for each in row.attendees.all()}
    chair = people.get(MeetingRole.CHAIR) or people.get(MeetingRole.FACILITATOR) or ""
    return chair, people.get(MeetingRole.OWNER) or chair


@transaction.atomic
def _send_one(notice: Notice, row: ProductMeeting) -> None:
    SentNotice.objects.create(meeting=row, key=notice.key)
    people = Person.objects.filter(pk__in=notice.recipients, active=True)
    notify_in_own_language(people, lambda: _format_text(notice, row), f"/meetings/{row.pk}")


def _format_text(notice: Notice, row: ProductMeeting) -> str:
    details = {"what": f"{row.kind_title}: {row.product.name}", "days": notice.days}
    if notice.kind is NoticeKind.REMINDER:
        details |= {"day": _format_day(row.date), "time": f"{row.time:%H:%M}"}
        if notice.days == 1:
            return _("%(what)s, tomorrow. It is on %(day)s at %(time)s.") % details
        return _("%(what)s, in %(days)d days. It is on %(day)s at %(time)s.") % details
    details["day"] = _format_day(min(row.date, row.due_on))
    return _("%(what)s was not held. It was due on %(day)s. Hold it, or move it.") % details


def _format_day(day: date) -> str:
    return format_date(day, "l j F Y")
