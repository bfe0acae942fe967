"""Part of the demonstration about meetings: the calendar, who takes part, and the next meetings."""

from collections.abc import Iterator
from functools import partial

from muniment.server.demonstration_story import ADMINISTRATOR, Demonstration, DemonstrationEvent
from muniment.server.meetings.calendar_acts import SetMeetingCalendar
from muniment.server.meetings.models import MeetingAttendee, MeetingRole
from muniment.server.meetings.planner import plan_all_meetings
from muniment.server.meetings.seat_acts import AnswerInvitation, NameForMeetings

_PRODUCT = "patient-portal"


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about meetings: the calendar is set last week, and the first meetings are planned."""
    yield DemonstrationEvent(company.find_moment(8, 9), "web", partial(_set_calendar, company))
    yield DemonstrationEvent(company.find_moment(8, 9, 5), "worker", plan_all_meetings)
    yield DemonstrationEvent(company.find_moment(1, 15), "web", partial(_answer_invitations, company))


def _set_calendar(company: Demonstration) -> None:
    company.perform(
        ADMINISTRATOR,
        SetMeetingCalendar,
        zone="Europe/Amsterdam",
        region="NL",
        place="https://meet.alderhealth.example/security",
    )
    named = ((MeetingRole.ANALYST, "erik-lund", ""), (MeetingRole.ANALYST, "grace-mbeki", "yes"))
    for role, handle, deputy in named:
        values = {"role": role.value, "person": handle, **({"deputy": deputy} if deputy else {})}
        company.perform(ADMINISTRATOR, NameForMeetings, product=_PRODUCT, **values)


def _answer_invitations(company: Demonstration) -> None:
    """The analyst and the Data Protection Officer accept the review of one product."""
    rows = MeetingAttendee.objects.filter(meeting__product__slug=_PRODUCT, meeting__kind="review")
    for seat in rows.filter(role__in=(MeetingRole.ANALYST, MeetingRole.DPO)).select_related("person"):
        company.perform(seat.person.slug, AnswerInvitation, seat=seat.pk, answer="accepted")
