"""Fields that acts on meetings share: a meeting, one's seat in it, a time, a region, a time zone."""

from typing import Annotated
from zoneinfo import available_timezones

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.calendars.working_days import parse_region
from muniment.errors import ParseError
from muniment.server.acts.act import Act
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Choices, InputCode, Option, Text
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting
from muniment.server.products.visible_products import within_reach

_TIMES = tuple(f"{hour:02}:{minute:02}" for hour in range(7, 20) for minute in (0, 15, 30, 45))


def visible_meetings(actor: Actor) -> "QuerySet[ProductMeeting]":
    """Meetings of the products that a person may see."""
    return ProductMeeting.objects.select_related("product").filter(within_reach(actor, Action.SEE_MEETINGS, "product"))


def _offer_times(actor: Actor) -> Choices:
    return tuple((text, text) for text in _TIMES)


def _own_seats(actor: Actor) -> "QuerySet[MeetingAttendee]":
    return MeetingAttendee.objects.filter(person=actor.person)


MeetingNumber = Annotated[
    int,
    number_input(
        label=_("Meeting"),
        rows=visible_meetings,
        missing=_("There is no such meeting."),
        remedy=_("Choose one that the page Meetings shows."),
        recorded=True,
    ),
]
SeatNumber = Annotated[
    int,
    number_input(
        label=_("Invitation"),
        rows=_own_seats,
        missing=_("You are not invited to this meeting."),
        remedy=_("Open the page of the meeting, and ask its chair."),
        recorded=True,
    ),
]
RoleInMeeting = Annotated[
    MeetingRole, Choice(label=_("Role"), options=MeetingRole, labels=lambda role: role.label, recorded=True)
]
TimeOfDay = Annotated[str, Option(label=_("Time"), options=_offer_times, recorded=True)]
RegionCode = Annotated[
    str,
    Text(
        label=_("Region"),
        hint=_("Its public holidays are avoided. A country, such as NL, or a part of one, such as DE-BY."),
        most=16,
        recorded=True,
    ),
]
TimeZoneName = Annotated[
    str,
    Text(label=_("Time zone"), hint=_("An IANA name, such as Europe/Amsterdam."), most=64, recorded=True),
]


class MeetingAct(Act, frozen=True):
    """Base of acts on one meeting."""

    meeting: MeetingNumber

    def load_meeting(self) -> ProductMeeting:
        """Row of the meeting, with its product."""
        return ProductMeeting.objects.select_related("product").get(pk=self.meeting)

    def find_resource(self) -> Resource:
        """Product of the meeting."""
        return self.load_meeting().product_resource

    def format_subject(self) -> str:
        return f"meeting:{self.meeting}"


class SeatAct(Act, frozen=True):
    """Base of acts of a person on their own seat in a meeting."""

    seat: SeatNumber

    def load_seat(self) -> MeetingAttendee:
        """Row of the seat, with its meeting and product."""
        return MeetingAttendee.objects.select_related("meeting__product", "person").get(pk=self.seat)

    def find_resource(self) -> Resource:
        """The person who has the seat."""
        return Resource(owner=self.load_seat().person_id)

    def format_subject(self) -> str:
        return f"meeting:{self.load_seat().meeting_id}"


def check_region(region: str) -> None:
    """Raise ParseError for a region whose holidays are not known."""
    try:
        parse_region(region)
    except ParseError as error:
        raise ParseError(InputCode.MALFORMED, str(_("Its holidays are not known.")), error.remedy, "region") from None


def check_zone(zone: str) -> None:
    """Raise ParseError for a name that is no time zone."""
    if zone not in available_timezones():
        remedy = str(_("Write an IANA name, such as Europe/Amsterdam."))
        raise ParseError(InputCode.MALFORMED, str(_("It is no time zone.")), remedy, "zone")
