"""Tables of rules by which repositories at a forge are connected."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.organisations.repository_choice import ChoiceRule, ProductMapping
from muniment.server.records.recorded_rows import RecordedModel

_MAPPINGS = [
    (ProductMapping.EACH.value, _("One product for each repository")),
    (ProductMapping.GROUP.value, _("One product for each group or owner")),
    (ProductMapping.ONE.value, _("One product for all of them")),
]


class RepositoryRule(RecordedModel):
    """Rule that chooses repositories which a connection sees, and their products (`repository_choice.ChoiceRule`).

    `automatic`: the worker connects what it chooses, also repositories that are made later. A rule is ended, never
    deleted, and disconnects nothing.
    """

    recorded_columns = (
        *("connection", "name", "mapping", "product", "patterns", "owners", "topics", "excluded"),
        *("everything", "automatic", "ended_at"),
    )
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.CHANGE_CONNECTION})

    connection = models.ForeignKey("connections.Connection", models.PROTECT, related_name="repository_rules")
    name = models.CharField(max_length=64)
    mapping = models.CharField(max_length=5, choices=_MAPPINGS)
    product = models.CharField(max_length=64, blank=True)  # its id; the product may be added later
    patterns = models.JSONField(default=list)
    owners = models.JSONField(default=list)
    topics = models.JSONField(default=list)
    excluded = models.JSONField(default=list)
    everything = models.BooleanField(default=False)
    automatic = models.BooleanField(default=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """At most one in force for each name."""

        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "name"], name="one_repository_rule", condition=models.Q(ended_at=None)
            )
        ]

    def read_rule(self) -> ChoiceRule:
        """The rule as the choice takes it."""
        return ChoiceRule(
            name=self.name,
            mapping=ProductMapping(self.mapping),
            product=self.product,
            patterns=tuple(self.patterns),
            owners=tuple(self.owners),
            topics=tuple(self.topics),
            excluded=tuple(self.excluded),
            everything=self.everything,
            automatic=self.automatic,
        )


class ProtectionProposal(models.Model):
    """Changes that protect the default branch of a repository, as the worker planned them at the forge.

    `steps` are (setting, value before, value after), `gaps` what remains open even then. `digest` commits to
    repository, branch and steps. `requested_by`: record of the act that requested these steps, "" before.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()  # the worker alone writes it

    link = models.OneToOneField("connections.RepositoryLink", models.CASCADE, related_name="protection_proposal")
    ref = models.CharField(max_length=300)
    steps = models.JSONField(default=list)
    gaps = models.JSONField(default=list)
    mode = models.CharField(max_length=10, blank=True)
    digest = models.CharField(max_length=71)
    requested_by = models.CharField(max_length=71, blank=True)
    planned_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)

    class Meta:
        """In the order of pages."""

        ordering = ("link__path",)
