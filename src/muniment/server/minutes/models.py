"""Minutes of a meeting: its frozen agenda, items, entries, attendance, signatures, objections and addenda."""

import datetime

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.people.models import new_person_id
from muniment.server.records.recorded_rows import RecordedModel

OBJECTION_DAYS = 5  # working days
_CHAIRED = frozenset({Action.CHAIR_MEETING})
_TAKEN_PART = frozenset({Action.TAKE_PART_IN_MEETING})


class ItemState(models.TextChoices):
    """State of an item of an agenda."""

    OPEN = "open", _("Open")
    DONE = "done", _("Done")
    DEFERRED = "deferred", _("Deferred")


class EntryKind(models.TextChoices):
    """Kind of an entry of the minutes."""

    DECISION = "decision", _("Decision")
    ACTION = "action", _("Action")
    ADVICE = "advice", _("Advice")
    DISSENT = "dissent", _("Dissent")


class Statement(models.TextChoices):
    """Words of a signature. The Data Protection Officer advises, and approves nothing."""

    CONFIRMED = "confirmed", _("I confirm these minutes.")
    ADVICE = "advice", _("I was involved in good time, and this is my advice.")
    NO_ADVICE = "no-advice", _("I have no advice.")


class Minutes(RecordedModel):
    """Minutes of a meeting since it was opened. `agenda` is JSON, frozen then; `text` is JSON, frozen at its end.

    People stand in both by their id. Both digests are in the records of the acts that froze them. `internal_id` is
    random: it is their address at the confirmation origin. `silent_since` is the moment at which the silence of
    everybody who did not object was recorded as no objection.
    """

    recorded_columns = ("meeting", "opened_at", "agenda_digest", "closed_at", "digest", "silent_since")
    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ,),
        web_changes=("text", "digest", "closed_at"),
        worker_changes=("silent_since",),
    )
    written_by = _CHAIRED
    free_texts = ("agenda", "text")

    meeting = models.OneToOneField("meetings.ProductMeeting", models.PROTECT, related_name="held_minutes")
    opened_at = models.DateTimeField(default=timezone.now)
    agenda = models.TextField()
    agenda_digest = models.CharField(max_length=71)
    closed_at = models.DateTimeField(null=True)
    text = models.TextField(blank=True)
    digest = models.CharField(max_length=71, blank=True)
    internal_id = models.CharField(max_length=26, unique=True, default=new_person_id, editable=False)
    silent_since = models.DateTimeField(null=True)

    @property
    def is_closed(self) -> bool:
        """Whether the meeting has ended."""
        return self.closed_at is not None


