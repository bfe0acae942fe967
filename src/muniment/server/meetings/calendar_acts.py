"""Acts on calendars: the zone and region of the organisation, one's own region and calendar feed."""

from typing import Annotated, ClassVar, Self

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.inputs import Label, Option, Text
from muniment.server.meetings.act_fields import RegionCode, TimeZoneName, check_region, check_zone
from muniment.server.meetings.mail_languages import list_mail_languages
from muniment.server.meetings.models import CalendarFeed, MeetingCalendar, PersonLanguage, PersonRegion
from muniment.server.people.own_account_acts import OwnAct


class SetMeetingCalendar(Act, frozen=True):
    """Set time zone and region of the organisation: from then on meetings are planned."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)
    title: ClassVar[Label] = gettext_lazy("Set calendar")

    zone: TimeZoneName
    region: RegionCode
    place: Annotated[
        str,
        Text(
            label=gettext_lazy("Place"),
            hint=gettext_lazy("A room, or the address of a video call. It stands in each invitation."),
            most=300,
        ),
    ] = ""

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError for an unknown zone or region."""
        check_zone(self.zone)
        check_region(self.region)
        return self

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return "settings:meeting-calendar"

    def describe_act(self) -> str:
        """The zone and the region."""
        return _("plan meetings in the time zone %(zone)s, without holidays of %(region)s") % {
            "zone": self.zone,
            "region": self.region,
        }

    def carry_out(self, context: ActContext) -> None:
        """Store the one row."""
        values = {"zone": self.zone, "region": self.region, "place": self.place}
        MeetingCalendar.objects.update_or_create(pk=1, defaults=values)


class SetOwnRegion(OwnAct, frozen=True):
    """Set the region whose holidays one has."""

    title: ClassVar[Label] = gettext_lazy("Set region")

    region: RegionCode

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError for an unknown region."""
        check_region(self.region)
        return self

    def describe_act(self) -> str:
        """Sentence that names the region."""
        return _("avoid the holidays of %(region)s") % {"region": self.region}

    def carry_out(self, context: ActContext) -> None:
        PersonRegion.objects.update_or_create(person_id=self.person, defaults={"region": self.region})


class SetOwnLanguage(OwnAct, frozen=True):
    """Set the language in which one gets invitations, reminders and messages about meetings."""

    title: ClassVar[Label] = gettext_lazy("Set language of mails")

    language: Annotated[
        str, Option(label=gettext_lazy("Language of mails"), options=list_mail_languages, recorded=True)
    ]

    def describe_act(self) -> str:
        """Sentence that names the language."""
        return _("get mails about meetings in the language %(language)s") % {"language": self.language}

    def carry_out(self, context: ActContext) -> None:
        PersonLanguage.objects.update_or_create(person_id=self.person, defaults={"language": self.language})


class RenewCalendarFeed(OwnAct, frozen=True):
    """Make a new address of one's calendar feed. The former address stops working."""

    title: ClassVar[Label] = gettext_lazy("Renew calendar address")

    def describe_act(self) -> str:
        """Sentence about the address."""
        return _("renew the address of the calendar")

    def carry_out(self, context: ActContext) -> str:
        """Store the hash of a new token, and give the token: it is stored nowhere."""
        token, hashed = CalendarFeed.make_token()
        values = {"token_hash": hashed, "renewed_at": timezone.now()}
        CalendarFeed.objects.update_or_create(person_id=self.person, defaults=values)
        return token
