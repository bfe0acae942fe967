"""Meetings of products: their rhythm, dates, seats and attendees, and what was mailed about them."""

import hashlib
import secrets
from datetime import UTC, date, datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.calendars.meetings import MeetingKind
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

_PLANNED = frozenset({Action.PLAN_MEETING})
_FEED_BYTES = 32


class MeetingRole(models.TextChoices):
    """Role in a meeting. It is none of the access table: who has it is invited."""

    CHAIR = "chair", _("chair")
    ANALYST = "analyst", _("analyst")
    DPO = "dpo", _("Data Protection Officer")
    STAKEHOLDER = "stakeholder", _("stakeholder")
    OWNER = "owner", _("product owner")
    FACILITATOR = "facilitator", _("facilitator")
    MEMBER = "member", _("team member")


class AnswerChoice(models.TextChoices):
    """Answer to an invitation."""

    ACCEPTED = "accepted", _("I will come")
    TENTATIVE = "tentative", _("Perhaps")
    DECLINED = "declined", _("I cannot come")


class MeetingCalendar(RecordedModel):
    """Calendar of the organisation, one row: time zone (IANA name) and region, such as `NL` or `DE-BY`."""

    recorded_columns = ("zone", "region", "place")
    privileges = Privileges((READ, ADD, CHANGE), (READ,), web_changes=("zone", "region", "place"))
    written_by = frozenset({Action.CHANGE_SETTINGS})
    free_texts = ("place",)

    zone = models.CharField(max_length=64)
    region = models.CharField(max_length=16)
    place = models.CharField(max_length=300, blank=True)  # a room, or the address of a call


class PersonRegion(models.Model):
    """Region whose holidays a person has, where it is not that of the organisation."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), web_changes=("region",), eraser=(DROP,))
    written_by = frozenset({Action.MANAGE_OWN_ACCOUNT})

    person = models.OneToOneField("people.Person", models.CASCADE, related_name="meeting_region")
    region = models.CharField(max_length=16)


class PersonLanguage(models.Model):
    """Language in which a person gets invitations, reminders and messages about meetings."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), web_changes=("language",), eraser=(DROP,))
    written_by = frozenset({Action.MANAGE_OWN_ACCOUNT})

    person = models.OneToOneField("people.Person", models.CASCADE, related_name="meeting_language")
    language = models.CharField(max_length=8)


class CalendarFeed(models.Model):
    """Address of a person's calendar feed, by the hash of its secret part."""

    privileges = Privileges((READ, ADD, CHANGE), (), web_changes=("token_hash", "renewed_at"), eraser=(DROP,))
    written_by = frozenset({Action.MANAGE_OWN_ACCOUNT})

    person = models.OneToOneField("people.Person", models.CASCADE, related_name="calendar_feed")
    token_hash = models.CharField(max_length=64, unique=True)
    renewed_at = models.DateTimeField(default=timezone.now)

    @staticmethod
    def make_token() -> tuple[str, str]:
        """Make a token; the token, and its hash."""
        token = secrets.token_urlsafe(_FEED_BYTES)
        return token, CalendarFeed.hash_token(token)

    @staticmethod
    def hash_token(token: str) -> str:
        """Hash of a token, as stored."""
        return hashlib.sha256(token.encode()).hexdigest()


class RoleHolder(RecordedModel):
    """Person named for a role in the meetings of a product. `position` 0 has the seat, later ones are deputies."""

    recorded_columns = ("product", "role", "person", "position")
    privileges = Privileges((READ, ADD, CHANGE, DROP), (READ,), web_changes=("position",))
    written_by = _PLANNED

    product = models.ForeignKey("products.Product", models.CASCADE, related_name="meeting_roles")
    role = models.CharField(max_length=16, choices=MeetingRole)
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="meeting_roles")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        """Constraint: a person has a role once."""

        ordering = ("role", "position", "pk")
        constraints = [models.UniqueConstraint(fields=["product", "role", "person"], name="unique_meeting_role")]


