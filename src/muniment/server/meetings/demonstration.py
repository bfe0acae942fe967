"""Part of the demonstration about meetings: the calendar, who takes part, and meetings held or to come."""

from collections.abc import Callable, Iterator
from functools import partial

from muniment.calendars.meetings import MeetingKind
from muniment.server.demonstration_story import ADMINISTRATOR, Demonstration, DemonstrationEvent
from muniment.server.meetings.calendar_acts import SetMeetingCalendar
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting, find_open_meetings
from muniment.server.meetings.planner import plan_all_meetings
from muniment.server.meetings.seat_acts import AnswerInvitation, NameForMeetings

FIRST_MEETING_DAY = 34  # days ago: the first meetings are over by now, and none of the next ones is
PRODUCT = "patient-portal"  # whose meetings have content; those of the others are short
_PLANNED_EACH = 3  # days


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about meetings: the calendar is set, and meetings are planned from then on."""
    yield DemonstrationEvent(company.find_moment(FIRST_MEETING_DAY, 8), "web", partial(_set_calendar, company))
    for days in range(FIRST_MEETING_DAY, 0, -_PLANNED_EACH):
        yield DemonstrationEvent(company.find_moment(days, 8, 5), "worker", plan_all_meetings)
    yield DemonstrationEvent(company.find_moment(1, 14, 55), "worker", plan_all_meetings)
    yield DemonstrationEvent(company.find_moment(1, 15), "web", partial(_answer_invitations, company))


def list_daily_events(
    company: Demonstration, hour: int, minute: int, run: Callable[[Demonstration], None], process: str = "web"
) -> Iterator[DemonstrationEvent]:
    """Event at a time of each day on which meetings were held."""
    for days in range(FIRST_MEETING_DAY - 1, 0, -1):
        yield DemonstrationEvent(company.find_moment(days, hour, minute), process, partial(run, company))


def find_next_meeting(kind: MeetingKind) -> ProductMeeting | None:
    """Next meeting of the product whose meetings have content; None if none is planned."""
    return find_open_meetings().filter(product__slug=PRODUCT, kind=kind).order_by("date", "pk").first()


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
        company.perform(ADMINISTRATOR, NameForMeetings, product=PRODUCT, **values)


def _answer_invitations(company: Demonstration) -> None:
    """The analyst and the Data Protection Officer accept the review of one product."""
    rows = MeetingAttendee.objects.filter(meeting=find_next_meeting(MeetingKind.REVIEW))
    for seat in rows.filter(role__in=(MeetingRole.ANALYST, MeetingRole.DPO)).select_related("person"):
        company.perform(seat.person.slug, AnswerInvitation, seat=seat.pk, answer="accepted")