class AgendaItem(models.Model):
    """Item of the agenda of an open meeting. `code` is that of its section."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), web_changes=("state", "reason"), eraser=(DROP,))
    written_by = _CHAIRED
    free_texts = ("reason",)

    minutes = models.ForeignKey(Minutes, models.CASCADE, related_name="items")
    code = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=8, choices=ItemState, default=ItemState.OPEN)
    reason = models.TextField(blank=True)  # of a deferred one

    class Meta:
        """Constraint: an item stands once on an agenda."""

        ordering = ("position",)
        constraints = [models.UniqueConstraint(fields=["minutes", "code"], name="unique_agenda_item")]


class MinutesEntry(models.Model):
    """Decision, action, advice or dissent. Advice can be written before the meeting, so it belongs to the meeting.

    `owner`, `due_on`, `done_on` and `note` are of an action; `is_followed` and `note` are the owner's answer to advice.
    """

    privileges = Privileges(
        (READ, ADD, CHANGE), (READ,), web_changes=("due_on", "done_on", "is_followed", "note"), eraser=(DROP,)
    )
    written_by = _CHAIRED | _TAKEN_PART | {Action.ANSWER_ADVICE}
    free_texts = ("text", "note")

    meeting = models.ForeignKey("meetings.ProductMeeting", models.PROTECT, related_name="entries")
    item = models.CharField(max_length=32)
    kind = models.CharField(max_length=8, choices=EntryKind)
    text = models.TextField()
    author = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)
    owner = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="meeting_actions")
    due_on = models.DateField(null=True)
    first_due_on = models.DateField(null=True)  # before it was moved
    done_on = models.DateField(null=True)
    is_followed = models.BooleanField(null=True)
    note = models.TextField(blank=True)

    class Meta:
        """Indexed for the actions of a person."""

        ordering = ("pk",)
        indexes = [
            models.Index(fields=["owner", "due_on"], condition=models.Q(done_on=None), name="open_meeting_action")
        ]

    @property
    def is_late(self) -> bool:
        """Whether this action is open after its due date."""
        return self.done_on is None and self.due_on is not None and self.due_on < timezone.localdate()


class Attendance(RecordedModel):
    """Attendance of a person, as the chair confirmed it. An accepted invitation is none."""

    recorded_columns = ("meeting", "person", "is_present")
    privileges = Privileges((READ, ADD, CHANGE), (READ,), web_changes=("is_present",))
    written_by = _CHAIRED

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="attendances")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    is_present = models.BooleanField()

    class Meta:
        """Constraint: a person has one row a meeting."""

        constraints = [models.UniqueConstraint(fields=["meeting", "person"], name="unique_attendance")]


class MinutesProof(models.Model):
    """Signature of a passkey over minutes, made at the confirmation origin. The web cannot add one.

    `statement` is the signed text (`facts/minutes_statements.py`), `signature` the answer of the passkey as JSON.
    `made_at` is the database's own time.
    """

    privileges = Privileges(
        (READ,),
        (READ,),
        confirmation=(ADD,),
        confirmation_adds=("minutes_id", "signer_id", "authenticator_id", "statement", "signature"),
    )
    written_by: frozenset[Action] = frozenset()

    minutes = models.ForeignKey(Minutes, models.PROTECT, related_name="proofs")
    signer = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    authenticator = models.ForeignKey("people.EnrolledAuthenticator", models.PROTECT, related_name="+")
    statement = models.TextField()
    signature = models.TextField()
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("pk",)


class MinutesSignature(RecordedModel):
    """Signature of a person over the digest of the minutes: by a passkey, whose `proof` it names, else by a sign-in
    with a second factor.
    """

    recorded_columns = ("minutes", "person", "role", "statement", "digest", "signed_at", "proof")
    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.SIGN_MINUTES})

    minutes = models.ForeignKey(Minutes, models.PROTECT, related_name="signatures")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    role = models.CharField(max_length=16)
    statement = models.CharField(max_length=10, choices=Statement)
    digest = models.CharField(max_length=71)
    signed_at = models.DateTimeField(default=timezone.now)
    proof = models.ForeignKey(MinutesProof, models.PROTECT, null=True, related_name="+")

    class Meta:
        """Constraint: a person signs for a role once."""

        ordering = ("pk",)
        constraints = [models.UniqueConstraint(fields=["minutes", "person", "role"], name="unique_minutes_signature")]


class MinutesComment(models.Model):
    """Objection within five working days, or an addendum: the only ways in which minutes are corrected."""

    privileges = Privileges((READ, ADD), (READ,), eraser=(DROP,))
    written_by = _CHAIRED | _TAKEN_PART
    free_texts = ("text",)

    minutes = models.ForeignKey(Minutes, models.PROTECT, related_name="comments")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    is_objection = models.BooleanField()
    text = models.TextField()
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("pk",)


class ManagementAdvice(models.Model):
    """Advice that the Data Protection Officer sent to management directly. Management and she read it."""

    privileges = Privileges((READ, ADD), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.WRITE_DPO_FEEDBACK})
    free_texts = ("text",)

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="management_advice")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    text = models.TextField()
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-pk",)


def find_open_actions() -> "models.QuerySet[MinutesEntry]":
    """Actions that are not done, the first due on top."""
    rows = MinutesEntry.objects.filter(kind=EntryKind.ACTION, done_on=None)
    return rows.select_related("meeting__product", "owner").order_by("due_on", "pk")


def count_working_days(first: datetime.date, last: datetime.date) -> int:
    """Days from Monday to Friday after the first day, the last included."""
    days = (first + datetime.timedelta(each) for each in range(1, (last - first).days + 1))
    return sum(day.weekday() < 5 for day in days)