class MeetingRhythm(RecordedModel):
    """Rhythm of a kind of meeting of a product: `calendars.rhythm.Rhythm`, until the product is inactive.

    `lacking` are ids of people for whom no day was found, as of the last planning.
    """

    recorded_columns = ("product", "kind", "first_due", "second_due", "months", "first_number", "ended_on")
    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    product = models.ForeignKey("products.Product", models.CASCADE, related_name="rhythms")
    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in MeetingKind])
    first_due = models.DateField()
    second_due = models.DateField()
    months = models.PositiveSmallIntegerField()
    first_number = models.PositiveIntegerField(default=1)
    ended_on = models.DateField(null=True)
    lacking = models.JSONField(default=list)

    class Meta:
        """Constraint: a product has one rhythm of each kind."""

        constraints = [models.UniqueConstraint(fields=["product", "kind"], name="unique_rhythm")]


class ProductMeeting(RecordedModel):
    """Security review or retro of a product. Its key, `kind/product/number`, names it for ever.

    `date` and `time` are in the zone of the organisation's calendar. `sequence` rises with each change that the
    people who are invited have to know. `held_with` is the main one of meetings that are held together.
    """

    recorded_columns = (
        *("product", "kind", "number", "due_on", "date", "time", "dated_on", "held_on", "cancelled_at"),
        "held_with",
    )
    privileges = Privileges(
        (READ,),
        (READ, ADD),
        web_changes=("date", "time", "dated_on", "place", "sequence", "changed_at", "held_on", "held_with_id"),
        worker_changes=("cancelled_at", "sequence", "changed_at"),
    )
    written_by = _PLANNED | {Action.TAKE_PART_IN_MEETING, Action.CHAIR_MEETING}
    free_texts = ("place",)

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="meetings")
    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in MeetingKind])
    number = models.PositiveIntegerField()
    due_on = models.DateField()
    date = models.DateField()
    time = models.TimeField()
    minutes = models.PositiveSmallIntegerField(default=45)
    place = models.CharField(max_length=300, blank=True)
    dated_on = models.DateField()
    held_on = models.DateField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    held_with = models.ForeignKey("self", models.PROTECT, null=True, related_name="companions")
    sequence = models.PositiveIntegerField()
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: no meeting is planned twice."""

        ordering = ("date", "time", "pk")
        constraints = [models.UniqueConstraint(fields=["product", "kind", "number"], name="unique_meeting")]
        indexes = [
            models.Index(
                fields=["date"], condition=models.Q(held_on=None, cancelled_at=None), name="coming_meeting_date"
            )
        ]

    @property
    def lasting_key(self) -> str:
        """Name that no other meeting has. Its product has to be loaded."""
        return f"{self.kind}/{self.product.slug}/{self.number}"

    @property
    def kind_title(self) -> str:
        """Title for people, without its product."""
        return str(KIND_TITLES[MeetingKind(self.kind)])

    @property
    def starts_at(self) -> datetime:
        """Local time at which it starts, without a zone."""
        return datetime.combine(self.date, self.time)

    @property
    def ends_at(self) -> datetime:
        """Local time at which it ends, without a zone."""
        return self.starts_at + timedelta(minutes=self.minutes)

    @property
    def product_resource(self) -> Resource:
        """Resource that an actor must be allowed to see or plan. Its product has to be loaded."""
        return Resource(product=self.product.slug)

    @property
    def is_open(self) -> bool:
        """Whether it is still to be held."""
        return self.held_on is None and self.cancelled_at is None

    def find_main(self) -> "ProductMeeting":
        """Main one of the meetings that are held together with this one: itself if it is held alone."""
        main = self.held_with
        return main if main is not None and main.cancelled_at is None else self

    def list_joint(self) -> list["ProductMeeting"]:
        """Meetings that are held together with this one, the main one first, each with its product."""
        main = self.find_main()
        companions = main.companions.filter(cancelled_at=None).select_related("product")
        return [main, *companions.order_by("product__name", "pk")]

    @property
    def is_overdue(self) -> bool:
        """Whether it was to be held before today."""
        return self.is_open and min(self.date, self.due_on) < timezone.localdate()


KIND_TITLES = {MeetingKind.REVIEW: _("Security review"), MeetingKind.RETRO: _("Security retro")}


class MeetingAttendee(RecordedModel):
    """Person who is invited to a meeting for a role, since `invited_at`. `deputises_for` has the seat, if this is a
    deputy.
    """

    recorded_columns = ("meeting", "role", "person", "deputises_for", "invited_at")
    privileges = Privileges((READ,), (READ, ADD, DROP), web_changes=("person_id", "deputises_for_id"))
    written_by = _PLANNED | {Action.TAKE_PART_IN_MEETING}

    meeting = models.ForeignKey(ProductMeeting, models.CASCADE, related_name="attendees")
    role = models.CharField(max_length=16, choices=MeetingRole)
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="meeting_seats")
    deputises_for = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    invited_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: a person has a role of a meeting once."""

        ordering = ("pk",)
        constraints = [models.UniqueConstraint(fields=["meeting", "role", "person"], name="unique_attendee")]


