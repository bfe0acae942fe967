"""Incidents, from their opening to their end."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Resource
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.incidents.kinds import HOWS, KINDS, Kind


class Incident(models.Model):
    """One. `subject` is what it is about, such as `commit:...`: of a kind and subject, one is open at most.

    `involved` are ids of people who had a hand in it, and so may not close it.
    """

    privileges = Privileges(
        (READ,),
        (READ, ADD, CHANGE),
        web_changes=("owner_id", "closed_at", "resolution", "cause", "closed_by_id", "closing_record_id"),
        eraser=(DROP,),
    )
    written_by = frozenset({Action.HANDLE_INCIDENT})
    free_texts = ("summary", "cause", "involved_people", "link")

    kind = models.CharField(max_length=32)  # of KINDS
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
        """What is open is found without a look at what is not."""

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
    def what(self) -> Kind:
        """Its kind's row."""
        return KINDS[self.kind]

    @property
    def resource(self) -> Resource:
        """What an actor must be allowed to handle. Its product has to be at hand."""
        return Resource(product=self.product.slug) if self.product is not None else ORGANISATION

    @property
    def overdue(self) -> bool:
        """Whether it should be closed by now."""
        return self.closed_at is None and self.due_at < timezone.now()

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        return str(HOWS[self.resolution].text) if self.resolution in HOWS else ""


def open_ones() -> "models.QuerySet[Incident]":
    """Those that are open, the first due on top."""
    return Incident.objects.filter(closed_at=None).select_related("product", "owner").order_by("due_at", "pk")


def overdue(now: datetime) -> "models.QuerySet[Incident]":
    """Those that should be closed by now."""
    return Incident.objects.filter(closed_at=None, due_at__lt=now)
