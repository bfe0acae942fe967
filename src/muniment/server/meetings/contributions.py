"""Contributions of the meetings."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.acts.system_actors import SystemActor
from muniment.server.meetings.calendar_acts import (
    RenewCalendarFeed,
    SetMeetingCalendar,
    SetOwnLanguage,
    SetOwnRegion,
)
from muniment.server.meetings.joint_meetings import HoldApart, HoldTogether
from muniment.server.meetings.mail_languages import find_mail_language
from muniment.server.meetings.mailed_replies import RecordMailedAnswer
from muniment.server.meetings.meeting_acts import CancelMeeting, ChangeSeats, MoveMeeting, PlanMeeting, StartRhythm
from muniment.server.meetings.models import (
    CalendarFeed,
    InvitationAnswer,
    InvitationMail,
    MeetingAttendee,
    MeetingMove,
    PersonLanguage,
    PersonRegion,
    ProductMeeting,
    ReadMail,
    RoleHolder,
    SentNotice,
    find_calendar,
    find_open_meetings,
)
from muniment.server.meetings.seat_acts import AnswerInvitation, NameForMeetings, RemoveFromMeetings, SendDeputy
from muniment.server.people.messages import register_mail_language
from muniment.server.people.privacy import drop_rows
from muniment.server.registration import (
    AppContributions,
    GlossaryEntry,
    InboxKind,
    MenuEntry,
    MenuGroup,
    Metric,
    PersonalData,
    ProductTab,
    RetentionRule,
    SetupProgress,
    SetupStep,
)
from muniment.server.remembered_sql import remember_instances

_SHOWN = 20


def find_unanswered(actor: Actor) -> list[ProductMeeting]:
    """Coming meetings to which a person is invited and gave no answer yet."""
    return _read_unanswered(actor.person, timezone.localdate())


@remember_instances
def _read_unanswered(person: str, today: date) -> "QuerySet[ProductMeeting]":
    answered = InvitationAnswer.objects.filter(person=person).values("meeting")
    rows = find_open_meetings().filter(attendees__person=person, date__gte=today)
    return rows.exclude(pk__in=answered).distinct().order_by("date", "time", "pk")[:_SHOWN]


def measure_meetings() -> Iterator[Metric]:
    """Meetings that were to be held by now."""
    today = timezone.localdate()
    late = find_open_meetings().filter(Q(date__lt=today) | Q(due_on__lt=today)).count()
    yield Metric("muniment_overdue_meetings", "Security reviews and retros that are past their day.", late)


def check_calendar(actor: Actor) -> SetupProgress:
    """Whether time zone and region are set."""
    calendar = find_calendar()
    if calendar is None:
        return SetupProgress(
            False, _now("Set time zone and region. Reviews and retros are then planned by themselves.")
        )
    return SetupProgress(
        True, _now("%(zone)s, holidays of %(region)s.") % {"zone": calendar.zone, "region": calendar.region}
    )


def read_meeting_seats(person: str) -> Iterable[Mapping[str, object]]:
    """Meetings to which a person was invited, with the role."""
    rows = MeetingAttendee.objects.filter(Q(person=person) | Q(deputises_for=person))
    return list(rows.values("meeting__kind", "meeting__product__slug", "meeting__date", "role"))


register_mail_language(find_mail_language)

CONTRIBUTIONS = AppContributions(
    urls="muniment.server.meetings.urls",
    api=("muniment.server.meetings.api",),
    acts=(
        SetMeetingCalendar,
        SetOwnRegion,
        SetOwnLanguage,
        RenewCalendarFeed,
        NameForMeetings,
        RemoveFromMeetings,
        AnswerInvitation,
        SendDeputy,
        MoveMeeting,
        HoldTogether,
        HoldApart,
    ),
    system_acts={
        SystemActor.PLANNING: (StartRhythm, PlanMeeting, ChangeSeats, CancelMeeting),
        SystemActor.OPERATOR: (RecordMailedAnswer,),
        SystemActor.REPLY_MAILBOX: (RecordMailedAnswer,),
    },
    menu=(MenuEntry(MenuGroup.IMPROVE, 5, "meetings", _("Meetings"), "calendar-event", Action.SEE_MEETINGS),),
    inbox=(InboxKind(23, "meetings/inbox.html", find_unanswered, _("Invitations")),),
    product_tabs=(ProductTab(80, "product-meetings", _("Meetings"), Action.SEE_MEETINGS),),
    setup=(
        SetupStep(
            80,
            _("Set the calendar"),
            check_calendar,
            Action.CHANGE_SETTINGS,
            1,
            "meeting-calendar",
            _("Set the calendar"),
        ),
    ),
    metrics=(measure_meetings,),
    glossary=(
        GlossaryEntry(
            80,
            _("security review"),
            _("A meeting every three months, in which people who are not developers look at a product."),
        ),
    ),
    personal_data=(
        PersonalData("meetings", read_meeting_seats),
        PersonalData(
            "meeting_answers",
            lambda person: list(
                InvitationAnswer.objects.filter(person=person).values("meeting__date", "answer", "answered_at")
            ),
        ),
        PersonalData(
            "meeting_roles",
            lambda person: list(RoleHolder.objects.filter(person=person).values("product__slug", "role")),
        ),
        PersonalData(
            "moved_meetings",
            lambda person: list(
                MeetingMove.objects.filter(moved_by=person).values("meeting__date", "moved_on", "reason")
            ),
        ),
        PersonalData(
            "meeting_region", lambda person: list(PersonRegion.objects.filter(person=person).values("region"))
        ),
        PersonalData(
            "meeting_language", lambda person: list(PersonLanguage.objects.filter(person=person).values("language"))
        ),
        PersonalData(
            "calendar_feed", lambda person: list(CalendarFeed.objects.filter(person=person).values("renewed_at"))
        ),
        PersonalData(
            "invitation_mails",
            lambda person: list(InvitationMail.objects.filter(person=person).values("meeting__date", "sent_at")),
        ),
    ),
    retention=(
        RetentionRule(
            _("answers to invitations, and mails about meetings"),
            _("to see who was invited in time"),
            "invitation_answer_days",
            lambda moment: (
                drop_rows(InvitationAnswer.objects.filter(answered_at__lt=moment))
                + drop_rows(InvitationMail.objects.filter(sent_at__lt=moment))
                + drop_rows(SentNotice.objects.filter(sent_at__lt=moment))
                + drop_rows(ReadMail.objects.filter(read_at__lt=moment))
            ),
        ),
    ),
    demonstration="muniment.server.meetings.demonstration",
)
