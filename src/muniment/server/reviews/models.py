"""Answers that security reviews look at: requirements of the market, personal data of a product, opinions."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges


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
