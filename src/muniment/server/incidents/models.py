"""Incidents, from their opening to their end."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.incidents.kinds import INCIDENT_KINDS, RESOLUTIONS, IncidentKind


class Incident(models.Model):
    """Incident about a `subject`, such as `commit:...`: of a kind and subject, one is open at most.

    `involved` are ids of people who contributed to it, and so may not close it.
    """

    privileges = Privileges(
        (READ,),
        (READ, ADD, CHANGE),
        web_changes=("owner_id", "closed_at", "resolution", "cause", "closed_by_id", "closing_record_id"),
        eraser=(DROP,),
    )
    written_by = frozenset({Action.HANDLE_INCIDENT})
    free_texts = ("summary", "cause", "involved_people", "link")

    kind = models.CharField(max_length=32)  # of INCIDENT_KINDS
    product = models.ForeignKey("products.Product", models.PROTECT, null=True, related_name="incidents")
    subject = models.CharField(max_length=300)
    summary = models.TextField()
    link = models.CharField(max_length=200, blank=True)
    involved_people = models.JSONField(default=list)
    opened_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    owner = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    record = models.OneToOneField("records.Record", models.PROTECT, related_name="+")
    closing_record = models.OneToOneField("records.Record", models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=32, blank=True)  # of HOWS
    cause = models.TextField(blank=True)
    closed_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")

    class Meta:
        """Indexed by state: open ones are found without reading the rest."""

        constraints = [
            models.UniqueConstraint(
                fields=["kind", "product", "subject"],
                condition=models.Q(closed_at=None),
                name="unique_open_incident",
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(fields=["due_at"], condition=models.Q(closed_at=None), name="open_incident_due")]

    @property
    def what(self) -> IncidentKind:
        """Row of the incident's kind."""
        return INCIDENT_KINDS[self.kind]

    @property
    def resource(self) -> Resource:
        """Resource that an actor must be allowed to handle. Its product has to be loaded."""
        return Resource(product=self.product.slug) if self.product is not None else ORGANISATION

    @property
    def overdue(self) -> bool:
        """Whether it should be closed by now."""
        return self.closed_at is None and self.due_at < timezone.now()

    @property
    def ending(self) -> str:
        """Text of its resolution, for people."""
        return str(RESOLUTIONS[self.resolution].text) if self.resolution in RESOLUTIONS else ""


def find_open_incidents() -> "models.QuerySet[Incident]":
    """Open incidents, the first due on top."""
    return Incident.objects.filter(closed_at=None).select_related("product", "owner").order_by("due_at", "pk")


def find_overdue_incidents(now: datetime) -> "models.QuerySet[Incident]":
    """Open incidents past their deadline."""
    return Incident.objects.filter(closed_at=None, due_at__lt=now)
