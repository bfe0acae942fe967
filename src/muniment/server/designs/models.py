"""Evaluated designs of products and of changes, and threats with their answers."""

from datetime import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

_WORKERS = (READ, ADD, CHANGE, DROP)


class AnswerKind(models.TextChoices):
    """Answer to a threat of a design."""

    MITIGATED = "mitigated", _("Mitigated")
    ACCEPTED = "accepted", _("Accepted")


class DesignReading(models.Model):
    """Newest attempt to evaluate the design of a product. `tips` has the commit of each repository by its number.

    `answer` is what was evaluated, until the act that stores it.
    """

    privileges = Privileges((READ,), _WORKERS)
    written_by: frozenset[Action] = frozenset()

    product = models.OneToOneField("products.Product", models.CASCADE, related_name="design_reading")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    tips = models.JSONField(default=dict)
    answer = models.BinaryField(default=bytes)


class ProductDesign(RecordedModel):
    """Evaluated design of a product. `evaluation` is an `EvaluatedDesign`, and `digest` that of its bytes.

    `statuses` has the result of each principle by its name, {} for a product without a design.
    """

    recorded_columns = ("product", "digest", "evaluated_at")
    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = frozenset({Action.EVALUATE_DESIGN})

    product = models.OneToOneField("products.Product", models.CASCADE, related_name="design")
    digest = models.CharField(max_length=71)
    evaluated_at = models.DateTimeField()
    evaluation = models.BinaryField()
    statuses = models.JSONField(default=dict)
    sources = models.JSONField(default=list)  # each repository by its name and commit


class DesignThreat(RecordedModel):
    """Threat of a design, by the identity that it keeps when the design changes. `gone_at`: the design lacks it."""

    recorded_columns = ("product", "identity", "first_found_at", "gone_at")
    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = frozenset({Action.EVALUATE_DESIGN})

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="design_threats")
    identity = models.CharField(max_length=600)
    kind = models.CharField(max_length=32)
    element = models.CharField(max_length=400)
    score = models.PositiveIntegerField()
    mitigations = models.JSONField(default=list)
    first_found_at = models.DateTimeField(default=timezone.now)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        """Constraint: an identity once in each product. The highest score on top."""

        ordering = ("-score", "identity")
        constraints = [models.UniqueConstraint(fields=["product", "identity"], name="unique_design_threat")]

    @property
    def access_resource(self) -> Resource:
        """Resource that an actor must be allowed to handle. Its product has to be loaded."""
        return Resource(product=self.product.slug)


class ThreatAnswer(RecordedModel):
    """Answer of a person to a threat, valid until `ends_at`, or until somebody ends it."""

    recorded_columns = ("threat", "kind", "person", "answered_at", "ends_at", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.ANSWER_DESIGN_THREAT, Action.ACCEPT_THREAT})
    free_texts = ("text",)

    threat = models.ForeignKey(DesignThreat, models.CASCADE, related_name="answers")
    kind = models.CharField(max_length=16, choices=AnswerKind)
    text = models.TextField()
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True)  # None for a mitigation, which does not end by itself
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """The newest on top."""

        ordering = ("-answered_at", "-pk")

    @classmethod
    def find_in_force(cls, moment: datetime | None = None) -> "models.QuerySet[ThreatAnswer]":
        """Answers in force at a moment, by default now."""
        until = models.Q(ends_at=None) | models.Q(ends_at__gt=moment or timezone.now())
        return cls.objects.filter(until, ended_at=None)


class ChangeDesign(models.Model):
    """Design before and after a change, as a `DesignAnswer` of its head. `problem` says why there is none."""

    privileges = Privileges((READ,), _WORKERS)
    written_by: frozenset[Action] = frozenset()

    change = models.OneToOneField("changes.Change", models.CASCADE, related_name="design")
    head = models.CharField(max_length=64)
    base = models.CharField(max_length=64)
    evaluated_at = models.DateTimeField()
    problem = models.TextField(blank=True)
    is_altered = models.BooleanField(default=False)
    answer = models.BinaryField(default=bytes)


class PersonalDataDraft(models.Model):
    """Kind of personal data as the design describes it: the draft of an entry of the record of processing.

    Another description ends the former one, so that a review sees what changed.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = frozenset({Action.EVALUATE_DESIGN})
    free_texts = ("purpose",)

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="personal_data_drafts")
    name = models.CharField(max_length=400)
    purpose = models.TextField(blank=True)
    keep_days = models.IntegerField(null=True)
    places = models.JSONField(default=list)
    recipients = models.JSONField(default=list)
    described_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """By name; the newest description of one name last."""

        ordering = ("name", "pk")
