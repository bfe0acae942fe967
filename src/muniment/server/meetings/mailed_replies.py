"""Applies replies to invitations that arrive by mail: an answer is stored, the rest becomes a message to a person.

A mail proves nothing about its sender, so it moves no meeting and gives no seat away: a counter-proposal goes to the
chair, and a delegation back to the person, who sends a deputy on the page.
"""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.calendars.invitations import make_uid
from muniment.calendars.replies import (
    Answer,
    MatchedReply,
    Reply,
    ReplyRefusal,
    SentInvitation,
    match_reply,
    read_reply,
)
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Label, Moment
from muniment.server.acts.system_actors import SystemActor
from muniment.server.meetings.invitation_mails import find_host
from muniment.server.meetings.mail_languages import find_languages
from muniment.server.meetings.models import (
    AnswerChoice,
    InvitationAnswer,
    MeetingAttendee,
    MeetingRole,
    ProductMeeting,
    find_calendar,
    find_open_meetings,
)
from muniment.server.people.models import Message, Person

_LEADS = (MeetingRole.CHAIR, MeetingRole.FACILITATOR)
_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_REFUSALS = {
    ReplyRefusal.UNKNOWN_MEETING: gettext_lazy("It answers no invitation of ours."),
    ReplyRefusal.NOT_INVITED: gettext_lazy("The address that answers is not invited."),
    ReplyRefusal.OTHER_SENDER: gettext_lazy("It was sent from another address than that of the person who answers."),
    ReplyRefusal.EARLIER_DATE: gettext_lazy("It answers an invitation that was changed since."),
    ReplyRefusal.DUPLICATE: gettext_lazy("It was read already."),
    ReplyRefusal.OVERTAKEN: gettext_lazy("A later answer of this person was read before."),
}
_ANSWERS = {
    Answer.ACCEPTED: AnswerChoice.ACCEPTED,
    Answer.DECLINED: AnswerChoice.DECLINED,
    Answer.TENTATIVE: AnswerChoice.TENTATIVE,
}


def _open_seats(actor: Actor) -> "QuerySet[MeetingAttendee]":
    return MeetingAttendee.objects.filter(meeting__held_on=None, meeting__cancelled_at=None)