class MeetingMove(RecordedModel):
    """Change of a meeting's date. `moved_by` is None if no day up to the due date was free when it was planned."""

    recorded_columns = ("meeting", "before", "after", "moved_on", "moved_by")
    privileges = Privileges((READ, ADD), (READ, ADD), eraser=(DROP,))
    written_by = _PLANNED
    free_texts = ("reason",)

    meeting = models.ForeignKey(ProductMeeting, models.CASCADE, related_name="moves")
    before = models.DateField()
    after = models.DateField()
    moved_on = models.DateField()
    moved_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ("pk",)


class InvitationAnswer(models.Model):
    """Answer of a person to the invitation to a meeting. `mail_stamp` is the time of a reply by mail, as it says."""

    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ, ADD, CHANGE),
        web_changes=("answer", "answered_at"),
        worker_changes=("answer", "answered_at", "mail_stamp"),
        operator=(ADD, CHANGE),
        operator_changes=("answer", "answered_at", "mail_stamp"),
        eraser=(DROP,),
    )
    written_by = frozenset({Action.TAKE_PART_IN_MEETING})

    meeting = models.ForeignKey(ProductMeeting, models.CASCADE, related_name="answers")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    answer = models.CharField(max_length=10, choices=AnswerChoice)
    answered_at = models.DateTimeField(default=timezone.now)
    mail_stamp = models.DateTimeField(null=True)

    class Meta:
        """Constraint: a person has one answer, the newest."""

        constraints = [models.UniqueConstraint(fields=["meeting", "person"], name="unique_meeting_answer")]


class InvitationMail(models.Model):
    """Invitation that was mailed last to a person for a meeting: which sequence, and whether it cancelled."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()

    meeting = models.ForeignKey(ProductMeeting, models.CASCADE, related_name="sent_invitations")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField()
    cancels = models.BooleanField(default=False)
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: one row a person and meeting."""

        constraints = [models.UniqueConstraint(fields=["meeting", "person"], name="unique_sent_invitation")]


class SentNotice(models.Model):
    """Reminder or escalation that was sent, by the key under which it is sent once."""

    privileges = Privileges((READ,), (READ, ADD), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()

    meeting = models.ForeignKey(ProductMeeting, models.CASCADE, related_name="sent_notices")
    key = models.CharField(max_length=200, unique=True)
    sent_at = models.DateTimeField(default=timezone.now)


class MailboxPosition(models.Model):
    """Position up to which the mailbox of replies was read, one row: the number of a message, valid with `validity`.

    `mailbox` is a digest of its user, host and folder.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    mailbox = models.CharField(max_length=64)
    validity = models.BigIntegerField()
    last_number = models.BigIntegerField()
    read_at = models.DateTimeField(default=timezone.now)


class ReadMail(models.Model):
    """Mail of the mailbox of replies that was read, by its digest. `outcome` is `applied`, or why it was not."""

    privileges = Privileges((READ,), (READ, ADD), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()

    digest = models.CharField(max_length=64, unique=True)
    outcome = models.CharField(max_length=32)
    read_at = models.DateTimeField(default=timezone.now)


def find_open_meetings() -> "models.QuerySet[ProductMeeting]":
    """Meetings that are still to be held, the next on top."""
    return ProductMeeting.objects.filter(held_on=None, cancelled_at=None).select_related("product")


def find_calendar() -> MeetingCalendar | None:
    """Calendar of the organisation; None until an administrator set it."""
    return MeetingCalendar.objects.first()


def find_today(zone: str) -> date:
    """Day of now in a zone, an IANA name."""
    from zoneinfo import ZoneInfo

    return timezone.now().astimezone(ZoneInfo(zone)).date()


def format_clock_time(moment: datetime) -> str:
    """Format the time of day of a moment in the organisation's zone, such as 14:20; with UTC where none is set."""
    from zoneinfo import ZoneInfo

    calendar = find_calendar()
    if calendar is None:
        return f"{moment.astimezone(UTC):%H:%M} UTC"
    return f"{moment.astimezone(ZoneInfo(calendar.zone)):%H:%M}"
