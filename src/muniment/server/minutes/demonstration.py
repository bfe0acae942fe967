"""Part of the demonstration about minutes: meetings that were held and confirmed, and advice before the next review."""

from collections.abc import Iterator
from datetime import time, timedelta
from functools import partial

from django.db.models import QuerySet
from django.utils import timezone

from muniment.calendars.meetings import MeetingKind
from muniment.server.demonstration_story import Demonstration, DemonstrationEvent
from muniment.server.meetings.demonstration import PRODUCT, find_next_meeting, list_daily_events
from muniment.server.meetings.models import MeetingRole, ProductMeeting, find_open_meetings
from muniment.server.minutes.agendas import find_missing_content
from muniment.server.minutes.chair_acts import (
    AddAction,
    CloseMeeting,
    ConfirmAttendance,
    DeferItem,
    FinishItem,
    OpenMeeting,
    RecordDecision,
)
from muniment.server.minutes.models import EntryKind, ItemState, Minutes, MinutesEntry, Statement
from muniment.server.minutes.own_acts import AnswerAdvice, FinishAction, RecordDissent, SignMinutes, WriteAdvice
from muniment.server.minutes.taking_part import find_lead, list_signers
from muniment.server.people.models import Person

_DPO, _OWNER, _ANALYST = "lena-fischer", "hana-kim", "erik-lund"
_NOON = time(12)
_DECISIONS = (
    ("market", "Reports within 24 hours concern the Patient Portal. They are unmet, and an improvement is added."),
    ("personal-data", "Exported reports are deleted after 30 days."),
)
_ACTIONS = (
    ("personal-data", "Name the preferred language in the privacy notice", "hana-kim", 4),
    ("personal-data", "Delete exported reports after 30 days", "samuel-osei", 45),
    ("market", "Be able to report within 24 hours", "maya-okafor", 60),
)


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about minutes. Meetings of the morning last until 10:50, those of the afternoon until 14:50."""
    yield from list_daily_events(company, 9, 0, _write_first_advice)
    for hour, is_morning in ((10, True), (14, False)):
        yield from list_daily_events(company, hour, 5, partial(_open_meetings, is_morning=is_morning))
        yield from list_daily_events(company, hour, 30, partial(_record_decisions, is_morning=is_morning))
        yield from list_daily_events(company, hour, 50, partial(_close_meetings, is_morning=is_morning))
    yield from list_daily_events(company, 16, 0, _sign_minutes)
    yield from list_daily_events(company, 16, 30, _finish_action)
    yield DemonstrationEvent(company.find_moment(1, 17), "web", partial(_write_advice, company))


def find_meetings_of_now(*, is_morning: bool) -> "QuerySet[ProductMeeting]":
    """Meetings of today that begin in the morning or afternoon and were not held yet."""
    rows = find_open_meetings().filter(date=timezone.localdate())
    return rows.filter(time__lt=_NOON) if is_morning else rows.filter(time__gte=_NOON)


def _open_meetings(company: Demonstration, *, is_morning: bool) -> None:
    for meeting in find_meetings_of_now(is_morning=is_morning):
        lead = _find_lead_handle(meeting)
        company.perform(lead, OpenMeeting, meeting=meeting.pk)
        for person in Person.objects.filter(meeting_seats__meeting=meeting).distinct():
            company.perform(lead, ConfirmAttendance, meeting=meeting.pk, person=person.slug, present="yes")


def _record_decisions(company: Demonstration, *, is_morning: bool) -> None:
    """Record decisions, actions and dissent in the review that has content."""
    rows = find_meetings_of_now(is_morning=is_morning)
    meeting = rows.filter(product__slug=PRODUCT, kind=MeetingKind.REVIEW).first()
    if meeting is None:
        return
    lead, today = _find_lead_handle(meeting), timezone.localdate()
    for item, text in _DECISIONS:
        company.perform(lead, RecordDecision, meeting=meeting.pk, item=item, text=text)
    for item, text, person, days in _ACTIONS:
        due = (today + timedelta(days)).isoformat()
        company.perform(lead, AddAction, meeting=meeting.pk, item=item, text=text, person=person, due=due)
    text = "Two customers ask for 14 days. We should have asked them first."
    seat = meeting.attendees.get(person__slug=_ANALYST, role=MeetingRole.ANALYST)
    company.perform(_ANALYST, RecordDissent, seat=seat.pk, item="personal-data", text=text)


def _close_meetings(company: Demonstration, *, is_morning: bool) -> None:
    for meeting in find_meetings_of_now(is_morning=is_morning):
        lead = _find_lead_handle(meeting)
        for item in Minutes.objects.get(meeting=meeting).items.filter(state=ItemState.OPEN):
            if find_missing_content(meeting, item.code):
                reason = "None in this quarter: the team had nothing to add."
                company.perform(lead, DeferItem, meeting=meeting.pk, item=item.code, reason=reason)
            else:
                company.perform(lead, FinishItem, meeting=meeting.pk, item=item.code)
        company.perform(lead, CloseMeeting, meeting=meeting.pk)


def _sign_minutes(company: Demonstration) -> None:
    """Confirm the minutes of today, and answer advice on them."""
    for row in MinutesEntry.objects.filter(kind=EntryKind.ADVICE, is_followed=None, meeting__held_on__isnull=False):
        company.perform(_OWNER, AnswerAdvice, advice=row.pk, followed="yes", reason="")
    for minutes in Minutes.objects.filter(meeting__held_on=timezone.localdate()).select_related("meeting"):
        for signer in list_signers(minutes):
            statement = Statement.CONFIRMED
            if signer.seat.role == MeetingRole.DPO:
                has_advice = MinutesEntry.objects.filter(meeting=minutes.meeting, kind=EntryKind.ADVICE).exists()
                statement = Statement.ADVICE if has_advice else Statement.NO_ADVICE
            values = {"seat": signer.seat.pk, "statement": statement.value, "digest": minutes.digest}
            company.perform(signer.seat.person.slug, SignMinutes, **values)


def _finish_action(company: Demonstration) -> None:
    """Finish an action on the day on which it is due."""
    due = MinutesEntry.objects.filter(kind=EntryKind.ACTION, done_on=None, due_on=timezone.localdate())
    for row in due.select_related("owner"):
        if row.owner is not None:
            company.perform(row.owner.slug, FinishAction, action=row.pk, note="The notice names it since today.")


def _write_first_advice(company: Demonstration) -> None:
    """Advise on the review of today."""
    meeting = find_next_meeting(MeetingKind.REVIEW)
    if meeting is None or meeting.date != timezone.localdate():
        return
    seat = meeting.attendees.get(role=MeetingRole.DPO)
    text = "Check whether other exports have the same weakness."
    company.perform(seat.person.slug, WriteAdvice, seat=seat.pk, item="personal-data", text=text)


def _write_advice(company: Demonstration) -> None:
    """Advise on the next review."""
    meeting = find_next_meeting(MeetingKind.REVIEW)
    if meeting is None:
        return
    seat = meeting.attendees.get(role=MeetingRole.DPO, person__slug=_DPO)
    text = "Name the preferred language in the privacy notice."
    company.perform(_DPO, WriteAdvice, seat=seat.pk, item="personal-data", text=text)


def _find_lead_handle(meeting: ProductMeeting) -> str:
    return Person.objects.get(pk=find_lead(meeting)).slug
