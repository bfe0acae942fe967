"""Versions of the policy, and exceptions from it."""

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges

_ALL = (READ, ADD, CHANGE, DROP)


class Version(models.Model):
    """A policy that holds, held, or was proposed. `holds` marks the one that is in force. `commit` is where it was read
    from, "" if a person typed it; such a one the worker may add, but not have it hold.
    """

    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ, ADD),
        worker_adds=("text", "digest", "note", "proposed", "commit"),
        worker_changes=("note",),
    )
    free_texts = ("note",)
    written_by = frozenset({Action.PROPOSE_POLICY, Action.APPLY_POLICY, Action.WEAKEN_POLICY})

    text = models.TextField()
    digest = models.CharField(max_length=71)
    note = models.TextField(blank=True)
    by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    second = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    proposed = models.DateTimeField(default=timezone.now)
    applied = models.DateTimeField(null=True)
    holds = models.BooleanField(default=False, db_default=False)
    commit = models.CharField(max_length=64, blank=True, db_default="")

    class Meta:
        """One is in force."""

        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["holds"], condition=models.Q(holds=True), name="one_holds")]


class Source(models.Model):
    """The branch that policies are read from, if there is one: what a binding decision let in there is proposed here.

    `seen` is the newest commit that was read, `problem` why the newest is not.
    """

    privileges = Privileges(_ALL, (READ,), worker_changes=("seen", "problem", "read"))
    written_by = frozenset({Action.PROPOSE_POLICY})

    id = models.SmallIntegerField(primary_key=True)
    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    branch = models.CharField(max_length=300)
    path = models.CharField(max_length=300)
    by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    since = models.DateTimeField(default=timezone.now)
    seen = models.CharField(max_length=64, blank=True)
    problem = models.TextField(blank=True)
    read = models.DateTimeField(null=True)

    class Meta:
        """There is one at most."""

        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_source")]


class Trial(models.Model):
    """What a version would have done to a repository's last 90 days: of how many changes, how many it would allow."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    version = models.ForeignKey(Version, models.CASCADE, related_name="trials")
    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    changes = models.IntegerField()
    now_allowed = models.IntegerField()
    then_allowed = models.IntegerField()
    other = models.JSONField(default=list)  # changes that would come out otherwise: head, before, after
    clauses = models.JSONField(default=dict)  # of each clause, how many changes did not hold: [now, then]
    problem = models.TextField(blank=True)

    class Meta:
        """One of each."""

        constraints = [models.UniqueConstraint(fields=["version", "repository"], name="trial_once")]


class Leave(models.Model):
    """An exception: leave to proceed although one clause says no, in one scope, until one moment."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), worker_changes=("reason",))
    written_by = frozenset({Action.ASK_EXCEPTION, Action.END_EXCEPTION, Action.ERASE_PERSONAL})
    free_texts = ("reason",)

    slug = models.CharField(max_length=64, unique=True)
    repository = models.ForeignKey("products.Repository", models.PROTECT, related_name="exceptions")
    clause = models.CharField(max_length=100)
    branch = models.CharField(max_length=300)
    head = models.CharField(max_length=64, blank=True)
    reason = models.TextField()
    asker = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    granter = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    granted = models.DateTimeField()
    expires = models.DateTimeField()
    ended = models.DateTimeField(null=True)

    class Meta:
        """Those about to end first."""

        ordering = ("expires", "id")


class Gentle(models.Model):
    """One clause that only reports for one product, through the end of a day: so that a company can begin gently."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), worker_changes=("reason",))
    written_by = frozenset({Action.REPORT_ONLY, Action.END_EXCEPTION})
    free_texts = ("reason",)

    slug = models.CharField(max_length=64, unique=True)
    product = models.ForeignKey("products.Product", models.PROTECT, related_name="gentle")
    clause = models.CharField(max_length=100)
    until = models.DateField()
    reason = models.TextField()
    asker = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    granter = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    since = models.DateTimeField(default=timezone.now)
    ended = models.DateTimeField(null=True)

    class Meta:
        """The first to end on top."""

        ordering = ("until", "id")

    @classmethod
    def holding(cls) -> "models.QuerySet[Gentle]":
        """Those that hold today."""
        return cls.objects.filter(ended=None, until__gte=timezone.now().date())


class Freeze(models.Model):
    """A stop of all merges, until two lift it."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), worker_changes=("reason",))
    free_texts = ("reason",)
    written_by = frozenset({Action.FREEZE, Action.UNFREEZE})

    slug = models.CharField(max_length=16, unique=True)
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    reason = models.TextField()
    rehearsal = models.BooleanField(default=False)
    since = models.DateTimeField()
    lifted = models.DateTimeField(null=True)
