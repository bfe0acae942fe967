"""Acts of the chair on guests of a review: invite one, or end the invitation."""

import datetime
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.calendars.meetings import MeetingKind
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Email, Label, Option, Text
from muniment.server.job_queue import enqueue
from muniment.server.meetings.act_fields import MeetingAct, visible_meetings
from muniment.server.meetings.mail_languages import DOCUMENT_LANGUAGE, list_mail_languages
from muniment.server.minutes.taking_part import find_lead
from muniment.server.people.models import Person
from muniment.server.reviews.guests import GUEST_DAYS
from muniment.server.reviews.models import ReviewGuest

_MOST_GUESTS = 10


class InviteGuest(MeetingAct, frozen=True):
    """Invite a guest to one review. A link is mailed to them; they get no account."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHAIR_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Invite guest")

    name: Annotated[str, Text(label=gettext_lazy("Name"), most=200)]
    email: Annotated[str, Email(label=gettext_lazy("E-mail address"))]
    organisation: Annotated[
        str,
        Text(
            label=gettext_lazy("Organisation"),
            hint=gettext_lazy("The guest sees the requirements that came from it."),
            most=200,
        ),
    ] = ""
    language: Annotated[
        str, Option(label=gettext_lazy("Language of mails"), options=list_mail_languages, recorded=True)
    ] = DOCUMENT_LANGUAGE

    def find_resource(self) -> Resource:
        """The person who leads the review."""
        return Resource(owner=find_lead(self.load_meeting()))

    def describe_act(self) -> str:
        """Sentence without the name, which is no person of the organisation."""
        return _("invite a guest to the review of %(product)s") % {"product": self.load_meeting().product.slug}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse other meetings, one that began, addresses of people with an account, and too many guests."""
        meeting = self.load_meeting()
        if meeting.kind != MeetingKind.REVIEW:
            raise RefusedError("no-review", _("Guests take part in reviews alone."), _("Choose a security review."))
        if not meeting.is_open or hasattr(meeting, "held_minutes"):
            raise RefusedError("facts-fixed", _("The meeting has begun or ended."), _("Invite them to the next one."))
        if Person.objects.filter(email__iexact=self.email, active=True).exists():
            raise RefusedError(
                "has-account", _("This person has an account."), _("Name them as stakeholder on the page Meetings.")
            )
        rows = ReviewGuest.objects.filter(meeting=meeting, ended_at=None)
        if rows.filter(email=self.email).exists():
            raise RefusedError("invited-already", _("This address is invited already."), _("Nothing is left to do."))
        if rows.count() >= _MOST_GUESTS:
            raise RefusedError(
                "too-many-guests", _("A review has ten guests at most."), _("End the invitation of another first.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Store the guest, and have the link mailed."""
        ReviewGuest.objects.create(
            meeting_id=self.meeting,
            name=self.name,
            organisation=self.organisation,
            email=self.email,
            language=self.language,
            invited_by_id=context.requester,
            expires_at=timezone.now() + datetime.timedelta(GUEST_DAYS),
        )
        enqueue("mail-guests")


def visible_guests(actor: Actor) -> "QuerySet[ReviewGuest]":
    """Guests of the meetings that a person may see."""
    return ReviewGuest.objects.filter(meeting__in=visible_meetings(actor), ended_at=None)


class EndGuestInvitation(Act, frozen=True):
    """End the invitation of a guest: the link stops working. Answers stay."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHAIR_MEETING,)
    title: ClassVar[Label] = gettext_lazy("End invitation")

    guest: Annotated[
        int,
        number_input(
            label=gettext_lazy("Guest"),
            rows=visible_guests,
            missing=gettext_lazy("There is no such guest."),
            remedy=gettext_lazy("Open the page of the guests again."),
            recorded=True,
        ),
    ]

    def load_guest(self) -> ReviewGuest:
        """Row of the guest, with meeting and product."""
        return ReviewGuest.objects.select_related("meeting__product").get(pk=self.guest)

    def find_resource(self) -> Resource:
        """The person who leads the review."""
        return Resource(owner=find_lead(self.load_guest().meeting))

    def format_subject(self) -> str:
        return f"meeting:{self.load_guest().meeting_id}"

    def describe_act(self) -> str:
        """Sentence about the guest."""
        return _("end the invitation of the guest %(number)d") % {"number": self.guest}

    def carry_out(self, context: ActContext) -> None:
        ReviewGuest.objects.filter(pk=self.guest).update(ended_at=timezone.now())
