"""Part of the demonstration about minutes: advice that was written before the next review."""

from collections.abc import Iterator
from functools import partial

from muniment.calendars.meetings import MeetingKind
from muniment.server.demonstration_story import Demonstration, DemonstrationEvent
from muniment.server.meetings.models import MeetingAttendee, MeetingRole
from muniment.server.minutes.own_acts import WriteAdvice

_PRODUCT, _DPO = "patient-portal", "lena-fischer"


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about the minutes of a review."""
    yield DemonstrationEvent(company.find_moment(1, 17), "web", partial(_write_advice, company))


def _write_advice(company: Demonstration) -> None:
    seats = MeetingAttendee.objects.filter(meeting__product__slug=_PRODUCT, meeting__kind=MeetingKind.REVIEW)
    seat = seats.get(role=MeetingRole.DPO, person__slug=_DPO)
    text = "Name the preferred language in the privacy notice."
    company.perform(_DPO, WriteAdvice, seat=seat.pk, item="personal-data", text=text)
