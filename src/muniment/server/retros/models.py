"""What a retro collects and decides: cards with votes, threats, improvements, and the hours of their owners."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

VOTES_EACH = 5
_TAKEN_PART = frozenset({Action.TAKE_PART_IN_MEETING})
_CHAIRED = frozenset({Action.CHAIR_MEETING})


class Subject(models.TextChoices):
    """Subject of a retro. Its value is the code of its item on the agenda."""

    FEEDBACK = "feedback", _("Team feedback")
    DPO = "dpo", _("Feedback of the Data Protection Officer")
    THREATS = "threats", _("Potential threats")
    PROCESS = "process", _("Improvements of the work process")
    SECURITY = "security", _("Security improvements")
    SCHEDULE = "schedule", _("Schedule")


class Phase(models.TextChoices):
    """Phase of the meeting, in order. Each can be reopened, and nothing is lost."""

    FOLLOW_UP = "follow-up", _("Follow-up")
    READ = "read", _("Read")
    GROUP = "group", _("Group")
    VOTE = "vote", _("Vote")
    DISCUSS = "discuss", _("Discuss")
    DECIDE = "decide", _("Decide")


class Worth(models.TextChoices):
    """Answer to the last question."""

    YES = "yes", _("Yes")
    PARTLY = "partly", _("Partly")
    NO = "no", _("No")


class FeedbackQuestion(models.TextChoices):
    """Question of the anonymous feedback that is answered in words."""

    WELL = "well", _("What went well?")
    SLOW = "slow", _("What slowed you down?")
    NEXT = "next", _("What could go wrong next?")


class FeedbackMood(models.TextChoices):
    """Answer to the first question of the anonymous feedback: security checks were ..."""

    HINDRANCE = "way", _("In my way")
    NEITHER = "neither", _("Neither")
    HELP = "help", _("A help")


class RetroBoard(models.Model):
    """Board of a retro: the phase that everybody sees, and until when its timer runs."""

    privileges = Privileges((READ, ADD, CHANGE), (), web_changes=("phase", "timer_ends_at"), eraser=(DROP,))
    written_by = _CHAIRED

    meeting = models.OneToOneField("meetings.ProductMeeting", models.CASCADE, related_name="board")
    phase = models.CharField(max_length=10, choices=Phase, default=Phase.FOLLOW_UP)
    timer_ends_at = models.DateTimeField(null=True)


class RetroCard(models.Model):
    """Card of a retro. `author` is None for an anonymous answer. `group` is the card that it was put together with.

    `vote_total` is the number of votes, None until the end of the retro.
    """

    privileges = Privileges(
        (READ, ADD, CHANGE), (), web_changes=("text", "group_id", "removed_at", "vote_total"), eraser=(DROP,)
    )
    written_by = _TAKEN_PART | _CHAIRED | {Action.WRITE_DPO_FEEDBACK}
    free_texts = ("text",)

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="cards")
    subject = models.CharField(max_length=8, choices=Subject)
    text = models.TextField()
    question = models.CharField(max_length=8, choices=FeedbackQuestion, blank=True)  # of an anonymous answer
    author = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    group = models.ForeignKey("self", models.SET_NULL, null=True, related_name="members")
    removed_at = models.DateTimeField(null=True)
    vote_total = models.PositiveSmallIntegerField(null=True)

    class Meta:
        ordering = ("pk",)


class RetroVote(models.Model):
    """Vote of a person for a card, until the end of the retro: then totals alone stay."""

    privileges = Privileges((READ, ADD, DROP), (), eraser=(DROP,))
    written_by = _TAKEN_PART | _CHAIRED

    card = models.ForeignKey(RetroCard, models.CASCADE, related_name="votes")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")

    class Meta:
        """Constraint: a person votes for a card once."""

        constraints = [models.UniqueConstraint(fields=["card", "person"], name="unique_retro_vote")]


class FinishedPhase(models.Model):
    """Note that a person is done with a phase."""

    privileges = Privileges((READ, ADD, DROP), (), eraser=(DROP,))
    written_by = _TAKEN_PART

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="finished_phases")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    phase = models.CharField(max_length=10, choices=Phase)

    class Meta:
        """Constraint: a person has one row a phase."""

        constraints = [models.UniqueConstraint(fields=["meeting", "person", "phase"], name="unique_finished_phase")]


class WorthPool(models.Model):
    """Answers to the last question of a retro in progress, encrypted anew at each write (`closing`)."""

    privileges = Privileges((READ, ADD, CHANGE, DROP), (), web_changes=("cells",), eraser=(DROP,))
    written_by = _TAKEN_PART | _CHAIRED

    meeting = models.OneToOneField("meetings.ProductMeeting", models.CASCADE, related_name="worth_pool")
    cells = models.BinaryField()


class WorthAnswer(models.Model):
    """Answers to the question whether the retro was worth the time: how many there were of each at its end."""

    privileges = Privileges((READ, ADD), (), eraser=(DROP,))
    written_by = _CHAIRED

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="worth_answers")
    answer = models.CharField(max_length=6, choices=Worth)
    count = models.PositiveSmallIntegerField(default=0)

    class Meta:
        """Constraint: one row an answer."""

        constraints = [models.UniqueConstraint(fields=["meeting", "answer"], name="unique_worth_answer")]


class WorthRespondent(models.Model):
    """Person who answered the last question, so that nobody answers it twice."""

    privileges = Privileges((READ, ADD), (), eraser=(DROP,))
    written_by = _TAKEN_PART

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="+")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")

    class Meta:
        """Constraint: a person has one row a meeting."""

        constraints = [models.UniqueConstraint(fields=["meeting", "person"], name="unique_worth_respondent")]


class Stride(models.TextChoices):
    """Category of a threat."""

    SPOOFING = "spoofing", _("Spoofing: somebody pretends to be another")
    TAMPERING = "tampering", _("Tampering: data or code is changed")
    REPUDIATION = "repudiation", _("Repudiation: somebody denies what they did")
    DISCLOSURE = "disclosure", _("Information disclosure: somebody reads what they must not")
    DENIAL = "denial", _("Denial of service: the product does not answer")
    ELEVATION = "elevation", _("Elevation of privilege: somebody gets more rights")


class Grade(models.TextChoices):
    """Likelihood, impact, or the risk that is left."""

    LOW = "low", _("Low")
    MEDIUM = "medium", _("Medium")
    HIGH = "high", _("High")


class Trend(models.TextChoices):
    """Trend of a threat since the last quarter."""

    FALLING = "falling", _("Falling")
    STEADY = "steady", _("Steady")
    RISING = "rising", _("Rising")


class Treatment(models.TextChoices):
    """Treatment of a threat."""

    MITIGATE = "mitigate", _("Mitigate")
    AVOID = "avoid", _("Avoid")
    TRANSFER = "transfer", _("Transfer")
    ACCEPT = "accept", _("Accept")


class RetroThreat(RecordedModel):
    """Threat to a product, as a retro assessed it. An accepted one counts once its owner signed it."""

    recorded_columns = ("meeting", "treatment", "owner", "review_on", "accepted_on", "accepted_by")
    privileges = Privileges((READ, ADD, CHANGE), (READ,), web_changes=("accepted_on", "accepted_by_id"))
    written_by = _TAKEN_PART | {Action.ACCEPT_THREAT}
    free_texts = ("text", "mitigation")

    meeting = models.ForeignKey("meetings.ProductMeeting", models.PROTECT, related_name="threats")
    text = models.CharField(max_length=500)
    stride = models.CharField(max_length=12, choices=Stride)
    likelihood = models.CharField(max_length=6, choices=Grade)
    impact = models.CharField(max_length=6, choices=Grade)
    trend = models.CharField(max_length=7, choices=Trend)
    treatment = models.CharField(max_length=8, choices=Treatment)
    mitigation = models.TextField(blank=True)
    residual = models.CharField(max_length=6, choices=Grade)
    owner = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    review_on = models.DateField(null=True)
    accepted_on = models.DateField(null=True)
    accepted_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ("pk",)

    @property
    def waits_for_owner(self) -> bool:
        """Whether this threat is to be accepted, and the product owner has not signed."""
        return self.treatment == Treatment.ACCEPT and self.accepted_on is None


class ImprovementKind(models.TextChoices):
    """Kind of an improvement: its value is the subject under which it was decided."""

    PROCESS = "process", _("Work process")
    SECURITY = "security", _("Security")


class ImprovementResult(models.TextChoices):
    """Result of an improvement, by its metric before and after."""

    WORKED = "worked", _("Worked")
    FAILED = "failed", _("Did not work")
    UNCLEAR = "unclear", _("Cannot tell")


class Improvement(models.Model):
    """Improvement that a retro decided. `before`, `target` and `after` are figures of its metric, as written.

    `step` is what it changes: a clause, a parameter, a checklist or a habit. `hours` to `is_milestone` are its place
    in the schedule; `carried_from` is the same improvement of the retro before.
    """

    privileges = Privileges(
        (READ, ADD, CHANGE),
        (),
        web_changes=(
            "result",
            "after",
            "note",
            "looked_on",
            "hours",
            "starts_on",
            "ends_on",
            "follows_id",
            "is_milestone",
        ),
    )
    written_by = _TAKEN_PART
    free_texts = ("text", "step", "metric", "before", "target", "after", "note")

    meeting = models.ForeignKey("meetings.ProductMeeting", models.PROTECT, related_name="improvements")
    kind = models.CharField(max_length=8, choices=ImprovementKind)
    text = models.CharField(max_length=300)
    step = models.CharField(max_length=300, blank=True)
    owner = models.ForeignKey("people.Person", models.PROTECT, related_name="improvements")
    starts_on = models.DateField()
    metric = models.CharField(max_length=200)
    before = models.CharField(max_length=60)
    target = models.CharField(max_length=60)
    look_on = models.DateField()
    result = models.CharField(max_length=7, choices=ImprovementResult, blank=True)
    after = models.CharField(max_length=60, blank=True)
    note = models.TextField(blank=True)
    looked_on = models.DateField(null=True)
    hours = models.PositiveSmallIntegerField(null=True)
    ends_on = models.DateField(null=True)
    follows = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")
    is_milestone = models.BooleanField(default=False)
    carried_from = models.OneToOneField("self", models.PROTECT, null=True, related_name="carried_to")

    class Meta:
        ordering = ("pk",)

    @property
    def is_late(self) -> bool:
        """Whether nobody looked at its result by the day for it."""
        return not self.result and self.look_on < timezone.localdate()

    def count_carries(self) -> int:
        """How often it was carried over before."""
        found, row = 0, self
        while row.carried_from is not None:
            found, row = found + 1, row.carried_from
        return found


class OwnerHours(models.Model):
    """Hours a week that a person has for the improvements of a retro, as they say themselves."""

    privileges = Privileges((READ, ADD, CHANGE), (), web_changes=("hours",), eraser=(DROP,))
    written_by = _TAKEN_PART

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="owner_hours")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    hours = models.PositiveSmallIntegerField()

    class Meta:
        """Constraint: a person has one row a meeting."""

        constraints = [models.UniqueConstraint(fields=["meeting", "person"], name="unique_owner_hours")]


class FeedbackState(models.TextChoices):
    """State of a round of anonymous feedback."""

    OPEN = "open", _("Open")
    SHOWN = "shown", _("Shown")
    TOO_FEW = "too-few", _("Too few answers")
    LOST = "lost", _("Lost")


class FeedbackRound(models.Model):
    """Anonymous feedback before a retro. `cells` are its codes and answers, encrypted (`feedback_cells`).

    Every write encrypts and reorders all of them, so that no write shows what it changed. `moods` count the answers
    to the first question, once they are shown.
    """

    privileges = Privileges((READ, ADD, CHANGE), (), web_changes=("state", "cells", "moods"), eraser=(DROP,))
    written_by = _TAKEN_PART | _CHAIRED

    meeting = models.OneToOneField("meetings.ProductMeeting", models.CASCADE, related_name="feedback")
    state = models.CharField(max_length=7, choices=FeedbackState, default=FeedbackState.OPEN)
    cells = models.BinaryField()
    moods = models.JSONField(default=dict)


class FeedbackCodeTaken(models.Model):
    """Note that a person took a code, not which one. It is erased when the answers are shown."""

    privileges = Privileges((READ, ADD, DROP), (), eraser=(DROP,))
    written_by = _TAKEN_PART | _CHAIRED

    feedback = models.ForeignKey(FeedbackRound, models.CASCADE, related_name="taken")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")

    class Meta:
        """Constraint: a person takes one code."""

        constraints = [models.UniqueConstraint(fields=["feedback", "person"], name="unique_taken_feedback_code")]


class ConfidentialAnswer(models.Model):
    """Answer that its writer gave to the Data Protection Officer in confidence, since too few people answered."""

    privileges = Privileges((READ, ADD), (), eraser=(DROP,))
    written_by = _CHAIRED
    free_texts = ("text",)

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="+")
    question = models.CharField(max_length=8, choices=FeedbackQuestion)
    text = models.TextField()

    class Meta:
        ordering = ("pk",)