class RecordMailedAnswer(Act, frozen=True):
    """Record the answer to an invitation that came by mail."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Record mailed answer")

    seat: Annotated[
        int,
        number_input(
            label=gettext_lazy("Invitation"),
            rows=_open_seats,
            missing=gettext_lazy("There is no such invitation."),
            remedy=gettext_lazy("Nothing is left to do."),
            recorded=True,
        ),
    ]
    answer: Annotated[
        AnswerChoice,
        Choice(label=gettext_lazy("Answer"), options=AnswerChoice, labels=lambda one: one.label, recorded=True),
    ]
    stamp: Annotated[str, Moment(label=gettext_lazy("Time of the mail"), recorded=True)]

    def load_seat(self) -> MeetingAttendee:
        """Row of the seat, with its meeting and product."""
        return MeetingAttendee.objects.select_related("meeting__product").get(pk=self.seat)

    def find_resource(self) -> Resource:
        """The person who has the seat."""
        return Resource(owner=self.load_seat().person_id)

    def format_subject(self) -> str:
        return f"meeting:{self.load_seat().meeting_id}"

    def describe_act(self) -> str:
        """Sentence that names the answer."""
        return _("record an answer that came by mail: %(answer)s") % {"answer": self.answer.label}

    def carry_out(self, context: ActContext) -> None:
        """Store the newest answer."""
        seat, moment = self.load_seat(), datetime.datetime.fromisoformat(self.stamp)
        values = {"answer": self.answer, "answered_at": moment, "mail_stamp": moment}
        InvitationAnswer.objects.update_or_create(meeting=seat.meeting, person_id=seat.person_id, defaults=values)


def apply_mailed_reply(raw: bytes, actor: SystemActor = SystemActor.OPERATOR) -> str:
    """Apply the reply in a mail; a sentence about its effect. Raises ParseError for a mail that is none, RefusedError
    for a reply that does not count.
    """
    calendar = find_calendar()
    if calendar is None:
        raise RefusedError("no-calendar", _("No meeting is planned."), _("Set time zone and region first."))
    reply = read_reply(raw, calendar.zone)
    matched = match_reply(reply, read_sent_invitations(calendar.zone))
    if not isinstance(matched, MatchedReply):
        raise RefusedError(matched.value, str(_REFUSALS[matched]), _("Answer on the page of the meeting."))
    meetings = {row.lasting_key: row for row in find_open_meetings()}
    meeting = meetings[matched.meeting]
    seats = MeetingAttendee.objects.filter(meeting=meeting, person__email__iexact=reply.address)
    seat = seats.select_related("person").order_by("pk")[0]
    if reply.answer is Answer.DELEGATED:
        _notify_inbox([seat.person], lambda: _describe_delegation(meeting), meeting)
        return _("The person was asked to send a deputy on the page.")
    values = {
        "seat": seat.pk,
        "answer": _ANSWERS[reply.answer].value,
        "stamp": reply.stamp.astimezone(datetime.UTC).strftime(_STAMP),
    }
    execute_system_act(actor, RecordMailedAnswer, values)
    if reply.is_counter:
        format_text = partial(_describe_counter, meeting, seat.person, reply, calendar.zone)
        _notify_inbox(_find_leads(meeting), format_text, meeting)
        return _("The proposal was sent to the person who leads the meeting.")
    return _("The answer of %(name)s was recorded: %(answer)s.") % {
        "name": seat.person.name,
        "answer": _ANSWERS[reply.answer].label,
    }


def read_sent_invitations(zone: str) -> dict[str, SentInvitation]:
    """Invitations to coming meetings as they were mailed last, by UID."""
    found = {}
    rows = find_open_meetings().prefetch_related("sent_invitations__person", "answers__person")
    for row in rows:
        sent = [each for each in row.sent_invitations.all() if not each.cancels and each.person.email]
        if not sent:
            continue
        answered = {
            str(each.person.email).lower(): each.mail_stamp
            for each in row.answers.all()
            if each.mail_stamp is not None and each.person.email
        }
        found[make_uid(row.lasting_key, find_host())] = SentInvitation(
            meeting=row.lasting_key,
            sequence=max(each.sequence for each in sent),
            start=row.starts_at.replace(tzinfo=ZoneInfo(zone)),
            addresses=frozenset(str(each.person.email).lower() for each in sent),
            answered=answered,
        )
    return found


def _describe_delegation(meeting: ProductMeeting) -> str:
    text = _("%(title)s: you delegated by mail. Send a deputy on this page, or come yourself.")
    return text % {"title": _format_title(meeting)}


def _describe_counter(meeting: ProductMeeting, person: Person, reply: Reply, zone: str) -> str:
    when = reply.start.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") if reply.start is not None else "?"
    details = {"name": person.name, "title": _format_title(meeting), "when": when, "comment": reply.comment}
    return (_("%(title)s: %(name)s proposes %(when)s by mail. %(comment)s") % details).strip()


def _format_title(meeting: ProductMeeting) -> str:
    return f"{meeting.kind_title} {meeting.product.name}"


def _find_leads(meeting: ProductMeeting) -> list[Person]:
    return list(Person.objects.filter(meeting_seats__meeting=meeting, meeting_seats__role__in=_LEADS, active=True))


def _notify_inbox(people: list[Person], format_text: Callable[[], str], meeting: ProductMeeting) -> None:
    """Put a message into each inbox, in its reader's language. The rounds of the worker mail it: the operator enqueues
    nothing.
    """
    link = f"/meetings/{meeting.pk}"
    for person, language in find_languages(people).items():
        with translation.override(language):
            Message.objects.create(person_id=person, text=format_text(), link=link)
