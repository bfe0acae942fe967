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

    privileges = Privileges((READ, ADD, CHANGE), (READ, ADD, CHANGE, DROP))
    written_by = frozenset({Action.HANDLE_INCIDENT, Action.BREAK_GLASS})
    free_texts = ("told", "cause", "involved")

    kind = models.CharField(max_length=32)  # of KINDS
    product = models.ForeignKey("products.Product", models.PROTECT, null=True, related_name="incidents")
    subject = models.CharField(max_length=300)
    told = models.TextField()
    link = models.CharField(max_length=200, blank=True)
    involved = models.JSONField(default=list)
    opened = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField()
    owner = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    entry = models.OneToOneField("record.Entry", models.PROTECT, related_name="+")
    closed = models.DateTimeField(null=True)
    how = models.CharField(max_length=32, blank=True)  # of HOWS
    cause = models.TextField(blank=True)
    closer = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")

    class Meta:
        """What is open is found without a look at what is not."""

        constraints = [
            models.UniqueConstraint(
                fields=["kind", "product", "subject"],
                condition=models.Q(closed=None),
                name="incident_open_once",
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(fields=["deadline"], condition=models.Q(closed=None), name="incident_due")]

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
        return self.closed is None and self.deadline < timezone.now()

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        return str(HOWS[self.how].text) if self.how in HOWS else ""


def open_ones() -> "models.QuerySet[Incident]":
    """Those that are open, the first due on top."""
    return Incident.objects.filter(closed=None).select_related("product", "owner").order_by("deadline", "pk")


def overdue(now: datetime) -> "models.QuerySet[Incident]":
    """Those that should be closed by now."""
    return Incident.objects.filter(closed=None, deadline__lt=now)
