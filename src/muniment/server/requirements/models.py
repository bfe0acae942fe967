"""Statements about security requirements, results of the tests that teams named, and official lists."""

from datetime import date

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel


class StatementKind(models.TextChoices):
    """Kind of statement about a requirement of a product."""

    ATTESTED = "attested", _("Attested")
    EXCLUDED = "not-applicable", _("Not applicable")
    TESTED = "test", _("Named test")


class RequirementStatement(RecordedModel):
    """Statement about one requirement of a product: attested, not applicable, or verified by the named `test`.

    `requirement` is the id in our checklist, or the key of an official one. It counts through the day `until`, a named
    test until it is ended. A newer statement about the same requirement ends it.
    """

    recorded_columns = ("product", "requirement", "kind", "test", "made_at", "until", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.STATE_REQUIREMENT, Action.END_REQUIREMENT_STATEMENT})
    free_texts = ("reason",)

    product = models.ForeignKey("products.Product", models.CASCADE, related_name="requirement_statements")
    requirement = models.CharField(max_length=300)
    kind = models.CharField(max_length=16, choices=StatementKind)
    test = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)  # the evidence, or why it does not apply
    requester = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approver = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")  # None: alone
    made_at = models.DateTimeField(default=timezone.now)
    until = models.DateField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """The newest on top; one in force for each requirement."""

        ordering = ("-made_at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=["product", "requirement"], name="one_requirement_statement", condition=models.Q(ended_at=None)
            )
        ]

    @property
    def access_resource(self) -> Resource:
        """Resource that an actor must be allowed to handle. Its product has to be loaded."""
        return Resource(product=self.product.slug)

    @classmethod
    def find_in_force(cls, today: date | None = None) -> "models.QuerySet[RequirementStatement]":
        """Statements that count today."""
        until = models.Q(until=None) | models.Q(until__gte=today or timezone.localdate())
        return cls.objects.filter(until, ended_at=None)


class NamedTestResult(models.Model):
    """Newest result of a test that a team named, on the protected branch of a repository of its product.

    `passed` is None where no trusted test runner reported one; `problem` says why.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    product = models.ForeignKey("products.Product", models.CASCADE, related_name="named_test_results")
    test = models.CharField(max_length=200)
    passed = models.BooleanField(null=True)
    commit = models.CharField(max_length=64, blank=True)
    ran_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField()
    problem = models.TextField(blank=True)

    class Meta:
        """Constraint: a test of a product has one newest result."""

        constraints = [models.UniqueConstraint(fields=["product", "test"], name="unique_named_test_result")]


class OfficialRequirementList(RecordedModel):
    """Official list, such as the OWASP ASVS, as it was imported. `title` is its name and version."""

    recorded_columns = ("title", "digest", "imported_at", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.IMPORT_REQUIREMENTS, Action.END_REQUIREMENT_LIST})

    title = models.CharField(max_length=200)
    digest = models.CharField(max_length=71)  # of `content`
    content = models.TextField()
    count = models.PositiveIntegerField()
    importer = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approver = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    imported_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Constraint: one list of a title is in force."""

        ordering = ("title", "-pk")
        constraints = [
            models.UniqueConstraint(fields=["title"], name="one_list_of_a_title", condition=models.Q(ended_at=None))
        ]
