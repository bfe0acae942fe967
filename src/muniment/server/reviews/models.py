"""Input of security reviews: requirements of the market, personal data, opinions, guests, sample, access."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel


class RequirementSource(models.TextChoices):
    """Source of a requirement of the market."""

    LAW = "law", _("Law")
    CUSTOMER = "customer", _("Customer")
    STANDARD = "standard", _("Standard")
    COMPETITOR = "competitor", _("Competitor")


class RequirementState(models.TextChoices):
    """Answer to a requirement of the market."""

    OPEN = "open", _("Not decided")
    MET = "met", _("Met by a clause")
    UNMET = "unmet", _("Unmet, with an improvement")
    REFUSED = "refused", _("Refused, with a reason")


class MarketRequirement(models.Model):
    """Requirement that a law, a customer, a standard or a competitor's claim puts to a product.

    `reason` is the reason of a refusal, the improvement of an unmet one, or a note. `clause` is an id of the policy.
    """

    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ,),
        web_changes=("state", "clause", "reason", "owner_id", "due_on", "answered_at", "answered_by_id"),
        eraser=(DROP,),
    )
    written_by = frozenset({Action.KEEP_REQUIREMENTS, Action.ANSWER_REQUIREMENT})
    free_texts = ("text", "origin", "reason")

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="market_requirements")
    text = models.CharField(max_length=1000)
    source = models.CharField(max_length=10, choices=RequirementSource)
    origin = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=8, choices=RequirementState, default=RequirementState.OPEN)
    clause = models.CharField(max_length=100, blank=True)
    reason = models.TextField(blank=True)
    owner = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    due_on = models.DateField(null=True)
    added_at = models.DateTimeField(default=timezone.now)
    added_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")

    class Meta:
        """Indexed by product and state."""

        ordering = ("pk",)
        indexes = [models.Index(fields=["product", "state"], name="requirement_of_product")]

    @property
    def is_late(self) -> bool:
        """Whether this requirement is neither decided nor improved by its due date."""
        waits = self.state in (RequirementState.OPEN, RequirementState.UNMET)
        return waits and self.due_on is not None and self.due_on < timezone.localdate()


class PersonalDataField(models.Model):
    """Kind of personal data of a product, as its owner describes it. A new description ends the former one."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), web_changes=("ended_at",), eraser=(DROP,))
    written_by = frozenset({Action.DESCRIBE_PERSONAL_DATA})
    free_texts = ("name", "purpose", "place", "period", "recipients")

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="personal_data_fields")
    name = models.CharField(max_length=200)
    purpose = models.TextField()
    place = models.CharField(max_length=300)
    period = models.CharField(max_length=300)
    recipients = models.CharField(max_length=300)
    described_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    described_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Constraint: a kind of data has one description in force."""

        ordering = ("name", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["product", "name"], condition=models.Q(ended_at=None), name="unique_personal_data_field"
            )
        ]


OPINION_QUESTIONS = (
    ("stopped", _("Where does security stop you or your users from working?")),
    ("avoided", _("Which security feature do people avoid or complain about?")),
    ("missing", _("What would make the product easier and safer to use?")),
)


class UsabilityOpinion(models.Model):
    """Opinion of a person who takes part on how easy the product's security is to use."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), web_changes=("text", "written_at"), eraser=(DROP,))
    written_by = frozenset({Action.TAKE_PART_IN_MEETING})
    free_texts = ("text",)

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="opinions")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    question = models.CharField(max_length=16)
    text = models.TextField()
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: a person answers a question once a meeting."""

        constraints = [
            models.UniqueConstraint(fields=["meeting", "person", "question"], name="unique_usability_opinion")
        ]


class OpinionDraft(models.Model):
    """Text of an answer that is being typed, until it is saved as an opinion. Its writer alone sees it."""

    privileges = Privileges((READ, ADD, CHANGE, DROP), (), eraser=(DROP,))
    written_by = frozenset({Action.TAKE_PART_IN_MEETING})
    free_texts = ("text",)

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="opinion_drafts")
    person = models.ForeignKey("people.Person", models.CASCADE, related_name="+")
    question = models.CharField(max_length=16)
    text = models.TextField(blank=True)
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: a person has one draft of an answer."""

        constraints = [models.UniqueConstraint(fields=["meeting", "person", "question"], name="unique_opinion_draft")]


class GuestQuestion(models.TextChoices):
    """Question to a guest. The first two are answered by a choice, the others by a text."""

    SIGN_IN = "sign-in", _("Signing in is")
    IN_THE_WAY = "in-the-way", _("Security gets in the way of work")
    CHANGE = "change", _("What would you change first?")
    LAW = "law", _("Which law, standard or rule of yours concerns us next year?")
    TOPIC = "topic", _("What should the meeting talk about?")


GUEST_CHOICES = {
    GuestQuestion.SIGN_IN: (
        ("easy", _("Easy")),
        ("bearable", _("Bearable")),
        ("hard", _("Hard")),
        ("unknown", _("I cannot say")),
    ),
    GuestQuestion.IN_THE_WAY: (
        ("never", _("Never")),
        ("sometimes", _("Sometimes")),
        ("often", _("Often")),
        ("unknown", _("I cannot say")),
    ),
}


