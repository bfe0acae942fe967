"""Mails invitations and cancellations of meetings: each once, and anew after each change.

The row that says that one was sent is written before the mail leaves, so that no restart sends it twice. A mail that
the server refuses is tried again.
"""

import datetime
import os
from html import escape
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone, translation
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.calendars import invitations
from muniment.calendars.invitations import Invitation, InvitationMethod, Invitee, Mailbox
from muniment.server.meetings.mail_languages import find_languages
from muniment.server.meetings.models import InvitationMail, ProductMeeting, find_calendar, find_open_meetings
from muniment.server.people.messages import open_mail_backend, read_sender_address
from muniment.server.people.models import MailFrequency, Person

_CANCELLED_DAYS = 30  # in which a cancellation is still mailed
_SENDER = "Muniment"


class DueInvitation(Struct, frozen=True):
    """Invitation that has to be mailed to a person."""

    meeting: ProductMeeting
    person: Person
    method: InvitationMethod


def send_invitations() -> int:
    """Mail what is due; how many. Nothing without a mail server. Raises OSError after all were tried."""
    calendar, mails = find_calendar(), open_mail_backend()
    if calendar is None or mails is None:
        return 0
    refused: OSError | None = None
    sent = 0
    for due in find_due_invitations():
        try:
            _send_one(due, calendar.zone, mails)
            sent += 1
        except OSError as error:
            refused = error
    if refused is not None:
        raise refused
    return sent


def find_due_invitations() -> list[DueInvitation]:
    """Invitations and cancellations that are not mailed yet, to people who want mail."""
    since = timezone.now() - datetime.timedelta(_CANCELLED_DAYS)
    cancelled = ProductMeeting.objects.filter(cancelled_at__gte=since).select_related("product")
    open_rows = find_open_meetings().filter(date__gte=timezone.localdate())
    found: list[DueInvitation] = []
    for meeting in [*open_rows.prefetch_related("attendees__person"), *cancelled]:
        sent = {row.person_id: row for row in meeting.sent_invitations.select_related("person")}
        people = {each.person_id: each.person for each in meeting.attendees.all()} if meeting.is_open else {}
        for key, person in people.items():
            row = sent.get(key)
            if (row is None or row.sequence < meeting.sequence or row.cancels) and _takes_mail(person):
                found.append(DueInvitation(meeting, person, InvitationMethod.REQUEST))
        for key, row in sent.items():
            if key not in people and not row.cancels and _takes_mail(row.person):
                found.append(DueInvitation(meeting, row.person, InvitationMethod.CANCEL))
    return found


def build_invitation(meeting: ProductMeeting, zone: str) -> Invitation:
    """Invitation to a meeting, as calendars read it."""
    rows = meeting.attendees.select_related("person")
    people = {row.person_id: row.person for row in rows}
    return Invitation(
        meeting=meeting.lasting_key,
        title=f"{meeting.kind_title}: {meeting.product.name}",
        start=meeting.starts_at,
        zone=zone,
        minutes=meeting.minutes,
        place=meeting.place,
        link=build_meeting_link(meeting),
        organizer=Mailbox(read_sender_address(), _SENDER, reads_replies=are_replies_read()),
        invitees=tuple(Invitee(each.name, each.email) for each in people.values() if each.email),
        changed=meeting.changed_at,
        sequence=meeting.sequence,
    )


def build_meeting_link(meeting: ProductMeeting) -> str:
    """Address of the page of a meeting. Opening it changes nothing."""
    return f"{settings.URL}/meetings/{meeting.pk}"


def are_replies_read() -> bool:
    """Whether replies to the sender's address are piped into `muniment meetings reply`, or read from a mailbox."""
    return os.environ.get("MUNIMENT_MAIL_REPLIES", "") == "yes" or bool(os.environ.get("MUNIMENT_IMAP_URL", ""))


def find_host() -> str:
    """Host in the lasting ids of meetings."""
    return urlsplit(settings.URL).hostname or "localhost"


def _takes_mail(person: Person) -> bool:
    return person.active and bool(person.email) and person.mail_frequency != MailFrequency.NEVER


def _send_one(due: DueInvitation, zone: str, mails: BaseEmailBackend) -> None:
    mail = build_mail(due, zone, mails)
    rows = InvitationMail.objects.filter(meeting=due.meeting, person=due.person)
    before = rows.values("sequence", "cancels", "sent_at").first()
    values = {
        "sequence": due.meeting.sequence,
        "cancels": due.method is InvitationMethod.CANCEL,
        "sent_at": timezone.now(),
    }
    InvitationMail.objects.update_or_create(meeting=due.meeting, person=due.person, defaults=values)
    try:
        mail.send()
    except OSError:
        rows.update(**(before or {"sequence": 0, "cancels": due.method is InvitationMethod.REQUEST}))
        raise


def build_mail(due: DueInvitation, zone: str, mails: BaseEmailBackend) -> EmailMultiAlternatives:
    """Mail with text, HTML and calendar, in the language of its reader."""
    with translation.override(find_languages([due.person])[due.person.pk]):
        return _build_translated_mail(due, zone, mails)


def _build_translated_mail(due: DueInvitation, zone: str, mails: BaseEmailBackend) -> EmailMultiAlternatives:
    invitation = build_invitation(due.meeting, zone)
    day = format_date(invitation.start, "l j F Y, H:i")
    cancels = due.method is InvitationMethod.CANCEL
    details = {"title": invitation.title, "day": day, "zone": zone, "minutes": invitation.minutes}
    first = _("%(title)s is cancelled.") % details if cancels else _("You are invited: %(title)s.") % details
    lines = [first, _("%(day)s (%(zone)s), %(minutes)d minutes.") % details]
    if invitation.place:
        lines.append(_("Place: %(place)s") % {"place": invitation.place})
    ending = "" if cancels else _("Answer on this page. Opening it changes nothing.")
    if ending and are_replies_read():
        ending = _("Answer by your calendar, or on this page. Opening it changes nothing.")
    text = "\n".join([*lines, "", *([ending] if ending else []), invitation.link, ""])
    link = escape(invitation.link)
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in (*lines, ending) if line)
    subject = invitations.clean_text(
        _("Cancelled: %(title)s, %(day)s") % details if cancels else f"{invitation.title}, {day}"
    )
    mail = EmailMultiAlternatives(subject, text, read_sender_address(), [str(due.person.email)], connection=mails)
    mail.attach_alternative(f'{paragraphs}<p><a href="{link}">{link}</a></p>', "text/html")
    calendar = invitations.format_invitation(invitation, due.method, find_host())
    mail.attach_alternative(calendar, f"text/calendar; method={due.method.value}")
    return mail
