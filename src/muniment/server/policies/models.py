"""Versions of the policy, and exceptions from it."""

from datetime import date, datetime
from typing import Any

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

_ALL = (READ, ADD, CHANGE, DROP)


class PolicyVersion(RecordedModel):
    """Policy that is, was, or would be in force. `holds` marks the one that is in force. `commit` is where it was
    read from, "" if a person typed it; such a one the worker may add, but not put in force.
    """

    recorded_columns = ("text", "digest", "source_commit", "in_force", "applied_at")
    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ, ADD),
        worker_adds=("text", "digest", "note", "proposed_at", "source_commit"),
        operator=(ADD, CHANGE),
        eraser_changes=("text",),
    )
    free_texts = ("note",)
    written_by = frozenset({Action.DRAFT_POLICY, Action.APPLY_POLICY, Action.WEAKEN_POLICY})

    text = models.TextField()
    digest = models.CharField(max_length=71)
    note = models.TextField(blank=True)
    proposed_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    approver = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    applied_at = models.DateTimeField(null=True)
    in_force = models.BooleanField(default=False, db_default=False)
    source_commit = models.CharField(max_length=64, blank=True, db_default="")

    class Meta:
        """At most one is in force."""

        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["in_force"], condition=models.Q(in_force=True), name="single_policy_in_force"
            )
        ]


class PolicySource(RecordedModel):
    """Branch that policies are read from, if there is one: each commit that a decision allowed there is drafted
    here.

    `seen` is the newest commit that was read, `problem` why the newest is not.
    """

    recorded_columns = ("repository", "branch", "path")
    privileges = Privileges(_ALL, (READ,), worker_changes=("last_commit", "problem", "read_at"))
    written_by = frozenset({Action.DRAFT_POLICY})

    id = models.SmallIntegerField(primary_key=True)
    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    branch = models.CharField(max_length=300)
    path = models.CharField(max_length=300)
    configured_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    configured_at = models.DateTimeField(default=timezone.now)
    last_commit = models.CharField(max_length=64, blank=True)
    problem = models.TextField(blank=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        """At most one row."""

        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="single_policy_source")]


class PolicyTrial(models.Model):
    """Replay of a version on a repository's last 90 days: of how many changes, how many it would allow."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    version = models.ForeignKey(PolicyVersion, models.CASCADE, related_name="trials")
    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    change_count = models.IntegerField()
    allowed_now = models.IntegerField()
    allowed_then = models.IntegerField()
    differing_changes = models.JSONField(default=list)  # changes that would come out otherwise: head, before, after
    unmet_by_clause = models.JSONField(default=dict)  # of each clause, how many changes did not hold: [now, then]
    problem = models.TextField(blank=True)

    class Meta:
        """Unique by version and repository."""

        constraints = [models.UniqueConstraint(fields=["version", "repository"], name="unique_policy_trial")]


class PolicyException(models.Model):
    """Exception: permission to proceed although one clause fails, in one scope, until one moment."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.REQUEST_EXCEPTION, Action.END_EXCEPTION, Action.ERASE_PERSONAL_DATA})
    free_texts = ("reason",)

    slug = models.CharField(max_length=64, unique=True)
    repository = models.ForeignKey("products.Repository", models.PROTECT, related_name="exceptions")
    clause = models.CharField(max_length=100)
    branch = models.CharField(max_length=300)
    head = models.CharField(max_length=64, blank=True)
    reason = models.TextField()
    requester = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approver = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approved_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """The first to expire on top."""

        ordering = ("expires_at", "id")

    @classmethod
    def current(cls, products: Any) -> "models.QuerySet[PolicyException]":
        """Rows in force for some products, the first to end on top."""
        rows = cls.find_in_force().filter(repository__product__in=products)
        return rows.select_related("repository__product", "requester", "approver")

    @classmethod
    def find_in_force(cls, moment: datetime | None = None) -> "models.QuerySet[PolicyException]":
        """Rows in force at a moment, by default now."""
        return cls.objects.filter(ended_at=None, expires_at__gt=moment or timezone.now())


class MonitoringPeriod(RecordedModel):
    """Clause that does not block for one product, through the end of a day: so that a company can begin gradually."""

    recorded_columns = ("product", "clause", "started_at", "last_day", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.START_MONITORING, Action.END_EXCEPTION})
    free_texts = ("reason",)

    slug = models.CharField(max_length=64, unique=True)
    product = models.ForeignKey("products.Product", models.PROTECT, related_name="monitoring_periods")
    clause = models.CharField(max_length=100)
    last_day = models.DateField()
    reason = models.TextField()
    requester = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approver = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")  # None: alone
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """The first to end on top."""

        ordering = ("last_day", "id")

    @classmethod
    def find_periods_at(cls, moment: datetime) -> "models.QuerySet[MonitoringPeriod]":
        """Periods that were in force at a moment."""
        rows = cls.objects.filter(started_at__lte=moment, last_day__gte=moment.date())
        return rows.filter(models.Q(ended_at=None) | models.Q(ended_at__gt=moment))

    @classmethod
    def find_current_periods(cls, day: date | None = None) -> "models.QuerySet[MonitoringPeriod]":
        """Periods that are in force on a day, by default today."""
        return cls.objects.filter(ended_at=None, last_day__gte=day or timezone.now().date())


class Freeze(models.Model):
    """A freeze as pages show it. The ledger's records alone decide whether it is in force."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    free_texts = ("reason",)
    written_by = frozenset({Action.FREEZE, Action.LIFT_FREEZE})

    slug = models.CharField(max_length=16, unique=True)
    started_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    reason = models.TextField()
    drill = models.BooleanField(default=False)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    product = models.ForeignKey("products.Product", models.PROTECT, null=True, related_name="+")
    environment = models.ForeignKey("products.Environment", models.PROTECT, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    @classmethod
    def find_current_freezes(cls, moment: datetime | None = None) -> "models.QuerySet[Freeze]":
        """Freezes that are neither lifted nor over at a moment, by default now; announced ones too."""
        open_end = models.Q(until=None) | models.Q(until__gt=moment or timezone.now())
        rows = cls.objects.filter(open_end, lifted_at=None)
        return rows.select_related("started_by", "product", "environment").order_by("since", "pk")

    @property
    def has_begun(self) -> bool:
        """Whether its start has come."""
        return self.since <= timezone.now()


class StateSnapshot(models.Model):
    """How many checks were in each state at the end of a week, or are today: for pages that show a trend.

    Of a `product`, or of all active ones if it is None; of a `section` of the policy, or of all if it is "". `week` is
    its Monday, in UTC.
    """

    privileges = Privileges((READ,), _ALL)
    written_by: frozenset[Action] = frozenset()

    product = models.ForeignKey("products.Product", models.CASCADE, null=True, related_name="state_snapshots")
    section = models.CharField(max_length=100, blank=True)
    week = models.DateField()
    passing = models.IntegerField(default=0)
    excepted = models.IntegerField(default=0)
    unknown = models.IntegerField(default=0)
    failing = models.IntegerField(default=0)
    not_evaluated = models.IntegerField(default=0)

    class Meta:
        """Unique by product, section and week."""

        constraints = [
            models.UniqueConstraint(
                fields=["product", "section", "week"], name="unique_state_snapshot", nulls_distinct=False
            )
        ]