class ReviewGuest(models.Model):
    """Guest of one review, who has no account. The link in their mail and a code to the same address let them in.

    The worker makes link and code, and stores hashes alone. `code_wanted_at` is the moment of the newest request for
    a code, `code_sent_at` that of its mail; `proven_at` the moment at which the newest code was entered.
    """

    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ,),
        web_changes=("ended_at", "code_wanted_at", "code_hash", "wrong_codes", "proven_at"),
        worker_changes=("token_hash", "mailed_at", "code_hash", "code_sent_at", "wrong_codes"),
        eraser=(DROP,),
    )
    written_by = frozenset({Action.CHAIR_MEETING})
    free_texts = ("name", "organisation", "email")

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="guests")
    name = models.CharField(max_length=200)
    organisation = models.CharField(max_length=200, blank=True)
    email = models.EmailField(max_length=254)
    language = models.CharField(max_length=8, default="en")  # of the mails, as the chair chose it
    invited_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    invited_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    token_hash = models.CharField(max_length=64, null=True, unique=True)
    mailed_at = models.DateTimeField(null=True)
    code_wanted_at = models.DateTimeField(null=True)
    code_hash = models.CharField(max_length=200, blank=True)
    code_sent_at = models.DateTimeField(null=True)
    wrong_codes = models.PositiveSmallIntegerField(default=0)
    proven_at = models.DateTimeField(null=True)

    class Meta:
        """Constraint: an address is invited to a review once at a time."""

        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["meeting", "email"], condition=models.Q(ended_at=None), name="unique_review_guest"
            )
        ]

    @property
    def full_name(self) -> str:
        """Name with the organisation."""
        return f"{self.name}, {self.organisation}" if self.organisation else self.name


class GuestAnswer(models.Model):
    """Answer of a guest: the code of a choice, or a text."""

    privileges = Privileges((READ, ADD, CHANGE, DROP), (READ,), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()  # of the guest's page alone, which is an open route
    free_texts = ("text",)

    guest = models.ForeignKey(ReviewGuest, models.CASCADE, related_name="answers")
    question = models.CharField(max_length=16, choices=GuestQuestion)
    text = models.TextField()
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: a guest answers a question once."""

        constraints = [models.UniqueConstraint(fields=["guest", "question"], name="unique_guest_answer")]

    @property
    def shown_text(self) -> str:
        """Text for people: the label of a choice, or what was written."""
        labels = dict(GUEST_CHOICES.get(GuestQuestion(self.question), ()))
        return str(labels.get(self.text, self.text))


class ChangeSample(RecordedModel):
    """Sample of the changes merged since the last review. The worker draws it.

    `population` are numbers of branch updates, recorded by their digest before `seed` existed: it comes of the root of
    a later tree of the ledger, whose size is `ledger_size`. `drawn` are those that are looked at.
    """

    recorded_columns = ("meeting", "population_digest", "ledger_size", "seed", "drawn")
    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    meeting = models.OneToOneField("meetings.ProductMeeting", models.PROTECT, related_name="change_sample")
    population = models.JSONField(default=list)
    population_digest = models.CharField(max_length=71)
    salt = models.CharField(max_length=64)
    ledger_size = models.BigIntegerField(null=True)
    seed = models.CharField(max_length=64, blank=True)
    drawn = models.JSONField(default=list)


class SampleLook(models.Model):
    """Result of looking at a change of a sample, with the code review guide."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.TAKE_PART_IN_MEETING})
    free_texts = ("note",)

    sample = models.ForeignKey(ChangeSample, models.CASCADE, related_name="looks")
    update = models.ForeignKey("connections.BranchUpdate", models.CASCADE, related_name="+")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    is_sound = models.BooleanField()
    note = models.TextField(blank=True)
    looked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: a change of a sample has one result, the newest."""

        constraints = [models.UniqueConstraint(fields=["sample", "update"], name="unique_sample_look")]


class AccessPlace(models.TextChoices):
    """Place to which a person has access."""

    HERE = "here", _("Muniment")
    FORGE = "forge", _("Forge")
    VAULT = "vault", _("Secrets")
    PRODUCTION = "production", _("Production")


class AccessDecision(models.TextChoices):
    """Decision on the access of a person."""

    OPEN = "open", _("Not decided")
    KEEP = "keep", _("Keep")
    REMOVE = "remove", _("Remove")


class AccessEntry(models.Model):
    """Access of a person to a product, for one review: whether it was used in 90 days, and no times.

    The worker deletes it once the review was held: `AccessReviewResult` keeps the numbers alone.
    """

    privileges = Privileges(
        (READ,), (READ, ADD, DROP), web_changes=("decision", "decided_by_id", "decided_at"), eraser=(DROP,)
    )
    written_by = frozenset({Action.REVIEW_ACCESS})

    meeting = models.ForeignKey("meetings.ProductMeeting", models.CASCADE, related_name="access_entries")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    place = models.CharField(max_length=10, choices=AccessPlace)
    role = models.CharField(max_length=40)
    is_used = models.BooleanField(null=True)
    decision = models.CharField(max_length=6, choices=AccessDecision, default=AccessDecision.OPEN)
    decided_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        """Constraint: a role of a person at a place stands once in a review."""

        ordering = ("place", "pk")
        constraints = [
            models.UniqueConstraint(fields=["meeting", "person", "place", "role"], name="unique_access_entry")
        ]


class AccessReviewResult(models.Model):
    """Numbers of an access review that was held."""

    privileges = Privileges((READ,), (READ, ADD), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()

    meeting = models.OneToOneField("meetings.ProductMeeting", models.CASCADE, related_name="access_result")
    kept_count = models.PositiveIntegerField()
    removed_count = models.PositiveIntegerField()
    undecided_count = models.PositiveIntegerField()
