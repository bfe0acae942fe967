"""Incidents, from their opening to their end."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

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


class BreachRegime(models.TextChoices):
    """Regime by which a breach has to be notified."""

    CONTROLLER = "controller", _("GDPR, as controller")
    PROCESSOR = "processor", _("GDPR, as processor: each customer")
    CRA = "cra", _("Cyber Resilience Act")
    NIS2 = "nis2", _("NIS2")
    CONTRACT = "contract", _("Contract")


DEFAULT_HOURS = {  # None: without undue delay, which has no number of hours
    BreachRegime.CONTROLLER: 72,
    BreachRegime.PROCESSOR: None,
    BreachRegime.CRA: 24,
    BreachRegime.NIS2: 24,
    BreachRegime.CONTRACT: None,
}


class BreachDuty(models.Model):
    """Duty of a product to notify a breach: by which regime, whom, and within how many hours.

    `hours` None is "without undue delay".
    """

    privileges = Privileges((READ, ADD, CHANGE), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.DESCRIBE_PERSONAL_DATA})
    free_texts = ("recipient",)

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="breach_duties")
    regime = models.CharField(max_length=10, choices=BreachRegime)
    recipient = models.CharField(max_length=200)
    hours = models.PositiveSmallIntegerField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Constraint: a recipient is named once by each regime."""

        ordering = ("regime", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["product", "regime", "recipient"],
                condition=models.Q(ended_at=None),
                name="unique_breach_duty",
            )
        ]


class BreachClock(models.Model):
    """Clock of one duty for one incident, since somebody became aware. `is_notified` is the decision of its owner."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.HANDLE_INCIDENT})
    free_texts = ("recipient", "reason")

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="breach_clocks")
    regime = models.CharField(max_length=10, choices=BreachRegime)
    recipient = models.CharField(max_length=200)
    hours = models.PositiveSmallIntegerField(null=True)
    aware_at = models.DateTimeField()
    aware_person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    is_notified = models.BooleanField(null=True)
    reason = models.TextField(blank=True)
    decided_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("pk",)

    @property
    def ends_at(self) -> datetime | None:
        """Moment at which the time is over; None for "without undue delay"."""
        return self.aware_at + timedelta(hours=self.hours) if self.hours is not None else None

    @property
    def is_late(self) -> bool:
        """Whether nothing was decided in time."""
        return self.is_notified is None and self.ends_at is not None and self.ends_at < timezone.now()


class BreachAdvice(models.Model):
    """Advice of the Data Protection Officer on the notification of a breach, as she wrote it."""

    privileges = Privileges((READ, ADD), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.WRITE_DPO_FEEDBACK})
    free_texts = ("text",)

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="breach_advice")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    text = models.TextField()
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("pk",)
